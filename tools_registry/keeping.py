"""Results that are kept in a file: too large for a program, or bytes that a program has no use for.

The program gets a handle: a small dict with the path, the size, the shape and the head of what is there.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Callable
from typing import Any

KEPT_BYTES = 16_000_000
"""The largest result that is taken from a server at all, as JSON text or decoded bytes."""
_HEAD_CHARS = 400
_NAMES = 8

Keep = Callable[[bytes, str], str]
"""Writes bytes to a file of its own, whose name ends as given, and returns its path."""


def file_handle(value: Any, text: str, keep: Keep) -> dict[str, Any]:
    """The handle of a value whose JSON (or, of a string, the string itself) is `text`."""
    data = text.encode("utf-8", "replace")
    path = keep(data, ".txt" if isinstance(value, str) else ".json")
    said = {"shape": shape(value), "head": text[:_HEAD_CHARS], "more": "read_result(path, start, length)"}
    return {**said, "path": path, "bytes": len(data), "kind": "file"}  # what comes first is what a short prompt shows


def blob_handle(kind: str, data: str, mime_type: str | None, keep: Keep | None) -> dict[str, Any]:
    """The handle of bytes that came as base64; without `keep`, or where they are none, without a path."""
    handle: dict[str, Any] = {"kind": kind, "mime_type": mime_type, "bytes": len(data) * 3 // 4 - data[-2:].count("=")}
    if keep is None:
        return handle
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return handle
    return handle | {"path": keep(content, mimetypes.guess_extension(mime_type or "") or ".bin")}


def shape(value: Any) -> str:
    """What a value is, in a few words: `list of 1200 dict(id, name)`."""
    if isinstance(value, dict):
        names = ", ".join(str(name)[:40] for name in list(value)[:_NAMES])
        return f"dict({names}{', ...' if len(value) > _NAMES else ''})"
    if isinstance(value, list):
        return f"list of {len(value)} {shape(value[0])}" if value else "list of 0"
    if isinstance(value, str):
        return f"text of {value.count(chr(10)) + 1} lines"
    return type(value).__name__
