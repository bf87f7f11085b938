"""Read photos: decoding, colour space, sources, and atomic file writing."""
