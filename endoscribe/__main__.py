"""`python -m endoscribe`."""

import sys

from endoscribe.cli.main import main

sys.exit(main())
