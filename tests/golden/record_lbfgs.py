"""Records what PyTorch's LBFGS does, for tests/optim/test_lbfgs.py.  Run: python record_lbfgs.py > lbfgs.json

Needs PyTorch; the tests need only the file. What is recorded is `run` in tests/optim/valleys.py, given PyTorch.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "optim"))
import valleys

if __name__ == "__main__":
    cases = {name: valleys.run(torch, name) for name in valleys.CASES}
    print(json.dumps({"torch": torch.__version__.split("+")[0], "cases": cases}, indent=1))
