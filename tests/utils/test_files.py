"""A file is replaced whole or not at all."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tinygrad_fr.utils.files import replacing


def write(path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_and_a_replaced_one(tmp_path):
    path = tmp_path / "x.bin"
    write(path, b"first")
    assert path.read_bytes() == b"first"
    write(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["x.bin"]


def test_the_old_file_stands_until_the_end(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new" * 100_000)
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" * 100_000


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def fail():
        with replacing(path) as file:
            file.write(b"half")
            raise error("stop")

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.bin"]


def test_errors_name_the_file_that_was_meant(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "nowhere" / "x.bin", b"")
    assert caught.value.filename == str(tmp_path / "nowhere" / "x.bin")
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    kept = "No space left on device; the file that is there is as it was"
    with pytest.raises(OSError, match=kept) as caught, replacing(path):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(path)


def test_the_error_of_another_file_stays_its_own(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "x.bin"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")


def test_a_full_disk_costs_only_the_new_file(tmp_path):
    """The limit on the size of files stands in for the full disk: the system refuses to write beyond it."""
    pytest.importorskip("resource")
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    code = f"""
import resource, signal
from tinygrad_fr.utils.files import replacing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with replacing({str(path)!r}) as file:
        file.write(b"x" * 100_000)
except OSError as error:
    print(error.filename, error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith(str(path))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.bin"]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX systems")
def test_permissions_and_links_stay(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    write(ours, b"")
    assert ours.stat().st_mode == plain.stat().st_mode


@pytest.mark.skipif(not Path(os.devnull).exists(), reason="no device to write to")
def test_a_device_is_written_and_not_replaced():
    write(os.devnull, b"gone")
    assert not Path(os.devnull).is_file()


def test_writers_at_the_same_time_do_not_mix(tmp_path):
    path = tmp_path / "x.bin"
    contents = [bytes([i]) * 300_000 for i in range(8)]
    threads = [threading.Thread(target=write, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["x.bin"]


@pytest.mark.skipif(os.name != "posix", reason="/dev/stdout is of POSIX systems")
def test_standard_output_is_written_and_not_replaced(tmp_path):
    program = """
from tinygrad_fr.utils.files import replacing
print("before", flush=True)
with replacing("/dev/stdout") as file:
    file.write(b"content")
"""
    out = tmp_path / "out"
    with out.open("a") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert out.read_text() == "before\ncontent"
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert piped.stdout == "before\ncontent"
