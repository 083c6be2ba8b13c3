"""What is plain from one look at a whole program: the names that it binds, and how often."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LEAVING = (ast.Return, ast.Yield, ast.YieldFrom)
"""What gives control back to the caller of a function."""


class Facts:
    """Collected in one walk; `size` is the number of nodes."""

    __slots__ = ("bound", "declared", "imports", "leaves", "modules", "size", "tree", "uses")

    def __init__(self, tree: ast.Module, most: int) -> None:
        self.tree = tree
        self.size = 0
        self.bound: dict[str, int] = {}
        """Every name that is bound anywhere, in whatever scope, and how often."""
        self.declared: set[str] = set()
        """Names in `global` and `nonlocal` statements."""
        self.imports: dict[str, int] = {}
        """Modules bound under their own names, and how often."""
        self.modules: dict[str, str] = {}
        """Names that stand for a module by an `import` -> that module."""
        self.uses: set[str] = set()
        """Names that are read somewhere."""
        self.leaves = False
        """Whether there is a `return` or a `yield` anywhere."""
        waiting: list[Any] = [tree]
        for node in waiting:  # which grows on the way
            if self.size > most:
                return
            kind = type(node)
            self.size += 1
            if kind is ast.Constant:
                continue
            if kind is ast.Name:
                self.size += 1  # its context
                if type(node.ctx) is ast.Load:
                    self.uses.add(node.id)
                else:
                    _count(self.bound, node.id)
                continue
            if kind in _NOTED:
                self._note(node)
            for part in node.__dict__.values():
                kind = type(part)
                if kind is list:
                    waiting += [one for one in part if isinstance(one, ast.AST)]
                elif kind is not int and kind is not str and isinstance(part, ast.AST):
                    waiting.append(part)

    def keeps(self, name: str) -> bool:
        """Whether a name of the sandbox's own still means what it meant: nothing but an import of it binds it."""
        return self.bound.get(name) == self.imports.get(name)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, LEAVING):
            self.leaves = True
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            self.declared.update(node.names)
        elif isinstance(node, ast.Import):
            for one in node.names:
                self.modules[one.asname or one.name.split(".")[0]] = one.name if one.asname else one.name.split(".")[0]
                if one.asname in (None, one.name):
                    _count(self.imports, one.name)
        else:
            for name in _own_names(node):
                _count(self.bound, name)


def _count(names: dict[str, int], name: str) -> None:
    names[name] = names.get(name, 0) + 1


_NOTED = frozenset({
    *LEAVING,
    ast.arg, ast.alias, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs,
    ast.MatchStar, ast.MatchMapping, ast.Global, ast.Nonlocal, ast.Import,
})


def _own_names(node: ast.AST) -> list[str]:
    """Names that a node binds by a plain string."""
    if isinstance(node, ast.alias):
        return [(node.asname or node.name).split(".")[0]]
    if isinstance(node, ast.arg):
        return [node.arg]
    name = node.rest if isinstance(node, ast.MatchMapping) else getattr(node, "name", None)
    return [name] if isinstance(name, str) else []


def bound_by(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that `nodes` bind in their own scope: not what is local to functions, classes and comprehensions."""
    names: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if type(node.ctx) is not ast.Load:
                names.add(node.id)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Lambda, *COMPREHENSIONS)):
            inner = (part.target for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
            names.update(target.id for target in inner)
        else:
            names.update(_own_names(node))
            stack.extend(ast.iter_child_nodes(node))
    return names


def contains(nodes: Iterable[ast.AST], kinds: tuple[type[ast.AST], ...]) -> bool:
    """Whether a node of `kinds` is executed with `nodes`: the insides of functions, classes and lambdas do not count."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, kinds):
            return True
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))
    return False
