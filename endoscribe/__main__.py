"""`python -m endoscribe`."""

import sys

from endoscribe.cli import main

sys.exit(main())
