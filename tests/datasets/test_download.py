"""Downloading from mirrors: a server on this machine that gives the files, or all it can do wrong."""

import contextlib
import gzip
import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinygrad_fr.datasets import MNIST, FashionMNIST, download

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
LABELS = np.array([5, 0, 4, 9, 2], np.uint8)
NAMES = [name + ".gz" for half in MNIST.file_names for name in half]


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


FILES = {name: gzip.compress(idx_bytes(IMAGES if "images" in name else LABELS), mtime=0) for name in NAMES}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
FIRST = NAMES[0]


class Mirror:
    """A server. ``answers[name]``, or ``answer`` for every name, says what it does with a request."""

    def __init__(self):
        self.requests = []
        self.answers = {}
        self.answer = give_file
        self.stopping = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                name = self.path.rpartition("/")[2]
                with contextlib.suppress(ConnectionError):
                    mirror.answers.get(name, mirror.answer)(self, name)

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def give(handler, content, announced=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if announced is None else announced))
    handler.end_headers()
    handler.wfile.write(content)


def give_file(handler, name):
    give(handler, FILES[name])


def give_web_page(handler, name):
    give(handler, b"<!DOCTYPE html><title>Log in to this network</title>")


def give_half(handler, name):
    give(handler, FILES[name][:20], len(FILES[name]))


def fail_with(code):
    return lambda handler, name: handler.send_error(code)


def redirect_to(address):
    def answer(handler, name):
        handler.send_response(302)
        handler.send_header("Location", address + name)
        handler.end_headers()

    return answer


@pytest.fixture
def mirror():
    server = Mirror()
    yield server
    server.stop()


@pytest.fixture
def second():
    server = Mirror()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    """The files of these tests in place of the real ones, and no mirror of the real ones."""
    for kind in (MNIST, FashionMNIST):
        monkeypatch.setattr(kind, "resources", list(HASHES.items()))
        monkeypatch.setattr(kind, "mirrors", [])


def fetch_all(monkeypatch, root, *mirrors):
    monkeypatch.setattr(MNIST, "mirrors", [getattr(each, "url", each) for each in mirrors])
    return MNIST(root, download=True)


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


# ---------------------------------------------------------------------------------------------------------------
# What goes well.


def test_all_four_files_are_fetched_once(tmp_path, monkeypatch, mirror, capfd):
    digits = fetch_all(monkeypatch, tmp_path, mirror)
    np.testing.assert_array_equal(digits.data.numpy(), IMAGES)
    assert files_in(tmp_path / "MNIST" / "raw") == FILES
    assert mirror.requests == [f"/mnist/{name}" for name in NAMES]
    MNIST(tmp_path, train=False, download=True)
    MNIST(tmp_path, train=False)
    assert len(mirror.requests) == 4
    assert capfd.readouterr() == ("", "")  # a bar is for terminals


def test_files_that_are_there_are_not_fetched_and_not_touched(tmp_path, monkeypatch, mirror):
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    own = tmp_path / "MNIST" / "raw" / NAMES[0]
    own.write_bytes(gzip.compress(idx_bytes(IMAGES[::-1].copy())))
    plain = tmp_path / NAMES[1].removesuffix(".gz")
    plain.write_bytes(idx_bytes(LABELS))
    digits = fetch_all(monkeypatch, tmp_path, mirror)
    np.testing.assert_array_equal(digits.data.numpy(), IMAGES[::-1])
    assert mirror.requests == [f"/mnist/{name}" for name in NAMES[2:]]


def test_a_damaged_file_of_the_user_stays_and_is_named(tmp_path, monkeypatch, mirror):
    fetch_all(monkeypatch, tmp_path, mirror)
    damaged = tmp_path / "MNIST" / "raw" / FIRST
    damaged.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=rf"{FIRST}: .*Delete the damaged file, then download=True"):
        MNIST(tmp_path, download=True)
    assert damaged.read_bytes() == b"damaged"
    assert len(mirror.requests) == 4
    damaged.unlink()
    assert len(MNIST(tmp_path, download=True)) == 5
    assert len(mirror.requests) == 5


def test_fashion_goes_to_its_own_folder(tmp_path, monkeypatch, mirror, second):
    fetch_all(monkeypatch, tmp_path, mirror)
    monkeypatch.setattr(FashionMNIST, "mirrors", [second.url])
    FashionMNIST(tmp_path, download=True)
    assert files_in(tmp_path / "FashionMNIST" / "raw") == FILES
    assert len(mirror.requests) == len(second.requests) == 4


def test_what_a_mirror_compressed_anew_is_known_by_its_content(tmp_path, monkeypatch, mirror):
    plain = {name: gzip.decompress(content) for name, content in FILES.items()}
    monkeypatch.setattr(
        MNIST, "resources", [(name, "0" * 64, hashlib.sha256(plain[name]).hexdigest()) for name in NAMES]
    )
    mirror.answer = lambda handler, name: give(handler, gzip.compress(plain[name], 1))
    np.testing.assert_array_equal(fetch_all(monkeypatch, tmp_path, mirror).data.numpy(), IMAGES)


