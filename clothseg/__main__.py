"""`python -m clothseg`."""

import sys

from clothseg.cli import main
from clothseg.tuning import tune


tune()  # commands import torch when they run
sys.exit(main())
