"""Reading IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist, plain or compressed by gzip.

Two zero bytes, a byte for the type of the elements, a byte for the number of axes, the size of each axis as 4 bytes,
then the elements; every number with its highest byte first.
"""

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
_PACKED_PIECE = 1 << 16
_GZIP = 31  # for zlib: its largest window, inside gzip's header and checksum


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
            return _parse(Unpacked(file), path)
        except (EOFError, zlib.error) as error:
            raise ValueError(f"{path}: the gzip compression is damaged ({error})") from error


class Unpacked:
    """The content of a gzip file, to be read in pieces.

    Fewer layers than Python's gzip module: the time is zlib's own. Reading up to the end checks the CRC and the length.
    EOFError: the file is truncated; zlib.error: it is damaged or no gzip file.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._packed = b""  # read from the file, not yet given to the stream
        self._stream = zlib.decompressobj(_GZIP)

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes, and none only at the end."""
        while True:
            packed = self._packed or self._file.read(_PACKED_PIECE)
            if self._stream.eof:
                if not packed:
                    return b""
                self._packed = packed.lstrip(b"\0")  # zeros may fill up the end, and another gzip file may follow
                if self._packed:
                    self._stream = zlib.decompressobj(_GZIP)
                continue
            piece = self._stream.decompress(packed, count)
            self._packed = self._stream.unconsumed_tail or self._stream.unused_data
            if piece:
                return piece
            if not packed and not self._stream.eof:
                raise EOFError("the file ends before the compressed data does")


def _parse(file: BinaryIO | Unpacked, path: Path) -> np.ndarray:
    dtype, shape = _header(file, path)
    expected = math.prod(shape) * dtype.itemsize
    data = _up_to(file, expected + 1)
    if len(data) != expected:
        came = f"only {len(data)}: the file is truncated" if len(data) < expected else "more"
        raise ValueError(f"{path}: expected {expected} bytes of {dtype.name} for shape {shape}, got {came}")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file: BinaryIO | Unpacked, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
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


def _up_to(file: BinaryIO | Unpacked, count: int) -> bytearray:
    """The next ``count`` bytes, or fewer at the end. Piece by piece: a damaged header may ask for any amount."""
    data = bytearray()
    while len(data) < count and (piece := file.read(min(_PIECE, count - len(data)))):
        data += piece
    return data
