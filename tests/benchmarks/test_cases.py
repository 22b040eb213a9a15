"""Every benchmark runs, on small sizes, and the libraries that are installed compute the same things."""

import gzip
import importlib
import os
import pkgutil
import struct

import numpy as np
import pytest

import benchmarks
from benchmarks import (
    NAMES,
    activations,
    by_hand,
    cnn,
    conv,
    data,
    epoch,
    harness,
    libraries,
    matmul,
    memory,
    mlp,
    optim,
    overhead,
    rnn,
    scaling,
    softmax_ce,
    training,
)
from benchmarks import startup as startup_benchmark
from benchmarks.conv import Convolution
from benchmarks.libraries import COMPILED, FLOOR, OURS
from tinygrad_fr.kernels import reference

MODULES = {name: importlib.import_module(f"benchmarks.{name}") for name in NAMES}


SMALL_CONVOLUTIONS = (
    Convolution((2, 1, 6, 5), 3, 3, of_images=True),
    Convolution((2, 4, 6, 5), 4, 3, stride=2, padding=1, groups=4),
    Convolution((2, 3, 7), 4, 5, padding=2),
    Convolution((2, 3, 4, 3), 2, 4, stride=2, padding=1, transposed=True),
)
DEEPER = cnn.Shape(
    (
        cnn.Layer(Convolution((3, 1, 8, 8), 2, 3, of_images=True), pooled=False),
        cnn.Layer(Convolution((3, 2, 6, 6), 3, 3, padding=1), pooled=True),
    ),
    (27, 5, 4),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Sizes that take no time, rates at which a step shows, and a little learnable data."""
    monkeypatch.setattr(matmul, "LAYER", (4, 9, 5))
    monkeypatch.setattr(matmul, "SQUARES", (3, 8))
    monkeypatch.setattr(matmul, "OUTER", (1, 3))
    monkeypatch.setattr(matmul, "INNER", (2, 3))
    monkeypatch.setattr(activations, "SIZES", (7, 40))
    monkeypatch.setattr(softmax_ce, "SIZES", ((5, 3), (4, 20)))
    monkeypatch.setattr(optim, "SHAPES", {"two arrays": [(3, 4), (5,)]})
    monkeypatch.setattr(optim, "LR", 0.01)
    monkeypatch.setattr(mlp, "NETS", ((16, 8), (12, 1)))
    monkeypatch.setattr(mlp, "LR", 0.01)
    monkeypatch.setattr(conv, "CONVOLUTIONS", SMALL_CONVOLUTIONS)
    monkeypatch.setattr(cnn, "NETS", {"small": cnn.SMALL, "deeper": DEEPER})
    monkeypatch.setattr(cnn, "LR", 0.01)
    monkeypatch.setattr(rnn, "NETS", {cell: rnn.Shape(cell, 7, 5, 4, 3) for cell in rnn.GATES})
    monkeypatch.setattr(rnn, "LR", 0.01)
    monkeypatch.setattr(scaling, "SWEEPS", {"batch": (1, 5), "width": (4, 6), "depth": (1, 3)})
    monkeypatch.setattr(scaling, "WITH_MEMORY", ("width 6",))
    monkeypatch.setattr(epoch, "HIDDEN", 16)
    monkeypatch.setattr(epoch, "LR", 0.01)
    monkeypatch.setattr(data, "training_images", few_images)
    monkeypatch.setattr(data, "compressed_files", lambda: None)


def few_images():
    """200 images of noise, in which a bright row of pixels says the class."""
    generator = np.random.default_rng(0)
    images, labels = generator.standard_normal((200, 784), np.float32), generator.integers(0, 10, 200)
    for image, label in zip(images, labels, strict=True):
        image[label * 28 : (label + 1) * 28] += 3
    return images, labels, "few images"


def installed(module):
    """The labels whose functions can be called here. PyTorch's compiler takes half a minute; the floor has none."""
    return [label for label in libraries.installed(module.LIBRARIES) if label not in ("torch compiled", FLOOR)]


def values(result):
    """What a timed function returns, as NumPy arrays."""
    many = isinstance(result, (list, tuple))
    return [np.asarray(each.detach() if hasattr(each, "detach") else each) for each in (result if many else [result])]


def assert_all_agree(module, expected, calls=1, without=(), rtol=1e-4, atol=1e-5):
    """Each library's functions, called so many times, return what ``expected`` gives for the case."""
    for library in installed(module):
        if library in without:
            continue
        for case, run in module.cases(library).items():
            for _ in range(calls):
                result = run()
            for got, wanted in zip(values(result), expected[case], strict=True):
                np.testing.assert_allclose(got, wanted, rtol, atol, err_msg=f"{library}: {case}")


def of_numpy(module, calls=1):
    return results_of("numpy", module, calls)


def results_of(library, module, calls=1):
    expected = {}
    for case, run in module.cases(library).items():
        for _ in range(calls):
            result = run()
        expected[case] = [each.copy() for each in values(result)]
    return expected


# --- the list of benchmarks --------------------------------------------------------------------------------------


def test_names_are_the_modules_that_are_benchmarks():
    found = [each.name for each in pkgutil.iter_modules(benchmarks.__path__) if not each.name.startswith("_")]
    with_cases = {name for name in found if hasattr(importlib.import_module(f"benchmarks.{name}"), "cases")}
    assert with_cases == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_says_what_the_harness_needs(name):
    module = MODULES[name]
    assert module.TITLE
    assert module.LIBRARIES[0] == libraries.OURS
    assert set(module.LIBRARIES) <= set(libraries.BY_LABEL)
    assert set(module.THREADS) <= {1, 2}


@pytest.mark.parametrize("name", NAMES)
def test_every_case_of_a_library_is_one_of_ours(name):
    module = MODULES[name]
    ours = set(module.cases(libraries.OURS))
    assert ours
    for library in installed(module):
        assert set(module.cases(library)) <= ours
    if FLOOR in module.LIBRARIES:
        assert set(module.floors()) <= ours


# --- the same results --------------------------------------------------------------------------------------------


def test_matmul_multiplies():
    assert_all_agree(matmul, of_numpy(matmul))
    for case, run in matmul.cases("numpy").items():
        rows, _, columns = map(int, case.split()[0].split("x"))
        assert run().shape == (rows, columns)


def test_matmul_has_squares_a_layer_and_the_shapes_of_nets():
    assert list(matmul.cases(OURS)) == [
        *("3x3x3", "8x8x8"),
        *("4x9x5 (x @ w.T)", "4x5x9 (g @ w)", "9x4x5 (x.T @ g)", "5x4x9 (g.T @ x)"),
        *("1x2x1", "1x3x1", "1x2x3", "1x3x3", "3x2x1", "3x3x1", "3x2x3"),
    ]


def test_activations_are_what_they_are_called():
    expected = {}
    for name in activations.FUNCTIONS:
        function = getattr(reference, name, None) or (lambda x: reference.gelu(x, "tanh"))
        for size in activations.SIZES:
            x = activations.numbers(name, size).astype(np.float64)
            expected[f"{name}, {size:,} floats"] = [function(x)]
    in_numpy = activations.cases("numpy")
    assert set(expected) - set(in_numpy) == {f"{name}, {size} floats" for name in ("erf", "gelu") for size in (7, 40)}
    assert_all_agree(activations, expected)


def test_softmax_cross_entropy_has_one_loss_and_one_gradient():
    assert_all_agree(softmax_ce, of_numpy(softmax_ce))


def test_the_numpy_cross_entropy_is_its_formula():
    x, y = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]), np.array([1, 0])
    loss, g = by_hand.numpy_cross_entropy(x, y)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert loss == pytest.approx(-np.log(p[[0, 1], y]).mean())
    np.testing.assert_allclose(g, (p - np.eye(3)[y]) / 2)


