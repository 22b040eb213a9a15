"""Exponentials, logarithms, activation functions and their derivatives, element by element, on arrays of any layout.

Every function takes float32 or float64 arrays and ``out=``, the array to write to (of the shape and dtype of the
result; it may be an input), and raises TypeError for other dtypes. A derivative takes ``g``, the gradient of the
result, and what the forward kept.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from . import elementwise, vecmath
from ._jit import inlined, kernel
from ._layout import PARALLEL_ELEMENTS, Loop, map_one, map_two
from ._quick import quick_map
from ._scalar import float64
from ._threads import equal_part, equal_parts, spread
from .simd import address

# ---------------------------------------------------------------------------------------------------------------
# The compiled loops, over flat arrays, written here from one text for all functions. Each is compiled when it is first
# called.

# The elements of a part are at most as many, and the number of parts a multiple of the other number.
PART, TOGETHER = 1 << 15, 2

# Below so many elements one thread is sooner done: of functions with an exponential or a logarithm, and of the others.
HEAVY, LIGHT = 1 << 14, PARALLEL_ELEMENTS

_LOOP = """
@kernel
def {name}({arrays}, {parameters}out):
    vecmath.prefer_wide_vectors()
    {apart}
    {numbers}
    for i in range(out.size):
        out[i] = {function}({elements}{parameters})


@inlined
def {name}_part(part, {arrays}, {parameters}out):
    start, stop = equal_part(part, out.size, PART, TOGETHER)
    {name}({parts}, {parameters}out[start:stop])


@kernel
def {name}_shared(pool, {arrays}, {parameters}out):
    spread(pool, {name}_part, equal_parts(out.size, PART, TOGETHER), ({arrays}, {parameters}out))
"""


@inlined
def apart(x, out):
    """x, copied if it is the memory of ``out``: a loop over arrays that overlap would not be vectorised."""
    return x.copy() if address(x) == address(out) else x


_NAMES = {
    "__name__": __name__,
    "vecmath": vecmath,
    "elementwise": elementwise,
    "kernel": kernel,
    "inlined": inlined,
    "spread": spread,
    "apart": apart,
    "float64": float64,
    "PART": PART,
    "TOGETHER": TOGETHER,
    "equal_part": equal_part,
    "equal_parts": equal_parts,
}


def _loop(
    function: str, arrays: tuple[str, ...] = ("x",), parameters: tuple[str, ...] = (), *, least: int = HEAVY
) -> Loop:
    """The loop that sets every element of ``out`` to ``function`` of those of the arrays, and of the parameters.

    It is shared among threads from ``least`` elements on.
    """
    name = function.partition(".")[2]
    source = _LOOP.format(
        name=name,
        function=function,
        arrays=", ".join(arrays),
        parameters="".join(f"{parameter}, " for parameter in parameters),
        elements="".join(f"{array}[i], " for array in arrays),
        parts=", ".join(f"{array}[start:stop]" for array in arrays),
        apart="\n    ".join(f"{array} = apart({array}, out)" for array in arrays),
        numbers="\n    ".join(f"{parameter} = float64({parameter})" for parameter in parameters),
    )
    written = dict(_NAMES)
    exec(compile(source, __file__, "exec"), written)
    quick = quick_map(len(arrays), len(parameters), least)
    return Loop(written[name], written[f"{name}_shared"], least, quick)


_XG, _YG = ("g", "x"), ("g", "y")
_exp, _expm1 = _loop("vecmath.exp"), _loop("vecmath.expm1")
_log, _log1p, _log1pexp = _loop("vecmath.log"), _loop("vecmath.log1p"), _loop("vecmath.log1pexp")
_tanh, _tanh_backward = _loop("vecmath.tanh"), _loop("elementwise.tanh_backward", _YG, least=LIGHT)
_sigmoid, _sigmoid_backward = _loop("vecmath.sigmoid"), _loop("elementwise.sigmoid_backward", _YG, least=LIGHT)
_erf = _loop("vecmath.erf")
_step = _loop("elementwise.step", least=LIGHT)
_relu, _relu_backward = _loop("elementwise.relu", least=LIGHT), _loop("elementwise.relu_backward", _YG, least=LIGHT)
_leaky_relu = _loop("elementwise.leaky_relu", parameters=("slope",), least=LIGHT)
_leaky_relu_backward = _loop("elementwise.leaky_relu_backward", _XG, ("slope",), least=LIGHT)
_elu = _loop("elementwise.elu", parameters=("alpha", "scale", "rate"))
_elu_backward = _loop("elementwise.elu_backward", _XG, ("alpha", "scale", "rate"))
_BOUNDS = ("low", "high")
_hardtanh = _loop("elementwise.hardtanh", parameters=_BOUNDS, least=LIGHT)
_hardtanh_backward = _loop("elementwise.hardtanh_backward", _XG, _BOUNDS, least=LIGHT)
_hardsigmoid = _loop("elementwise.hardsigmoid", least=LIGHT)
_hardsigmoid_backward = _loop("elementwise.hardsigmoid_backward", _XG, least=LIGHT)
_hardswish = _loop("elementwise.hardswish", least=LIGHT)
_hardswish_backward = _loop("elementwise.hardswish_backward", _XG, least=LIGHT)
_threshold = _loop("elementwise.threshold", parameters=("bound", "value"), least=LIGHT)
_threshold_backward = _loop("elementwise.threshold_backward", _XG, ("bound",), least=LIGHT)
_hardshrink = _loop("elementwise.hardshrink", parameters=("bound",), least=LIGHT)
_softshrink = _loop("elementwise.softshrink", parameters=("bound",), least=LIGHT)
_shrink_backward = _loop("elementwise.shrink_backward", _XG, ("bound",), least=LIGHT)
_mish, _mish_backward = _loop("elementwise.mish"), _loop("elementwise.mish_backward", _XG)
_silu, _silu_backward = _loop("elementwise.silu"), _loop("elementwise.silu_backward", _XG)
_gelu, _gelu_backward = _loop("elementwise.gelu"), _loop("elementwise.gelu_backward", _XG)
_gelu_tanh, _gelu_tanh_backward = _loop("elementwise.gelu_tanh"), _loop("elementwise.gelu_tanh_backward", _XG)
_softplus = _loop("elementwise.softplus", parameters=("beta", "threshold"))
_softplus_backward = _loop("elementwise.softplus_backward", _XG, ("beta", "threshold"))


# ---------------------------------------------------------------------------------------------------------------
# Exponentials and logarithms.


def exp(x, *, out=None):
    """e to the power x. x: (*) -> (*)."""
    return map_one(_exp, x, out)


def expm1(x, *, out=None):
    """exp(x) - 1, without the loss of digits near 0. x: (*) -> (*)."""
    return map_one(_expm1, x, out)


def log(x, *, out=None):
    """The natural logarithm: -inf at 0, NaN below. x: (*) -> (*)."""
    return map_one(_log, x, out)


def log1p(x, *, out=None):
    """log(1 + x), without the loss of digits near 0. x: (*) -> (*)."""
    return map_one(_log1p, x, out)


def log1pexp(x, *, out=None):
    """log(1 + exp(x)), without overflow. x: (*) -> (*)."""
    return map_one(_log1pexp, x, out)


def erf(x, *, out=None):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. x: (*) -> (*)."""
    return map_one(_erf, x, out)


