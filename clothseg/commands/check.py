"""Compare the engine that runs a model here with PyTorch on one small input, like `python app.py --self-check`."""

import argparse
import sys

from clothseg.commands.common import add_model, add_precision
from clothseg.engines import ENGINES


HELP = "check that the engine gives the same results as PyTorch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add_model(parser, "model")
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="default: auto, the fastest installed one")
    add_precision(parser)


def run(arguments: argparse.Namespace) -> int:
    """Load the model, compare the engine with PyTorch and print the result.

    Raises:
        ModelError: the model cannot be loaded, or the engine differs from PyTorch.
        ConfigError: the engine is not installed.
        HubError: the model cannot be downloaded.
    """
    from clothseg.segmenter import Segmenter
    from clothseg.self_check import self_check

    options = {"engine": arguments.engine, "precision": arguments.precision}
    segmenter = Segmenter.from_pretrained(arguments.model, revision=arguments.revision, **options)
    share = self_check(segmenter, arguments.model, arguments.precision)
    engine = type(segmenter.engine).__name__
    sys.stdout.write(f"{engine}: the logits of {segmenter.name} agree with PyTorch to {share:.1g} of the largest.\n")
    return 0
