"""Finds what is certain to fail, before anything of a program has run.

Only code that every run of the program reaches is judged: not the branches of an `if`, not the body of a loop that may
be empty, nothing inside a `try`, no function that is not certainly called. So a program that would have run well is never
refused. The words are those of the errors that the program would have met.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from .facts import COMPREHENSIONS, FUNCTIONS, LEAVING, Facts, Function, bound_by, contains
from .guards import Members, guarded_getattr
from .literals import misfit
from .policy import MESSAGE_CHARS, Refusal
from .tools import Tool

_SHOWN_PROBLEMS = 3
_DEPTH = 8


class Known(NamedTuple):
    """What exists before the program begins."""

    table: Mapping[str, Any]
    """Builtins, modules and tools."""
    variables: Collection[str]
    """Names that earlier programs left."""
    meant: Callable[[str], str]
    """`; did you mean ...` for an unknown name."""


class _Scope:
    """Names that may be bound by now; `own` are the names local to a function, None for the program itself."""

    __slots__ = ("maybe", "outer", "own")

    def __init__(self, own: frozenset[str] | None, outer: _Scope | None) -> None:
        self.own, self.outer = own, outer
        self.maybe: set[str] = set()


def check(facts: Facts, known: Known) -> Refusal | None:
    """The first problem that every run of the program meets, followed by those after it; None where there is none."""
    if not facts.uses:  # every problem is one of a name
        return None
    checker = _Checker(facts, known)
    checker.block(facts.tree.body, _Scope(None, None))
    found = checker.found
    if not found:
        return None
    first = min(found, key=lambda one: one.line or 0)
    others = [one for one in sorted(found, key=lambda one: one.line or 0) if one is not first][: _SHOWN_PROBLEMS - 1]
    text = "; ".join([first.message, *(f"line {one.line}: {one.message}" for one in others)])
    return Refusal(first.type, text[:MESSAGE_CHARS], first.line)


class _Checker:
    def __init__(self, facts: Facts, known: Known) -> None:
        self.facts, self.known = facts, known
        self.found: list[Refusal] = []
        self._functions: dict[str, Function] = {}
        self._entered: set[str] = set()
        self._told: set[str] = set()

    def _problem(self, node: ast.AST, kind: str, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.found.append(Refusal(kind, text, getattr(node, "lineno", None)))

    # -- statements

    def block(self, statements: Iterable[ast.stmt], scope: _Scope) -> bool:
        """Judge statements in order; False where what follows the block may not be reached."""
        for statement in statements:
            certain = self._statement(statement, scope)
            if self.facts.bound:
                scope.maybe |= bound_by([statement])
            if not certain:
                return False
        return True

    def _statement(self, node: ast.stmt, scope: _Scope) -> bool:
        """Judge one statement; False where the next may not be reached although all goes well."""
        if isinstance(node, FUNCTIONS):
            self._expressions([*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)], scope)
            if scope.outer is None and self.facts.bound[node.name] == 1 and not node.decorator_list:
                self._functions[node.name] = node
            return True
        if isinstance(node, ast.ClassDef):
            self._expressions([*node.decorator_list, *node.bases], scope)
            return True
        if isinstance(node, (ast.If, ast.While, ast.For, ast.With, ast.Try, ast.Match)):
            return self._compound(node, scope) and not _leaves([node])
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            self._assignment(node, scope)
            return True
        if isinstance(node, (ast.Expr, ast.Return, ast.Raise, ast.Assert, ast.Delete)):
            self._expressions([node.test] if isinstance(node, ast.Assert) else ast.iter_child_nodes(node), scope)
            leaves = self.facts.leaves and contains([node], LEAVING)
            return not isinstance(node, (ast.Return, ast.Raise)) and not leaves
        return isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal))

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: _Scope) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._name(node.target, scope)
        if node.value is not None:
            self.expression(node.value, scope)
            self._expressions(targets, scope)

    def _compound(self, node: ast.stmt, scope: _Scope) -> bool:
        """The parts of a statement with a body that are certainly executed."""
        if isinstance(node, (ast.If, ast.While)):
            self.expression(node.test, scope)
        elif isinstance(node, ast.For):
            self.expression(node.iter, scope)
            if _has_items(node.iter):
                scope.maybe |= bound_by([node.target])
                self.block(node.body, scope)
        elif isinstance(node, ast.With):
            self.expression(node.items[0].context_expr, scope)
        elif isinstance(node, ast.Match):
            self.expression(node.subject, scope)
        elif isinstance(node, ast.Try) and not node.handlers and not _leaves(node.finalbody):
            return self.block(node.body, scope)
        return True

    # -- expressions

    def _expressions(self, nodes: Iterable[ast.AST], scope: _Scope) -> None:
        for node in nodes:
            if isinstance(node, ast.expr):
                self.expression(node, scope)

    def expression(self, node: ast.expr, scope: _Scope) -> None:
        """The parts of an expression that are certainly evaluated, in the order of their evaluation."""
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                self._name(node, scope)
        elif isinstance(node, ast.Attribute):
            self.expression(node.value, scope)
            self._member(node, scope)
        elif isinstance(node, ast.Call):
            self._expressions([node.func, *node.args, *(one.value for one in node.keywords)], scope)
            self._call(node, scope)
        elif isinstance(node, ast.Await):
            self.expression(node.value, scope)
            self._await(node.value, scope)
        elif isinstance(node, ast.BoolOp):
            self.expression(node.values[0], scope)
        elif isinstance(node, ast.IfExp):
            self.expression(node.test, scope)
        elif isinstance(node, ast.Compare):
            self._expressions([node.left, node.comparators[0]], scope)
        elif isinstance(node, COMPREHENSIONS):
            self._comprehension(node, scope)
        elif isinstance(node, ast.NamedExpr):
            self.expression(node.value, scope)
            scope.maybe.add(node.target.id)
        elif not isinstance(node, ast.Lambda):
            self._expressions(ast.iter_child_nodes(node), scope)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: _Scope
    ) -> None:
        first = node.generators[0]
        self.expression(first.iter, scope)
        if isinstance(node, ast.GeneratorExp) or len(node.generators) > 1 or not _has_items(first.iter):
            return
        inner = _Scope(frozenset(bound_by([first.target])), scope)
        inner.maybe |= inner.own or frozenset()
        if first.ifs:
            self.expression(first.ifs[0], inner)
        else:
            self._expressions([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)

    # -- names

    def _name(self, node: ast.Name, scope: _Scope) -> None:
        name = node.id
        at: _Scope | None = scope
        while at is not None and (at.own is None or name not in at.own):
            at = at.outer if at.own is not None else None
        if at is not None:
            if at is scope and name not in at.maybe and name not in self.facts.declared:
                text = f"cannot access local variable '{name}' where it is not associated with a value"
                self._problem(node, "UnboundLocalError", text)
            return
        if self._defined(name, scope):
            return
        near = get_close_matches(name, [one for one in self.facts.bound if one != name], 1, 0.75)
        meant = f"; did you mean '{near[0]}'?" if near else self.known.meant(name)
        self._problem(node, "NameError", f"name '{name}' is not defined{meant}")

    def _defined(self, name: str, scope: _Scope) -> bool:
        """Whether a global name may have a value by now."""
        if name in self.known.table or name in self.known.variables or name in self.facts.declared or name[:2] == "__":
            return True
        at: _Scope | None = scope
        while at is not None:
            if name in at.maybe:
                return True
            at = at.outer
        return False

    def _fixed(self, node: ast.expr, scope: _Scope) -> Any:
        """What a name of the sandbox's own stands for; None where the program may have given it another meaning."""
        if not isinstance(node, ast.Name) or not self.facts.keeps(node.id) or node.id in self.known.variables:
            return None
        return self.known.table.get(node.id)

    def _member(self, node: ast.Attribute, scope: _Scope) -> None:
        owner = self._fixed(node.value, scope)
        if type(owner) is Members and isinstance(node.ctx, ast.Load) and node.attr[:1] != "_":
            try:
                guarded_getattr(owner, node.attr)
            except AttributeError as error:
                self._problem(node, "AttributeError", str(error))

    # -- calls

    def _call(self, node: ast.Call, scope: _Scope) -> None:
        tool = self._tool(node.func, scope)
        if tool is not None:
            self._arguments(node, tool)
        elif isinstance(node.func, ast.Name):
            self._enter(node.func.id, scope, ast.FunctionDef)
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "run" and node.args:
            owner = self._fixed(node.func.value, scope)
            if type(owner) is Members and owner.name == "asyncio":
                self._await(node.args[0], scope)

    def _await(self, node: ast.expr, scope: _Scope) -> None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            self._enter(node.func.id, scope, ast.AsyncFunctionDef)

    def _tool(self, function: ast.expr, scope: _Scope) -> Tool | None:
        found = self._fixed(function, scope)
        if isinstance(function, ast.Attribute):
            owner = self._fixed(function.value, scope)
            found = owner.members.get(function.attr) if type(owner) is Members else None
        return found if type(found) is Tool else None

    def _arguments(self, node: ast.Call, tool: Tool) -> None:
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            return
        keywords = {one.arg: one.value for one in node.keywords if one.arg is not None}
        try:
            tool.bind(("",) * len(node.args), dict.fromkeys(keywords, ""))
        except TypeError as error:
            self._problem(node, "TypeError", str(error))
            return
        if tool.variadic is not None:
            return
        given = dict(zip(tool.parameters, node.args, strict=False)) | keywords
        for name, value in given.items():
            wanted = tool.types.get(name)
            optional = name not in tool.parameters[: tool.required]
            if wanted is None or (optional and isinstance(value, ast.Constant) and value.value is None):
                continue
            wrong = misfit(value, wanted)
            if wrong is not None:
                self._problem(node, "ToolError", f"{tool.name}: parameter {name + wrong[0]!r}: {wrong[1]}")
                return

    def _enter(self, name: str, scope: _Scope, kind: type[Function]) -> None:
        """Judge the body of a function that is certainly called, once."""
        function = self._functions.get(name)
        if type(function) is not kind or name in self._entered or len(self._entered) >= _DEPTH:
            return
        assert function is not None
        if contains(function.body, (ast.Yield, ast.YieldFrom)):
            return
        self._entered.add(name)
        arguments = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
        declared = {one for node in ast.walk(function) if isinstance(node, (ast.Global, ast.Nonlocal)) for one in node.names}
        at = scope
        while at.outer is not None:
            at = at.outer
        inner = _Scope(frozenset((bound_by(function.body) | arguments) - declared), at)
        inner.maybe |= arguments
        self.block(function.body, inner)


def _leaves(statements: Iterable[ast.stmt], in_loop: bool = False) -> bool:
    """Whether what follows may be skipped although nothing fails: a return, or a jump out of a loop around it."""
    for node in statements:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        if isinstance(node, (ast.Break, ast.Continue)):
            return not in_loop
        if isinstance(node, ast.Return):
            return True
        inside = in_loop or isinstance(node, (ast.For, ast.While))
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr) and contains([part], LEAVING):
                return True
        for body in _bodies(node):
            if _leaves(body, inside):
                return True
    return False


def _bodies(node: ast.stmt) -> Iterable[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(node, name, [])
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _has_items(node: ast.expr) -> bool:
    """Whether something that is iterated over certainly has items."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return any(not isinstance(item, ast.Starred) for item in node.elts)
    if isinstance(node, ast.Dict):
        return any(key is not None for key in node.keys)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)
