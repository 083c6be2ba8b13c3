"""Messages between host and worker: a length (u32, little endian), then that many bytes of JSON.

An object is a message that says its kind in `t`. The two that a call needs are arrays, because there are many of them:
`[id, tool, arguments]` asks; `[id, value]` returns, `[id, null, message, kind]` raises `ToolError` in the program.

Both sides use this module; it is written for the host, which must not trust a byte of what it reads.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

_HEADER = struct.Struct("<I")
_pack, _unpack = _HEADER.pack, _HEADER.unpack_from

Message = dict[str, Any] | list[Any]
_DEEPEST = 100
"""Levels of nesting of a message; an honest worker stays below 70. Deeper ones would end whoever walks over them."""


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


def _refuse(value: Any) -> Any:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def make_encoder(default: Callable[[Any], Any] = _refuse, *, allow_nan: bool = False) -> Callable[[Any], str]:
    """A function from values to compact JSON; `JSONEncoder.encode` would build its machine anew for each value."""
    compiled: Any = getattr(json.encoder, "c_make_encoder", None)
    if compiled is None:  # an interpreter without the C part
        return json.JSONEncoder(ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"), default=default).encode
    # no table of what is being encoded: a value that holds itself ends in RecursionError, which is as good
    parts = compiled(None, default, encode_basestring, None, ":", ",", False, False, allow_nan)

    def encoded(value: Any) -> str:
        return "".join(parts(value, 0))

    return encoded


_encoded = make_encoder()


def encode(message: Message, encoder: Callable[[Any], str] = _encoded) -> bytes:
    """One frame; raises `ValueError`, `TypeError` or `RecursionError` where `message` is not JSON or not Unicode."""
    body = encoder(message).encode()
    return _pack(len(body)) + body


class FrameBuffer:
    """Bytes in, messages out. `limit` is checked before a body is collected."""

    def __init__(self, limit: int, *, trusting: bool = False) -> None:
        self.limit = limit
        self.taken = 0
        """Bytes of all messages so far."""
        self._head = b""  # one chunk is the common case; a long message is joined once, when it is whole
        self._start = 0
        self._rest: list[bytes] = []
        self._size = 0
        decoder: Any = _TRUSTING if trusting else _STRICT
        self._scan: Callable[[str, int], tuple[Any, int]] = decoder.scan_once
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

    def next(self) -> Message | None:
        """Remove and return the next whole message; None while there is none."""
        there = self._size
        if there < 4:
            return None
        if len(self._head) - self._start < 4:
            self._join()
        size: int = _unpack(self._head, self._start)[0]
        if size > self.limit:
            raise FrameError(f"a frame of {size} bytes is larger than {self.limit}")
        if there < 4 + size:
            return None
        begin = self._start + 4
        if len(self._head) < begin + size:
            self._join()
            begin = 4
        self._start = end = begin + size
        self._size = there - 4 - size
        self.taken += size
        return self._decode(self._head[begin:end])

    def _join(self) -> None:
        self._head = b"".join((self._head[self._start :], *self._rest))
        self._start = 0
        self._rest = []

    def _decode(self, body: bytes) -> Message:
        """The scanner takes no blanks around the value, and neither end writes any."""
        try:
            text = body.decode()
            message, end = self._scan(text, 0)
        except FrameError:
            raise
        except (ValueError, StopIteration, RecursionError, MemoryError) as error:
            raise FrameError(f"not a JSON frame: {type(error).__name__}") from None
        if end != len(text):
            raise FrameError("more than one value in a frame")
        kind = type(message)
        if kind is not dict and kind is not list:
            raise FrameError("a frame must be an object or an array")
        plain: Message = message
        if self._strict:
            if end > _DEEPEST and body.count(b"[") + body.count(b"{") > _DEEPEST and _is_deep(message):
                raise FrameError("a message is nested too deeply")
            if "\\u" in text:
                plain = without_surrogates(plain)
        return plain


def _is_deep(message: Any) -> bool:
    level = [message]
    for _ in range(_DEEPEST):
        level = [
            item for one in level for item in (one.values() if type(one) is dict else one) if type(item) in (dict, list)
        ]
        if not level:
            return False
    return True


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
