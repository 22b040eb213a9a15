# The kernels stand in the folder ``kernels`` beside this package and are installed as ``tinygrad_fr.kernels``. This
# stub tells type checkers so in a checkout; it is not installed.
from typing import Any

def __getattr__(name: str) -> Any: ...