def test_an_address_may_lack_its_last_slash_and_redirect(tmp_path, monkeypatch, mirror, second):
    mirror.answer = redirect_to(second.url)
    fetch_all(monkeypatch, tmp_path, mirror.url.rstrip("/"))
    assert files_in(tmp_path / "MNIST" / "raw") == FILES


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_a_terminal_sees_a_progress_bar(tmp_path, monkeypatch, mirror):
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # no thread of tqdm's that would outlive the test
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch_all(monkeypatch, tmp_path, mirror)
    assert all(name in terminal.getvalue() for name in NAMES)
    assert "100%" in terminal.getvalue()


# ---------------------------------------------------------------------------------------------------------------
# What goes wrong at a mirror: the next one is asked.


def stall(mirror):
    def answer(handler, name):
        mirror.stopping.wait()

    return answer


def stall_in_the_middle(mirror):
    def answer(handler, name):
        give_half(handler, name)
        mirror.stopping.wait()

    return answer


def drip(mirror):
    def answer(handler, name):
        give(handler, b"", len(FILES[name]))
        for byte in FILES[name]:
            handler.wfile.write(bytes([byte]))
            if mirror.stopping.wait(0.02):
                break

    return answer


def send_far_too_much(mirror):
    def answer(handler, name):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(bytes(1 << 16))

    return answer


WRONG = [
    (lambda _: give_web_page, "the content is not the file's: 52 bytes of SHA-256 [0-9a-f]{64}"),
    (lambda _: lambda handler, name: give(handler, FILES[NAMES[1]]), "the content is not the file's"),
    (lambda _: lambda handler, name: give(handler, FILES[name][:-1]), "the content is not the file's"),
    (lambda _: lambda handler, name: give(handler, b""), "the content is not the file's: 0 bytes"),
    (lambda _: give_half, r"truncated: 20 of \d+ bytes"),
    (lambda _: fail_with(404), "HTTP 404 Not Found"),
    (lambda _: fail_with(500), "HTTP 500"),
    (lambda _: lambda handler, name: handler.wfile.write(b"not HTTP\r\n\r\n"), "the connection broke .*not HTTP"),
    (lambda _: lambda handler, name: None, "the connection broke .*without response"),
    (lambda _: redirect_to("file:///etc/"), "HTTP 302 .*not allowed"),
    (stall, "no answer within 0.4 seconds"),
    (stall_in_the_middle, "no answer within 0.4 seconds"),
    (drip, r"too slow: \d+ bytes in"),
    (send_far_too_much, "more than 100000 bytes came"),
]


@pytest.mark.parametrize(("make_answer", "message"), WRONG)
def test_the_next_mirror_is_asked(tmp_path, monkeypatch, mirror, second, make_answer, message):
    monkeypatch.setattr(download, "TIMEOUT", 0.4)
    monkeypatch.setattr(download, "LARGEST", 100_000)
    mirror.answers[FIRST] = make_answer(mirror)
    fetch_all(monkeypatch, tmp_path / "good", mirror, second)
    assert files_in(tmp_path / "good" / "MNIST" / "raw") == FILES
    assert second.requests[0] == f"/mnist/{FIRST}"
    with pytest.raises(RuntimeError, match=message):
        fetch_all(monkeypatch, tmp_path / "bad", mirror)
    assert files_in(tmp_path / "bad" / "MNIST" / "raw") == {}


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (closed_port, r"no connection \(.*refused.*\)"),
        (lambda: "file:///etc/", r"no connection \(unknown url type: file\)"),
        (lambda: "ftp://127.0.0.1/", r"unknown url type: ftp"),
        (lambda: "mirror/", r"no address of http or https \(unknown url type"),
        (lambda: "http://[/", "no address of http or https"),
        (lambda: "http://127.0.0.1:99999999/", "."),
    ],
)
def test_an_address_without_a_mirror(tmp_path, monkeypatch, second, address, message):
    fetch_all(monkeypatch, tmp_path / "good", address(), second)
    assert len(second.requests) == 4
    with pytest.raises(RuntimeError, match=message):
        fetch_all(monkeypatch, tmp_path / "bad", address())


def test_a_mirror_without_connection_is_tried_once_and_others_for_every_file(tmp_path, monkeypatch, mirror, second):
    monkeypatch.setattr(download, "TIMEOUT", 0.4)
    mirror.answer = stall(mirror)
    fetch_all(monkeypatch, tmp_path / "once", mirror, second)
    assert len(mirror.requests) == 1
    mirror.answer = fail_with(404)
    fetch_all(monkeypatch, tmp_path / "each", mirror, second)
    assert len(mirror.requests) == 5


