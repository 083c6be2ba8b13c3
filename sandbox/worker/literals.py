"""Does a literal fit what a tool's schema says of a parameter?"""

from __future__ import annotations

import ast
from typing import Any

_SHOWN_CHARS = 300


def misfit(node: ast.expr, wanted: dict[str, Any]) -> tuple[str, str] | None:
    """Place within the value (such as `[0]`) and what is wrong there; None where the literal fits or is no literal.

    The words are those of the validator that would otherwise find it when the call is made.
    """
    kinds = _kinds(node)
    if kinds is None:
        return None
    allowed = wanted.get("type")
    if allowed is not None and not kinds.intersection(allowed):
        return "", f"{_shown(node)} is not of type {', '.join(map(repr, allowed))}"
    choices = wanted.get("enum")
    if choices is not None and isinstance(node, ast.Constant) and node.value not in choices:
        return "", f"{_shown(node)} is not one of {choices!r}"
    items = wanted.get("items")
    if items is not None and isinstance(node, (ast.List, ast.Tuple)):
        for place, item in enumerate(node.elts):
            if isinstance(item, ast.Starred):
                break
            wrong = misfit(item, items)
            if wrong is not None:
                return f"[{place}]{wrong[0]}", wrong[1]
    return None


def _kinds(node: ast.expr) -> frozenset[str] | None:
    """The JSON types that a literal belongs to."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _kinds(node.operand) if isinstance(node.operand, ast.Constant) else None
        return inner if inner is not None and "number" in inner else None
    if isinstance(node, ast.JoinedStr):
        return frozenset({"string"})
    if isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.ListComp, ast.SetComp)):
        return frozenset({"array"})
    if isinstance(node, (ast.Dict, ast.DictComp)):
        return frozenset({"object"})
    return _constant_kinds(node.value) if isinstance(node, ast.Constant) else None


def _constant_kinds(value: object) -> frozenset[str] | None:
    if value is None:
        return frozenset({"null"})
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int):
        return frozenset({"integer", "number"})
    if isinstance(value, float):
        return frozenset({"integer", "number"} if value.is_integer() else {"number"})
    return frozenset({"string"}) if isinstance(value, str) else None


def _shown(node: ast.expr) -> str:
    try:
        text = repr(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        text = ast.unparse(node)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
