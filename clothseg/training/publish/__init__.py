"""What a training run publishes: model card, report, plots, the push to the Hub."""
