"""Messages between host and worker: a length (u32, little endian), then that many bytes of JSON.

Both sides use this module; it is written for the host, which must not trust a byte of what it reads.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

_HEADER = struct.Struct("<I")


class FrameError(ValueError):
    """The peer sent something that is not a frame."""


def _no_constant(text: str) -> Any:
    raise FrameError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FrameError("a number is too large")
    return value


_STRICT = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_TRUSTING = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(message: dict[str, Any], encoder: json.JSONEncoder = _ENCODER) -> bytes:
    """One frame; raises `ValueError` or `TypeError` where `message` is not JSON or not Unicode."""
    body = encoder.encode(message).encode("utf-8")
    return _HEADER.pack(len(body)) + body


class FrameBuffer:
    """Bytes in, messages out. `limit` is checked before a body is collected."""

    def __init__(self, limit: int, *, trusting: bool = False) -> None:
        self.limit = limit
        self._head = b""  # one chunk is the common case; a long message is joined once, when it is whole
        self._start = 0
        self._rest: list[bytes] = []
        self._size = 0
        self._decoder = _TRUSTING if trusting else _STRICT
        self._strict = not trusting

    def feed(self, data: bytes) -> None:
        """Append what was read."""
        if self._size:
            self._rest.append(data)
        else:
            self._head, self._start = data, 0
        self._size += len(data)

    def __len__(self) -> int:
        return self._size

    def next(self) -> dict[str, Any] | None:
        """Remove and return the next whole message; None while there is none."""
        if self._size < 4:
            return None
        if len(self._head) - self._start < 4:
            self._join()
        size = _HEADER.unpack_from(self._head, self._start)[0]
        if size > self.limit:
            raise FrameError(f"a frame of {size} bytes is larger than {self.limit}")
        if self._size < 4 + size:
            return None
        if len(self._head) - self._start < 4 + size:
            self._join()
        begin = self._start + 4
        self._start = begin + size
        self._size -= 4 + size
        return self._decode(self._head[begin : self._start])

    def _join(self) -> None:
        self._head = b"".join((self._head[self._start :], *self._rest))
        self._start = 0
        self._rest = []

    def _decode(self, body: bytes) -> dict[str, Any]:
        try:
            text = body.decode("utf-8")
            message = self._decoder.decode(text)
        except FrameError:
            raise
        except (ValueError, RecursionError, MemoryError) as error:
            raise FrameError(f"not a JSON frame: {type(error).__name__}") from None
        if type(message) is not dict:
            raise FrameError("a frame must be an object")
        plain: dict[str, Any] = message
        if self._strict and "\\u" in text:
            plain = without_surrogates(plain)
        return plain


def without_surrogates(value: Any) -> Any:
    """`value` with every lone surrogate replaced: such text cannot be stored, sent or shown."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace").decode("utf-8")
        return value
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
