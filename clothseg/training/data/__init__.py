"""Training data: loading, splitting, checking, repairing, augmenting."""
