"""Reads through code in the order of its evaluation and finds the calls that can be sent ahead of it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from .facts import COMPREHENSIONS, bound_by
from .quiet import MUTATORS, Context, Impure, Reading

_SMOOTH_BUILTINS = frozenset({"answer", "print", "str", "repr", "type"})


class Noisy(Exception):
    """Calls of this code cannot be sent ahead of it."""


class Scan:
    """One pass over the body of a loop or comprehension, or over a row of statements.

    In a loop every call of a tool must be one that is sent ahead, because the order of calls must not change; what cannot
    be told raises `Noisy`. In a row (`row` is True) calls count up to the first thing that may fail or make a call.
    """

    def __init__(self, context: Context, reading: Reading, *, row: bool) -> None:
        self.context, self.reading, self.row = context, reading, row
        self.calls: list[tuple[ast.Call, ast.expr]] = []
        """Calls to be sent ahead, each with its parts as they are evaluated ahead."""
        self.rough = False
        """Something may fail after the first call; a tool may be called, where this is a row."""
        self.closed = False
        """What follows is not reached in every iteration."""

    # -- statements of a loop

    def body(self, statements: Iterable[ast.stmt], *, maybe: bool = False, in_loop: bool = False) -> None:
        """The statements of a loop's body; `maybe` where they are not executed in every iteration."""
        for node in statements:
            self.statement(node, maybe, in_loop)

    def statement(self, node: ast.stmt, maybe: bool = False, in_loop: bool = False) -> None:
        """One statement."""
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            self._assignment(node, maybe)
        elif isinstance(node, ast.AugAssign):
            self._target(node.target, maybe)
            self.expression(node.value, maybe)
            self._mark_rough()
        elif isinstance(node, ast.Expr):
            self.expression(node.value, maybe)
        elif isinstance(node, ast.If):
            self.expression(node.test, maybe)
            self.body(node.body, maybe=True, in_loop=in_loop)
            self.body(node.orelse, maybe=True, in_loop=in_loop)
        elif isinstance(node, (ast.For, ast.While)):
            self._inner_loop(node, maybe)
        elif isinstance(node, (ast.Break, ast.Continue)):
            if isinstance(node, ast.Break) and not in_loop:
                raise Noisy
            self.closed = self.closed or not in_loop
        elif isinstance(node, ast.Try):
            parts = [node.body, *(one.body for one in node.handlers), node.orelse, node.finalbody]
            for part in parts:
                self.body(part, maybe=True, in_loop=in_loop)
            self._mark_rough()
        elif not isinstance(node, ast.Pass):
            raise Noisy

    def _inner_loop(self, node: ast.For | ast.While, maybe: bool) -> None:
        if isinstance(node, ast.For):
            self.expression(node.iter, maybe)
            self._target(node.target, maybe)
        else:
            self.expression(node.test, True)
        self._mark_rough()
        self.body(node.body, maybe=True, in_loop=True)
        self.body(node.orelse, maybe=True)

    def _assignment(self, node: ast.Assign | ast.AnnAssign, maybe: bool) -> None:
        targets: list[ast.expr] = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return
        if self._is_temporary(node.value, targets, maybe):
            return
        self.expression(node.value, maybe)
        for target in targets:
            self._target(target, maybe)

    def _is_temporary(self, value: ast.expr, targets: list[ast.expr], maybe: bool) -> bool:
        """Note a name that merely stands for a pure expression; reading ahead evaluates that in its place."""
        target = targets[0]
        if self.row or maybe or self.closed or len(targets) > 1 or not isinstance(target, ast.Name):
            return False
        if target.id not in self.temporary:
            return False
        try:
            self.reading.copy(value)
        except Impure:
            return False
        self.reading.known[target.id] = value
        return True

    temporary: frozenset[str] = frozenset()
    """Names that the body binds exactly once: they may stand for what they are bound to."""

    def _target(self, node: ast.expr, maybe: bool) -> None:
        if isinstance(node, (ast.Tuple, ast.List)):
            for part in node.elts:
                self._target(part.value if isinstance(part, ast.Starred) else part, maybe)
            self._mark_rough()
        elif isinstance(node, ast.Subscript):
            self.expression(node.value, maybe)
            self.expression(node.slice, maybe)
            if self.row or not isinstance(node.value, ast.Name):
                self._mark_rough()
        elif not isinstance(node, ast.Name):
            self._mark_rough()
            if not self.row:
                raise Noisy

    # -- expressions

    def expression(self, node: ast.expr, maybe: bool = False) -> None:
        """One expression; `maybe` where it is not evaluated for certain."""
        kind = type(node)
        if kind is ast.Constant or kind is ast.Name:
            return
        if kind is ast.Call:
            assert isinstance(node, ast.Call)
            self._call(node, maybe)
        elif kind in _STEPS:
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self.expression(part, maybe)
            if kind in _MAY_FAIL:
                self._mark_rough()
        elif isinstance(node, ast.Dict):
            self._dict(node, maybe)
        elif isinstance(node, ast.BoolOp):
            self.expression(node.values[0], maybe)
            self._all(node.values[1:], True)
        elif isinstance(node, ast.IfExp):
            self.expression(node.test, maybe)
            self._all([node.body, node.orelse], True)
        elif isinstance(node, ast.Compare):
            self._compare(node, maybe)
        elif isinstance(node, COMPREHENSIONS):
            self._comprehension(node)
        elif isinstance(node, ast.Await):
            if self.context.tool(node.value) is None:
                self._barrier()
            self.expression(node.value, maybe)
        else:
            self._barrier()

    def _all(self, nodes: Sequence[ast.expr], maybe: bool) -> None:
        for node in nodes:
            self.expression(node, maybe)

    def _dict(self, node: ast.Dict, maybe: bool) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                self.expression(key, maybe)
            self.expression(value, maybe)
            if not isinstance(key, (ast.Constant, ast.Name)):
                self._mark_rough()

    def _compare(self, node: ast.Compare, maybe: bool) -> None:
        self._all([node.left, node.comparators[0]], maybe)
        if not all(isinstance(one, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)) for one in node.ops):
            self._mark_rough()
        self._all(node.comparators[1:], True)

    def _comprehension(self, node: Any) -> None:
        """One within the code: it may make no call at all."""
        if self.row:
            self._barrier()
            return
        self._mark_rough()
        parts: list[ast.expr] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for generator in node.generators:
            parts += [generator.iter, *generator.ifs]
        self._all(parts, True)

    def _call(self, node: ast.Call, maybe: bool) -> None:
        if self.context.tool(node) is not None:
            self._tool_call(node, maybe)
            return
        if isinstance(node.func, ast.Attribute):
            self.expression(node.func.value, maybe)
        elif not isinstance(node.func, ast.Name):
            self.expression(node.func, maybe)
        for part in (*node.args, *(one.value for one in node.keywords)):
            self._argument(part, maybe)
        if not self.context.is_quiet_call(node):
            self._barrier()
        elif not self._is_smooth(node):
            self._mark_rough()

    def _argument(self, node: ast.expr, maybe: bool) -> None:
        if isinstance(node, ast.Starred):
            self.expression(node.value, maybe)
            self._mark_rough()
        elif isinstance(node, ast.Lambda):
            self._all([*node.args.defaults, *filter(None, node.args.kw_defaults)], maybe)
            self.expression(node.body, True)  # whoever is given it calls it at once; elsewhere lambdas are barriers
        else:
            self.expression(node, maybe)

    def _tool_call(self, node: ast.Call, maybe: bool) -> None:
        tool = self.context.tool(node)
        assert tool is not None
        if tool.read_only and not maybe and not self.closed and not (self.row and self.rough):
            try:
                self.calls.append((node, self.reading.call(node)))
                return
            except Impure:
                pass
        if not self.row:
            raise Noisy
        for part in (*node.args, *(one.value for one in node.keywords)):
            self._argument(part, maybe)
        self._barrier()

    def _is_smooth(self, node: ast.Call) -> bool:
        """Whether a quiet call fails for nobody."""
        function = node.func
        if isinstance(function, ast.Name):
            return function.id in _SMOOTH_BUILTINS
        appends = isinstance(function, ast.Attribute) and function.attr == "append" and isinstance(function.value, ast.Name)
        return appends and not self.row

    def _mark_rough(self) -> None:
        self.rough = True

    def _barrier(self) -> None:
        """Something that may call a tool, or do what nobody can tell."""
        if not self.row:
            raise Noisy
        self.rough = True


_MAY_FAIL = frozenset({ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice, ast.Attribute, ast.Set, ast.Starred})
_STEPS = _MAY_FAIL | {ast.Tuple, ast.List, ast.JoinedStr, ast.FormattedValue}


def changing_names(statements: Sequence[ast.AST]) -> tuple[set[str], dict[str, set[Any]]]:
    """Names that code binds or changes the value of; and those of which it only sets items under constant keys."""
    changing = bound_by(statements)
    keyed: dict[str, set[Any]] = {}
    for top in statements:
        for node in ast.walk(top):
            if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
                key = node.slice.value if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) else None
                if isinstance(node.value, ast.Name) and key is not None:
                    keyed.setdefault(node.value.id, set()).add(key)
                else:
                    changing |= _root(node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
                changing |= _root(node.func)
            elif isinstance(node, ast.AugAssign):
                changing |= _root(node.target)
    return changing, keyed


def _root(node: ast.expr) -> set[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
