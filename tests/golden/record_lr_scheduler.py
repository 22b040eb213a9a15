"""Records what PyTorch's schedulers do, for tests/optim.  Run: python record_lr_scheduler.py > lr_scheduler.json

Needs PyTorch; the tests need only the file. The recording is of `run` in tests/optim/schedules.py, which is given
PyTorch: for each case the rates (and momenta) of both groups after each of 50 steps, the parameters at the end, and the
keys of the scheduler's state.
"""

import json
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "optim"))
import schedules

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    cases = {name: schedules.run(torch, name) for name in schedules.CASES}
    print(json.dumps({"torch": torch.__version__.split("+")[0], "cases": cases}))
