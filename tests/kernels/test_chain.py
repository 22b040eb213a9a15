"""One pass over a chain of functions gives the bits of the functions one after the other."""

import numpy as np
import pytest

from tinygrad_fr.kernels import activation
from tinygrad_fr.kernels._launch import collect
from tinygrad_fr.kernels.chain import chain
from tinygrad_fr.kernels.program import Program

EXPRESSION = "vecmath.tanh(({x0} * {x1} + {x2}) / {x3} - {x0})"


def one_after_the_other(x, y, single, number):
    return activation.tanh((x * y + single) / x.dtype.type(number) - x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (7,), (5, 13), (33, 2, 3), (0,), (300, 300)], ids=str)
def test_the_bits_are_those_of_single_passes(dtype, shape):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, *shape)).astype(dtype)
    single, out = np.array(0.37, dtype), np.empty(shape, dtype)
    assert chain(EXPRESSION, x, y, single, 3.1, out=out) is out
    np.testing.assert_array_equal(out, one_after_the_other(x, y, single, 3.1))


def test_products_and_sums_are_rounded_one_by_one():
    """A fused multiply-add would keep the 2^-24 that the product of single precision drops."""
    x = np.full(40, 1 + 2**-12, np.float32)
    out = np.empty_like(x)
    chain("{x0} * {x0} - {x1}", x, np.array(1.0, np.float32), out=out)
    np.testing.assert_array_equal(out, x * x - np.float32(1))


def test_infinity_and_nan_pass_through():
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-45], np.float32)
    out = np.empty_like(x)
    chain("-{x0} * {x1}", x, 1.0, out=out)
    np.testing.assert_array_equal(out, -x)
    np.testing.assert_array_equal(np.signbit(out[3:5]), [True, False])


def test_a_number_may_change_without_another_kernel():
    x, out = np.ones(3), np.empty(3)
    chain("{x0} * {x1}", x, 2.0, out=out)
    chain("{x0} * {x1}", x, 5.0, out=out)
    assert out.tolist() == [5, 5, 5]


def test_it_can_be_part_of_a_program():
    x, out = np.ones(3), np.zeros(3)
    with collect() as launches:
        chain("{x0} + {x1}", x, 2.0, out=out)
    Program(launches).run()
    assert out.tolist() == [3, 3, 3]


def test_integers_are_refused():
    with pytest.raises(TypeError, match="int64"):
        chain("{x0} + {x0}", np.ones(2, np.int64), out=np.ones(2, np.int64))
