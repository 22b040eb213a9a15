"""The commands of ``python -m tinygrad_fr``: info, warmup, clear-cache."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tinygrad_fr as torch

from . import nn, optim
from .nn import functional as F
from .utils.data import DataLoader, TensorDataset

DESCRIPTION = "Automatic differentiation over compiled kernels: what is installed here, and its cache of kernels."


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit code: 0, 1 where it failed, 2 for bad arguments."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return options.run(options)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tinygrad_fr", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, run: Callable[[argparse.Namespace], int], summary: str, more: str = ""):
        added = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}. {more}")
        added.set_defaults(run=run)
        return added

    info = command("info", _info, "show versions, processor, threads and folders")
    info.add_argument("--json", action="store_true", help="print the same as JSON")
    warmup = command(
        "warmup",
        _warmup,
        "compile the kernels ahead, so that no later program waits for them",
        "They are kept for this processor and this version. In a container, run it while the image is built.",
    )
    warmup.add_argument("--float64", action="store_true", help="also for float64, which takes as long again")
    clear = command(
        "clear-cache",
        _clear_cache,
        "remove the compiled kernels of all versions",
        "Nothing else is touched: no data, no kernels of other packages.",
    )
    clear.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    return parser


# --- info ----------------------------------------------------------------------------------------------------------

LIBRARIES = ("numpy", "numba", "llvmlite", "safetensors", "tqdm")
OPTIONAL_LIBRARIES = ("scikit-learn", "matplotlib", "pillow")
CPU_INFO = Path("/proc/cpuinfo")  # Linux
FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq", "neon", "sve")


def _info(options: argparse.Namespace) -> int:
    found = facts()
    print(json.dumps(found, indent=2) if options.json else "\n".join(_as_text(found)))
    return 0


def facts() -> dict[str, dict[str, Any]]:
    """What ``info`` shows: section -> name -> a string, number, list, truth value or None."""
    return {
        "versions": {"tinygrad_fr": torch.__version__, "python": platform.python_version(), **_versions(LIBRARIES)},
        "optional libraries": _versions(OPTIONAL_LIBRARIES),
        "processor": _processor(),
        "threads": {"number": torch.get_num_threads(), "layer": torch.kernels._threads.LAYER},
        "kernel cache": _kernel_cache(),
        "data": _data(),
    }


def _versions(names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    """The version of an installed library; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> dict[str, Any]:
    import llvmlite.binding as llvm

    host = llvm.get_host_cpu_features()
    return {
        "system": platform.platform(),
        "name": processor_name(),
        "model": llvm.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "features": [name for name in FEATURES if host.get(name)],
        "vector bits": torch.kernels.simd.VECTOR_BITS,
        "vector bits set by": "TINYGRAD_FR_VECTOR_BITS" if os.environ.get("TINYGRAD_FR_VECTOR_BITS") else None,
    }


def processor_name() -> str:
    """The name its maker gave it, where the system tells."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _kernel_cache() -> dict[str, Any]:
    jit = torch.kernels._jit
    current, root = jit.cache_folder(), jit.cache_root()
    folders = stamp_folders(root)
    stale = [folder for folder in folders if folder != current]
    return {
        "folder": str(root),
        "writable": current is not None,
        "kernels": _kernels_in([current] if current else []),
        "megabytes": _megabytes([current] if current else []),
        "megabytes of all versions": _megabytes(folders),
        "stale versions": len(stale),
        "megabytes of stale versions": _megabytes(stale),
    }


def _data() -> dict[str, Any]:
    from . import datasets

    root = datasets.default_root()
    return {
        "folder": str(root),
        "MNIST": _is_there(datasets.MNIST, root),
        "FashionMNIST": _is_there(datasets.FashionMNIST, root),
    }


def _is_there(dataset: Any, root: Any) -> bool:
    """Whether all files of a dataset are in ``root`` and can be read."""
    try:
        for train in (True, False):
            dataset(root, train=train)
    except (RuntimeError, ValueError, OSError):
        return False
    return True


def _as_text(sections: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The lines of ``info``."""
    width = max(len(name) for section in sections.values() for name in section)
    for title, section in sections.items():
        yield title
        for name, value in section.items():
            yield f"  {name:<{width}}  {_shown(value)}"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else str(value)


# --- the cache -----------------------------------------------------------------------------------------------------


