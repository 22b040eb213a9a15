"""Records what PyTorch gives for NORMS of layer_cases.py.  Run: python record_norms.py > norms.json

As record_layers.py does.
"""

import json
import warnings

import torch
from layer_cases import NORMS
from record_layers import layer_calls

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({"torch": torch.__version__.split("+")[0], "layers": [layer_calls(*case) for case in NORMS]}))
