"""Score models on held-out photos."""
