"""Checking the arguments of a plain function against its annotations, as the registry does against a schema."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, Literal

from .errors import ToolboxError


def checked(function: Callable[..., object]) -> Callable[..., object]:
    """The function, with a `ToolboxError` for arguments that do not fit its signature."""
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function)

    @functools.wraps(function)
    def call(*args: object, **named: object) -> object:
        try:
            bound = signature.bind(*args, **named)
        except TypeError as problem:
            raise ToolboxError(f"{problem}; the parameters are {', '.join(signature.parameters)}") from None
        for name, value in bound.arguments.items():
            _check(name, value, hints[name])
        return function(*bound.args, **bound.kwargs)

    return call


def _check(name: str, value: object, hint: Any) -> None:
    if typing.get_origin(hint) is Literal:
        options = typing.get_args(hint)
        if value not in options:
            raise ToolboxError(f"{name} must be one of {', '.join(map(repr, options))}, not {_shown(value)}")
    elif typing.get_origin(hint) is list:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise ToolboxError(f"{name} must be a list of dicts, not {_shown(value)}")
    elif not _fits(value, hint):
        raise ToolboxError(f"{name} must be {hint.__name__}, not {_shown(value)}")


def _fits(value: object, kind: Any) -> bool:
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if kind is float else kind)


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
