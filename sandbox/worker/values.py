"""Values of a program as JSON for the host, and as a short text for the prompt."""

from __future__ import annotations

import collections
import datetime
import decimal
import math
import pathlib
import re
import types
from typing import Any

from .guards import ProgramClass

_MOST_ITEMS = 300_000
_DEPTH = 60
_INT_BITS = 14_000
_HEAD_CHARS = 120
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

_LISTS = frozenset({list, tuple, collections.deque})
_SETS = frozenset({set, frozenset})
_DICTS = frozenset({dict, collections.Counter, collections.defaultdict, collections.OrderedDict})
_VIEWS = frozenset({type({}.keys()), type({}.values()), type({}.items()), range})
_AS_TEXT = frozenset({datetime.timedelta, decimal.Decimal, pathlib.PurePosixPath})
_MOMENTS = frozenset({datetime.datetime, datetime.date, datetime.time})
_SCALARS = _MOMENTS | {int, float, bool, complex, type(None), datetime.timedelta}


class TooLarge(Exception):
    """The value has too many parts."""


def without_addresses(text: str) -> str:
    """Memory addresses differ from run to run; a replayed program must print the same."""
    return _ADDRESS.sub("", text) if " at 0x" in text else text


class Plain:
    """Turns one value into JSON. `strict` raises TypeError where a value has no JSON form, else its repr is taken."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.left = _MOST_ITEMS

    def convert(self, value: Any, depth: int = 0) -> Any:
        """The JSON form of `value`."""
        kind = type(value)
        if value is None or kind is str or kind is bool:
            return value
        if kind is int:
            return value if value.bit_length() <= _INT_BITS else self._other(value, "an integer this large")
        if kind is float:
            return value if math.isfinite(value) else self._other(value, f"the number {value!r}")
        self._count(value, depth)
        if kind in _LISTS or kind in _VIEWS or (isinstance(value, tuple) and hasattr(kind, "_fields")):
            return [self.convert(item, depth + 1) for item in value]
        if kind in _DICTS:
            return {self._key(key): self.convert(item, depth + 1) for key, item in value.items()}
        if kind in _SETS:
            return [self.convert(item, depth + 1) for item in ordered(value)]
        if kind in _MOMENTS:
            return value.isoformat()
        if kind in _AS_TEXT:
            return str(value)
        return self._other(value, f"a {kind.__name__}")

    def _count(self, value: Any, depth: int) -> None:
        self.left -= 1 + (len(value) if type(value) in _VIEWS else 0)
        if self.left < 0 or depth > _DEPTH:
            raise TooLarge("the value has too many parts" if self.left < 0 else "the value is nested too deeply")

    def _key(self, key: Any) -> str:
        if type(key) is str:
            return key
        if key is None or type(key) is bool:
            return {None: "null", True: "true", False: "false"}[key]
        plain = self.convert(key)
        return plain if type(plain) is str else str(plain) if type(plain) in (int, float) else str.__str__(str(key))

    def _other(self, value: Any, what: str) -> Any:
        if self.strict:
            raise TypeError(f"{what} cannot be passed to a tool; pass text, numbers, lists or dicts")
        if type(value) is int:
            return f"an integer of {value.bit_length()} bits"
        return without_addresses(str.__str__(repr(value)))


def ordered(values: Any) -> list[Any]:
    """A set as a list whose order does not depend on the process."""
    try:
        return sorted(values)
    except Exception:
        return sorted(values, key=lambda value: (type(value).__name__, repr(value)))


def describe(value: Any) -> str:
    """Shape and head in at most 120 characters; runs no code of the program."""
    kind = type(value)
    if kind is str:
        return _cut(f"str of {len(value)}: {_head_text(value)}")
    if kind is bytes:
        return f"bytes of {len(value)}"
    if kind in _SCALARS:
        return _cut(f"{kind.__name__}: {_scalar(value)}")
    if kind in _LISTS or kind in _SETS or kind in _DICTS:
        return _cut(f"{kind.__name__} of {len(value)}: {_head(value)}")
    if isinstance(value, types.FunctionType):
        return _cut(f"function {value.__name__}")
    if isinstance(value, type):
        return _cut(f"class {value.__name__}")
    if type(kind) is ProgramClass:
        return _cut(f"{kind.__name__} object")
    return _cut(kind.__name__)


def _cut(text: str) -> str:
    return text if len(text) <= _HEAD_CHARS else text[: _HEAD_CHARS - 3] + "..."


def _head_text(value: str) -> str:
    return repr(value) if len(value) <= 60 else repr(value[:60]) + "..."


def _scalar(value: Any) -> str:
    if type(value) is int and value.bit_length() > 400:
        return f"about 2**{value.bit_length()}"
    return str(value)


def _head(value: Any, depth: int = 0) -> str:
    """The first elements of a container, as Python writes them."""
    kind: type = type(value)
    if kind is str:
        head = repr(value[:40])
        return head if len(value) <= 40 else f"{head[:-1]}...{head[-1]}"
    if kind in (int, float, bool, type(None)):
        return _scalar(value)
    if kind in _DICTS:
        return _dict_head(value, depth)
    if kind in _LISTS or kind in _SETS:
        start, end = "()" if kind is tuple else "{}" if kind in _SETS else "[]"
        if depth > 1:
            return f"{start}...{end}" if value else start + end
        items = [_head(item, depth + 1) for item, _ in zip(value, range(3), strict=False)]
        return start + ", ".join(items) + (", ..." if len(value) > 3 else "") + end
    return f"<{kind.__name__}>"


def _dict_head(value: Any, depth: int) -> str:
    if depth > 1:
        return "{...}" if value else "{}"
    pairs = [
        f"{_head(key, depth + 1)}: {_head(item, depth + 1)}"
        for (key, item), _ in zip(value.items(), range(3), strict=False)
    ]
    return "{" + ", ".join(pairs) + (", ..." if len(value) > 3 else "") + "}"
