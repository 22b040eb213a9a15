"""The one place that configures Numba: flags, and the cache on disk."""

import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

import numba
from numba.core import config as _numba_config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from ._folders import user_cache
from ._memory import keep_freed_memory

config: Any = _numba_config  # its settings are made at run time

# Rounding may differ from the order written (fused multiply-add, vector sums), but NaN and infinity keep their meaning:
# never nnan or ninf.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}

PACKAGE = Path(__file__).resolve().parent


def _spare_scipy() -> None:
    """Let Numba find that there is SciPy without importing it, which takes longer than all else at the first kernel.

    Numba wants to know when it loads its array functions, and imports it again, if need be, for a function that uses
    it. Where Numba is another than this was written for, it may look for itself.
    """
    if "numba.np.arraymath" in sys.modules or importlib.util.find_spec("scipy") is None:
        return
    try:
        linalg: Any = importlib.import_module("numba.np.linalg")
        look = linalg.ensure_blas
        linalg.ensure_blas = lambda: None
        try:
            arraymath: Any = importlib.import_module("numba.np.arraymath")
        finally:
            linalg.ensure_blas = look
        arraymath.ensure_blas = look
    except (AttributeError, ImportError):
        return


_spare_scipy()
keep_freed_memory()


def kernel(function: Any = None, *, fastmath: Any = FASTMATH, nogil: bool = True) -> Any:
    """Compile ``function`` with Numba at its first call, one version for each combination of dtypes.

    No bounds are checked, division by zero gives inf, and the interpreter lock is released unless ``nogil=False``.
    """
    if function is None:
        return functools.partial(kernel, fastmath=fastmath, nogil=nogil)
    dispatcher: Any = numba.njit(nogil=nogil, fastmath=fastmath, error_model="numpy", boundscheck=False)(function)
    if cache_folder() is not None:
        dispatcher._cache = _KernelCache(function)
    return dispatcher


def inlined(function: Any = None, *, fastmath: Any = FASTMATH) -> Any:
    """Compile ``function`` as a part of the kernels that call it, without an entry of its own in the cache."""
    if function is None:
        return functools.partial(inlined, fastmath=fastmath)
    return numba.njit(nogil=True, fastmath=fastmath, error_model="numpy", boundscheck=False)(function)


# Functions that become part of their callers before types are inferred. Where the caller is large (the matrix product
# with its register tiles) `inlined` would compile the large part again at every level of calls.
merged = numba.njit(inline="always")


# ---------------------------------------------------------------------------------------------------------------
# The cache on disk. Numba's own looks only at the file a function stands in; kernels call kernels of other files, so
# ours is stamped with the whole package. It is never inside site-packages, which may be read-only.


@functools.cache
def package_stamp() -> str:
    """A hash of every source file of the kernels: a compiled kernel is used again only while none has changed."""
    digest = hashlib.sha256()
    digest.update(os.environ.get("TINYGRAD_FR_VECTOR_BITS", "").encode())  # what simd.py lets one override
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


STAMP_DIGITS = 16


def cache_root() -> Path:
    """Where each stamp has its folder: in NUMBA_CACHE_DIR, else in the user's cache, where it also holds data."""
    return (Path(config.CACHE_DIR) if config.CACHE_DIR else user_cache()) / "tinygrad_fr"


@functools.cache
def cache_folder() -> Path | None:
    """The folder of the compiled kernels, made where it is not there; None where it cannot be written."""
    folder = cache_root() / package_stamp()[:STAMP_DIGITS]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


class _Direct(functools.partial):
    """The one version of a compiled function, called without the search for it, which takes longer than a small kernel.

    The arguments are checked by the callers, and once more for their dtypes when they are taken from Python.
    """

    overloads: dict
    __name__: str

    def __new__(cls, function, signature):
        compiled = function.overloads[signature]
        self = super().__new__(cls, compiled.entry_point)
        self.overloads, self.__name__ = {signature: compiled}, function.__name__
        return self


def compiled_for(function: Any, signature: tuple[Any, ...]) -> Any:
    """A kernel compiled for arguments of these types; others, such as arrays of another layout, are converted to them.

    Numba would compile one more version for each.
    """
    function.disable_compile(False)
    function.compile(signature)
    function.disable_compile()
    return _Direct(function, signature)


class _PackageLocator(_CacheLocator):
    """Where the compiled form of one function is kept, and the stamp that says whether it is still fresh."""

    def __init__(self, function):
        self._py_file = function.__code__.co_filename  # Numba names it in its warnings
        self._module = function.__module__

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func)

    def get_cache_path(self):
        return str(cache_folder())

    def get_source_stamp(self):
        return package_stamp()

    def get_disambiguator(self):
        return hashlib.sha256(self._module.encode()).hexdigest()[:8]


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes = [_PackageLocator]  # noqa: RUF012 - Numba's name and type


class _KernelCache(FunctionCache):
    """Numba's cache for our locator, saying on the terminal that something is being compiled."""

    _impl_class = _KernelCacheImpl

    def load_overload(self, sig, target_context):
        found = super().load_overload(sig, target_context)
        if found is None:
            compilation.begin()
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()  # a full or vanished disk costs the cache, not the computation
            compilation.lost += 1
        compilation.end()


class _Compilation:
    """Counts the kernels compiled by this process and tells the user, once, why the first run waits."""

    def __init__(self):
        self.count = 0
        self.lost = 0  # could not be written to the cache
        self.seconds = 0.0
        self.announced = False
        self._depth = 0
        self._started = 0.0

    def begin(self):
        if self._depth == 0:
            self._started = time.perf_counter()
            self._announce()
        self._depth += 1

    def end(self):
        self.count += 1
        self._depth = max(0, self._depth - 1)
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._started

    def _announce(self):
        if self.announced or os.environ.get("TINYGRAD_FR_QUIET"):
            return
        self.announced = True
        print(
            f"tinygrad_fr: compiling kernels for this processor, once; later runs take them from {cache_folder()}",
            file=sys.stderr,
            flush=True,
        )


compilation = _Compilation()
