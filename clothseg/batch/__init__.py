"""Many photos: from folders, ZIPs and data sets, in one process or in several."""
