"""Writing files so that a reader finds either all of the new content or all of the old."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FULL_OR_FAULTY = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new file, open for writing, that takes the place of ``path`` when the block ends well.

    When the block fails, or the process is stopped before its end, ``path`` is what it was. A path that is no regular
    file (a pipe, a terminal, /dev/stdout) is written as it is. OSError: the folder cannot be written or the disk is
    full; it names ``path``.
    """
    given = Path(path)
    if given.parts[:2] == (os.sep, "dev") or (given.exists() and not given.is_file()):
        with given.open("ab") as file:  # not "wb": standard output may be a file that has been printed to
            yield file
        return
    target = Path(os.path.realpath(path))  # a link goes on pointing to its file
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(part, stat.S_IMODE(target.stat().st_mode))
        os.replace(part, target)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and (error.filename == str(part) or error.errno in _FULL_OR_FAULTY):
            raise _naming(target, error) from None
        raise


def _naming(target: Path, error: OSError) -> OSError:
    """The same error, of the file that was to be written."""
    kept = "; the file that is there is as it was" if target.exists() else ""
    return OSError(error.errno, f"could not write: {error.strerror or error}{kept}", str(target))
