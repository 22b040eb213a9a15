"""Calls of layers and their functions whose results are recorded and compared, of whichever library runs them.

Tensors are given by their shapes and filled by `numbers`, so that the record holds results alone.
"""

import itertools
import math


def numbers(shape, phase=0.0, scale=1.5):
    """As many numbers as a tensor of ``shape`` has, of either sign, without a pattern that a wrong axis would hide."""
    return [scale * math.sin(1.7 * i + 0.01 * i * i + phase) for i in range(math.prod(shape))]


def grid(**choices):
    """Every combination of the choices."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


# ---------------------------------------------------------------------------------------------------------------
# Functions: name, shapes of the tensors, options.

CONVOLUTIONS = [
    *[
        ("conv1d", ((2, 4, 9), (6, 2, 3), (6,)), o | {"groups": 2})
        for o in grid(stride=(1, 2, 3), padding=(0, 2), dilation=(1, 3))
    ],
    *[
        ("conv2d", ((2, 3, 5, 6), (4, 3, 3, 2), (4,)), o)
        for o in grid(stride=(1, (2, 1)), padding=(0, (1, 2)), dilation=(1, (1, 2)))
    ],
    ("conv2d", ((2, 4, 6, 5), (4, 1, 3, 3), (4,)), {"groups": 4, "padding": 1}),
    ("conv2d", ((2, 4, 6, 5), (8, 1, 3, 3), (8,)), {"groups": 4, "stride": 2}),
    ("conv2d", ((1, 2, 6, 5), (3, 2, 1, 1)), {}),
    ("conv2d", ((1, 2, 6, 5), (3, 2, 3, 4)), {"padding": "same"}),
    ("conv2d", ((1, 2, 6, 9), (3, 2, 2, 4)), {"padding": "same", "dilation": (1, 2)}),
    ("conv2d", ((1, 2, 6, 5), (3, 2, 3, 4)), {"padding": "valid"}),
    ("conv2d", ((2, 6, 5), (3, 2, 3, 2), (3,)), {"padding": 1}),
    ("conv2d", ((0, 2, 6, 5), (3, 2, 3, 2), (3,)), {"padding": 1}),
    ("conv1d", ((2, 6), (3, 2, 3)), {"padding": "same"}),
    ("conv1d", ((1, 2, 19), (7, 2, 5), (7,)), {"padding": 4}),
    ("conv1d", ((0, 3, 7), (2, 3, 5), (2,)), {"padding": 2}),
    ("conv1d", ((1, 1, 3), (2, 1, 3), (2,)), {"padding": 3, "dilation": 4}),
    *[
        ("conv2d", ((1, 4, 4, 9), (2 * groups, 4 // groups, 3, 3), (2 * groups,)), o | {"groups": groups})
        for o in grid(stride=(1, 2), padding=(0, 2))
        for groups in (1, 2, 4)
    ],
    ("conv2d", ((1, 1, 5, 5), (2, 1, 5, 5), (2,)), {"padding": 2}),
    ("conv2d", ((1, 2, 7, 7), (3, 2, 1, 1), (3,)), {"stride": 3}),
    ("conv2d", ((1, 2, 7, 7), (3, 2, 1, 1), (3,)), {"stride": 2, "padding": 1}),
    ("conv2d", ((2, 2, 9, 4), (3, 2, 2, 2), (3,)), {"stride": (4, 3), "padding": (1, 2), "dilation": (1, 3)}),
    ("conv3d", ((1, 2, 3, 5, 4), (4, 1, 3, 2, 2), (4,)), {"padding": (1, 0, 2), "dilation": (1, 2, 1), "groups": 2}),
    ("conv3d", ((0, 1, 3, 3, 3), (2, 1, 2, 2, 2), (2,)), {}),
    ("conv3d", ((1, 2, 3, 4, 3), (2, 2, 2, 2, 3), (2,)), {"padding": 1, "stride": (1, 2, 1)}),
    *[
        ("conv_transpose1d", ((2, 4, 5), (4, 3, 3), (6,)), o | {"groups": 2, "output_padding": o["stride"] - 1})
        for o in grid(stride=(1, 2, 3), padding=(0, 2), dilation=(1, 2))
    ],
    *[
        ("conv_transpose2d", ((2, 3, 3, 4), (3, 2, 3, 2), (2,)), o)
        for o in grid(stride=(1, (2, 3)), padding=(0, 1), dilation=(1, (2, 1)))
    ],
    ("conv_transpose2d", ((1, 2, 3, 4), (2, 1, 2, 2)), {"stride": 3, "output_padding": (2, 1), "groups": 2}),
    ("conv_transpose2d", ((1, 2, 3, 4), (2, 1, 2, 2)), {"stride": 1, "output_padding": 1, "dilation": 2}),
    ("conv_transpose2d", ((2, 3, 4), (2, 3, 2, 2), (3,)), {"stride": 2}),
    ("conv_transpose2d", ((0, 2, 3, 4), (2, 3, 2, 2), (3,)), {"stride": 2}),
    ("conv_transpose2d", ((2, 4, 5, 7), (4, 1, 3, 3), (4,)), {"groups": 4, "padding": 1}),
    ("conv_transpose2d", ((2, 4, 5, 7), (4, 2, 1, 1), (4,)), {"groups": 2}),
    ("conv_transpose3d", ((1, 2, 2, 3, 2), (2, 1, 2, 2, 3)), {"stride": 2, "padding": 1}),
    ("conv_transpose3d", ((2, 2, 3, 2, 3), (2, 2, 2, 3, 1), (2,)), {"stride": (1, 2, 3), "output_padding": (0, 1, 2)}),
    ("conv_transpose3d", ((0, 2, 2, 3, 2), (2, 1, 2, 2, 3)), {}),
]

POOLS = [
    *[
        ("max_pool2d", ((1, 2, 7, 6),), o)
        for o in grid(kernel_size=(2, (3, 2)), stride=(None, (1, 2), 3), padding=(0, 1), ceil_mode=(False, True))
    ],
    *[
        ("max_pool1d", ((2, 3, 9),), {"kernel_size": 3} | o)
        for o in grid(dilation=(1, 2), stride=(1, 2), ceil_mode=(False, True))
    ],
    ("max_pool2d", ((2, 9, 8),), {"kernel_size": 3, "dilation": (2, 1), "padding": (1, 0)}),
    ("max_pool3d", ((1, 2, 3, 4, 3),), {"kernel_size": 2, "stride": 1}),
    ("max_pool2d", ((0, 2, 7, 6),), {"kernel_size": 2}),
    *[
        ("avg_pool2d", ((1, 2, 7, 6),), o)
        for o in grid(
            kernel_size=(2, (3, 2)),
            stride=(None, (2, 3)),
            padding=(0, 1),
            ceil_mode=(False, True),
            count_include_pad=(True, False),
        )
    ],
    ("avg_pool2d", ((2, 7, 6),), {"kernel_size": 3, "divisor_override": 5, "padding": 1}),
    ("avg_pool1d", ((2, 3, 9),), {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True}),
    ("avg_pool1d", ((3, 9),), {"kernel_size": 4, "padding": 1, "count_include_pad": False}),
    ("avg_pool3d", ((1, 2, 3, 4, 3),), {"kernel_size": (2, 3, 2), "padding": 1}),
    *[("adaptive_avg_pool2d", ((1, 2, 7, 5),), {"output_size": size}) for size in (1, 3, (7, 5), (4, None), (9, 8))],
    *[("adaptive_max_pool2d", ((1, 2, 7, 5),), {"output_size": size}) for size in (1, 3, (7, 5), (4, None), (9, 8))],
    ("adaptive_avg_pool1d", ((3, 8),), {"output_size": 5}),
    ("adaptive_max_pool1d", ((2, 3, 8),), {"output_size": 5}),
    ("adaptive_avg_pool3d", ((1, 2, 3, 4, 5),), {"output_size": (2, 3, 2)}),
    ("adaptive_max_pool3d", ((1, 2, 3, 4, 5),), {"output_size": (2, 3, 2)}),
    ("lp_pool2d", ((1, 2, 5, 6),), {"norm_type": 2, "kernel_size": (2, 3), "stride": 2, "ceil_mode": True}),
    ("lp_pool1d", ((1, 2, 7),), {"norm_type": 4, "kernel_size": 3}),
    *[
        ("unfold", ((1, 2, 5, 4),), o)
        for o in grid(kernel_size=(2, (3, 1)), dilation=(1, 2), padding=(0, 1), stride=(1, (2, 1)))
    ],
    ("fold", ((2, 12, 12),), {"output_size": (4, 5), "kernel_size": 2}),
    ("fold", ((8, 9),), {"output_size": (4, 5), "kernel_size": 2, "padding": 1, "stride": 2, "dilation": 1}),
]

SIZES = (
    {"size": 3},
    {"size": 11},
    {"size": 6},
    {"size": 1},
    {"scale_factor": 2},
    {"scale_factor": 0.6},
    {"scale_factor": 1.7},
)
LINEAR = [*SIZES, {"scale_factor": 1.7, "recompute_scale_factor": True}, {"scale_factor": 1.1}]
INTERPOLATIONS = [
    *[
        ("interpolate", ((1, 2, 6),), o | {"mode": mode})
        for mode in ("nearest", "nearest-exact", "area")
        for o in SIZES
    ],
    *[("interpolate", ((1, 2, 6),), o | {"mode": "linear", "align_corners": a}) for a in (None, True) for o in LINEAR],
    *[
        ("interpolate", ((1, 2, 4, 5),), o | {"mode": mode, "align_corners": a})
        for mode in ("bilinear", "bicubic")
        for a in (False, True)
        for o in ({"size": (7, 3)}, {"size": 1}, {"scale_factor": (2, 0.5)}, {"scale_factor": 1.3})
    ],
    ("interpolate", ((1, 2, 4, 5),), {"size": (7, 3)}),
    ("interpolate", ((1, 1, 2, 3, 2),), {"size": (3, 2, 4), "mode": "trilinear"}),
]

NORMALISATIONS = [
    ("layer_norm", ((2, 3, 4), (3, 4), (3, 4)), {"normalized_shape": (3, 4)}),
    ("layer_norm", ((2, 3, 4),), {"normalized_shape": (4,), "eps": 0.1}),
    ("rms_norm", ((2, 3, 4), (4,)), {"normalized_shape": (4,)}),
    ("rms_norm", ((2, 3, 4),), {"normalized_shape": (3, 4), "eps": 0.1}),
    ("group_norm", ((2, 4, 3), (4,), (4,)), {"num_groups": 2}),
    ("group_norm", ((2, 6, 2, 2),), {"num_groups": 3}),
    ("instance_norm", ((2, 3, 4, 2),), {}),
    ("local_response_norm", ((2, 5, 3),), {"size": 2, "alpha": 0.7}),
    ("local_response_norm", ((2, 5, 3, 2),), {"size": 3, "alpha": 0.7, "beta": 0.5, "k": 2.0}),
    ("local_response_norm", ((2, 2, 3),), {"size": 7, "alpha": 0.7}),
]

# those whose tensors after the first are given by name
NAMED = {"layer_norm": ("weight", "bias"), "rms_norm": ("weight",), "group_norm": ("weight", "bias")}

FUNCTIONS = [*CONVOLUTIONS, *POOLS, *INTERPOLATIONS, *NORMALISATIONS]


# ---------------------------------------------------------------------------------------------------------------
# Layers: name, arguments, options, shapes of the tensors of each call. The layer is called in training, then once more
# with the last tensors in evaluation.

RECURRENT = [
    *[
        (name, (3, 4), o, ((5, 2, 3),))
        for name in ("RNN", "LSTM", "GRU")
        for o in grid(num_layers=(1, 2), bidirectional=(False, True))
    ],
    ("RNN", (3, 4), {"nonlinearity": "relu", "batch_first": True}, ((2, 5, 3),)),
    ("LSTM", (3, 4), {"bias": False, "batch_first": True}, ((2, 5, 3),)),
    ("LSTM", (3, 4), {"proj_size": 2, "num_layers": 2, "bidirectional": True}, ((5, 2, 3),)),
    ("GRU", (3, 4), {"bias": False}, ((5, 3),)),
    ("LSTM", (3, 4), {"bidirectional": True}, ((5, 3),)),
    ("GRU", (3, 4), {}, ((5, 2, 3), (1, 2, 4))),
    ("GRU", (3, 4), {}, ((5, 3), (1, 4))),
    ("RNN", (3, 4), {}, ((1, 2, 3), (1, 2, 4))),
    ("RNNCell", (3, 4), {}, ((2, 3), (2, 4))),
    ("RNNCell", (3, 4), {"nonlinearity": "relu", "bias": False}, ((2, 3),)),
    ("LSTMCell", (3, 4), {}, ((2, 3),)),
    ("GRUCell", (3, 4), {}, ((2, 3), (2, 4))),
    ("GRUCell", (3, 4), {"bias": False}, ((3,), (4,))),
]

LAYERS = [
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, ((2, 4, 9),)),
    ("Conv1d", (2, 3, 4), {"padding": "same", "padding_mode": "reflect"}, ((2, 2, 7),)),
    *[
        ("Conv2d", (2, 3, (3, 2)), {"padding": (1, 2), "padding_mode": mode, "bias": False}, ((1, 2, 4, 5),))
        for mode in ("zeros", "reflect", "replicate", "circular")
    ],
    ("Conv2d", (2, 3, 2), {}, ((2, 4, 5),)),
    ("Conv3d", (1, 2, 2), {"stride": (1, 2, 1)}, ((1, 1, 3, 4, 3),)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, ((2, 4, 5),)),
    ("ConvTranspose2d", (2, 3, 3), {"stride": (2, 1), "dilation": (1, 2), "bias": False}, ((1, 2, 3, 4),)),
    ("ConvTranspose3d", (1, 2, 2), {}, ((1, 1, 2, 2, 3),)),
    ("MaxPool1d", (2,), {}, ((1, 2, 5),)),
    ("MaxPool2d", (3, 2), {"padding": 1, "ceil_mode": True, "return_indices": True}, ((1, 2, 6, 6),)),
    ("AvgPool1d", (2,), {}, ((1, 2, 5),)),
    ("AvgPool2d", (3,), {"divisor_override": 2, "padding": 1}, ((1, 2, 6, 6),)),
    ("LPPool2d", (2, 2), {}, ((1, 2, 4, 4),)),
    ("AdaptiveAvgPool2d", ((2, None),), {}, ((1, 2, 5, 3),)),
    ("AdaptiveMaxPool1d", (3,), {"return_indices": True}, ((1, 2, 5),)),
    ("Unfold", (2,), {"stride": 2}, ((1, 2, 4, 4),)),
    ("Fold", ((4, 4), 2), {"stride": 2}, ((1, 8, 4),)),
    ("BatchNorm1d", (3,), {}, ((4, 3), (5, 3))),
    ("BatchNorm1d", (3,), {"momentum": None}, ((4, 3, 2), (5, 3, 2), (2, 3, 2))),
    ("BatchNorm2d", (3,), {"affine": False, "eps": 0.1}, ((2, 3, 2, 2), (2, 3, 1, 2))),
    ("BatchNorm2d", (3,), {"bias": False, "momentum": 0.4}, ((2, 3, 2, 2), (2, 3, 1, 2))),
    ("BatchNorm2d", (3,), {"track_running_stats": False}, ((2, 3, 2, 2),)),
    ("BatchNorm3d", (2,), {}, ((2, 2, 2, 1, 2),)),
    ("InstanceNorm1d", (3,), {"affine": True, "track_running_stats": True}, ((2, 3, 4), (1, 3, 5))),
    ("InstanceNorm2d", (3,), {}, ((3, 2, 2),)),
    ("LayerNorm", ((3, 4),), {}, ((2, 3, 4),)),
    ("LayerNorm", (4,), {"bias": False}, ((2, 3, 4),)),
    ("LayerNorm", (4,), {"elementwise_affine": False}, ((2, 3, 4),)),
    ("RMSNorm", (4,), {}, ((2, 3, 4),)),
    ("GroupNorm", (2, 4), {}, ((2, 4, 3),)),
    ("LocalResponseNorm", (2,), {}, ((1, 3, 4),)),
    ("Upsample", (), {"scale_factor": 2}, ((1, 2, 3),)),
    ("Upsample", (), {"size": (3, 5), "mode": "bilinear", "align_corners": True}, ((1, 2, 4, 4),)),
    ("UpsamplingNearest2d", (), {"scale_factor": 2}, ((1, 2, 3, 2),)),
    ("UpsamplingBilinear2d", (), {"size": (4, 5)}, ((1, 2, 3, 2),)),
    ("ZeroPad1d", ((1, 2),), {}, ((2, 3),)),
    ("ZeroPad2d", ((1, -1, 2, 0),), {}, ((1, 2, 3, 4),)),
    ("ConstantPad1d", (2, 3.5), {}, ((1, 2, 3),)),
    ("ConstantPad2d", ((0, 1, 2, 0), 3.5), {}, ((2, 3, 4),)),
    ("ReflectionPad1d", (2,), {}, ((1, 2, 3),)),
    ("ReflectionPad2d", ((1, 2, 0, 1),), {}, ((1, 2, 3, 4),)),
    ("ReplicationPad1d", ((3, 1),), {}, ((1, 2, 3),)),
    ("ReplicationPad2d", ((1, 2, -1, 1),), {}, ((1, 2, 3, 4),)),
    ("CircularPad1d", (2,), {}, ((1, 2, 3),)),
    ("CircularPad2d", ((1, 2, 0, 3),), {}, ((1, 2, 3, 4),)),
    *RECURRENT,
]

SEVERAL_INPUTS = ("RNN", "GRU", "RNNCell", "GRUCell")  # whose shapes are of one call: the input and the state

# Sequences for the packed layers: layer, options, lengths, whether they must be sorted
PACKED = [
    ("RNN", {}, (4, 3, 3, 1), True),
    ("GRU", {"bidirectional": True, "num_layers": 2}, (2, 4, 1), False),
    ("LSTM", {"bidirectional": True, "batch_first": True}, (1, 4, 4, 2), False),
]

# ---------------------------------------------------------------------------------------------------------------
# Normalisation over long planes and rows, without a plane, and of nothing, as layers: recorded in norms.json.

NORMS = [
    ("BatchNorm1d", (3,), {}, ((4, 3), (0, 3))),
    ("BatchNorm1d", (70,), {"affine": False}, ((5, 70), (2, 70))),
    ("BatchNorm2d", (2,), {"momentum": None}, ((2, 2, 9, 8), (1, 2, 8, 8), (0, 2, 9, 9))),
    ("InstanceNorm1d", (2,), {"affine": True, "track_running_stats": True}, ((3, 2, 70), (1, 2, 70))),
    ("InstanceNorm2d", (2,), {"track_running_stats": True, "momentum": 0.4}, ((2, 2, 2, 3),)),
    ("GroupNorm", (2, 4), {}, ((3, 4),)),
    ("GroupNorm", (2, 4), {"affine": False}, ((2, 4, 70),)),
    ("GroupNorm", (2, 4), {}, ((0, 4, 3),)),
    ("LayerNorm", (130,), {}, ((3, 130),)),
    ("LayerNorm", (3,), {"eps": 0.1}, ((40, 3),)),
    ("LayerNorm", (3,), {}, ((0, 3),)),
    ("RMSNorm", ((5, 14),), {}, ((2, 5, 14),)),
    ("RMSNorm", (3,), {"elementwise_affine": False, "eps": 0.1}, ((40, 3),)),
]