def stamp_folders(root: Path) -> list[Path]:
    """The folders of compiled kernels in ``root``: each is named by the first digits of a hash, 'data' is not."""
    digits = torch.kernels._jit.STAMP_DIGITS
    try:
        found = sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        path
        for path in found
        if len(path.name) == digits and set(path.name) <= set("0123456789abcdef") and _is_own_folder(path)
    ]


def _is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def kernel_files(folder: Path) -> list[Path]:
    """Numba's files in a folder: an index and the compiled code of each kernel, and parts of them left behind."""
    return sorted(path for path in folder.iterdir() if {".nbi", ".nbc"} & set(path.suffixes) and path.is_file())


def _kernels_in(folders: list[Path]) -> int:
    return sum(path.suffix == ".nbc" for folder in folders for path in kernel_files(folder))


def _megabytes(folders: list[Path]) -> float:
    return _size([path for folder in folders for path in kernel_files(folder)])


def _size(files: list[Path]) -> float:
    """The size of files in megabytes, to a tenth."""
    return round(sum(_bytes(path) for path in files) / 1e6, 1)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process has just renamed it
        return 0


def _clear_cache(options: argparse.Namespace) -> int:
    root = torch.kernels._jit.cache_root()
    folders = stamp_folders(root)
    files = [path for folder in folders for path in kernel_files(folder)]
    megabytes = _size(files)
    if options.dry_run:
        print(f"would remove {len(files)} files of compiled kernels from {root}: {megabytes} MB")
        return 0
    for path in files:
        path.unlink(missing_ok=True)
    for folder in folders:
        if not any(folder.iterdir()):
            folder.rmdir()
    print(f"removed {len(files)} files of compiled kernels from {root}: {megabytes} MB freed")
    return 0


# --- warmup --------------------------------------------------------------------------------------------------------

BAR = "compiling {percentage:3.0f}% |{bar:30}| {n_fmt}/{total_fmt} [{elapsed}]{postfix}"
NO_FOLDER = (
    "error: compiled kernels cannot be kept: {root} cannot be written. Set NUMBA_CACHE_DIR to a folder that can be "
    "written, for this command and for your programs"
)
LOST = (
    "error: {lost} kernels could not be written to {folder} and will be compiled again: is the disk full? Make room, "
    "or set NUMBA_CACHE_DIR to another folder"
)


