"""Logits to a label map: one pipeline for photos, clips and evaluation, and the steps that it is made of."""
