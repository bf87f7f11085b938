"""Compute label maps from logits: one pipeline for photos, clips and evaluation, and its steps."""
