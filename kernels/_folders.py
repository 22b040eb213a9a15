"""Where the files of this package are kept on the user's machine. Knows nothing of Numba, so that it loads at once."""

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    """The folder in which this system's programs keep what can be made or fetched again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
