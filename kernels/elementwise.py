"""Activation functions and their derivatives on one number, float32 or float64, for use inside kernels.

Each gives the same bits wherever it is used, as the functions of `vecmath` do. A derivative takes ``g``, the gradient
of the result, then ``y``, the result, or ``x``, the input, whichever it is computed from; parameters come last.
"""

import math

from .vecmath import (
    absolute,
    copysign,
    exactly,
    exp,
    expm1,
    fma,
    like,
    log1pexp_nearly,
    normal_cdf,
    normal_cdf_and_density,
    sigmoid,
    sigmoid_nearly,
)

_ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715
_MISH_IS_LINEAR = 20.0  # beyond, mish(x) = x to the last digit of float64


@exactly
def step(x):
    """Heaviside's step: 1 where x > 0, else 0; NaN stays NaN."""
    binary = like(1.0, x) if x > like(0.0, x) else like(0.0, x)
    return binary if x == x else x


@exactly
def square(x):
    """x^2."""
    return x * x


@exactly
def relu(x):
    """max(x, 0); NaN stays NaN."""
    return like(0.0, x) if x <= like(0.0, x) else x  # the comparison is false for NaN


@exactly
def relu_backward(g, y):
    """0 where y <= 0, else g; y is the result of relu, or its input."""
    return like(0.0, g) if y <= like(0.0, y) else g


@exactly
def leaky_relu(x, slope):
    """x where x > 0, else slope * x."""
    return x if x > like(0.0, x) else like(slope, x) * x


@exactly
def leaky_relu_backward(g, x, slope):
    """g where x > 0, else slope * g."""
    return g if x > like(0.0, x) else like(slope, g) * g


@exactly
def elu(x, alpha, scale, rate):
    """scale x where x > 0, else scale alpha (exp(rate x) - 1)."""
    below = like(scale, x) * like(alpha, x) * expm1(like(rate, x) * x)
    return like(scale, x) * x if x > like(0.0, x) else below


@exactly
def elu_backward(g, x, alpha, scale, rate):
    """g scale alpha rate exp(rate x) where x <= 0, else g scale."""
    below = like(scale, x) * like(alpha, x) * like(rate, x) * exp(like(rate, x) * x)
    return g * (below if x <= like(0.0, x) else like(scale, x))


@exactly
def hardtanh(x, low, high):
    """x limited to low ... high; NaN stays NaN."""
    limited = like(low, x) if x < like(low, x) else x
    return like(high, x) if x > like(high, x) else limited


@exactly
def hardtanh_backward(g, x, low, high):
    """0 where x <= low or x >= high, else g."""
    return like(0.0, g) if (x <= like(low, x)) | (x >= like(high, x)) else g


@exactly
def hardsigmoid(x):
    """x + 3, limited to 0 ... 6, over 6."""
    return hardtanh(x + like(3.0, x), 0.0, 6.0) / like(6.0, x)


@exactly
def hardsigmoid_backward(g, x):
    """g / 6 where -3 < x < 3, else 0."""
    return g / like(6.0, g) if (x > like(-3.0, x)) & (x < like(3.0, x)) else like(0.0, g)


@exactly
def hardswish(x):
    """x times x + 3, which is limited to 0 ... 6, over 6."""
    return x * hardtanh(x + like(3.0, x), 0.0, 6.0) / like(6.0, x)


@exactly
def hardswish_backward(g, x):
    """0 where x <= -3, g (x / 3 + 1/2) up to 3, then g."""
    between = g * (x / like(3.0, x) + like(0.5, x)) if x < like(3.0, x) else g
    return like(0.0, g) if x <= like(-3.0, x) else between


@exactly
def threshold(x, bound, value):
    """``value`` where x <= bound, else x."""
    return like(value, x) if x <= like(bound, x) else x


@exactly
def threshold_backward(g, x, bound):
    """0 where x <= bound, else g."""
    return like(0.0, g) if x <= like(bound, x) else g


