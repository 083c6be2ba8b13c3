"""The compiler's pass that finds calls of read-only tools which do not depend on each other.

It works on the program as written, before the policy, and gives three kinds of places a plan (see `ahead.py`): loops,
comprehensions, and rows of neighbouring statements. What it cannot judge it leaves alone. What is not looked into: bodies of
`try` and `with` (calls keep program order there), classes, coroutines, lambdas.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from .facts import COMPREHENSIONS, bound_by
from .hazards import is_eager
from .quiet import Context, Impure, Reading, guard
from .scan import Noisy, Scan, changing_names

_VIEWS = ("enumerate", "zip", "reversed")
_COLLECTORS = ("list", "tuple", "sorted")
"""They do nothing with an item before they have them all."""
_LEAST_IN_ROW = 2
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def overlap(tree: ast.Module, context: Context) -> int:
    """Rewrite `tree` in place; the number of places that got a plan."""
    maker = _Overlap(context)
    tree.body = maker.block(tree.body, inside=False)
    return maker.count


def has_read_only_calls(tree: ast.Module, context: Context) -> bool:
    """Whether there is anything to do."""
    return any((tool := context.tool(node)) is not None and tool.read_only for node in ast.walk(tree))


class _Row:
    """Neighbouring statements whose calls do not depend on each other."""

    def __init__(self) -> None:
        self.statements: list[ast.stmt] = []
        self.calls: list[tuple[ast.Call, ast.expr]] = []
        self.assigned: set[str] = set()
        self.rough = False


class _Overlap:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.count = 0

    # -- blocks and rows

    def block(self, statements: Sequence[ast.stmt], inside: bool) -> list[ast.stmt]:
        """A list of statements, rewritten; `inside` a function."""
        done: list[ast.stmt] = []
        row = _Row()
        for node in statements:
            if not self._joins(row, node):
                done += self._finish(row, inside)
                row = _Row()
                self._joins(row, node)
            if node not in row.statements:
                done.append(self._rewritten(node, inside))
            elif row.rough:  # nothing can join after it
                done += self._finish(row, inside)
                row = _Row()
        return done + self._finish(row, inside)

    def _joins(self, row: _Row, node: ast.stmt) -> bool:
        """Add a statement to a row, if nothing speaks against it."""
        head = _head(node)
        if head is None and not isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
            return False
        scan = Scan(self.context, Reading(self.context, row.assigned | bound_by([node]), {}), row=True)
        scan.rough = row.rough
        if head is None:
            scan.statement(node)
        else:
            scan.expression(head)
            scan.rough = True
        if scan.rough and not scan.calls:
            return False
        row.statements.append(node)
        row.calls += scan.calls
        row.assigned |= bound_by([node])
        row.rough = scan.rough
        return True

    def _finish(self, row: _Row, inside: bool) -> list[ast.stmt]:
        """The statements of a row, with their plan before them."""
        plan: list[ast.stmt] = []
        if len(row.calls) >= _LEAST_IN_ROW:
            name = self._name()
            wanted = [ast.Lambda(_arguments(), parts) for _, parts in row.calls]
            value = guard("group", ast.Constant(inside), *wanted)
            made = ast.Assign([ast.Name(name, ast.Store())], value)
            plan = [ast.copy_location(made, row.statements[0])]
            _take([call for call, _ in row.calls], name)
        return [*plan, *(self._rewritten(node, inside) for node in row.statements)]

    def _name(self) -> str:
        self.count += 1
        return f"@plan{self.count}"

    # -- statements

    def _rewritten(self, node: ast.stmt, inside: bool) -> ast.stmt:
        """A statement with plans for the loops and comprehensions in it."""
        if isinstance(node, (ast.Try, ast.With, ast.ClassDef, ast.AsyncFunctionDef)):
            return node
        if isinstance(node, ast.FunctionDef):
            node.body = self.block(node.body, inside=True)
            return node
        self._expressions(node, inside)
        if isinstance(node, ast.For) and self._loop(node, inside):
            return node
        for name in ("body", "orelse"):
            part = getattr(node, name, None)
            if isinstance(part, list):
                setattr(node, name, self.block(part, inside))
        for case in getattr(node, "cases", ()):
            case.body = self.block(case.body, inside)
        return node

    def _expressions(self, node: ast.AST, inside: bool) -> None:
        """Give plans to the comprehensions among the expressions of a statement (not of the statements in it)."""
        for part in ast.iter_child_nodes(node):
            if isinstance(part, (ast.stmt, ast.Lambda, ast.match_case, ast.excepthandler)):
                continue
            if isinstance(part, ast.Call) and is_eager(part, self.context) and part.args:
                first = part.args[0]
                rough = not self.context.is_builtin(part.func, _COLLECTORS)
                if isinstance(first, ast.GeneratorExp) and self._comprehension(first, inside, rough=rough):
                    continue
            if isinstance(part, (ast.ListComp, ast.SetComp, ast.DictComp)):
                rough = not isinstance(part, ast.ListComp)
                if self._comprehension(part, inside, rough=rough and not _has_plain_keys(part)):
                    continue
            self._expressions(part, inside)

    # -- loops

    def _loop(self, node: ast.For, inside: bool) -> bool:
        targets = bound_by([node.target])
        if not _is_plain_target(node.target):
            return False
        changing, keyed = changing_names(node.body)
        spoken_for = targets | keyed.keys()
        temporary = frozenset(name for name in changing - spoken_for if _bindings(node.body, name) == 1)
        reading = Reading(self.context, changing | (bound_by([node.iter]) & targets), keyed)
        scan = Scan(self.context, reading, row=False)
        scan.temporary = temporary
        try:
            scan.body(node.body)
            source = self._source(node.iter, changing)
        except (Noisy, Impure):
            return False
        if not scan.calls:
            return False
        name = self._name()
        wanted = ast.Tuple([parts for _, parts in scan.calls], ast.Load())
        generators = [ast.comprehension(_copy_target(node.target), ast.Name("@items", ast.Load()), [], 0)]
        node.iter = self._planned(node.iter, source, wanted, generators, len(scan.calls) if scan.rough else 0, inside)
        node.target = _with_plan(name, node.target)
        _take([call for call, _ in scan.calls], name)
        return True

    def _comprehension(self, node: _Comprehension, inside: bool, *, rough: bool) -> bool:
        parts: list[ast.expr] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        first = node.generators[0]
        changing, _ = changing_names([*parts, *(test for one in node.generators for test in one.ifs)])
        reading = Reading(self.context, changing, {})
        scan = Scan(self.context, reading, row=False)
        if any(one.is_async or not _is_plain_target(one.target) for one in node.generators):
            return False
        try:
            generators = self._generators(node.generators, reading, scan)
            for part in parts:
                scan.expression(part)
            source = self._source(first.iter, changing)
        except (Noisy, Impure):
            return False
        if not scan.calls:
            return False
        name = self._name()
        wanted = ast.Tuple([parts for _, parts in scan.calls], ast.Load())
        alone = len(scan.calls) if scan.rough or rough else 0
        first.iter = self._planned(first.iter, source, wanted, generators, alone, inside)
        first.target = _with_plan(name, first.target)
        _take([call for call, _ in scan.calls], name)
        return True

    def _generators(
        self, given: Sequence[ast.comprehension], reading: Reading, scan: Scan
    ) -> list[ast.comprehension]:
        """The `for ... in ... if ...` parts for reading ahead, as far as no call is needed for them."""
        made: list[ast.comprehension] = []
        for place, one in enumerate(given):
            if scan.closed or scan.calls:
                raise Noisy
            iterable = guard("solid", reading.copy(one.iter)) if place else ast.Name("@items", ast.Load())
            part = ast.comprehension(_copy_target(one.target), iterable, [], 0)
            made.append(part)
            for test in one.ifs:
                if not scan.closed:
                    try:
                        part.ifs.append(reading.copy(test))
                        continue
                    except Impure:
                        pass
                scan.expression(test, scan.closed)
                scan.closed = True
        return made

    def _source(self, node: ast.expr, changing: set[str]) -> tuple[str, list[ast.expr]]:
        """How the items are made (`enumerate`, `zip`, `reversed` or nothing), and of what."""
        if any(isinstance(part, ast.Name) and part.id in changing for part in ast.walk(node)):
            raise Noisy
        if isinstance(node, ast.Call) and self.context.is_builtin(node.func, _VIEWS) and not node.keywords:
            assert isinstance(node.func, ast.Name)
            most = 9 if node.func.id == "zip" else 1
            if 0 < len(node.args) <= most and not any(isinstance(one, ast.Starred) for one in node.args):
                return node.func.id, list(node.args)
        return "", [node]

    def _planned(
        self, node: ast.expr, source: tuple[str, list[ast.expr]], wanted: ast.expr,
        generators: list[ast.comprehension], alone: int, inside: bool,
    ) -> ast.expr:  # fmt: skip
        """The iterable with its plan."""
        kind, sources = source
        names = [f"@source{place}" for place in range(len(sources))]
        loads: list[ast.expr] = [ast.Name(name, ast.Load()) for name in names]
        view = ast.Call(ast.Name(kind, ast.Load()), loads, []) if kind else loads[0]
        look = ast.Lambda(_arguments("@items"), ast.GeneratorExp(wanted, generators))
        made = guard(
            "loop", ast.Tuple(sources, ast.Load()), ast.Lambda(_arguments(*names), view), look,
            ast.Constant(alone), ast.Constant(inside),
        )  # fmt: skip
        return ast.copy_location(made, node)


def _head(node: ast.stmt) -> ast.expr | None:
    """What a statement with a body, or a return, evaluates first and for certain."""
    if isinstance(node, ast.If):
        return node.test
    if isinstance(node, ast.For):
        return node.iter
    return node.value if isinstance(node, ast.Return) else None


def _take(calls: Sequence[ast.Call], plan: str) -> None:
    """Let calls take their results from a plan."""
    for call in calls:
        call.args = [ast.Name(plan, ast.Load()), call.func, *call.args]
        call.func = ast.copy_location(ast.Name("@take", ast.Load()), call)


def _with_plan(name: str, target: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Tuple([ast.Name(name, ast.Store()), target], ast.Store()), target)


def _is_plain_target(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_is_plain_target(part) for part in node.elts)
    return isinstance(node, ast.Name)


def _copy_target(node: ast.expr) -> ast.expr:
    if isinstance(node, (ast.Tuple, ast.List)):
        return ast.Tuple([_copy_target(part) for part in node.elts], ast.Store())
    assert isinstance(node, ast.Name)
    return ast.Name(node.id, ast.Store())


def _arguments(*names: str) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def _bindings(statements: Sequence[ast.stmt], name: str) -> int:
    return sum(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for one in statements for node in ast.walk(one)
    )  # fmt: skip


def _has_plain_keys(node: Any) -> bool:
    """Whether the keys of a dict comprehension are the items of the loop, or text."""
    return isinstance(node, ast.DictComp) and isinstance(node.key, (ast.Name, ast.Constant, ast.JoinedStr))


__all__ = ["COMPREHENSIONS", "has_read_only_calls", "overlap"]
