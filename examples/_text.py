"""Text for the examples: the source of Python's standard library, or any file; as numbers, cut in three by position."""

import importlib.util
import math
import platform
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr.utils.data import Dataset

STAND_IN = "\ufffd"  # for letters that are not in the alphabet
MOST_LETTERS = 100  # of an alphabet, with the stand-in
FEWEST_OCCURRENCES = 10  # in the training text, of a letter of the alphabet
HELD_OUT_SHARE = 1 / 20  # of the text, for validation; as much for the test

# 1.3 million letters: modules of one file each, with that name from Python 3.11 on, none of them part of the program.
MODULES = (
    "argparse", "ast", "bdb", "calendar", "cmd", "configparser", "contextlib", "csv", "dataclasses", "difflib", "dis",
    "enum", "fractions", "functools", "heapq", "json.decoder", "json.encoder", "optparse", "pickle", "pprint", "queue",
    "random", "sched", "shlex", "shutil", "socket", "statistics", "string", "tempfile", "textwrap", "threading",
    "traceback", "wave", "weakref", "zipapp",
)  # fmt: skip


@dataclass
class Text:
    """A text in three parts, one after the other.  train, validation, test: (L,) uint8, places in the alphabet."""

    source: str
    alphabet: str  # the stand-in first, then the letters, the most frequent first
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def encode(self, letters: str) -> np.ndarray:
        return encode(self.alphabet, letters)

    def decode(self, numbers: np.ndarray) -> str:
        return "".join([self.alphabet[number] for number in numbers])

    def rare(self) -> float:
        """The share of letters that are not in the alphabet."""
        parts = (self.train, self.validation, self.test)
        return sum(int((part == 0).sum()) for part in parts) / sum(map(len, parts))

    def fingerprint(self) -> dict[str, Any]:
        """By what another run can tell that its text is the same: its lengths, and checksums."""
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        letters = {name: f"{len(part)} letters, {zlib.crc32(part.tobytes()):08x}" for name, part in parts.items()}
        return {**letters, "alphabet": self.alphabet}


def load_text(file: Path | None = None) -> Text:
    """The text of ``file``, else of the standard library.  OSError, ValueError: there is no text; they name the file.

    The alphabet is made of what occurs in the training part alone: the others play the part of text still to come.
    """
    source, letters = (str(file), read_text(file)) if file else read_library()
    held_out = int(len(letters) * HELD_OUT_SHARE)
    if held_out < 2:
        raise ValueError(f"{source}: expected {2 / HELD_OUT_SHARE:.0f} letters at least, got {len(letters)}")
    cuts = len(letters) - 2 * held_out, len(letters) - held_out
    alphabet = find_alphabet(letters[: cuts[0]])
    return Text(source, alphabet, *np.split(encode(alphabet, letters), cuts))


def read_text(file: Path) -> str:
    """What the file says, its line ends as \\n, and letters with accents as one letter each."""
    try:
        letters = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise OSError(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} is not UTF-8: the byte 0x{error.object[error.start]:02x} at place {error.start} cannot be read. "
            f"Save it as UTF-8 with an editor, or by: iconv -f latin1 -t utf-8 {file} > new.txt"
        ) from error
    return unicodedata.normalize("NFC", letters.replace("\r\n", "\n"))


def read_library() -> tuple[str, str]:
    """Its name, and the source of the modules one after the other."""
    found = [find_source(module) for module in MODULES]
    sources = [source for source in found if source]
    if not sources:
        raise ValueError("this Python comes without the source of its standard library: give --text FILE")
    return f"{len(sources)} modules of the library of Python {platform.python_version()}", "\n".join(sources)


def find_source(module: str) -> str | None:
    """The source of a module, which is not run; None where there is none."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    get_source = getattr(found and found.loader, "get_source", None)
    return get_source(module) if get_source else None


def find_alphabet(letters: str) -> str:
    """The stand-in, then the letters that are not rare, the most frequent first."""
    counts = Counter(letters)
    counts.pop(STAND_IN, None)
    frequent = [letter for letter, count in counts.items() if count >= FEWEST_OCCURRENCES]
    return STAND_IN + "".join(sorted(frequent, key=lambda letter: (-counts[letter], letter))[: MOST_LETTERS - 1])


def encode(alphabet: str, letters: str) -> np.ndarray:
    """The places of the letters in the alphabet; that of the stand-in where they have none.  -> (L,) uint8."""
    places = {letter: place for place, letter in enumerate(alphabet)}
    return np.array([places.get(letter, 0) for letter in letters], np.uint8)


class Windows(Dataset):
    """A text as a network reads it: ``columns`` pieces of it side by side, ``steps`` letters of each at a time.

    Item i is (x, y): x (T, N) int64, and for each of its letters the one after it, y (T*N,). Each column of a window
    goes on where that of the window before ended; the last window has what is left.
    """

    def __init__(self, text: np.ndarray, columns: int, steps: int):
        length = (len(text) - 1) // columns
        self.x, self.y = (text[first : first + length * columns].reshape(columns, length).T for first in (0, 1))
        self.steps = steps

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.steps)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if index >= len(self):
            raise IndexError(f"there are {len(self)} windows, so no window {index}")
        rows = slice(index * self.steps, (index + 1) * self.steps)
        return torch.tensor(self.x[rows]).long(), torch.tensor(self.y[rows]).long().flatten()


def whole(text: np.ndarray, unit: int) -> np.ndarray:
    """As much of the text as gives a whole number of times ``unit`` letters that have another before them."""
    return text[: (len(text) - 1) // unit * unit + 1]
