"""How values lie in the store: JSON text, token ids as 32-bit integers, log-probabilities as 32-bit floats."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence
from typing import Any, overload


@overload
def clean(text: str) -> str: ...
@overload
def clean(text: None) -> None: ...
def clean(text: str | None) -> str | None:
    """Text that SQLite can hold: lone surrogates (from file names) become escapes."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")


def to_text(value: Any) -> str:
    """A value as compact JSON; what is no JSON becomes its text, so that a row can always be written."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str)


def from_text(text: str | None) -> Any:
    """The value of a JSON column."""
    return None if text is None else json.loads(text)


def pack_ids(ids: Sequence[int] | None) -> bytes | None:
    """Token ids as little-endian 32-bit integers."""
    return None if ids is None else _little(array("i", ids))


def unpack_ids(blob: bytes | None) -> list[int] | None:
    """Token ids of a blob."""
    return None if blob is None else _unpacked("i", blob).tolist()


def pack_floats(values: Sequence[float] | None) -> bytes | None:
    """Numbers as little-endian 32-bit floats."""
    return None if values is None else _little(array("f", values))


def unpack_floats(blob: bytes | None) -> list[float] | None:
    """Numbers of a blob."""
    return None if blob is None else _unpacked("f", blob).tolist()


def _little(values: array[Any]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _unpacked(form: str, blob: bytes) -> array[Any]:
    values = array(form)
    values.frombytes(blob)
    if sys.byteorder == "big":
        values.byteswap()
    return values
