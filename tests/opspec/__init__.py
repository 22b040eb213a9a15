"""The records of all ops, a file a family, as in `tinygrad_fr.ops`."""

from . import (
    arithmetic,
    compare,
    contraction,
    convolution,
    diagonal,
    distance,
    embedding,
    exponential,
    gathering,
    indexing,
    interpolation,
    joining,
    linalg,
    logic,
    masks,
    matmul,
    normalization,
    norms,
    padding,
    piecewise,
    pointwise,
    pooling,
    powers,
    rearranging,
    reduce,
    rounding,
    scans,
    selecting,
    shape,
    shuffle,
    signs,
    sorting,
    special,
    splitting,
    statistics,
    striding,
    trigonometric,
    windows,
)
from .record import Case, OpSpec, as_list, cases

SPECS: list[OpSpec] = [
    *pointwise.SPECS,
    *arithmetic.SPECS,
    *signs.SPECS,
    *powers.SPECS,
    *exponential.SPECS,
    *trigonometric.SPECS,
    *special.SPECS,
    *rounding.SPECS,
    *compare.SPECS,
    *logic.SPECS,
    *piecewise.SPECS,
    *reduce.SPECS,
    *scans.SPECS,
    *statistics.SPECS,
    *matmul.SPECS,
    *contraction.SPECS,
    *norms.SPECS,
    *linalg.SPECS,
    *indexing.SPECS,
    *shape.SPECS,
    *convolution.SPECS,
    *diagonal.SPECS,
    *distance.SPECS,
    *embedding.SPECS,
    *gathering.SPECS,
    *interpolation.SPECS,
    *joining.SPECS,
    *masks.SPECS,
    *normalization.SPECS,
    *padding.SPECS,
    *pooling.SPECS,
    *rearranging.SPECS,
    *selecting.SPECS,
    *shuffle.SPECS,
    *sorting.SPECS,
    *splitting.SPECS,
    *striding.SPECS,
    *windows.SPECS,
]

# Ops whose result is a view, or may be, in place of a copy.
VIEWS = [*shape.VIEWS, *splitting.SPECS, *striding.SPECS]
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
    *("is_nonzero", "isreal"),  # test_compare
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
    *("bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"),
    *("asarray", "logspace", "randint_like", "scalar_tensor"),
    *("broadcast_shapes", "detach", "is_complex", "is_floating_point", "is_inference", "is_pinned"),
    *("is_same_size", "is_signed", "storage_offset", "tril_indices", "triu_indices"),
}

# Names that have tests of their own, writes and reads: test_compare, test_indexing, test_views_inplace, test_shape.
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not")
TESTED_APART = {f"{name}_" for name in COMPARISONS} | {
    *("__getitem__", "__setitem__", "copy_", "fill_", "zero_", "masked_fill_", "__pos__", "__rpow__"),
    *("apply_", "as_strided_", "map_", "squeeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "unsqueeze_"),
    *("fill_diagonal_", "index_add_", "index_copy_", "index_put_", "masked_scatter_", "put_"),
    *("scatter_", "scatter_add_", "scatter_reduce", "scatter_reduce_"),
    *("celu_", "selu_", "threshold_", "rrelu_"),  # test_operators
    *("alpha_dropout", "alpha_dropout_", "dropout_", "feature_alpha_dropout", "feature_alpha_dropout_"),
    *("embedding", "batch_norm", "instance_norm", "layer_norm", "group_norm", "adaptive_max_pool1d"),
    *("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"),
}

__all__ = ["DIFFERENTIABLE", "NOT_COMPUTING", "SPECS", "TESTED_APART", "Case", "OpSpec", "as_list", "cases"]
