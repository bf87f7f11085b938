"""Scoring a model on held-out photos."""
