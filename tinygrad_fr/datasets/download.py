"""Fetching the files of a dataset from its mirrors."""

import hashlib
import io
import ipaddress
import os
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..utils.files import replacing
from .idx import Unpacked

TIMEOUT = 10.0  # seconds to connect, and again to wait for each piece
SLOWEST = 1000  # bytes a second, on average, after that time
LARGEST = 64 << 20  # bytes; the largest file that is fetched has 26 MB
_LARGEST_UNPACKED = 256 << 20
_PIECE = 1 << 16


class MirrorError(Exception):
    """What went wrong at one mirror with one file."""


class NoConnection(MirrorError):
    """The mirror cannot be reached, so not for other files either."""


def download(resources: Iterable[tuple[str, ...]], mirrors: Sequence[str], folder: str | os.PathLike[str]) -> None:
    """Put files into ``folder``, each from the first mirror that has it.

    ``resources``: (name, SHA-256, ...) of each; the hash may be that of the file, or of what it unpacks to.
    ``mirrors``: addresses of folders, of http or https. A file comes into being whole and checked, or not at all.
    RuntimeError: no mirror gave a file; it says what went wrong at each. OSError: the folder cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    unreachable: dict[str, str] = {}
    for name, *accepted in resources:
        content = _from_mirrors(name, accepted, mirrors, unreachable, folder)
        with replacing(Path(folder) / name) as file:
            file.write(content)


def _from_mirrors(
    name: str, accepted: list[str], mirrors: Sequence[str], unreachable: dict[str, str], folder: str | os.PathLike[str]
) -> bytes:
    """The content of a file. ``unreachable`` (mirror: reason) are those not to try, and grows."""
    failures = []
    for mirror in mirrors:
        address = f"{mirror.rstrip('/')}/{name}"
        try:
            if mirror in unreachable:
                raise NoConnection(unreachable[mirror])
            content = fetch(address, name)
            _check(content, accepted)
            return content
        except MirrorError as error:
            if isinstance(error, NoConnection):
                unreachable[mirror] = str(error)
            failures.append(f"\n  {address}: {error}")
    raise RuntimeError(
        f"Error downloading {name}:{''.join(failures) or ' there is no mirror'}\n"
        f"Put the file into {os.fspath(folder)} by hand, or name another mirror (the list `mirrors` of the class)"
    )


def fetch(address: str, name: str) -> bytes:
    """What is at ``address``, with a progress bar called ``name`` on a terminal.  MirrorError: anything goes wrong."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    try:
        with _opener(address).open(address, timeout=TIMEOUT) as response:
            return _read(response, name)
    except HTTPError as error:
        error.close()
        raise MirrorError(f"HTTP {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise NoConnection(f"no answer within {TIMEOUT:g} seconds") from error
    except URLError as error:
        raise NoConnection(f"no connection ({error.reason})") from error
    except (HTTPException, OSError) as error:
        raise MirrorError(f"the connection broke ({error})") from error
    except ValueError as error:
        raise NoConnection(f"no address of http or https ({error})") from error


def _opener(address: str) -> Any:
    """What opens an address of http or https and no other, by the proxy of the environment if there is one."""
    from urllib import request

    opener = request.OpenerDirector()
    opener.addheaders = [("User-agent", "tinygrad_fr")]
    for handler in (
        request.ProxyHandler({} if _is_this_machine(address) else None),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _is_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(response: Any, name: str) -> bytes:
    """The whole answer.  MirrorError: shorter than it says, or larger than any file of a dataset."""
    announced = response.length
    content = bytearray()
    begin = time.monotonic()
    with _progress_bar(announced, name) as bar:
        while piece := response.read1(_PIECE):
            content += piece
            bar.update(len(piece))
            seconds = time.monotonic() - begin
            if len(content) > LARGEST:
                raise MirrorError(f"more than {LARGEST} bytes came: not the file")
            if len(content) < SLOWEST * (seconds - TIMEOUT):
                raise NoConnection(f"too slow: {len(content)} bytes in {seconds:.0f} seconds")
    if announced is not None and len(content) < announced:
        raise MirrorError(f"the answer is truncated: {len(content)} of {announced} bytes came")
    return bytes(content)


def _progress_bar(total: int | None, name: str) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=None, file=sys.stderr)


def _check(content: bytes, accepted: Sequence[str]) -> None:
    """MirrorError: neither the content nor what it unpacks to has one of the ``accepted`` hashes."""
    digest = hashlib.sha256(content).hexdigest()
    if digest not in accepted and _digest_unpacked(content) not in accepted:
        raise MirrorError(f"the content is not the file's: {len(content)} bytes of SHA-256 {digest}")


def _digest_unpacked(content: bytes) -> str | None:
    """The hash of what a gzip file unpacks to; None where it is damaged, too large or none."""
    digest, size = hashlib.sha256(), 0
    try:
        for piece in _pieces(Unpacked(io.BytesIO(content))):
            digest.update(piece)
            size += len(piece)
            if size > _LARGEST_UNPACKED:
                return None
    except (EOFError, zlib.error):
        return None
    return digest.hexdigest()


def _pieces(file: Unpacked) -> Iterator[bytes]:
    while piece := file.read(1 << 20):
        yield piece
