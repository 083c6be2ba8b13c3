"""Does the answer come from what tools returned? Follows values through the programs of an episode, without running them.

A value is grounded when it was computed from the result of a call, chosen under a condition on one, or written down after
the policy had read it in an earlier result. `answer("done")` is grounded when a call before it succeeded.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from typing import Any

from .facts import Facts

_WORDS_OF_ACTION = ("done", "ok", "okay", "finished", "completed", "success", "yes", "true")
_MUTATING = ("append", "add", "extend", "update", "insert", "setdefault")


def grounded(facts: Facts) -> float:
    """1.0 where the answer rests on results, else 0.0."""
    if facts.gave_up:
        return float(facts.searches > 0 or any(call.ok is False for call in facts.calls))
    if not facts.answered:
        return 0.0
    if _only_says_done(facts.answer):
        return float(bool(facts.effects or facts.done))
    tools = {call.tool for call in facts.done}
    return float(bool(tools) and (_follows(facts, tools) or _was_read(facts)))


def _only_says_done(answer: Any) -> bool:
    return answer is True or answer is None or (isinstance(answer, str) and answer.strip(" .!").lower() in _WORDS_OF_ACTION)


def _follows(facts: Facts, tools: set[str]) -> bool:
    """Whether the last answer of the programs depends on a call."""
    flow = _Flow(tools)
    for turn in facts.record.turns:
        tree = _parsed(turn.program)
        if tree is not None and turn.status in ("ok", "error"):
            flow.run(tree)
    return flow.answered


def _parsed(program: str | None) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(program or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _was_read(facts: Facts) -> bool:
    """Whether every part of the answer stood in something that a tool returned before the last turn."""
    leaves = [leaf for leaf in _leaves(facts.answer) if leaf]
    last = facts.record.turns[-1].turn if facts.record.turns else 0
    heard = " ".join(turn.result_text or "" for turn in facts.record.turns if turn.turn < last)
    return bool(leaves) and all(leaf in heard for leaf in leaves)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value.strip() if isinstance(value, str) else json.dumps(value, default=str)


class _Flow:
    """Names whose values depend on calls, over programs that share their variables."""

    def __init__(self, tools: set[str]) -> None:
        self.tools = tools
        self.tainted: set[str] = set()
        self.answered = False
        """Whether the last `answer(...)` that was seen depends on a call."""

    def run(self, tree: ast.Module) -> None:
        """Follow one program; twice, because a loop carries values back."""
        for _ in range(2):
            self._block(tree.body, under=False)

    def _block(self, body: list[ast.stmt], *, under: bool) -> None:
        for statement in body:
            self._statement(statement, under)

    def _statement(self, node: ast.stmt, under: bool) -> None:
        if isinstance(node, ast.If | ast.While):
            inside = under or self.depends(node.test)
            self._look(node.test, under)
            self._block(node.body, under=inside)
            self._block(node.orelse, under=inside)
        elif isinstance(node, ast.For):
            inside = under or self.depends(node.iter)
            if self.depends(node.iter):
                self._taint(node.target)
            self._look(node.iter, under)
            self._block(node.body, under=inside)
            self._block(node.orelse, under=inside)
        elif isinstance(node, ast.Try):
            inside = under or any(self.depends(part) for statement in node.body for part in ast.iter_child_nodes(statement))
            for block in (node.body, node.orelse, node.finalbody):
                self._block(block, under=under)
            for handler in node.handlers:
                if inside and handler.name:
                    self.tainted.add(handler.name)
                self._block(handler.body, under=inside)
        elif isinstance(node, ast.With):
            self._block(node.body, under=under)
        elif isinstance(node, ast.FunctionDef):
            self._block(node.body, under=under)
            if any(self.depends(part.value) for part in ast.walk(node) if isinstance(part, ast.Return) and part.value):
                self.tainted.add(node.name)
        else:
            self._simple(node, under)

    def _simple(self, node: ast.stmt, under: bool) -> None:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            depends = under or self.depends(node.value)
            for target in targets:
                if depends:
                    self._taint(target)
                elif isinstance(target, ast.Name) and not isinstance(node, ast.AugAssign):
                    self.tainted.discard(target.id)
        self._look(node, under)

    def _look(self, node: ast.AST, under: bool) -> None:
        """Named expressions, changes of containers, and answers inside an expression."""
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr) and self.depends(part.value):
                self._taint(part.target)
            if not isinstance(part, ast.Call):
                continue
            given = [*part.args, *(keyword.value for keyword in part.keywords)]
            if isinstance(part.func, ast.Name) and part.func.id == "answer":
                self.answered = under or any(self.depends(one) for one in given)
            if (
                isinstance(part.func, ast.Attribute)
                and part.func.attr in _MUTATING
                and (under or any(self.depends(one) for one in given))
            ):
                self._taint(part.func.value)

    def _taint(self, target: ast.expr) -> None:
        for part in ast.walk(target):
            if isinstance(part, ast.Name):
                self.tainted.add(part.id)

    def depends(self, node: ast.AST) -> bool:
        """Whether a value can depend on the result of a call."""
        return any(
            (isinstance(part, ast.Name) and part.id in self.tainted)
            or (
                isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)
                and f"{part.value.id}.{part.attr}" in self.tools
            )
            for part in ast.walk(node)
        )  # fmt: skip
