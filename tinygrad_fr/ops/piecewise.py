"""Activation functions with one formula on one side of a bound and another, or a constant, on the other; smooth ones.

Where a derivative is 0 the rules fill in 0, as PyTorch does: a product with an infinite gradient would be NaN.
"""

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import binary, op
from .activation import activated, sigmoid
from .arrays import deliver
from .exponential import exp
from .indexing import where
from .pointwise import log1pexp
from .shape import canonical_dim


def _refuse_integers(name, x):
    if x.dtype.kind != "f":
        raise NotImplementedError(f'"{name}" not implemented for {x.dtype}: expected a floating point tensor')


# --- exponentials below 0 ----------------------------------------------------------------------------------------


@op(launches=True)
def _elu(x, *, alpha, scale, rate, out=None):
    """scale x where x > 0, else scale alpha (exp(rate x) - 1)."""
    _refuse_integers("elu", x)
    return k.activation.elu(x, alpha, scale, rate, out=out)


@_elu.vjp()
def _(g, x, alpha, scale, rate):
    below = g * (exp(x.clamp(max=0) * rate) * (scale * alpha * rate))
    return where(x <= 0, below, g * scale)


@_elu.backward
def _(g, x, alpha, scale, rate, out=None):
    return k.activation.elu_backward(g, x, alpha, scale, rate, out=out)


def elu(input, alpha=1.0, inplace=False):
    """input where it is above 0, else alpha (exp(input) - 1).  (*) -> (*).  Source: Clevert et al., 2016."""
    return activated(_elu, input, inplace, alpha=float(alpha), scale=1.0, rate=1.0)


# the numbers that keep mean 0 and variance 1 fixed (Klambauer et al., 2017)
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@public(method=False)
def selu(input, inplace=False):
    """scale * elu(input, alpha) with the fixed numbers of self-normalising nets.  (*) -> (*)."""
    return activated(_elu, input, inplace, alpha=_SELU_ALPHA, scale=_SELU_SCALE, rate=1.0)


@public(method=False)
def selu_(input):
    """`selu`, written over the input."""
    return selu(input, inplace=True)