def _warmup(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    jit = torch.kernels._jit
    folder = jit.cache_folder()
    if folder is None:
        print(NO_FOLDER.format(root=jit.cache_root()), file=sys.stderr)
        return 1
    jit.compilation.announced = True  # the progress bar says it
    before, lost, started = jit.compilation.count, jit.compilation.lost, time.perf_counter()
    kinds = (torch.float32, torch.float64) if options.float64 else (torch.float32,)
    with tqdm([(kind, *piece) for kind in kinds for piece in PIECES.items()], bar_format=BAR) as progress:
        for kind, name, run in progress:
            progress.set_postfix_str(f"{name}, {kind.name}")
            with _default_dtype(kind):
                run()
    count, seconds = jit.compilation.count - before, time.perf_counter() - started
    if jit.compilation.lost > lost:
        print(LOST.format(lost=jit.compilation.lost - lost, folder=folder), file=sys.stderr)
        return 1
    compiled = f"compiled {count} kernels in {seconds:.0f} s" if count else "nothing to compile"
    print(f"{compiled}; {_kernels_in([folder])} kernels, {_megabytes([folder])} MB, are kept in {folder}")
    return 0


@contextmanager
def _default_dtype(kind: Any) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# Each piece runs kernels through the public names, in the default dtype, so that they are compiled and kept. The sizes
# are such that every way through a kernel is taken.

SMALL, LARGE = (4, 6), (600, 1000)


def _backward(x: Any) -> None:
    x.sum().backward()


def _at_both_sizes(function: Callable[[Any], Any]) -> Callable[[], None]:
    """Run a function of one tensor forward and backward, on few numbers and on many."""

    def run() -> None:
        for shape in (SMALL, LARGE):
            _backward(function(torch.zeros(shape, requires_grad=True)))

    return run


def _matrix_products() -> None:
    for size in (3, 100):
        x, y = torch.zeros(size, size, requires_grad=True), torch.zeros(2, size, size, requires_grad=True)
        _backward(x @ x)
        _backward(x @ y)
        _backward(x @ x[0])


def _linear_layers() -> None:
    for batch in (1, 64, 1000):
        for layer in (nn.Linear(784, 128), nn.Linear(128, 10, bias=False)):
            _backward(layer(torch.zeros(batch, layer.in_features)))


def _convolutions() -> None:
    for layer in (nn.Conv2d(2, 8, 3), nn.Conv2d(2, 2, 3, groups=2), nn.ConvTranspose2d(2, 8, 3)):
        _backward(layer(torch.zeros(4, 2, 9, 9, requires_grad=True)))


def _activations() -> None:
    for function in (
        F.relu6,
        F.elu,
        F.selu,
        F.mish,
        F.silu,
        F.softplus,
        F.logsigmoid,
        F.softsign,
        F.tanhshrink,
        F.hardtanh,
        F.hardsigmoid,
        F.hardswish,
        F.hardshrink,
        F.softshrink,
        lambda x: F.threshold(x, 0.5, 0.0),
    ):
        _at_both_sizes(function)()
    for form in ("none", "tanh"):
        _at_both_sizes(lambda x, form=form: F.gelu(x, form))()
    F.step(torch.zeros(SMALL))


def _exponentials() -> None:
    for function in (torch.exp, torch.expm1, torch.log, torch.log1p, torch.erf):
        _at_both_sizes(function)()


def _softmax() -> None:
    for shape in (SMALL, LARGE, (2, 3, 4)):
        for function in (F.softmax, F.log_softmax):
            for dim in (0, -1):
                _backward(function(torch.zeros(shape, requires_grad=True), dim))


def _cross_entropy() -> None:
    for n, classes in (SMALL, (1, 10), (64, 10), (1000, 10), LARGE):
        x, y = torch.zeros(n, classes, requires_grad=True), torch.zeros(n, dtype=torch.int64)
        for reduction in ("mean", "sum", "none"):
            _backward(F.cross_entropy(x, y, reduction=reduction))
        _backward(F.cross_entropy(x, y, weight=torch.ones(classes), label_smoothing=0.1))
        _backward(F.cross_entropy(x, F.softmax(x, 1).detach()))
        _backward(F.nll_loss(F.log_softmax(x, 1), y))


def _normalization() -> None:
    for layer in (nn.BatchNorm1d(6), nn.LayerNorm(6)):
        _backward(layer(torch.zeros(SMALL, requires_grad=True)))


def _losses() -> None:
    for shape in (SMALL, LARGE):
        x, y = torch.full(shape, 0.5, requires_grad=True), torch.ones(shape)
        for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.hinge_embedding_loss):
            _backward(loss(x, y))
        _backward(F.binary_cross_entropy(x, y))
        _backward(F.binary_cross_entropy_with_logits(x, y))
        _backward(F.kl_div(x, y, reduction="batchmean"))


def _pooling() -> None:
    x = torch.zeros(2, 3, 8, 8, requires_grad=True)
    for pool in (F.max_pool2d, F.avg_pool2d):
        _backward(pool(x, 2))


def _interpolation() -> None:
    _backward(F.interpolate(torch.zeros(2, 3, 8, 8, requires_grad=True), scale_factor=2, mode="bilinear"))


def _reductions() -> None:
    for shape in (SMALL, LARGE, (2, 3, 4)):
        x = torch.zeros(shape, requires_grad=True)
        for values in (x, torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.bool)):
            for dim in (None, 0, 1, -1):
                values.sum(dim)
        for dim in (0, 1, -1):
            _backward(x.mean(dim))
            _backward(x.max(dim)[0])
            _backward(x.min(dim)[0])
        for dim in (None, 0, 1, -1):
            x.argmax(dim)
            x.argmin(dim)
        _backward(x.mean() + x.max() + x.min() + x.var() + x.norm())


def _random_draws() -> None:
    for shape in (SMALL, LARGE):
        torch.rand(shape)
        torch.randn(shape)
        torch.randint(0, 10, shape)
        torch.bernoulli(torch.full(shape, 0.5))
        torch.empty(shape).uniform_(-1, 1).normal_().bernoulli_(0.5)
    torch.randperm(1000)
    torch.multinomial(torch.ones(10), 3)


