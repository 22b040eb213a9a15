"""Recurrent layers in one direction."""

from hypothesis import strategies as st

from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import recurrent

from .. import strategies as draws
from .record import OpSpec


def _sizes(steps, samples):
    """How many of ``samples`` sequences each step has, where there are ``steps`` of all sequences together."""
    whole, rest = divmod(steps, samples)
    return (samples,) * whole + ((rest,) if rest else ())


def _shapes(mode):
    """Those of x, w_ih, w_hh, b_ih, b_hh, h, and c of an LSTM."""

    @st.composite
    def draw_them(draw, max_side):
        features, hidden, samples = (draw(st.integers(1, max_side)) for _ in range(3))
        steps, rows = draw(st.integers(samples, 2 * samples + 1)), recurrent.GATES[mode] * hidden
        states = ((samples, hidden),) * (2 if mode == "LSTM" else 1)
        return (steps, features), (rows, features), (rows, hidden), (rows,), (rows,), *states

    return lambda max_dims, max_side: draw_them(max_side)


def _params(draw, shapes):
    return {"sizes": _sizes(shapes[0][0], shapes[5][0]), "backwards": draw(st.booleans())}


def _layer(mode):
    def call(x, w_ih, w_hh, b_ih, b_hh, *state, sizes, backwards):
        output, ends = recurrent.run(mode, x, sizes, state, (w_ih, w_hh, b_ih, b_hh, None), backwards)
        return output, *ends

    return call


def _twin(mode):
    def call(x, w_ih, w_hh, b_ih, b_hh, h, c=None, *, sizes, backwards):
        options = {"mode": mode, "sizes": sizes, "backwards": backwards}
        result = reference.recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, **options)[0]
        total, samples = sum(sizes), sizes[0]
        ends = range(total, len(result), samples)
        return result[:total], *(result[end : end + samples] for end in ends)

    return call


SPECS = [
    OpSpec(
        mode.lower(),
        _twin(mode),
        inputs=(draws.real,),
        shapes=_shapes(mode),
        params=_params,
        integers=None,
        extremes=False,
        call=_layer(mode),
        steps=64,
    )
    for mode in recurrent.GATES
]
