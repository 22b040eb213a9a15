"""Reading IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist, plain or compressed by gzip.

Two zero bytes, a byte for the type of the elements, a byte for the number of axes, the size of each axis as 4 bytes,
then the elements; every number with its highest byte first.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_AXES = 32
_PIECE = 1 << 20


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in an IDX file, in native byte order.

    Whether the file is compressed is told by its first bytes, not its name.
    ValueError: a file that is damaged or no IDX file; the message says what was expected and what came. OSError
    (FileNotFoundError, PermissionError): a file that cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not compressed:
            return _parse(file, path)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _parse(unpacked, path)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the gzip compression is damaged ({error}); fetch the file again") from error


def _parse(file: BinaryIO | gzip.GzipFile, path: Path) -> np.ndarray:
    dtype, shape = _header(file, path)
    expected = math.prod(shape) * dtype.itemsize
    data = _up_to(file, expected + 1)
    if len(data) != expected:
        came = f"only {len(data)}: the file is truncated" if len(data) < expected else "more"
        raise ValueError(f"{path}: expected {expected} bytes of {dtype.name} for shape {shape}, got {came}")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: BinaryIO | gzip.GzipFile, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    magic = _up_to(file, 4)
    if len(magic) < 4:
        raise ValueError(f"{path}: expected an IDX file, of at least 4 bytes, got {len(magic)}")
    code, axes = magic[2], magic[3]
    if magic[:2] != b"\0\0" or code not in _DTYPES:
        codes = ", ".join(f"{known:02x}" for known in _DTYPES)
        raise ValueError(
            f"{path}: expected an IDX file, which begins with 00 00 and one of the types {codes}, got {magic.hex(' ')}"
        )
    if axes > _MOST_AXES:
        raise ValueError(f"{path}: expected an IDX file of at most {_MOST_AXES} axes, got {axes}")
    sizes = _up_to(file, 4 * axes)
    if len(sizes) < 4 * axes:
        raise ValueError(f"{path}: expected {4 * axes} bytes for the sizes of {axes} axes, got {len(sizes)}: truncated")
    return np.dtype(_DTYPES[code]), struct.unpack(f">{axes}I", sizes)


def _up_to(file: BinaryIO | gzip.GzipFile, count: int) -> bytearray:
    """The next ``count`` bytes, or fewer at the end. Piece by piece: a damaged header may ask for any amount."""
    data = bytearray()
    while len(data) < count and (piece := file.read(min(_PIECE, count - len(data)))):
        data += piece
    return data
