"""SHA-256 of a model file: computed in the background, kept by path, size and time so that large files are read once."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import BinaryIO

from ..errors import UsageError
from ..home import atlas_home

_CHUNK_BYTES = 1 << 20


class FileHash:
    """The hash of one file as it was when this was made, also if another takes its place; `.value` waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._value = _remembered(self._path)
        self._thread: threading.Thread | None = None
        if not self._value and (file := _opened(self._path)):
            self._thread = threading.Thread(target=self._compute, args=(file,), name="atlas-hash", daemon=True)
            self._thread.start()

    @property
    def value(self) -> str:
        """Hexadecimal SHA-256; empty where the file went away."""
        if self._thread is not None:
            self._thread.join()
        return self._value

    def _compute(self, file: BinaryIO) -> None:
        digest = hashlib.sha256()
        try:
            with file:
                key = _key(self._path, os.fstat(file.fileno()))
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except OSError:
            return
        self._value = digest.hexdigest()
        _remember(key, self._value)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None


def _key(path: Path, status: os.stat_result) -> str:
    return f"{path}|{status.st_size}|{status.st_mtime_ns}"


def _cache_file() -> Path:
    return atlas_home() / "model_hashes.json"


def _read_cache() -> dict[str, str]:
    try:
        cache = json.loads(_cache_file().read_text("utf-8"))
    except (OSError, ValueError, UsageError):
        return {}
    return cache if isinstance(cache, dict) else {}


def _remembered(path: Path) -> str:
    try:
        return str(_read_cache().get(_key(path, path.stat()), ""))
    except OSError:
        return ""


def _remember(key: str, value: str) -> None:
    """Best effort: a state folder that cannot be written only costs time at the next start."""
    try:
        cache = {**dict(list(_read_cache().items())[-200:]), key: value}
        file = _cache_file()
        draft = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(cache), "utf-8")
        draft.replace(file)
    except (OSError, UsageError):
        return
