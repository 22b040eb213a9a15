"""``python -m benchmarks NAME [--json FILE] [--plot FILE]``."""

import sys

from .command_line import main

sys.exit(main())
