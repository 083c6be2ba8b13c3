"""Which files of which folders the user has looked at and allowed: paths with the hash they had then."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ..runtime.errors import UsageError

_FILE = "trusted.json"


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_trusted(home: Path, path: Path) -> bool:
    """True when this very content of the file was trusted at this very place."""
    return _recorded(home).get(str(path.resolve())) == fingerprint(path)


def was_trusted(home: Path, path: Path) -> bool:
    """True when the file was trusted at this place once, whatever is in it now."""
    return str(path.resolve()) in _recorded(home)


def record(home: Path, paths: list[Path]) -> dict[str, str]:
    """Trust the files as they are now; returns path and hash of each."""
    added = {str(path.resolve()): fingerprint(path) for path in paths}
    target = home / _FILE
    draft = home / f"{_FILE}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(_recorded(home) | added, file, indent=2)
    draft.replace(target)
    return added


def _recorded(home: Path) -> dict[str, str]:
    path = home / _FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise UsageError(
            f"damaged record of trusted folders: {problem}", where=str(path), mend="remove it and run `atlas trust` again"
        ) from None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