# ---------------------------------------------------------------------------------------------------------------
# Activation functions.


def step(x, *, out=None):
    """Heaviside's step: 1 where x > 0, else 0; NaN stays NaN. x: (*) -> (*)."""
    return map_one(_step, x, out)


def relu(x, *, out=None):
    """max(x, 0); NaN stays NaN. x: (*) -> (*)."""
    return map_one(_relu, x, out)


def relu_backward(g, y, *, out=None):
    """The gradient of relu: 0 where y <= 0, else g. ``y`` is the result of relu, or its input. g, y: (*) -> (*)."""
    return map_two(_relu_backward, g, y, ("g", "y"), out)


def leaky_relu(x, slope=0.01, *, out=None):
    """x where x > 0, else slope * x. x: (*) -> (*)."""
    return map_one(_leaky_relu, x, out, (slope,))


def leaky_relu_backward(g, x, slope=0.01, *, out=None):
    """The gradient of leaky_relu: g where x > 0, else slope * g. g, x: (*) -> (*)."""
    return map_two(_leaky_relu_backward, g, x, ("g", "x"), out, (slope,))


def elu(x, alpha=1.0, scale=1.0, rate=1.0, *, out=None):
    """scale x where x > 0, else scale alpha (exp(rate x) - 1). x: (*) -> (*)."""
    return map_one(_elu, x, out, (alpha, scale, rate))


def elu_backward(g, x, alpha=1.0, scale=1.0, rate=1.0, *, out=None):
    """The gradient of elu, g scale alpha rate exp(rate x) where x <= 0, else g scale. g, x: (*) -> (*)."""
    return map_two(_elu_backward, g, x, ("g", "x"), out, (alpha, scale, rate))


def hardtanh(x, low=-1.0, high=1.0, *, out=None):
    """x limited to low ... high; NaN stays NaN. x: (*) -> (*)."""
    return map_one(_hardtanh, x, out, (low, high))


def hardtanh_backward(g, x, low=-1.0, high=1.0, *, out=None):
    """The gradient of hardtanh: 0 where x <= low or x >= high, else g. g, x: (*) -> (*)."""
    return map_two(_hardtanh_backward, g, x, ("g", "x"), out, (low, high))


def hardsigmoid(x, *, out=None):
    """x / 6 + 1/2, limited to 0 ... 1. x: (*) -> (*)."""
    return map_one(_hardsigmoid, x, out)