@public(method=False)
def celu(input, alpha=1.0, inplace=False):
    """input where it is above 0, else alpha (exp(input / alpha) - 1).  (*) -> (*).  Source: Barron, 2017.

    RuntimeError: ``alpha`` is 0.
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return activated(_elu, input, inplace, alpha=float(alpha), scale=1.0, rate=1.0 / alpha)


@public(method=False)
def celu_(input, alpha=1.0):
    """`celu`, written over the input."""
    return celu(input, alpha, inplace=True)


# --- constants outside bounds ------------------------------------------------------------------------------------


@op(launches=True)
def _hardtanh(x, *, low, high, out=None):
    """x limited to low ... high."""
    if x.dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if x.dtype.kind == "f":
        return k.activation.hardtanh(x, low, high, out=out)
    k._launch.not_in_a_program("NumPy limits integers")
    return deliver(np.clip(x, x.dtype.type(low), x.dtype.type(high)), out)


@_hardtanh.vjp()
def _(g, x, low, high):
    return g.masked_fill((x <= low) | (x >= high), 0.0)


@_hardtanh.backward
def _(g, x, low, high, out=None):
    return k.activation.hardtanh_backward(g, x, low, high, out=out)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """input limited to min_val ... max_val; the derivative at the limits is 0.  (*) -> (*)."""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    return activated(_hardtanh, input, inplace, low=float(min_val), high=float(max_val))


def relu6(input, inplace=False):
    """min(max(input, 0), 6).  (*) -> (*)."""
    return hardtanh(input, 0.0, 6.0, inplace)


@op(launches=True)
def _hardsigmoid(x, *, out=None):
    """x / 6 + 1/2, limited to 0 ... 1."""
    _refuse_integers("hardsigmoid", x)
    return k.activation.hardsigmoid(x, out=out)


@_hardsigmoid.vjp()
def _(g, x):
    return where((x > -3) & (x < 3), g / 6, 0.0)


@_hardsigmoid.backward(scalar="elementwise.hardsigmoid_backward({g}, {x})")
def _(g, x, out=None):
    return k.activation.hardsigmoid_backward(g, x, out=out)


def hardsigmoid(input, inplace=False):
    """input / 6 + 1/2, limited to 0 ... 1.  (*) -> (*)."""
    return activated(_hardsigmoid, input, inplace)


@op(launches=True)
def _hardswish(x, *, out=None):
    """x (x / 6 + 1/2), with the factor limited to 0 ... 1."""
    _refuse_integers("hardswish", x)
    return k.activation.hardswish(x, out=out)


@_hardswish.vjp()
def _(g, x):
    return where(x < 3, (g * (x / 3 + 0.5)).masked_fill(x <= -3, 0.0), g)


@_hardswish.backward(scalar="elementwise.hardswish_backward({g}, {x})")
def _(g, x, out=None):
    return k.activation.hardswish_backward(g, x, out=out)


def hardswish(input, inplace=False):
    """input * hardsigmoid(input).  (*) -> (*).  Source: Howard et al., 2019."""
    return activated(_hardswish, input, inplace)


@op(launches=True)
def _threshold(x, *, bound, value, out=None):
    """x where x > bound, else ``value``."""
    if x.dtype.kind == "f":
        return k.activation.threshold(x, float(bound), float(value), out=out)
    k._launch.not_in_a_program("NumPy compares integers")
    return deliver(np.where(x <= bound, x.dtype.type(value), x), out)


@_threshold.vjp()
def _(g, x, bound):
    return g.masked_fill(x <= bound, 0.0)


@_threshold.backward
def _(g, x, bound, out=None):
    return k.activation.threshold_backward(g, x, float(bound), out=out)


@public(method=False)
def threshold(input, threshold, value, inplace=False):
    """input where it is above ``threshold``, else ``value``.  (*) -> (*)."""
    return activated(_threshold, input, inplace, bound=threshold, value=value)


@public(method=False)
def threshold_(input, threshold, value):
    """`threshold`, written over the input."""
    return activated(_threshold, input, inplace=True, bound=threshold, value=value)


@op(launches=True)
def _hardshrink(x, *, bound, out=None):
    """0 where -bound <= x <= bound, else x."""
    _refuse_integers("hardshrink", x)
    return k.activation.hardshrink(x, bound, out=out)


@_hardshrink.vjp()
def _(g, x, bound):
    return g.masked_fill(x.abs() <= bound, 0.0)


@_hardshrink.backward
def _(g, x, bound, out=None):
    return k.activation.shrink_backward(g, x, bound, out=out)


@public
def hardshrink(input, lambd=0.5):
    """0 where -lambd <= input <= lambd, else input.  (*) -> (*)."""
    return activated(_hardshrink, input, bound=float(lambd))


@op(launches=True)
def _softshrink(x, *, bound, out=None):
    """x moved towards 0 by ``bound``, and 0 where it is nearer than that."""
    _refuse_integers("softshrink", x)
    return k.activation.softshrink(x, bound, out=out)


@_softshrink.vjp()
def _(g, x, bound):
    return g.masked_fill(x.abs() <= bound, 0.0)


@_softshrink.backward
def _(g, x, bound, out=None):
    return k.activation.shrink_backward(g, x, bound, out=out)


def softshrink(input, lambd=0.5):
    """input moved towards 0 by ``lambd``, and 0 where it is nearer than that.  (*) -> (*)."""
    if not lambd >= 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return activated(_softshrink, input, bound=float(lambd))


# --- slopes that are learnt --------------------------------------------------------------------------------------


@binary()
def _prelu(x, weight, *, out=None):
    """x where it is above 0, else weight * x.  (*), (*) -> (*)."""
    return deliver(np.where(x > 0, x, weight * x), out)


@_prelu.vjp("x")
def _(g, x, weight):
    return where(x > 0, g, g * weight)


@_prelu.vjp("weight")
def _(g, x):
    return (g * x).masked_fill(x > 0, 0.0)


@public
def prelu(input, weight):
    """input where it is above 0, else weight * input.  (N, C, *), (C,) or (1,) -> (N, C, *).

    Source: He et al., 2015.
    """
    if weight.dtype is not input.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype.name} and {weight.dtype.name}")
    return _prelu(input, _for_channels(weight, input))


def _for_channels(weight, input):
    """The slopes of `prelu` along axis 1 of the input, if they are several."""
    channels = input._array.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if weight.numel() == 1:
        return weight.reshape(())
    if weight.numel() != channels:
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} "
            f"and channel size = {channels}."
        )
    return weight.reshape((channels,) + (1,) * (input.ndim - 2))


# --- smooth ones -------------------------------------------------------------------------------------------------


def logsigmoid(input):
    """log(sigmoid(input)), without overflow.  (*) -> (*)."""
    return -log1pexp(-input)


def softsign(input):
    """input / (1 + |input|).  (*) -> (*)."""
    return input / (1 + input.abs())


def tanhshrink(input):
    """input - tanh(input).  (*) -> (*)."""
    return input - input.tanh()


@op(kind="float", launches=True)
def _mish(x, *, out=None):
    """x tanh(log(1 + exp(x)))."""
    return k.activation.mish(x, out=out)


@_mish.vjp()
def _(g, x):
    t = log1pexp(x).tanh()
    return g * (t + x * ((1 - t * t) * sigmoid(x)))


@_mish.backward(scalar="elementwise.mish_backward({g}, {x})")
def _(g, x, out=None):
    return k.activation.mish_backward(g, x, out=out)


def mish(input, inplace=False):
    """input * tanh(log(1 + exp(input))).  (*) -> (*).  Source: Misra, 2019."""
    return activated(_mish, input, inplace)


def glu(input, dim=-1):
    """The first half of the input along ``dim`` times the sigmoid of the second.  (*, 2n, *) -> (*, n, *).

    Source: Dauphin et al., 2017.
    """
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    size = input._array.shape[canonical_dim(dim, input.ndim)]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    first, second = input.chunk(2, dim)
    return first * sigmoid(second)
