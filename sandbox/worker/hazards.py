"""Ways in which a program could hide a call of a tool from the compiler; where there is one, nothing is sent ahead."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .facts import FUNCTIONS
from .guards import Members
from .quiet import BUILTIN_METHODS, EAGER, Context
from .tools import Tool

_LAZY_FIRST = frozenset({"map", "filter", "starmap", "takewhile", "dropwhile", "filterfalse", "defaultdict"})
_LAZY_REST = frozenset({"groupby", "accumulate", "iter"})
"""What they make calls their first argument, or one of the others, later."""
_LAZY = _LAZY_FIRST | _LAZY_REST
_MAKERS = frozenset({"setattr", "property", "cached_property"})
"""With them, reading an attribute may run a function of the program."""
_PLAIN_METHODS = frozenset({"__init__", "__post_init__"})
_REACHING = frozenset({"getattr", "attrgetter", "methodcaller"})
"""They take a method of an object without its name being written as an attribute."""


def hides_calls(tree: ast.Module, context: Context, noisy: set[str]) -> bool:
    """Whether a value of the program may call a tool when it is looked at, iterated over, compared or shown.

    Such values live on in variables, so the answer holds for all later programs of the worker, too. `noisy` are the names
    of functions and methods that may call a tool, of earlier programs, too; those of this one are added.

    A function that may call a tool must be called where it is named, and nowhere else: whoever is handed it (`re.sub`,
    `iter`, `heapq.merge`, an exit stack, ...) may call it later, where no call is to be seen.
    """
    noisy |= {node.name for node in ast.walk(tree) if isinstance(node, FUNCTIONS) and _is_noisy(node.body, context)}
    look = _Look(context, noisy, *_places(tree, context))
    return any(_hides(node, look) for node in ast.walk(tree))


class _Look(NamedTuple):
    """What one look through a program goes by."""

    context: Context
    noisy: set[str]
    called: set[int]
    direct: set[int]

    def hands_on(self, node: ast.Name | ast.Attribute, name: str) -> bool:
        """Whether a function that may call a tool is named, and not called."""
        if not self.noisy or not isinstance(node.ctx, ast.Load):
            return False
        return name in _REACHING or (name in self.noisy and id(node) not in self.called and id(node) not in self.direct)


def calls_in_try(tree: ast.Module, context: Context) -> bool:
    """Whether functions of the program may be called inside a `try` or a `with`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Try, ast.With)):
            inside = (call for part in node.body for call in ast.walk(part) if isinstance(call, ast.Call))
            if any(context.tool(call) is None and not context.is_quiet_call(call) for call in inside):
                return True
    return False


def _places(tree: ast.Module, context: Context) -> tuple[set[int], set[int]]:
    """Nodes that are called as they stand, and nodes whose items or results are taken at once."""
    called: set[int] = set()
    direct: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called.add(id(node.func))
            if isinstance(node.func, ast.Attribute) and context.tool(node) is not None:
                called.add(id(node.func.value))
            if is_eager(node, context):
                direct.update(id(part) for part in node.args[:1])
                direct.update(_callback(part, context) for part in node.args[:1])
                direct.update(id(one.value) for one in node.keywords if one.arg == "key")
            if isinstance(node.func, ast.Attribute) and node.func.attr == "sort":
                direct.update(id(one.value) for one in node.keywords)
        elif isinstance(node, ast.For):
            direct |= {id(node.iter), _callback(node.iter, context)}
        elif isinstance(node, ast.Attribute):
            direct.add(id(node.value))
    return called, direct


def _callback(node: ast.expr, context: Context) -> int:
    """The function of a `map` or `filter` whose items are taken at once."""
    if isinstance(node, ast.Call) and node.args and context.is_builtin(node.func, ("map", "filter")):
        return id(node.args[0])
    return 0


def is_eager(node: ast.Call, context: Context) -> bool:
    """Whether a call takes all items of its first argument at once, and keeps no hold of it."""
    if context.is_builtin(node.func, EAGER | {"any", "all"}):
        return True
    function = node.func
    return isinstance(function, ast.Attribute) and function.attr == "join" and isinstance(function.value, ast.Constant)


