"""Clips: reading, segmenting frame by frame without flicker, writing."""