def hardsigmoid_backward(g, x, *, out=None):
    """The gradient of hardsigmoid: g / 6 where -3 < x < 3, else 0. g, x: (*) -> (*)."""
    return map_two(_hardsigmoid_backward, g, x, ("g", "x"), out)


def hardswish(x, *, out=None):
    """x hardsigmoid(x). x: (*) -> (*)."""
    return map_one(_hardswish, x, out)


def hardswish_backward(g, x, *, out=None):
    """The gradient of hardswish: 0 where x <= -3, g (x / 3 + 1/2) up to 3, then g. g, x: (*) -> (*)."""
    return map_two(_hardswish_backward, g, x, ("g", "x"), out)


def threshold(x, bound, value, *, out=None):
    """``value`` where x <= bound, else x. x: (*) -> (*)."""
    return map_one(_threshold, x, out, (bound, value))


def threshold_backward(g, x, bound, *, out=None):
    """The gradient of threshold: 0 where x <= bound, else g. g, x: (*) -> (*)."""
    return map_two(_threshold_backward, g, x, ("g", "x"), out, (bound,))


def hardshrink(x, bound=0.5, *, out=None):
    """0 where |x| <= bound, else x. x: (*) -> (*)."""
    return map_one(_hardshrink, x, out, (bound,))


def softshrink(x, bound=0.5, *, out=None):
    """0 where |x| <= bound, else x that much nearer to 0. x: (*) -> (*)."""
    return map_one(_softshrink, x, out, (bound,))


def shrink_backward(g, x, bound=0.5, *, out=None):
    """The gradient of hardshrink and softshrink: 0 where |x| <= bound, else g. g, x: (*) -> (*)."""
    return map_two(_shrink_backward, g, x, ("g", "x"), out, (bound,))


def mish(x, *, out=None):
    """x tanh(log(1 + exp(x))). x: (*) -> (*)."""
    return map_one(_mish, x, out)


def mish_backward(g, x, *, out=None):
    """The gradient of mish, g (t + x (1 - t^2) sigmoid(x)) with t = tanh(log(1 + exp(x))). g, x: (*) -> (*)."""
    return map_two(_mish_backward, g, x, ("g", "x"), out)


def sigmoid(x, *, out=None):
    """1 / (1 + exp(-x)). x: (*) -> (*)."""
    return map_one(_sigmoid, x, out)


def sigmoid_backward(g, y, *, out=None):
    """The gradient of sigmoid, g y (1 - y), with y = sigmoid(x). g, y: (*) -> (*)."""
    return map_two(_sigmoid_backward, g, y, ("g", "y"), out)


def tanh(x, *, out=None):
    """The hyperbolic tangent. x: (*) -> (*)."""
    return map_one(_tanh, x, out)


def tanh_backward(g, y, *, out=None):
    """The gradient of tanh, g (1 - y^2), with y = tanh(x). g, y: (*) -> (*)."""
    return map_two(_tanh_backward, g, y, ("g", "y"), out)


def silu(x, *, out=None):
    """x sigmoid(x). x: (*) -> (*)."""
    return map_one(_silu, x, out)


def silu_backward(g, x, *, out=None):
    """The gradient of silu, g s (1 + x (1 - s)) with s = sigmoid(x). g, x: (*) -> (*)."""
    return map_two(_silu_backward, g, x, ("g", "x"), out)


def gelu(x, approximate="none", *, out=None):
    """x P(x), P the normal distribution (Hendrycks and Gimpel, 2016), with ``approximate`` "none" or "tanh".

    P(x) = (1 + erf(x / sqrt(2))) / 2, and by "tanh" nearly that: (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
    x: (*) -> (*). ValueError for another ``approximate``.
    """
    return map_one(_by_form(approximate, _gelu, _gelu_tanh), x, out)


def gelu_backward(g, x, approximate="none", *, out=None):
    """The gradient of gelu, g (P(x) + x P'(x)). g, x: (*) -> (*). ValueError for another ``approximate``."""
    return map_two(_by_form(approximate, _gelu_backward, _gelu_tanh_backward), g, x, ("g", "x"), out)


def _by_form(approximate, exact, tanh):
    if approximate == "none":
        return exact
    if approximate == "tanh":
        return tanh
    raise ValueError(f"expected approximate to be 'none' or 'tanh', got {approximate!r}")


def softplus(x, beta=1.0, threshold=20.0, *, out=None):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold. x: (*) -> (*)."""
    return map_one(_softplus, x, out, (beta, threshold))


def softplus_backward(g, x, beta=1.0, threshold=20.0, *, out=None):
    """The gradient of softplus, g sigmoid(beta x), and g itself where beta x > threshold. g, x: (*) -> (*)."""
    return map_two(_softplus_backward, g, x, ("g", "x"), out, (beta, threshold))
