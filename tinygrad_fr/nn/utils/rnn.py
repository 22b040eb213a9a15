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
    order = None
    if not enforce_sorted:
        order = constant(np.argsort(-sizes, kind="stable"))
        input, sizes = input.index_select(0 if batch_first else 1, order), sizes[order.numpy()]
    steps = input.transpose(0, 1) if batch_first else input
    _check_lengths(steps, sizes)
    counts = np.array([(sizes > step).sum() for step in range(sizes[0])])
    data = cat([steps[step, :count] for step, count in enumerate(counts.tolist())])
    return PackedSequence(data, constant(counts), order)


def _check_lengths(steps, sizes):
    if steps.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != steps.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={steps.shape[1]})"
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
    if sizes[0] > steps.shape[0]:
        raise RuntimeError(f"a sequence has length {sizes[0]}, but the padded input has {steps.shape[0]} steps")


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The reverse of `pack_padded_sequence`.  -> (T, N, *), or (N, T, *) with ``batch_first``, and lengths (N,)."""
    counts = sequence.batch_sizes.tolist()
    steps = len(counts) if total_length is None else total_length
    if steps < len(counts):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(counts)}"
        )
    counts += [0] * (steps - len(counts))
    rows = [_padded(row, counts[0], padding_value) for row in sequence.data.split(counts)]
    padded = stack(rows, 1 if batch_first else 0)
    lengths = constant((np.array(counts)[:, None] > np.arange(counts[0])).sum(0))
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order]


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
