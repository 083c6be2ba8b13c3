"""`str.format` without its reach: fields are resolved by the same guard as attributes in the source."""

from __future__ import annotations

import _string  # type: ignore[import-not-found]
from collections.abc import Callable, Mapping
from typing import Any

_CONVERSIONS: dict[str | None, Callable[[Any], Any]] = {None: lambda value: value, "s": str, "r": repr, "a": ascii}


def safe_format(text: str) -> Callable[..., str]:
    """The bound method `text.format`."""
    return lambda *args, **kwargs: _Formatting(args, kwargs).render(text, 2)


def safe_format_map(text: str) -> Callable[[Mapping[str, Any]], str]:
    """The bound method `text.format_map`."""

    def format_map(mapping: Mapping[str, Any]) -> str:
        if not isinstance(mapping, dict):
            raise TypeError("format_map needs a dict")
        return _Formatting((), mapping).render(text, 2)

    return format_map


class _Formatting:
    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.args, self.kwargs, self.counter = args, kwargs, 0
        self.manual = False

    def render(self, text: str, depth: int) -> str:
        if depth < 0:
            raise ValueError("Max string recursion exceeded")
        parts = []
        for literal, field, spec, conversion in _string.formatter_parser(text):
            parts.append(literal)
            if field is None:
                continue
            value = self._value(field)
            if conversion not in _CONVERSIONS:
                raise ValueError(f"Unknown conversion specifier {conversion!r}")
            parts.append(format(_CONVERSIONS[conversion](value), self.render(spec, depth - 1) if spec else ""))
        return "".join(parts)

    def _value(self, field: str) -> Any:
        from .guards import guarded_getattr

        first, rest = _string.formatter_field_name_split(field)
        if first == "" or isinstance(first, int):
            if self.manual if first == "" else self.counter:
                way = "manual field specification to automatic field numbering"
                other = "automatic field numbering to manual field specification"
                raise ValueError(f"cannot switch from {way if first == '' else other}")
            self.manual = first != ""
        if first == "":
            first = self.counter
            self.counter += 1
        if isinstance(first, int) and first >= len(self.args):
            raise IndexError(f"Replacement index {first} out of range for positional args tuple")
        value = self.args[first] if isinstance(first, int) else self.kwargs[first]
        for is_attribute, name in rest:
            value = guarded_getattr(value, name) if is_attribute else value[name]
        return value