def _optimizer(method: Callable[..., Any], **options: Any) -> Callable[[], None]:
    """Two steps (a first is at times another kernel) for a few parameters, and for many."""

    def run() -> None:
        for shape in (SMALL, LARGE):
            parameters = [nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape[1]))]
            optimizer = method(parameters, lr=0.1, **options)
            for _ in range(2):
                optimizer.zero_grad()
                _backward(parameters[0] + parameters[1])
                optimizer.step()

    return run


def _captured_steps() -> None:
    """Replays, whose programs have kernels of their own, on a batch that is copied and on one that is not."""
    step = torch.compile(lambda x: torch.exp(x).sum())
    for shape in (SMALL, LARGE):
        for _ in range(3):
            step(torch.zeros(shape))


def _copies() -> None:
    """Of large arrays that do not lie in order."""
    for kind in (torch.float32, torch.float64):
        torch.zeros(LARGE, dtype=kind).expand(2, *LARGE).mT.contiguous()


def _clipping() -> None:
    parameter = nn.Parameter(torch.zeros(LARGE))
    _backward(parameter)
    nn.utils.clip_grad_norm_([parameter], 1.0)
    nn.utils.clip_grad_value_([parameter], 1.0)


def _embedding() -> None:
    """Numbers of rows of either type; plain, and a part of more."""
    table = torch.zeros(SMALL, requires_grad=True)
    for kind in (torch.int64, torch.int32):
        index = torch.zeros(SMALL, dtype=kind)
        for each in (index, index[:, :-1]):
            _backward(F.embedding(each, table))


def _adding_at_indices() -> None:
    """Whole rows and single elements, each of few numbers and of many."""
    for shape in (SMALL, LARGE):
        table = torch.zeros(shape, requires_grad=True)
        index = torch.zeros(shape, dtype=torch.int64)
        _backward(table[index[:, 0]])
        _backward(table.gather(0, index))


def _loading() -> None:
    data = TensorDataset(torch.zeros(200, 784), torch.zeros(200, dtype=torch.int64))
    for _ in DataLoader(data, batch_size=100, shuffle=True):
        pass


def _recurrent_layers() -> None:
    for layer in (nn.RNN(4, 6), nn.LSTM(4, 6), nn.GRU(4, 6)):
        for samples in (1, 10):
            _backward(layer(torch.zeros(3, samples, 4, requires_grad=True))[0])


def _slices() -> None:
    _backward(torch.zeros(LARGE, requires_grad=True)[1:])


PIECES: dict[str, Callable[[], None]] = {
    "matrix products": _matrix_products,
    "linear layers": _linear_layers,
    "convolutions": _convolutions,
    "relu": _at_both_sizes(F.relu),
    "leaky relu": _at_both_sizes(F.leaky_relu),
    "sigmoid": _at_both_sizes(F.sigmoid),
    "tanh": _at_both_sizes(F.tanh),
    "other activations": _activations,
    "exponentials and logarithms": _exponentials,
    "dropout": _at_both_sizes(F.dropout),
    "softmax": _softmax,
    "cross entropy": _cross_entropy,
    "pooling": _pooling,
    "interpolation": _interpolation,
    "normalization": _normalization,
    "other losses": _losses,
    "reductions": _reductions,
    "random draws": _random_draws,
    "SGD": _optimizer(optim.SGD),
    "SGD with momentum": _optimizer(optim.SGD, momentum=0.9),
    "SGD with Nesterov momentum": _optimizer(optim.SGD, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam": _optimizer(optim.Adam),
    "AMSGrad": _optimizer(optim.Adam, amsgrad=True),
    "AdamW": _optimizer(optim.AdamW),
    "Adagrad": _optimizer(optim.Adagrad),
    "RMSprop": _optimizer(optim.RMSprop),
    "Adadelta": _optimizer(optim.Adadelta),
    "Adamax": _optimizer(optim.Adamax),
    "NAdam": _optimizer(optim.NAdam),
    "RAdam": _optimizer(optim.RAdam),
    "Rprop": _optimizer(optim.Rprop),
    "ASGD": _optimizer(optim.ASGD),
    "gradient clipping": _clipping,
    "copies": _copies,
    "embedding": _embedding,
    "adding at indices": _adding_at_indices,
    "recurrent layers": _recurrent_layers,
    "slices": _slices,
    "captured steps": _captured_steps,
    "loading of batches": _loading,
}
