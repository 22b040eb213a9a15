"""Sequences of different lengths as one tensor: padded, or packed step by step."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Tensor, dtypes
from ...autograd.tensor import constant
from ...ops.creation import as_tensor, full
from ...ops.joining import cat, stack


class _PackedSequence(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_PackedSequence):
    """The steps of all sequences, longest first: all first elements, then all second ones of those that have one, ...

    data: (total length, *); batch_sizes: (T,) int64, how many sequences have a step t. ``sorted_indices`` says which
    sequence comes where, ``unsorted_indices`` the reverse; None where they were in order.
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ):
        if batch_sizes is None:  # a pair of the first two
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """With ``data`` in another dtype; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else PackedSequence(data, *self[1:])

    def double(self) -> "PackedSequence":
        return self.to(dtypes.float64)

    def float(self) -> "PackedSequence":
        return self.to(dtypes.float32)

    def cpu(self) -> "PackedSequence":
        return self

    @property
    def is_cuda(self) -> bool:
        return False

    def is_pinned(self) -> bool:
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another.  (N,) -> (N,)."""
    return None if permutation is None else constant(np.argsort(permutation.numpy()))


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences of ``lengths`` (N,).  input: (T, N, *), or (N, T, *) with ``batch_first``.

    With ``enforce_sorted`` the lengths must descend; without, the sequences are sorted and the order is kept with them.
    """
    sizes = np.asarray(lengths.tolist() if isinstance(lengths, Tensor) else list(lengths), np.int64)
    order = None if enforce_sorted else np.argsort(-sizes, kind="stable")
    sizes = sizes if order is None else sizes[order]
    longest, samples = input.shape[:2][:: -1 if batch_first else 1]
    _check_lengths(input, longest, samples, sizes)
    counts = (sizes > np.arange(sizes[0])[:, None]).sum(1)
    rows = input.reshape(longest * samples, *input.shape[2:])
    data = rows.index_select(0, constant(_places(counts, order, longest if batch_first else None)))
    return PackedSequence(data, constant(counts), None if order is None else constant(order))


def _places(counts, order, length):
    """Where the steps of packed sequences are among those of padded ones: (T, N), or (N, length) unless that is None.

    ``counts`` (T,) says how many sequences have each step, ``order`` (N,) which they are, if not the first ones.
    """
    first = np.cumsum(counts) - counts
    step, sample = np.repeat(np.arange(len(counts)), counts), np.arange(counts.sum()) - np.repeat(first, counts)
    sample = sample if order is None else order[sample]
    return step * counts[0] + sample if length is None else sample * length + step


def _check_lengths(input, longest, samples, sizes):
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != samples:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={samples})"
        )
    if (np.diff(sizes) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement."
        )
    if sizes[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if sizes[0] > longest:
        raise RuntimeError(f"a sequence has length {sizes[0]}, but the padded input has {longest} steps")


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The reverse of `pack_padded_sequence`.  -> (T, N, *), or (N, T, *) with ``batch_first``, and lengths (N,)."""
    data, batch_sizes, order, back = sequence
    counts = batch_sizes.numpy()
    length, samples = len(counts) if total_length is None else total_length, int(counts[0])
    if length < len(counts):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(counts)}"
        )
    places = constant(_places(counts, None if order is None else order.numpy(), length if batch_first else None))
    padding = full((length * samples, *data.shape[1:]), padding_value, dtype=data.dtype)
    shape = (samples, length) if batch_first else (length, samples)
    lengths = constant((counts[:, None] > np.arange(samples)).sum(0))
    padded = padding.index_copy(0, places, data).reshape(*shape, *data.shape[1:])
    return padded, lengths if back is None else lengths[back]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (L, *) of different lengths in one tensor.  -> (T, N, *), or (N, T, *) with ``batch_first``."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    for each in sequences:
        if each.shape[1:] != sequences[0].shape[1:]:
            raise RuntimeError(
                f"expected sequences of one shape but for their lengths, got {list(sequences[0].shape)} and "
                f"{list(each.shape)}"
            )
    longest = max(each.shape[0] for each in sequences)
    rows = [_padded(each, longest, padding_value, padding_side) for each in sequences]
    return stack(rows, 0 if batch_first else 1)


def _padded(sequence, length, value, side="right"):
    """``sequence`` with ``value`` on a side up to ``length``.  (L, *) -> (length, *)."""
    missing = full((length - sequence.shape[0], *sequence.shape[1:]), value, dtype=sequence.dtype)
    return cat([sequence, missing] if side == "right" else [missing, sequence])


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences that `pad_sequence` padded, by their lengths."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(rows, as_tensor(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (L, *) of different lengths."""
    sequences = list(sequences)
    lengths = [each.shape[0] for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
