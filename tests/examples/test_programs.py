"""What holds for every example: it says how it is used, started as a file or as a module."""

import subprocess
import sys

import pytest

from .conftest import EXAMPLES

PROGRAMS = sorted(path.stem for path in EXAMPLES.glob("[!_]*.py"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_starts_as_a_module_as_it_does_as_a_file(name, tmp_path):
    as_a_module = usage(["-m", f"examples.{name}"], EXAMPLES.parent)
    assert as_a_module == usage([str(EXAMPLES / f"{name}.py")], tmp_path)
    assert "--epochs" in as_a_module or "--rate" in as_a_module


def usage(command: list[str], folder) -> str:
    """What --help says of the options, below the line that names the program."""
    process = subprocess.run([sys.executable, *command, "--help"], cwd=folder, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout.partition("\n\n")[2]
