"""`python -m clothseg`."""

import sys

from clothseg.cli import main
from clothseg.process_settings import tune


tune()  # commands import torch when they run
sys.exit(main())