def test_optimisers_take_the_same_steps():
    assert_all_agree(optim, of_numpy(optim, calls=3), calls=3)


def test_an_optimiser_moves_the_parameters():
    for run in optim.cases(libraries.OURS).values():
        before = [each.copy() for each in values(run())]
        after = values(run())
        assert all((a != b).any() for a, b in zip(before, after, strict=True))


def test_the_net_has_the_same_losses_everywhere():
    assert_all_agree(mlp, of_numpy(mlp, calls=4), calls=4, without=("scikit-learn",), rtol=1e-3)


def test_convolutions_have_one_result_and_the_same_gradients():
    expected = results_of(OURS, conv)
    assert [case.partition("; ")[0] for case in expected][::2] == [
        *("2x1x6x5 -> 3, 3x3", "2x4x6x5 -> 4, 3x3, stride 2, padding 1, depthwise"),
        *("2x3x7 -> 4, 5, padding 2", "2x3x4x3 -> 2, 4x4, stride 2, padding 1, transposed"),
    ]
    shapes = [[each.shape for each in results] for results in expected.values()]
    assert shapes[:4] == [
        [(2, 3, 4, 3)],
        [(2, 3, 4, 3), (3, 1, 3, 3), (3,)],
        [(2, 4, 3, 3)],
        [(2, 4, 3, 3), (4, 1, 3, 3), (4,), (2, 4, 6, 5)],
    ]
    assert_all_agree(conv, expected)


