"""Quick functions give what the long way gives, and decline whatever a kernel was not compiled for."""

import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import activation, gemm, reduce
from tinygrad_fr.kernels._launch import collect
from tinygrad_fr.kernels._layout import Loop
from tinygrad_fr.kernels._threads import ALONE

from .strategies import DTYPES, arrays

MAPS = {name: loop for name, loop in vars(activation).items() if isinstance(loop, Loop)}
PARAMETERS = {"_leaky_relu": (0.3,), "_softplus": (2.0, 5.0), "_elu": (1.5, 0.7, 1.2)}
PARAMETERS |= {"_hardtanh": (-0.5, 0.7), "_hardshrink": (0.3,), "_softshrink": (0.3,), "_shrink": (0.3,)}
PARAMETERS |= {f"{name}_backward": numbers for name, numbers in PARAMETERS.items()}
PARAMETERS |= {"_threshold": (0.1, 2.0), "_threshold_backward": (0.1,)}


def arrays_of(name):
    return 2 if name.endswith("_backward") else 1


def long_way(loop, given, parameters):
    """The result of a loop's kernel, by Numba's own call."""
    bits = [np.float64(each).view(np.int64).item() for each in parameters]
    out = np.empty_like(given[0])
    loop.alone(*[x.ravel() for x in given], *bits, out.ravel())
    return out


def taught(loop, dtype, count, parameters):
    """The quick function of a loop that knows its kernel for ``dtype``."""
    x = np.ones(3, dtype)
    bits = [np.float64(each).view(np.int64).item() for each in parameters]
    loop.quick.learn(x.dtype, loop.alone, *[x] * count, *bits, np.empty_like(x))
    return loop.quick.call


@given(st.sampled_from(sorted(MAPS)), st.data())
def test_a_map_gives_the_bits_of_the_long_way(name, data):
    loop, parameters = MAPS[name], PARAMETERS.get(name, ())
    x = data.draw(arrays(layout="plain"))
    given = [x, *[data.draw(arrays(x.shape, x.dtype, layout="plain")) for _ in range(arrays_of(name) - 1)]]
    call = taught(loop, x.dtype, len(given), parameters)
    expected = long_way(loop, given, parameters)
    made = call(*given, *parameters, None)
    assert made.dtype == x.dtype
    assert made.shape == x.shape
    assert made.tobytes() == expected.tobytes()
    out = np.empty_like(x)
    assert call(*given, *parameters, out) is out
    assert out.tobytes() == expected.tobytes()


class Subclass(np.ndarray):
    pass


@pytest.fixture(params=DTYPES)
def relu(request):
    taught(activation._relu, request.param, 1, ())
    return activation._relu.quick.call, np.ones((2, 3), request.param)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x):
    memory = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    memory[...] = x
    return memory


def test_arrays_that_are_only_read_may_be_read_only(relu):
    call, x = relu
    assert call(read_only(x), None).tolist() == x.tolist()


def test_an_array_of_another_kind_is_declined(relu):
    call, x = relu
    others = [x.T, x[:, ::2], unaligned(x), x.view(Subclass), x.astype(x.dtype.newbyteorder()), x.astype(np.int64)]
    others += [x.astype(np.float16), np.ones((1 << 8, 1 << 8), x.dtype), x.tolist(), 1.0, None]
    for other in others:
        assert call(other, None) is None
    assert call(np.ones((3, 2), x.dtype).T.copy(), None) is not None


def test_an_output_of_another_kind_is_declined(relu):
    call, x = relu
    other = np.float64 if x.dtype == np.float32 else np.float32
    for out in (read_only(x), np.empty((3, 2), x.dtype), np.empty(6, x.dtype), x.astype(other), x.view(Subclass)):
        before = out.tobytes()
        assert call(x - 5, out) is None
        assert out.tobytes() == before
    assert call(x, np.empty((3, 2), x.dtype).T) is None
    assert call(x, [1.0]) is None


def test_another_number_of_arguments_is_declined(relu):
    call, x = relu
    assert call() is None
    assert call(x) is None
    assert call(x, None, None) is None


def test_nothing_is_computed_while_any_thread_collects(relu):
    call, x = relu
    with collect() as launches:
        assert call(x, None) is None
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append((call(x, None), activation.relu(x))))
        thread.start()
        thread.join()
        activation.relu(x, out=np.empty_like(x))
        assert len(launches) == 1
    assert elsewhere[0][0] is None
    assert elsewhere[0][1].tolist() == x.tolist()
    assert call(x, None) is not None


