"""Line numbers for the nodes that our passes made."""

from __future__ import annotations

import ast
from typing import Any, TypeVar

_PLACELESS = frozenset({ast.Load, ast.Store, ast.Del, *ast.operator.__subclasses__(), *ast.cmpop.__subclasses__()})


_Node = TypeVar("_Node", bound=ast.AST)


def at(new: _Node, old: Any) -> _Node:
    """`new`, at the place of `old`."""
    made: Any = new
    made.lineno, made.col_offset = old.lineno, old.col_offset
    made.end_lineno, made.end_col_offset = old.end_lineno, old.end_col_offset
    return new


def place(node: Any, line: int = 1, column: int = 0) -> None:
    """Give every node below `node` that has no place the one of the node above it.

    `ast.fix_missing_locations` takes three times as long.
    """
    fields = node.__dict__
    if "lineno" in fields:
        line, column = fields["lineno"], fields["col_offset"]
        if fields.get("end_lineno") is None:
            fields["end_lineno"], fields["end_col_offset"] = line, column
    elif node._attributes:
        fields["lineno"] = fields["end_lineno"] = line
        fields["col_offset"] = fields["end_col_offset"] = column
    for child in tuple(fields.values()):
        if type(child) is list:
            for one in child:
                if isinstance(one, ast.AST):
                    place(one, line, column)
        elif isinstance(child, ast.AST) and type(child) not in _PLACELESS:
            place(child, line, column)
