"""Publish a training run: model card, report, plots, the push to the Hub."""
