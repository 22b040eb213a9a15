"""The house itself: which way imports run, what importing loads, that what is written about it is true."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tinygrad_fr"

# What each part may import of the others. ``utils``, ``datasets`` and ``random`` hold data and random state.
ALLOWED = {
    "kernels": set(),
    "autograd": set(),
    "random": {"autograd"},
    "threads": {"kernels"},
    "ops": {"autograd", "kernels", "random"},
    "linalg": {"ops"},
    "special": {"ops"},
    "nn": {"autograd", "ops"},
    "optim": {"autograd", "nn", "ops"},
    "capture": {"autograd", "kernels", "nn", "ops", "optim", "random"},
    "utils": {"autograd", "kernels", "ops", "random"},
    "datasets": {"autograd", "kernels", "ops", "utils"},
    "transforms": {"autograd", "ops", "random"},
    "serialization": {"autograd", "utils"},
    "command_line": {"__init__", "autograd", "datasets", "kernels", "nn", "ops", "optim", "threads", "utils"},
    "__main__": {"command_line"},
    "_names": {"autograd", "ops", "random", "serialization", "threads"},
    "__init__": {"_names", "autograd", "capture", "datasets", "kernels", "linalg", "nn", "ops", "optim", "random"}
    | {"special", "transforms", "utils"},
}
HEAVY = (
    "numba",
    "matplotlib",
    "sklearn",
    "scipy",
    "onnx",
    "mpi4py",
    "optuna",
    "PIL",
    "tqdm",
    "safetensors",
    "torch",
    "jax",
)


def source_files() -> list[tuple[tuple[str, ...], Path]]:
    """Every module of the package, by its place in it: (('ops', 'shape'), path)."""
    found = [(path.relative_to(PACKAGE).with_suffix("").parts, path) for path in PACKAGE.rglob("*.py")]
    found += [
        (("kernels", *path.relative_to(ROOT / "kernels").with_suffix("").parts), path)
        for path in (ROOT / "kernels").rglob("*.py")
    ]
    return sorted(found)


def imported_parts(place: tuple[str, ...], path: Path) -> set[str]:
    """The parts of the package (``ops``, ``kernels`` ...) that a module imports, absolutely or relatively."""
    package = ("tinygrad_fr", *place[:-1])
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        parts.update(name[1] for name in names if name[0] == "tinygrad_fr" and len(name) > 1)
    return parts


@pytest.mark.parametrize(
    ("place", "path"), source_files(), ids=lambda each: ".".join(each) if isinstance(each, tuple) else ""
)
def test_imports_run_one_way(place, path):
    part = place[0]
    assert part in ALLOWED, f"{path.name} stands in no known part of the house: say in ALLOWED what it may import"
    others = {other for other in imported_parts(place, path) if other != part and other in ALLOWED}
    assert others <= ALLOWED[part], f"{'.'.join(place)} imports {sorted(others - ALLOWED[part])}"


def run_python(code: str) -> str:
    """What a fresh interpreter prints; it must exit well."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    ).stdout


def test_importing_the_package_loads_nothing_heavy():
    code = f"""
import sys, tinygrad_fr as torch, tinygrad_fr.nn, tinygrad_fr.optim, tinygrad_fr.utils.data, tinygrad_fr.datasets
import tinygrad_fr.transforms
x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x + x).backward(torch.ones(2))
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert run_python(code).strip() == "[]"


def test_kernels_can_be_imported_without_the_rest():
    code = """
import sys
from tinygrad_fr.kernels import activation, gemm, optim, random, reduce, softmax
print(sorted(name for name in sys.modules if name.startswith("tinygrad_fr.") and "kernels" not in name))
"""
    assert run_python(code).strip() == "[]"


def test_every_package_is_installed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {
        path.parent.relative_to(ROOT)
        for path in [*PACKAGE.rglob("__init__.py"), *(ROOT / "kernels").rglob("__init__.py")]
    }
    names = {".".join(folder.parts) for folder in folders}
    assert listed == {f"tinygrad_fr.{name}" if name.startswith("kernels") else name for name in names}


def test_stubs_are_fresh():
    subprocess.run([sys.executable, "-m", "tools.stubs", "--check"], check=True, cwd=ROOT, timeout=300)


def test_readme_names_the_test_command_that_ci_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test command -->\s*```\w*\n(.*?)```\s*<!-- end -->", readme, re.DOTALL)
    assert block is not None
    assert "pytest" in block.group(1)
    assert "test command" in (ROOT / ".ci" / "run").read_text()


def test_contributing_names_every_part_of_the_house():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for folder in sorted({place[0] for place, _ in source_files() if len(place) > 1}):
        assert f"{folder}/" in text, f"CONTRIBUTING.md does not say what {folder}/ is"


def test_no_compilation_on_the_second_run(tmp_path):
    code = """
import tinygrad_fr as torch, tinygrad_fr.nn.functional as F
from tinygrad_fr.kernels import _jit
x = torch.ones(3, 4, requires_grad=True)
F.cross_entropy(x.tanh(), torch.tensor([0, 1, 2])).backward()
print(_jit.compilation.count)
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=300
        )
        for _ in range(2)
    ]
    assert int(runs[0].stdout) > 0
    assert "compiling kernels" in runs[0].stderr
    assert int(runs[1].stdout) == 0
    assert "compiling kernels" not in runs[1].stderr


def test_both_readmes_have_the_same_structure():
    english, french = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fr.md"))
    assert [line.count("#") for line in re.findall(r"^#+ ", english, re.MULTILINE)] == [
        line.count("#") for line in re.findall(r"^#+ ", french, re.MULTILINE)
    ]
    assert re.findall(r"\]\((.*?)\)", english) == re.findall(r"\]\((.*?)\)", french)
    assert english.count("```") == french.count("```")
    assert len(re.findall(r"^\|", english, re.MULTILINE)) == len(re.findall(r"^\|", french, re.MULTILINE))


def test_the_readmes_network_learns():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert program is not None
    printed = run_python(program.group(1))
    assert float(printed.split()[-1]) > 0.95


def test_the_first_kernel_does_not_import_scipy():
    code = """
import sys, numba, numpy as np
from tinygrad_fr.kernels import activation
activation.relu(np.ones(3))
print("scipy.linalg" in sys.modules)
print(numba.njit(lambda x: np.dot(x, x))(np.ones(3)))  # Numba finds it where a function needs it
"""
    assert run_python(code).split() == ["False", "3.0"]
