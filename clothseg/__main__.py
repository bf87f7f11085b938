"""`python -m clothseg`."""

import sys

from clothseg.cli import main


sys.exit(main())
