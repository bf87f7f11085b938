"""Photos in: decoding, colour space, where they come from, and files that are written whole or not at all."""
