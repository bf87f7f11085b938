"""Segment many photos from folders, ZIPs and data sets, in one process or several."""
