"""The records of all ops, a file a family, as in `tinygrad_fr.ops`."""

from . import compare, distance, embedding, indexing, matmul, piecewise, pointwise, reduce, shape, shuffle
from .record import Case, OpSpec, as_list, cases

SPECS: list[OpSpec] = [
    *pointwise.SPECS,
    *piecewise.SPECS,
    *reduce.SPECS,
    *matmul.SPECS,
    *indexing.SPECS,
    *shape.SPECS,
    *compare.SPECS,
    *distance.SPECS,
    *embedding.SPECS,
    *shuffle.SPECS,
]
DIFFERENTIABLE = [spec for spec in SPECS if spec.order]

# Names that compute nothing from the elements of a tensor, or draw at random; tests of their own cover them.
NOT_COMPUTING = {
    *(
        "arange",
        "as_tensor",
        "empty",
        "empty_like",
        "eye",
        "from_dlpack",
        "from_numpy",
        "full",
        "full_like",
        "linspace",
    ),
    *("ones", "ones_like", "tensor", "zeros", "zeros_like", "is_tensor", "numel"),
    *("new_empty", "new_full", "new_ones", "new_tensor", "new_zeros", "cpu", "cuda", "pin_memory"),
    *(
        "bernoulli",
        "dropout",
        "multinomial",
        "normal",
        "rand",
        "rand_like",
        "randint",
        "randn",
        "randn_like",
        "randperm",
        "rrelu",
    ),
    *("bernoulli_", "normal_", "uniform_"),
}

# Names whose writes and reads have tests of their own: test_indexing, test_views_inplace, test_shape.
TESTED_APART = {"__getitem__", "__setitem__", "copy_", "fill_", "zero_", "masked_fill_", "__pos__", "__rpow__"}

__all__ = ["DIFFERENTIABLE", "NOT_COMPUTING", "SPECS", "TESTED_APART", "Case", "OpSpec", "as_list", "cases"]