@exactly
def hardshrink(x, bound):
    """0 where |x| <= bound, else x."""
    return like(0.0, x) if absolute(x) <= like(bound, x) else x


@exactly
def softshrink(x, bound):
    """0 where |x| <= bound, else x that much nearer to 0."""
    nearer = x - copysign(like(bound, x), x)
    return like(0.0, x) if absolute(x) <= like(bound, x) else nearer


@exactly
def shrink_backward(g, x, bound):
    """0 where |x| <= bound, else g."""
    return like(0.0, g) if absolute(x) <= like(bound, x) else g


@exactly
def mish(x):
    """x tanh(log(1 + e)) = x n / (n + 2), with e = exp(x) and n = e (e + 2)."""
    e = exp(x)
    n = e * (e + like(2.0, x))
    return x if x > like(_MISH_IS_LINEAR, x) else x * (n / (n + like(2.0, x)))


@exactly
def mish_backward(g, x):
    """g (t + x (1 - t^2) e / (1 + e)), with t = n / (n + 2): the second factor of x is 4 e (1 + e) / (n + 2)^2."""
    e = exp(x)
    n = e * (e + like(2.0, x))
    d = n + like(2.0, x)
    linear = x > like(_MISH_IS_LINEAR, x)
    bend = like(0.0, x) if linear else like(4.0, x) * e * (e + like(1.0, x)) / (d * d)
    return g * fma(x, bend, like(1.0, x) if linear else n / d)


@exactly
def sigmoid_backward(g, y):
    """g y (1 - y)."""
    return g * (like(1.0, y) - y) * y


@exactly
def tanh_backward(g, y):
    """g (1 - y^2)."""
    return g * fma(-y, y, like(1.0, y))


@exactly
def silu(x):
    """x sigmoid(x)."""
    return x * sigmoid_nearly(x)


@exactly
def silu_backward(g, x):
    """g s (1 + x (1 - s)) with s = sigmoid(x)."""
    s = sigmoid_nearly(x)
    return g * s * fma(x, like(1.0, x) - s, like(1.0, x))


@exactly
def gelu(x):
    """x times the probability that a standard normal number is below x (Hendrycks and Gimpel, 2016)."""
    return x * normal_cdf(x)


@exactly
def gelu_backward(g, x):
    """g (P(x) + x P'(x)) for the normal distribution P."""
    probability, density = normal_cdf_and_density(x)
    return g * fma(x, density, probability)


@exactly
def gelu_tanh(x):
    """x (1 + tanh(u)) / 2 = x sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    return x * sigmoid_nearly(_doubled_u(x))


@exactly
def _doubled_u(x):
    return x * fma(x * x, like(2 * _ROOT_TWO_OVER_PI * _CUBIC, x), like(2 * _ROOT_TWO_OVER_PI, x))


@exactly
def gelu_tanh_backward(g, x):
    """g (s + x s (1 - s) (2u)') with s = sigmoid(2u)."""
    doubled = _doubled_u(x)
    small = sigmoid(-abs(doubled))  # the lesser of s and 1 - s, which would be inexact as a difference
    large = like(1.0, x) - small
    s = large if doubled > like(0.0, x) else small
    slope = fma(x * x, like(6 * _ROOT_TWO_OVER_PI * _CUBIC, x), like(2 * _ROOT_TWO_OVER_PI, x))
    change = x * (small * large)
    # far out s (1 - s) is 0, and the slope may be infinite
    return g * (s if change == like(0.0, x) else fma(change, slope, s))


@exactly
def softplus(x, beta, threshold):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""
    scaled = like(beta, x) * x
    return x if scaled > like(threshold, x) else log1pexp_nearly(scaled) * (like(1.0, x) / like(beta, x))


@exactly
def softplus_backward(g, x, beta, threshold):
    """g sigmoid(beta x), and g itself where beta x > threshold."""
    scaled = like(beta, x) * x
    return g if scaled > like(threshold, x) else g * sigmoid_nearly(scaled)