@pytest.mark.parametrize("each", SMALL_CONVOLUTIONS)
def test_a_convolution_knows_its_shapes(each):
    shapes = [array.shape for array in conv.arrays(each)]
    assert shapes == list(each.shapes)
    result, *_ = conv._torch_like(OURS)(each, False)()
    assert result.shape == each.output_shape


@pytest.mark.parametrize("module", [cnn, rnn])
def test_nets_have_the_same_losses_everywhere(module):
    expected = results_of(OURS, module, calls=4)
    assert_all_agree(module, expected, calls=4, rtol=1e-3)
    first, *_, last = module.figures(module.cases(OURS))[next(iter(expected))]
    assert last < first


@pytest.mark.parametrize("library", installed(mlp))
def test_a_training_step_lowers_the_loss(library):
    for run in mlp.cases(library).values():
        losses = [float(values(run())[0]) for _ in range(20)]
        assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("library", installed(epoch))
def test_an_epoch_learns_and_the_loader_gives_every_batch(library):
    train, *loaders = epoch.cases(library).items()
    assert train[0] == "few images"
    limit = 2.1 if library == "scikit-learn" else 1.5  # its loss is the mean of the epoch; at the start it is 2.3
    assert float(values(train[1]())[0]) < limit
    for case, load in loaders:
        assert case == "few images, loading only"
        x, y = values(load())
        assert (x.shape, y.shape) == ((200 % 64, 784), (200 % 64,))


def test_the_libraries_with_a_loader_are_timed_loading():
    assert {len(epoch.cases(each)) for each in (libraries.OURS, "numpy")} == {2}


@pytest.mark.parametrize("library", installed(overhead))
def test_small_ops_run(library):
    for run in overhead.cases(library).values():
        run()


def test_compiled_steps_stand_among_the_small_ops():
    assert list(overhead.cases(COMPILED)) == [overhead.STEP, overhead.BESIDE]


def test_a_step_without_its_kernels_replays_and_computes_nothing():
    step = overhead.step_without_kernels(1, (2, 2, 2))
    loss = step()
    assert loss.requires_grad
    assert values(loss) == values(step())


def test_scaling_changes_one_size_at_a_time():
    assert scaling.nets() == {
        "batch 1": (1, (784, 128, 10)),
        "batch 5": (5, (784, 128, 10)),
        "width 4": (64, (784, 4, 10)),
        "width 6": (64, (784, 6, 10)),
        "depth 1": (64, (784, 128, 10)),
        "depth 3": (64, (784, 128, 128, 128, 10)),
    }


@pytest.mark.parametrize("library", [label for label in installed(scaling) if label != OURS])
def test_deep_nets_have_the_same_losses_everywhere(library):
    for net in ((3, (7, 5, 4, 6)), (64, (784, 8, 8, 8, 10))):
        ours, other = mlp.step(OURS, *net), mlp.step(library, *net)
        for _ in range(5):
            assert float(values(other())[0]) == pytest.approx(float(values(ours())[0]), rel=1e-3)