def _hides(node: ast.AST, look: _Look) -> bool:
    context, _, called, direct = look
    if isinstance(node, (ast.Name, ast.Attribute)) and look.hands_on(node, _named(node)):
        return True
    if isinstance(node, ast.Name):
        if node.id in _MAKERS or (node.id in _LAZY and id(node) not in called and isinstance(node.ctx, ast.Load)):
            return True
        found = context.fixed(node)
        if node.id in context.facts.modules or (type(found) is Members and found.kind == "module"):
            return id(node) not in direct and isinstance(node.ctx, ast.Load)
        is_tool = type(found) is Tool or (type(found) is Members and found.kind == "server")
        return is_tool and id(node) not in called
    if isinstance(node, ast.Attribute):
        if node.attr in _MAKERS or (node.attr in _LAZY and id(node) not in called):
            return True
        tool = context.tool(ast.Call(node, [], []))
        hides_method = node.attr in BUILTIN_METHODS and not isinstance(node.ctx, ast.Load)
        return hides_method or (tool is not None and id(node) not in called)
    if isinstance(node, ast.alias):
        return node.name in _MAKERS or (node.asname is not None and node.name in _LAZY)
    if isinstance(node, ast.ClassDef):
        return not all(_is_plain_member(part, context) for part in node.body)
    if isinstance(node, ast.Lambda):
        return id(node) not in direct and _is_noisy([node.body], context)
    if isinstance(node, ast.GeneratorExp):
        return id(node) not in direct and _is_noisy([node], context)
    if isinstance(node, FUNCTIONS):
        inside = any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(node))
        return (inside or bool(node.decorator_list)) and _is_noisy(node.body, context)
    return isinstance(node, ast.Call) and id(node) not in direct and _is_lazy(node, context)


def _is_lazy(node: ast.Call, context: Context) -> bool:
    """Whether a call makes something that may call a function of the program later."""
    function = node.func
    name = function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    if name == "namedtuple":
        return not _has_plain_fields(node)
    if name in _LAZY_FIRST:
        return not all(context.is_callback(one) for one in node.args[:1])
    rest = [*node.args[1:], *(one.value for one in node.keywords)]
    return name in _LAZY_REST and not all(context.is_callback(one) for one in rest)


def _has_plain_fields(node: ast.Call) -> bool:
    """Whether no field of a named tuple can be taken for a method of the sandbox's own types."""
    given = node.args[1] if len(node.args) > 1 else None
    words = [given] if isinstance(given, ast.Constant) else given.elts if isinstance(given, (ast.List, ast.Tuple)) else []
    texts = [one.value for one in words if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    names = {name for text in texts for name in text.replace(",", " ").split()}
    return bool(words) and len(texts) == len(words) and names.isdisjoint(BUILTIN_METHODS)


def _is_noisy(nodes: Sequence[ast.AST], context: Context) -> bool:
    calls: Iterator[ast.Call] = (part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Call))
    return any(
        context.tool(call) is not None or not (context.is_quiet_call(call) or _is_super(call.func)) for call in calls
    )


def _named(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _is_super(function: ast.expr) -> bool:
    """`super`, or `super().__init__`: what that does, the class above says."""
    if isinstance(function, ast.Attribute) and function.attr == "__init__" and isinstance(function.value, ast.Call):
        function = function.value.func
    return isinstance(function, ast.Name) and function.id == "super"


def _is_plain_member(node: ast.stmt, context: Context) -> bool:
    """Members of a class that can run no code behind the program's back."""
    if isinstance(node, ast.FunctionDef):
        if node.name in _PLAIN_METHODS:
            return not _is_noisy(node.body, context)
        return not node.name.startswith("__") and node.name not in BUILTIN_METHODS and not node.decorator_list
    if isinstance(node, ast.Assign):
        names = [one.id for one in node.targets if isinstance(one, ast.Name)]
        return len(names) == len(node.targets) and not any(one in BUILTIN_METHODS or one[:2] == "__" for one in names)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and node.target.id not in BUILTIN_METHODS
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))

