"""Which expressions can be evaluated ahead of the program, and which can be passed over while calls are under way.

*Pure* ones have no effect and depend on nothing that changes meanwhile: they are evaluated twice, ahead and in their place.
*Quiet* ones make no call of a tool and call no function of the program: what they do, they do in their place only.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import Any

from .ahead import PURE_METHODS
from .facts import Facts
from .guards import METHODS, Members
from .tools import Tool

PURE_BUILTINS = frozenset(
    "abs bool chr divmod enumerate float int len list max min ord range repr reversed round sorted str sum tuple zip".split()
)
QUIET_BUILTINS = PURE_BUILTINS | frozenset(
    "all any answer ascii bin bytes callable complex dict filter format frozenset hash hex isinstance issubclass iter map "
    "next oct pow print set slice type".split()
)
EAGER = frozenset("dict frozenset list max min set sorted sum tuple".split())
"""They take all items of their first argument at once."""
CALLBACKS = frozenset({"map", "filter", "iter"})
"""Their first argument is called."""
CALLBACK_KEYWORDS = frozenset({"key", "default", "func", "function", "repl", "default_factory", "file", "predicate"})
QUIET_MODULES = frozenset({"json", "re", "math", "statistics", "datetime", "string", "textwrap", "collections"})
_LATER = frozenset({
    "callback", "close", "default_factory", "deleter", "enter_context", "getter", "setter", "writeheader", "writerow",
    "writerows", "write", "writelines",
})
"""Methods that may call functions of the program which they were given earlier."""
BUILTIN_METHODS = frozenset().union(*METHODS.values()) - _LATER | {"format", "format_map"}
MUTATORS = frozenset(
    "add append appendleft clear difference_update discard extend extendleft insert intersection_update move_to_end pop "
    "popitem popleft remove reverse rotate setdefault sort subtract symmetric_difference_update update send close".split()
)
_PURE_METHODS = frozenset().union(*PURE_METHODS.values())
_MOST_NODES = 300


class Impure(Exception):
    """The expression cannot be evaluated ahead."""


class Context:
    """What the names of a program stand for."""

    def __init__(self, facts: Facts, table: Mapping[str, Any], hidden: Collection[str]) -> None:
        """`hidden` are names that variables of earlier programs have taken."""
        self.facts, self._table, self._hidden = facts, table, hidden

    def fixed(self, node: ast.AST) -> Any:
        """The sandbox's own object that a name stands for; None where the program may have given it another meaning."""
        if not isinstance(node, ast.Name) or not self.facts.keeps(node.id) or node.id in self._hidden:
            return None
        return self._table.get(node.id)

    def tool(self, node: ast.AST) -> Tool | None:
        """The tool that a call calls."""
        if not isinstance(node, ast.Call):
            return None
        found = self.fixed(node.func)
        if isinstance(node.func, ast.Attribute):
            owner = self.fixed(node.func.value)
            found = owner.members.get(node.func.attr) if type(owner) is Members else None
        return found if type(found) is Tool else None

    def is_builtin(self, node: ast.AST, names: Collection[str]) -> bool:
        """Whether a name means the builtin of that name."""
        return isinstance(node, ast.Name) and node.id in names and self.fixed(node) is not None

    def is_module(self, node: ast.AST) -> bool:
        """Whether a name means one of the modules whose functions call nothing but what they are given."""
        if isinstance(node, ast.Name) and self.facts.modules.get(node.id) in QUIET_MODULES:
            return self.facts.bound.get(node.id) == 1 and node.id not in self._hidden
        found = self.fixed(node)
        return type(found) is Members and found.kind == "module" and found.name in QUIET_MODULES

    def is_callback(self, node: ast.expr) -> bool:
        """Whether something that will be called is plainly harmless, its own calls not counted where it is a lambda."""
        if isinstance(node, (ast.Lambda, ast.Constant, ast.JoinedStr)) or self.is_builtin(node, QUIET_BUILTINS):
            return True
        return isinstance(node, ast.Attribute) and self.is_builtin(node.value, ("str", "dict", "list"))

    def is_quiet_call(self, node: ast.Call) -> bool:
        """Whether calling (arguments apart) makes no call of a tool and calls no function of the program."""
        function = node.func
        for one in node.keywords:
            if one.arg is None:
                if not self.is_builtin(function, ("dict",)) and getattr(function, "attr", "") not in _TAKING_ANY:
                    return False
            elif one.arg in CALLBACK_KEYWORDS and not self.is_callback(one.value):
                return False
        if isinstance(function, ast.Name):
            if not self.is_builtin(function, QUIET_BUILTINS):
                return False
            return function.id not in CALLBACKS or (bool(node.args) and self.is_callback(node.args[0]))
        if not isinstance(function, ast.Attribute):
            return False
        if self.is_module(function.value):
            return self._calls_nothing(node, _CALLING.get(function.attr))
        if isinstance(function.value, ast.Name) and function.value.id in self.facts.modules:
            return False
        if function.attr not in BUILTIN_METHODS or type(self.fixed(function.value)) is Members:
            return False
        if function.attr == "replace" and len(node.args) == 1:  # `dataclasses.replace`, which makes an object
            return False
        return self._calls_nothing(node, 0 if function.attr in ("sub", "subn") else None)

    def _calls_nothing(self, node: ast.Call, place: int | None) -> bool:
        """Whether the positional argument at `place`, which is called if it can be, is plainly harmless."""
        if place is None or len(node.args) <= place:
            return place is None or not any(isinstance(one, ast.Starred) for one in node.args)
        if any(isinstance(one, ast.Starred) for one in node.args[: place + 1]):
            return False
        return self.is_callback(node.args[place])