def test_a_step_that_cannot_be_compiled_says_why():
    def fail(*_):
        raise RuntimeError("no compiler found\nand much more")

    with pytest.raises(harness.Unavailable, match=r"^no compiler found$"):
        training._or_unavailable(fail)(1, 2)
    assert training._or_unavailable(max)(1, 2) == 2


# --- memory ------------------------------------------------------------------------------------------------------


def test_memory_grows_with_the_net():
    small, large = (memory.growth("scaling", OURS, f"width {width}")[memory.ADDED] for width in (32, 2048))
    assert large - small > 3 * 4 * 2048 * 795  # parameters, with their gradients and two averages, are four times that


def test_memory_that_cannot_be_measured_is_an_error(capfd):
    with pytest.raises(RuntimeError, match="memory of tinygrad_fr"):
        memory.growth("scaling", OURS, "no such net")
    assert "KeyError" in capfd.readouterr().err


class Leak:
    """A benchmark whose steps keep a little memory, and take much for a moment."""

    KEPT, TAKEN = 1_000_000, 50_000_000

    def nets(self):
        return {"net": (self.KEPT, self.TAKEN)}

    def small(self, net):
        return 1, 1

    def step(self, library, net):
        kept = []

        def run():
            kept.append(np.ones(net[0], np.uint8))
            np.ones(net[1], np.uint8)

        return run


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="this system does not forget a peak")
def test_what_steps_keep_and_what_they_take_are_told_apart():
    figures = memory.grow(Leak(), OURS, "net", more_steps=40)
    assert figures[memory.ADDED] > memory.STEPS * Leak.KEPT + 0.9 * Leak.TAKEN
    assert figures[memory.GROWN] == pytest.approx(40 * Leak.KEPT, rel=0.3)
    assert figures[memory.ABOVE] == pytest.approx(40 * Leak.KEPT + Leak.TAKEN, rel=0.3)


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="this system does not forget a peak")
def test_the_peak_is_that_since_it_was_forgotten():
    def peak_with(array):
        assert memory.peak() > array.nbytes
        return memory.peak()

    large = peak_with(np.ones(100_000_000, np.uint8))
    memory.forget_peak()
    assert memory.peak() < large


# --- fresh processes ---------------------------------------------------------------------------------------------


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))
    return path


def test_a_fresh_process_trains_its_first_batch(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    images = write_idx(tmp_path / "images.gz", generator.integers(0, 256, (70, 28, 28), np.uint8))
    labels = write_idx(tmp_path / "labels.gz", generator.integers(0, 10, 70).astype(np.uint8))
    monkeypatch.setattr(data, "compressed_files", lambda: (images, labels))
    cases = startup_benchmark.cases(libraries.OURS)
    assert list(cases)[-1] == "MNIST's .gz files, first trained batch"
    for run in cases.values():
        run()


def test_a_process_that_fails_is_an_error():
    with pytest.raises(startup_benchmark.subprocess.CalledProcessError):
        startup_benchmark.process("raise SystemExit(3)")()


# --- data --------------------------------------------------------------------------------------------------------

read_training_images, find_compressed_files = data.training_images, data.compressed_files  # before they are replaced


def test_random_images_are_called_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path))
    monkeypatch.setattr(data, "COUNT", 12)
    x, y, name = read_training_images()
    assert name == "random images, 12"
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((12, 784), np.float32, (12,), np.int64)
    assert find_compressed_files() is None


def test_mnist_is_standardised(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path))
    generator = np.random.default_rng(0)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", generator.integers(0, 256, (30, 28, 28), np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", generator.integers(0, 10, 30).astype(np.uint8))
    x, y, name = read_training_images()
    assert name == "MNIST, 30 images"
    assert (x.shape, x.dtype, y.dtype) == ((30, 784), np.float32, np.int64)
    assert x.mean() == pytest.approx(0, abs=1e-5)
    assert x.std() == pytest.approx(1, abs=1e-5)
    assert find_compressed_files() == tuple(
        tmp_path / f"train-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")
    )
