"""What a fresh Python process takes, from start to end: importing, a gradient of scalars, a first trained batch.

Compiled kernels come from the cache on disk, which the first run, not counted, has filled.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from . import data

TITLE = "A fresh process, from start to end"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "jax", "scikit-learn")
THREADS = (2,)  # a process that imports runs on one thread anyway

IMPORT = {
    "tinygrad_fr": "import tinygrad_fr",
    "numpy": "import numpy",
    "torch": "import torch",
    "jax": "import jax",
    "scikit-learn": "import sklearn.neural_network",
}
# The facade of tinygrad_fr loads its parts when they are named; the others load theirs with the import.
IMPORT_ALL = {
    "tinygrad_fr": "import tinygrad_fr, tinygrad_fr.nn, tinygrad_fr.optim, tinygrad_fr.utils.data",
    "torch": "import torch, torch.nn, torch.optim, torch.utils.data",
    "jax": "import jax, jax.numpy, jax.nn",
}
FIRST_GRADIENT = {
    "tinygrad_fr": """
import tinygrad_fr as torch
x = torch.tensor(3.0, requires_grad=True)
(x * x).backward()
""",
    "torch": """
import torch
x = torch.tensor(3.0, requires_grad=True)
(x * x).backward()
""",
    "jax": """
import jax
jax.grad(lambda x: x * x)(3.0).block_until_ready()
""",
}
READ = {
    "tinygrad_fr": """
import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.datasets import idx
from tinygrad_fr.utils.data import DataLoader, TensorDataset
images, labels = (idx.read(path) for path in sys.argv[1:])
""",
    "torch": """
import gzip
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
def read(path, header):
    with gzip.open(path) as file:
        return numpy.frombuffer(bytearray(file.read()), numpy.uint8)[header:]
images, labels = read(sys.argv[1], 16).reshape(-1, 28, 28), read(sys.argv[2], 8)
""",
}
FIRST_BATCH = """
import sys
import numpy
{read}
x = torch.from_numpy(images.reshape(len(images), -1))
y = torch.from_numpy(labels.astype(numpy.int64))
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = optim.Adam(model.parameters())
for images, labels in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
    loss = nn.CrossEntropyLoss()(model((images.float() / 255 - 0.1307) / 0.3081), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    break
"""


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Functions that run a program; without MNIST's .gz files the last case is missing."""
    programs = {
        "import": IMPORT,
        "import with layers and optimisers": IMPORT_ALL,
        "import, gradient of x * x": FIRST_GRADIENT,
    }
    found = {name: process(codes[library]) for name, codes in programs.items() if library in codes}
    files = data.compressed_files()
    if files and library in READ:
        code = FIRST_BATCH.format(read=READ[library])
        found["MNIST's .gz files, first trained batch"] = process(code, *map(str, files))
    return found


def process(code: str, *arguments: str) -> Callable[[], Any]:
    """A function that runs the code in a new interpreter, to its end."""
    return lambda: subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