_CALLING = {"sub": 1, "subn": 1, "defaultdict": 0, "indent": 2}
"""Functions of modules that call what they are given, and at which place."""
_TAKING_ANY = frozenset({"format", "update"})
"""Methods that take any keywords, and call none of them."""


class Reading:
    """Makes the pure copies of expressions for reading ahead."""

    def __init__(self, context: Context, changing: Collection[str], keyed: Mapping[str, set[Any]]) -> None:
        """`changing` names change meanwhile; of `keyed` ones, only items under those keys do."""
        self.context, self.changing, self.keyed = context, changing, keyed
        self.known: dict[str, ast.expr] = {}
        """Names that stand for an expression."""
        self._left = _MOST_NODES

    def copy(self, node: ast.expr) -> ast.expr:
        """`node` as it is evaluated ahead. Raises `Impure`."""
        self._left -= 1
        if self._left < 0:
            raise Impure
        maker = _MAKERS.get(type(node))
        if maker is None:
            raise Impure
        made: ast.expr = ast.copy_location(maker(self, node), node)
        return made

    def _some(self, nodes: list[ast.expr]) -> list[ast.expr]:
        return [self.copy(node) for node in nodes]

    def call(self, node: ast.Call) -> ast.expr:
        """`(function, (arguments...), {keywords...})` of a call of a tool."""
        if any(one.arg is None for one in node.keywords):
            raise Impure
        function = node.func
        if isinstance(function, ast.Attribute):
            assert isinstance(function.value, ast.Name)
            function = ast.Attribute(ast.Name(function.value.id, ast.Load()), function.attr, ast.Load())
        else:
            assert isinstance(function, ast.Name)
            function = ast.Name(function.id, ast.Load())
        named = ast.Dict(
            [ast.Constant(one.arg) for one in node.keywords], [self.copy(one.value) for one in node.keywords]
        )
        parts = ast.Tuple([function, ast.Tuple(self._some(node.args), ast.Load()), named], ast.Load())
        return ast.copy_location(parts, node)

    # -- one maker for each kind

    def _constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(node.value)

    def _name(self, node: ast.Name) -> ast.expr:
        if node.id in self.known:
            return self.copy(self.known[node.id])
        if node.id in self.changing or node.id in self.keyed:
            raise Impure
        return guard("plain", ast.Name(node.id, ast.Load()))

    def _display(self, node: ast.Tuple | ast.List) -> ast.expr:
        return type(node)(self._some(node.elts), ast.Load())

    def _dict(self, node: ast.Dict) -> ast.expr:
        if any(key is None for key in node.keys):
            raise Impure
        return ast.Dict([self.copy(key) for key in node.keys if key is not None], self._some(node.values))

    def _text(self, node: ast.JoinedStr) -> ast.expr:
        return ast.JoinedStr([self.copy(part) for part in node.values])

    def _formatted(self, node: ast.FormattedValue) -> ast.expr:
        spec = self.copy(node.format_spec) if node.format_spec is not None else None
        return ast.FormattedValue(self.copy(node.value), node.conversion, spec)

    def _operation(self, node: ast.BinOp) -> ast.expr:
        return ast.BinOp(self.copy(node.left), node.op, self.copy(node.right))

    def _sign(self, node: ast.UnaryOp) -> ast.expr:
        return ast.UnaryOp(node.op, self.copy(node.operand))

    def _both(self, node: ast.BoolOp) -> ast.expr:
        return ast.BoolOp(node.op, self._some(node.values))

    def _compare(self, node: ast.Compare) -> ast.expr:
        return ast.Compare(self.copy(node.left), node.ops, self._some(node.comparators))

    def _choice(self, node: ast.IfExp) -> ast.expr:
        return ast.IfExp(self.copy(node.test), self.copy(node.body), self.copy(node.orelse))

    def _item(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.slice, ast.Slice):
            part = node.slice
            ends = [self.copy(one) if one is not None else None for one in (part.lower, part.upper, part.step)]
            return ast.Subscript(self.copy(node.value), ast.Slice(*ends), ast.Load())
        target, key = node.value, node.slice
        if isinstance(target, ast.Name) and target.id in self.keyed and target.id not in self.changing:
            if isinstance(key, ast.Constant) and key.value not in self.keyed[target.id]:
                return guard("item", ast.Name(target.id, ast.Load()), ast.Constant(key.value))
            raise Impure
        return guard("item", self.copy(target), self.copy(key))

    def _called(self, node: ast.Call) -> ast.expr:
        function = node.func
        if isinstance(function, ast.Name) and self.context.is_builtin(function, PURE_BUILTINS):
            if any(one.arg in (None, *CALLBACK_KEYWORDS) for one in node.keywords):
                raise Impure
            named = [ast.keyword(one.arg, self.copy(one.value)) for one in node.keywords]
            return ast.Call(ast.Name(function.id, ast.Load()), self._some(node.args), named)
        if not isinstance(function, ast.Attribute) or function.attr not in _PURE_METHODS or node.keywords:
            raise Impure
        if type(self.context.fixed(function.value)) is Members:
            raise Impure
        return guard("method", self.copy(function.value), ast.Constant(function.attr), *self._some(node.args))


_MAKERS: dict[type[ast.expr], Any] = {
    ast.Constant: Reading._constant, ast.Name: Reading._name, ast.Tuple: Reading._display, ast.List: Reading._display,
    ast.Dict: Reading._dict, ast.JoinedStr: Reading._text, ast.FormattedValue: Reading._formatted,
    ast.BinOp: Reading._operation, ast.UnaryOp: Reading._sign, ast.BoolOp: Reading._both, ast.Compare: Reading._compare,
    ast.IfExp: Reading._choice, ast.Subscript: Reading._item, ast.Call: Reading._called,
}


def guard(name: str, *arguments: ast.expr) -> ast.Call:
    """A call of one of the sandbox's own functions, under a name that no program can write."""
    return ast.Call(ast.Name(f"@{name}", ast.Load()), list(arguments), [])