def test_references_are_counted(relu):
    call, x = relu
    out = np.empty_like(x)
    alone = sys.getrefcount(out)
    before = [sys.getrefcount(each) for each in (x, x.dtype, out, np.ndarray)]
    kept = [call(x, None) for _ in range(100)]
    kept += [call(x, out) for _ in range(100)]
    declined = [call(x, 1.0) for _ in range(100)]
    assert len(declined) == 100
    assert sys.getrefcount(out) == alone + 100
    del kept, declined
    assert [sys.getrefcount(each) for each in (x, x.dtype, out, np.ndarray)] == before


def test_a_parameter_is_any_real_number_and_nothing_else():
    x = np.array([-1.0, 2.0], np.float32)
    assert activation.leaky_relu(x, 0.5).tolist() == [-0.5, 2]
    assert activation.leaky_relu(x, -1).tolist() == [1, 2]
    assert activation.leaky_relu(x, -1.0).tolist() == [1, 2]
    assert activation.leaky_relu(x, np.float32(0.25)).tolist() == [-0.25, 2]
    with pytest.raises(TypeError):
        activation.leaky_relu(x, "0.5")


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 70), st.sampled_from(DTYPES), st.data())
def test_a_product_is_that_of_the_long_way(m, k, n, dtype, data):
    numbers = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, y = numbers.standard_normal((m, k)).astype(dtype), numbers.standard_normal((k, n)).astype(dtype)
    if data.draw(st.booleans()):
        x = np.asfortranarray(x)
    if data.draw(st.booleans()):
        y = np.asfortranarray(y)
    gemm.matmul(x, y)
    expected = np.empty((m, n), dtype)
    with collect() as launches:
        gemm.matmul(x, y, out=expected)
    for launch in launches:
        launch.kernel(*launch.arguments)
    out = np.empty((m, n), dtype)
    assert gemm.matmul(x, y).tobytes() == expected.tobytes()
    assert gemm.matmul(x, y, out=out) is out
    assert out.tobytes() == expected.tobytes()


def test_a_product_that_does_not_fit_is_declined():
    x, y = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    gemm.matmul(x, y)
    call = gemm._QUICK.call
    assert call(x, y, None).tolist() == [[3] * 4] * 2
    assert call(x, y.T, None) is None
    for other in (y[0], y[None], y.astype(np.float64), y.astype(int), y.view(Subclass), y[:, :0], None):
        assert call(x, other, None) is None
        assert call(other, y, None) is None
    for out in (
        np.empty((4, 2), np.float32),
        np.empty((2, 4)),
        np.empty(8, np.float32),
        read_only(np.ones((2, 4), "f")),
    ):
        assert call(x, y, out) is None
    assert call(x, y) is None
    large = np.ones((1 << 8, 1 << 8), np.float32)
    assert call(large, large, None) is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fused_product_is_that_of_the_long_way(dtype):
    numbers = np.random.default_rng(0)
    x, w, b, g = (numbers.standard_normal(shape).astype(dtype) for shape in ((5, 7), (9, 7), (9,), (5, 9)))

    def results():
        return (
            gemm.linear(x, w, b, activation="relu"),
            gemm.linear(x.T.copy().T, w[:, ::-1]),
            *gemm.weight_gradient(g, x, bias=True),
            gemm.matmul(g, w, mask=x),
        )

    first = results()
    assert x.dtype in gemm._QUICK_FUSED.known
    for quick, long in zip(results(), first, strict=True):
        assert quick.tobytes() == long.tobytes()


def test_a_long_call_is_declined_where_an_array_is_of_another_kind():
    x = np.ones((300, 300), np.float32)
    expected = gemm.matmul(x, x)
    kernels = gemm._KERNELS[x.dtype]
    call = gemm._QUICK_LARGE.call
    out = np.empty_like(x)
    assert call(ALONE, kernels.table, x, x.T, out) is not None
    assert out.tobytes() == expected.tobytes()
    for other in (x[0], x.astype(np.float64), x.astype(int), x.view(Subclass), None):
        assert call(ALONE, kernels.table, x, other, out) is None
    assert call(ALONE, kernels.table, x, x) is None
    with pytest.raises(TypeError):
        call(ALONE, "table", x, x, out)
    with collect():
        assert call(ALONE, kernels.table, x, x, out) is None


@given(arrays(special=False), st.sampled_from((reduce.sum, reduce.mean, reduce.amax, reduce.amin)), st.data())
def test_a_reduction_is_that_of_the_long_way(x, reduction, data):
    if not x.size:
        return
    dim = data.draw(st.none() | st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1))
    expected = reduction(x, dim, out=np.empty_like(reduction(x, dim)))
    assert np.asarray(reduction(x, dim)).tobytes() == expected.tobytes()
