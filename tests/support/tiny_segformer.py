"""The configuration of a very small SegFormer."""

from typing import Any

from transformers import SegformerConfig


def tiny_config(**settings: Any) -> SegformerConfig:
    """A configuration with 35,000 weights, including the decode head."""
    return SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=32,
        **settings,
    )
