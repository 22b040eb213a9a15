"""What the tests of the ops draw: arrays of any shape, layout and kind of values."""

import hypothesis
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

LAYOUTS = ("plain", "fortran", "strided", "expanded", "read-only")

_MORE = 40 if hypothesis.settings.default.max_examples > 100 else 1  # in the profile 'long'


def examples(count):
    """A decorator: draw ``count`` examples, and many more in the profile 'long'."""
    return hypothesis.settings(
        max_examples=count * _MORE,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
    )


def shapes(max_dims=3, max_side=4, min_dims=0, min_side=0):
    """Shapes, 0-d and empty ones among them unless the bounds say otherwise."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable(count, max_dims=3, max_side=4):
    """``count`` shapes that broadcast together."""
    drawn = hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side
    )
    return drawn.map(lambda found: found.input_shapes)


def axis(draw, shape):
    """An axis of ``shape``, counted from the front or the back."""
    ndim = max(len(shape), 1)
    return draw(st.integers(-ndim, ndim - 1))


def axes(draw, shape):
    """None, an axis, or several."""
    if not shape or draw(st.booleans()):
        return draw(st.sampled_from((None, axis(draw, shape))))
    chosen = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1))
    return tuple(each - len(shape) * draw(st.integers(0, 1)) for each in chosen)


def mask(draw, shape):
    """Truth values, as an array."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.asarray(rng.random(shape) < 0.5)


# --- values ------------------------------------------------------------------------------------------------------


def real(rng, shape):
    """Numbers of either sign, a finite distance from 0 and from each other, so that no kink is near."""
    size = int(np.prod(shape))
    spaced = 0.15 + 0.37 * np.arange(size) / max(size / 8, 1) + 0.011 * rng.random()
    return (rng.permutation(spaced) * rng.choice((-1, 1), size)).reshape(shape)


def irregular(rng, shape):
    """`real` numbers of which no sums or differences are alike, where that would be a kink."""
    return real(rng, shape) * (1 + 0.05 * rng.random(shape))


def positive(rng, shape):
    """Numbers from 0.2 to 4."""
    return np.abs(real(rng, shape)) + 0.05


def fraction(rng, shape):
    """Numbers between 0 and 1."""
    return rng.uniform(0.05, 0.95, shape)


EXTREMES = np.array(
    [0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e30, -1e30, 1e-40, -1e-40, 1e-45, np.inf, -np.inf, np.nan, 0.5, -2.0]
)


def extreme(rng, shape):
    """Infinities, NaN, zeros, subnormal and huge numbers."""
    return rng.choice(EXTREMES, shape)


# --- layouts -----------------------------------------------------------------------------------------------------


def in_layout(x, layout):
    """An array equal to x whose elements lie in memory as ``layout`` says; 'expanded' repeats the first row."""
    if layout == "fortran":
        return np.array(x, order="F")
    if layout == "strided":
        spread = np.zeros([2 * size for size in x.shape], x.dtype)[(*(slice(None, None, 2) for _ in x.shape), ...)]
        spread[...] = x
        return spread
    if layout == "expanded" and x.ndim and x.shape[0]:
        return np.broadcast_to(x[:1].copy(), x.shape)
    x = x.copy()
    x.flags.writeable = layout != "read-only"
    return x
