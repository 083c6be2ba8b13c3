"""Imports of programs: they bind names to namespaces of the sandbox, and never load anything."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any

from .match import MatchPolicy
from .placing import at

_LOAD = ast.Load()
_OWN = (ast.Constant, ast.Name)
ASYNC_STARTERS = frozenset({"gather", "create_task", "ensure_future", "wait_for", "run", "wait", "as_completed"})
_REMEDIES = {
    "os": "use the files tools", "sys": "it is not needed here", "glob": "use files.find", "shutil": "use the files tools",
    "subprocess": "no processes here", "random": "programs are repeatable, so there is no randomness",
    "secrets": "programs are repeatable, so there is no randomness", "uuid": "programs are repeatable; count instead",
    "zoneinfo": "use the clock tools", "logging": "use print", "requests": "use a tool that fetches",
    "httpx": "use a tool that fetches", "pandas": "use the tables tools, or lists of dicts",
    "threading": "use asyncio.gather to overlap calls", "traceback": "print the error itself",
}


class ImportPolicy(MatchPolicy):
    """Turns import statements into assignments."""

    def __init__(self, modules: Collection[str]) -> None:
        super().__init__()
        self.modules = modules
        self._asyncio_names = {"asyncio"}
        self._starters: set[str] = set()
        self._trying = 0

    def _guard(self, node: ast.AST, guard: str, *arguments: ast.expr) -> ast.Call:
        """A call of one of the sandbox's own functions, by a name that no program can write."""
        for argument in arguments:
            if type(argument) in _OWN and "lineno" not in argument.__dict__:
                at(argument, node)
        call = ast.Call(at(ast.Name(f"@{guard}", _LOAD), node), list(arguments), [])
        return at(call, node)

    def visit_Import(self, node: ast.Import) -> Any:
        """`import json as j` becomes `j = @import("json")`."""
        made: list[ast.stmt] = []
        for alias in node.names:
            self._check_module(node, alias.name)
            name = alias.asname or alias.name.split(".")[0]
            self.check_name(node, name)
            whole = alias.name if alias.asname else name
            if whole == "asyncio":
                self._asyncio_names.add(name)
            made.append(self._assign(node, name, self._guard(node, "import", ast.Constant(whole))))
        return made

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """`from re import sub` becomes `sub = @import("re", "sub")`."""
        if node.level:
            self.error(node, "relative imports are not available in programs")
        self._check_module(node, node.module or "")
        made: list[ast.stmt] = []
        for alias in node.names:
            if alias.name == "*":
                self.error(node, "import the names you need instead of *")
            name = alias.asname or alias.name
            self.check_name(node, alias.name)
            self.check_name(node, name)
            if node.module == "asyncio" and alias.name in ASYNC_STARTERS:
                self._starters.add(name)
            call = self._guard(node, "import", ast.Constant(node.module or ""), ast.Constant(alias.name))
            made.append(self._assign(node, name, call))
        return made

    def _check_module(self, node: ast.AST, name: str) -> None:
        if name not in self.modules and not self._trying:
            remedy = _REMEDIES.get(name.split(".")[0], "use tools instead")
            known = ", ".join(sorted(one for one in self.modules if "." not in one))
            self.error(node, f"the module {name!r} is not available: {remedy}; there are {known}")

    def _assign(self, node: ast.AST, name: str, value: ast.expr) -> ast.stmt:
        target = at(ast.Name(name, ast.Store()), node)
        return at(ast.Assign(targets=[target], value=value), node)
