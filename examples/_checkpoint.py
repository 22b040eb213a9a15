"""The file from which an interrupted training goes on: written whole or not at all, and checked when it is read."""

from pathlib import Path
from typing import Any

import tinygrad_fr as torch


class Checkpoint:
    """``folder``/checkpoint.safetensors, which belongs to a run of a ``program`` with certain ``settings``."""

    def __init__(self, folder: Path, program: str, settings: dict[str, Any]):
        self.path = folder / "checkpoint.safetensors"
        self.kind = f"checkpoint of {program}, version 1"
        self.settings = settings

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint. OSError: that failed; the one before is as it was."""
        try:
            torch.save({"kind": self.kind, "settings": self.settings, "state": state}, self.path)
        except OSError as error:
            raise OSError(f"{error}. Make room there, then continue with --resume") from error

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last; None before the first. ValueError: a file that this run cannot continue."""
        if not self.path.exists():
            return None
        try:
            saved = torch.load(self.path)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ValueError(f"{self._refused('cannot be read')}\n{error}") from error
        if not isinstance(saved, dict) or saved.get("kind") != self.kind:
            raise ValueError(self._refused(f"is no {self.kind}"))
        self._compare(saved["settings"])
        return saved["state"]

    def _compare(self, saved: dict[str, Any]) -> None:
        """ValueError if the checkpoint is that of a run with other settings."""
        different = [name for name in self.settings if saved.get(name) != self.settings[name]]
        if different:
            lines = [f"  {name}: {saved.get(name)} there, {self.settings[name]} here" for name in different]
            raise ValueError(
                "\n".join([f"{self.path} belongs to a run with other settings:", *lines])
                + "\nContinue with the same settings, or give --checkpoint another folder"
            )

    def _refused(self, why: str) -> str:
        return f"{self.path} {why}: delete it to begin anew, or give --checkpoint another folder"


def check_folder(folder: Path, option: str) -> None:
    """Make ``folder`` where it is missing. OSError, before any work is done, if files cannot be written there."""
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"cannot write to {folder}, the folder of {option}: {error.strerror or error}") from error
