"""Programs to run and read: ``python examples/NAME.py``, or ``python -m examples.NAME`` from the folder above."""

import sys
from pathlib import Path

# Started as a file, a program imports its neighbours by their bare names; as a module it finds them the same way.
sys.path.insert(0, str(Path(__file__).parent))
