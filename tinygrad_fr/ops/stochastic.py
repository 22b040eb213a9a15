"""Layers that draw at random in training: dropout of elements, of channels, of self-normalising nets; RReLU, Gumbel."""

import warnings

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from .activation import leaky_relu, relu, softmax
from .creation import ones
from .embedding import one_hot
from .exponential import log1p
from .random import _state, bernoulli, rand_like

# --- dropout of elements -----------------------------------------------------------------------------------------


@op(keeps=("used",), launches=True)
def _dropout(x, state, *, p, out=None):
    """x with each element 0 with probability p and the others over 1 - p; the mask is not stored but drawn again."""
    return k.random.dropout(x, p, state, out=out)


@_dropout.vjp("x")
def _(g, p, used):
    return apply(_same_dropout.op, (g, used), {"p": p})


@op(launches=True)
def _same_dropout(x, used, *, p, out=None):
    """Dropout by the mask that was drawn from the state ``used``."""
    return k.random.dropout_backward(x, p, used, out=out)


@_same_dropout.vjp("x")
def _(g, used, p):
    return apply(_same_dropout.op, (g, used), {"p": p})


@public(method=False)
def dropout(input, p=0.5, training=True, inplace=False):
    """In training, each element 0 with probability p and the others scaled by 1 / (1 - p).  (*) -> (*)."""
    check_probability(p)
    if not training:
        return input
    return _over(input, apply(_dropout.op, (input, _state(None)), {"p": float(p)}), inplace)


@public(method=False)
def dropout_(input, p, train):
    """`dropout`, written over the input."""
    return dropout(input, p, train, inplace=True)


def check_probability(p):
    """ValueError where ``p`` is none."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _over(input, result, inplace):
    """The result, written over the input if that is wanted."""
    return input.copy_(result) if inplace else result


# --- dropout of channels -----------------------------------------------------------------------------------------


def _dropout_of_channels(input, p, training, inplace, leading=2):
    """As `dropout`, what shares its place on the ``leading`` axes as a whole."""
    if input.ndim < leading:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if not training:
        return input
    return _over(input, input * dropout(_one_for_each_channel(input, leading), p), inplace)


def _one_for_each_channel(input, leading=2):
    return ones(input._array.shape[:leading] + (1,) * (input.ndim - leading), dtype=input.dtype)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """As `dropout`, each channel as a whole.  (N, C, L) or (C, L) -> the same shape."""
    check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input.")
    return _dropout_of_channels(input, p, training, inplace, 2 if input.ndim == 3 else 1)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """As `dropout`, each channel as a whole.  (N, C, H, W) -> the same shape; as PyTorch also (N, C, L), warning."""
    check_probability(p)
    if input.ndim not in (3, 4):
        _warn_of_axes("dropout2d", input.ndim)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim. Use dropout1d for it.",
            stacklevel=2,
        )
    return _dropout_of_channels(input, p, training, inplace)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """As `dropout`, each channel as a whole.  (N, C, D, H, W) or (C, D, H, W) -> the same shape."""
    check_probability(p)
    if input.ndim not in (4, 5):
        _warn_of_axes("dropout3d", input.ndim)
    return _dropout_of_channels(input, p, training, inplace, 2 if input.ndim == 5 else 1)


def _warn_of_axes(name, ndim):
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future "
        "release. To retain the behavior and silence this warning, please use dropout instead.",
        stacklevel=3,
    )


# --- dropout for SELU --------------------------------------------------------------------------------------------

_SELU_AT_MINUS_INFINITY = -1.7580993408473766  # what is dropped has this value: -scale * alpha of `selu`


@public(method=False)
def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """In training, each element with probability p what SELU gives for -infinity.  (*) -> (*).

    All are then scaled and moved so that mean 0 and variance 1 stay. Source: Klambauer et al., 2017.
    """
    check_probability(p)
    if not training or p == 0:
        return input
    return _over(input, _moved_dropout(input, ones(input._array.shape, dtype=input.dtype), p), inplace)


@public(method=False)
def alpha_dropout_(input, p, train):
    """`alpha_dropout`, written over the input."""
    return alpha_dropout(input, p, train, inplace=True)


@public(method=False)
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """As `alpha_dropout`, each channel as a whole.  (N, C, *) -> (N, C, *)."""
    check_probability(p)
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if not training or p == 0:
        return input
    return _over(input, _moved_dropout(input, _one_for_each_channel(input), p), inplace)


@public(method=False)
def feature_alpha_dropout_(input, p, train):
    """`feature_alpha_dropout`, written over the input."""
    return feature_alpha_dropout(input, p, train, inplace=True)


def _moved_dropout(input, one, p):
    if p == 1:
        return input * 0
    kept = bernoulli(one * (1 - p))
    scale = ((1 - p) * (1 + p * _SELU_AT_MINUS_INFINITY**2)) ** -0.5
    shift = -scale * p * _SELU_AT_MINUS_INFINITY
    return input * (kept * scale) + ((1 - kept) * (_SELU_AT_MINUS_INFINITY * scale) + shift)


# --- activations -------------------------------------------------------------------------------------------------


@public(method=False)
def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """input where it is above 0, else input times a slope drawn from [lower, upper); their mean outside training.

    (*) -> (*).  Source: Xu et al., 2015.
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    x = input.clone() if inplace else input
    slope = rand_like(x) * (upper - lower) + lower
    return _over(input, relu(x) + slope * x.clamp(max=0), inplace)


@public(method=False)
def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """`rrelu`, written over the input."""
    return rrelu(input, lower, upper, training, inplace=True)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """Softmax of (logits + Gumbel noise) / tau: a draw of a class that has a gradient.  (*) -> (*).

    With ``hard`` the result is one-hot and the gradient that of the soft one. Source: Jang et al., 2017.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    exponential = -log1p(-rand_like(logits))
    noise = -exponential.clamp(min=float(np.finfo(logits._array.dtype).tiny)).log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    largest = one_hot(soft.argmax(dim), soft._array.shape[dim]).movedim(-1, dim)
    return largest.to(soft.dtype) - soft.detach() + soft
