"""``python -m tinygrad_fr``: what is installed, compiling ahead, and emptying the cache."""

import sys

from .command_line import main

sys.exit(main())