def test_the_error_says_what_went_wrong_at_each_mirror_and_what_to_do(tmp_path, monkeypatch, mirror, second):
    mirror.answers[NAMES[1]] = fail_with(404)
    second.answer = give_web_page
    gone = closed_port()
    with pytest.raises(RuntimeError) as error:
        fetch_all(monkeypatch, tmp_path, gone, mirror, second)
    name, folder = NAMES[1], tmp_path / "MNIST" / "raw"
    lines = str(error.value).splitlines()
    assert lines[0] == f"Error downloading {name}:"
    assert lines[1].startswith(f"  {gone}{name}: no connection")
    assert lines[2] == f"  {mirror.url}{name}: HTTP 404 Not Found"
    assert lines[3].startswith(f"  {second.url}{name}: the content is not the file's")
    assert lines[4].startswith(f"Put the file into {folder} by hand, or name another mirror")
    assert files_in(folder) == {FIRST: FILES[FIRST]}  # what had come before is kept


def test_without_mirrors(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=f"Error downloading {FIRST}: there is no mirror"):
        fetch_all(monkeypatch, tmp_path)


def test_what_unpacks_without_end_is_not_unpacked_to_the_end(monkeypatch):
    monkeypatch.setattr(download, "_LARGEST_UNPACKED", 1 << 20)
    content = bytes(5 << 20)
    accepted = [hashlib.sha256(content).hexdigest()]
    with pytest.raises(download.MirrorError, match="not the file's"):
        download._check(gzip.compress(content), accepted)
    monkeypatch.setattr(download, "_LARGEST_UNPACKED", 5 << 20)
    download._check(gzip.compress(content), accepted)


# ---------------------------------------------------------------------------------------------------------------
# Proxies.


def test_a_proxy_is_not_asked_for_this_machine(tmp_path, monkeypatch, mirror):
    monkeypatch.setenv("http_proxy", closed_port())
    monkeypatch.setenv("no_proxy", "")
    fetch_all(monkeypatch, tmp_path / "address", mirror)
    fetch_all(monkeypatch, tmp_path / "name", mirror.url.replace("127.0.0.1", "localhost"))
    assert len(mirror.requests) == 8


def test_a_proxy_is_asked_for_others(tmp_path, monkeypatch, mirror):
    monkeypatch.setenv("http_proxy", mirror.url)
    monkeypatch.setenv("no_proxy", "")
    fetch_all(monkeypatch, tmp_path, "http://mirror.invalid/digits/")
    assert mirror.requests == [f"http://mirror.invalid/digits/{name}" for name in NAMES]


# ---------------------------------------------------------------------------------------------------------------
# What goes wrong here: no mirror can help, and nothing is left half-written.


def test_a_file_in_place_of_the_folder(tmp_path, monkeypatch, mirror, second):
    (tmp_path / "MNIST").write_bytes(b"")
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "MNIST"))):
        fetch_all(monkeypatch, tmp_path, mirror, second)
    assert mirror.requests == second.requests == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, mirror, second):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    raw.chmod(0o500)
    with pytest.raises(PermissionError, match=FIRST):
        fetch_all(monkeypatch, tmp_path, mirror, second)
    raw.chmod(0o700)
    assert second.requests == []


def test_a_full_disk(tmp_path, mirror, second):
    """The limit on the size of files stands in for the full disk: the system refuses to write beyond it."""
    pytest.importorskip("resource")
    code = f"""
import resource, signal
from tinygrad_fr.datasets import MNIST
MNIST.resources = {list(HASHES.items())!r}
MNIST.mirrors = {[mirror.url, second.url]!r}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    MNIST({str(tmp_path)!r}, download=True)
except OSError as error:
    print(error.filename)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(tmp_path / "MNIST" / "raw" / FIRST)
    assert files_in(tmp_path / "MNIST" / "raw") == {}
    assert len(mirror.requests) == 1
    assert second.requests == []


@pytest.mark.parametrize("at", ["os.fsync", "tinygrad_fr.datasets.download._check"])
def test_an_interrupted_download_leaves_whole_files_only(tmp_path, monkeypatch, mirror, at):
    module, _, name = at.rpartition(".")
    original = getattr(sys.modules[module], name)
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(sys.modules[module], name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch_all(monkeypatch, tmp_path, mirror)
    assert files_in(tmp_path / "MNIST" / "raw") == {FIRST: FILES[FIRST]}
    assert len(fetch_all(monkeypatch, tmp_path, mirror)) == 5  # and goes on where it was


# ---------------------------------------------------------------------------------------------------------------
# What is loaded when.


def test_importing_datasets_and_transforms_loads_nothing_heavy(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    code = f"""
import sys, tinygrad_fr.datasets, tinygrad_fr.transforms as transforms
from tinygrad_fr.utils.data import DataLoader
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
digits = tinygrad_fr.datasets.MNIST({str(tmp_path)!r}, transform=transform, download=True)
print(len(next(iter(DataLoader(digits, batch_size=5)))[0]))
print([name for name in ("PIL", "tqdm", "urllib.request", "http.client", "numba") if name in sys.modules])
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["5", "[]"]
