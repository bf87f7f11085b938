"""Convert the annotations of other tools to label maps."""
