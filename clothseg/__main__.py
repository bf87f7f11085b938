"""`python -m clothseg`, and the command `clothseg` of an installed package."""

import sys

from clothseg.cli import main
from clothseg.process_settings import tune


def run() -> int:
    """Run the command line of this process; returns the exit status."""
    tune()  # commands import torch when they run
    return main()


if __name__ == "__main__":
    sys.exit(run())
