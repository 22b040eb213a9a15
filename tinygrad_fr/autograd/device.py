"""There is one device, the CPU; the names exist so that programs written for several devices run."""

from typing import Any


class device:
    """``device('cpu')``; any other raises, naming it."""

    __slots__ = ("index", "type")

    def __init__(self, type: "str | device" = "cpu", index: int | None = None):
        name, _, number = str(type).partition(":")
        if name != "cpu":
            raise RuntimeError(f"device '{type}' is not available: tinygrad_fr computes on the CPU only; use 'cpu'")
        self.type = name
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        return f"device(type='{self.type}')" if self.index is None else f"device(type='cpu', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))


CPU = device("cpu")


def check_device(value: Any) -> None:
    """Accept None and every spelling of the CPU; raise for any other device, naming it."""
    if value is not None and value is not CPU:
        device(value)
