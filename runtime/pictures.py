"""Pictures that tools returned: from the handle of a kept file to what an endpoint is sent."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path

MOST_BYTES = 8 * 1024 * 1024
"""A larger picture is refused: it would be sent again with every turn."""


class NoPicture(Exception):
    """What is given is no kept picture."""


def picture_file(handle: object, folder: Path) -> str:
    """The file of a handle (`{"kind": "image", "path": ...}`) or of its path. Raises `NoPicture`.

    Only files that tools returned (those in `folder`) are taken: a program cannot have any file of the machine sent away.
    """
    path = handle.get("path") if isinstance(handle, dict) else handle
    if not isinstance(path, str):
        raise NoPicture(f"{handle!r:.80} is no handle of a picture")
    try:
        real = Path(path).resolve(strict=True)
    except OSError:
        raise NoPicture(f"no kept picture: {path}") from None
    if not real.is_relative_to(folder.resolve()):
        raise NoPicture(f"{path} was not returned by a tool of this run")
    kind = mimetypes.guess_type(real.name)[0] or ""
    if not kind.startswith("image/"):
        raise NoPicture(f"{path} is no picture ({kind or 'of an unknown kind'})")
    if real.stat().st_size > MOST_BYTES:
        raise NoPicture(f"{path} has more than {MOST_BYTES // 1024 // 1024} MB")
    return str(real)


def as_data(files: Sequence[str]) -> list[str]:
    """The pictures as `data:` addresses."""
    found = []
    for file in files:
        kind = mimetypes.guess_type(file)[0] or "image/png"
        found.append(f"data:{kind};base64,{base64.b64encode(Path(file).read_bytes()).decode()}")
    return found
