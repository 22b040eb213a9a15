"""The reader of IDX files: every element type, and every way a file can be damaged."""

import gzip
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_fr.datasets import idx

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array):
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


IMAGES = (np.arange(3 * 28 * 28) % 251).astype(np.uint8).reshape(3, 28, 28)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 4), (2, 3, 4, 5)])
def test_reads_what_was_written(tmp_path, pack, dtype, shape):
    array = (np.arange(np.prod(shape)) * 37 - 50).astype(np.int16).astype(dtype).reshape(shape)
    (tmp_path / "file").write_bytes(pack(idx_bytes(array)))
    read = idx.read(tmp_path / "file")
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


def test_the_name_does_not_say_whether_it_is_compressed(tmp_path):
    (tmp_path / "plain.gz").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "compressed").write_bytes(gzip.compress(idx_bytes(IMAGES)))
    np.testing.assert_array_equal(idx.read(str(tmp_path / "plain.gz")), IMAGES)
    np.testing.assert_array_equal(idx.read(tmp_path / "compressed"), IMAGES)


WHOLE = idx_bytes(IMAGES)
PACKED = gzip.compress(WHOLE, mtime=0)
DAMAGED = [
    (b"", "at least 4 bytes, got 0"),
    (b"\0\0\x08", "at least 4 bytes, got 3"),
    (b"\1" + WHOLE[1:], "begins with 00 00 .* got 01 00 08 03"),
    (b"\0\0\x0a" + WHOLE[3:], "one of the types .* got 00 00 0a 03"),
    (b"<!DOCTYPE html>", "got 3c 21 44 4f"),
    (b"\0\0\x08\xff" + bytes(2000), "at most 32 axes, got 255"),
    (WHOLE[:10], "12 bytes for the sizes of 3 axes, got 6"),
    (WHOLE[:-1], r"expected 2352 bytes of uint8 for shape \(3, 28, 28\), got only 2351: the file is truncated"),
    (WHOLE + b"x", "expected 2352 bytes .* got more"),
    (b"\0\0\x0e\x03" + b"\xff" * 12, "got only 0: the file is truncated"),
    (PACKED[:20], "gzip compression is damaged"),
    (PACKED[:-1], "gzip compression is damaged"),
    (b"\x1f\x8b", "gzip compression is damaged"),
    (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "gzip compression is damaged .*incorrect data check"),
    (gzip.compress(WHOLE[:-1]), "got only 2351"),
    (gzip.compress(WHOLE + b"x"), "got more"),
    (PACKED + b"junk", "gzip compression is damaged"),
    (PACKED + PACKED, "got more"),
    (PACKED[:-4] + bytes(4), "gzip compression is damaged .*incorrect length check"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_a_damaged_file_is_a_value_error_that_names_it(tmp_path, content, message):
    path = tmp_path / "train-images"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"train-images: .*{message}"):
        idx.read(path)


def read_bytes(tmp_path_factory, content):
    """The array in a file of ``content``, or None where that is an error."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        return idx.read(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the message does not name the file") from error
        return None


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([WHOLE, PACKED]), st.data())
def test_truncated_anywhere(tmp_path_factory, content, data):
    length = data.draw(st.integers(0, len(content) - 1))
    assert read_bytes(tmp_path_factory, content[:length]) is None


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_changed_byte_of_a_compressed_file_is_found(tmp_path_factory, position, change):
    content = bytearray(PACKED)
    content[position] ^= change
    read = read_bytes(tmp_path_factory, bytes(content))
    if read is not None:  # only the parts of gzip's header that say nothing of the data
        assert position < 10
        np.testing.assert_array_equal(read, IMAGES)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 15), st.integers(1, 255))
def test_a_changed_header_is_found(tmp_path_factory, position, change):
    content = bytearray(WHOLE)
    content[position] ^= change
    read = read_bytes(tmp_path_factory, bytes(content))
    if read is not None:  # only another type of as many bytes passes
        assert position == 2
        assert read.dtype == np.int8


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_after_the_magic(tmp_path_factory, tail):
    for magic in (b"\0\0\x08\x01", b"\x1f\x8b\x08\0", b""):
        read = read_bytes(tmp_path_factory, magic + tail)
        assert read is None or read.nbytes < 64


def test_gzip_files_may_follow_one_another_and_end_in_zeros(tmp_path):
    path = tmp_path / "parts.gz"
    path.write_bytes(gzip.compress(WHOLE[:7]) + gzip.compress(b"") + gzip.compress(WHOLE[7:]) + bytes(200_000))
    np.testing.assert_array_equal(idx.read(path), IMAGES)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([0, 1, 50]), st.integers(1, 400_000))
def test_highly_compressed_content(tmp_path_factory, value, size):
    array = np.full(size, value, np.uint8)
    read = read_bytes(tmp_path_factory, gzip.compress(idx_bytes(array), 9))
    assert read is not None
    np.testing.assert_array_equal(read, array)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        idx.read(tmp_path / "nothing-here")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        idx.read(tmp_path / "folder")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read every file")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "locked"
    path.write_bytes(WHOLE)
    path.chmod(0)
    with pytest.raises(PermissionError, match="locked"):
        idx.read(path)
