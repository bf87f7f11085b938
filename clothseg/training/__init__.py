"""Training of clothes parsers with transformers' Trainer: data, recipe, metrics, model card, push to the Hub."""
