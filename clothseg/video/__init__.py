"""Clips: read them, segment them frame by frame without flicker, write them."""
