"""The names that a reply may use, arranged for the lexer that follows it (`name_state.py`)."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

KEYWORDS = frozenset(word.encode() for word in keyword.kwlist)
_LOWER = (b"r", b"b", b"u", b"f", b"rb", b"br", b"fr", b"rf")
_PREFIXES = frozenset(
    form for one in _LOWER for form in (one, one.upper(), one.title(), one.title().swapcase())
)
_MODULES = (b"json", b"re", b"math", b"datetime", b"statistics", b"collections", b"itertools")
_OPERANDS = frozenset((b"not", b"in", b"None", b"True", b"False", b"lambda", b"await"))
"""Keywords with which an operand, or the rest of `not in`, can begin."""
_USUAL = frozenset((
    b"abs", b"all", b"any", b"bool", b"dict", b"enumerate", b"filter", b"float", b"int", b"isinstance", b"len", b"list",
    b"map", b"max", b"min", b"next", b"range", b"repr", b"reversed", b"round", b"set", b"sorted", b"str", b"sum", b"tuple",
    b"type", b"zip", b"Exception", b"KeyError", b"ValueError",
))  # fmt: skip
"""Builtins that short programs use; `hex`, `help` and `copyright` are slips of a small model."""
_ALWAYS = _USUAL | _OPERANDS | frozenset(_MODULES) | _PREFIXES


@dataclass(frozen=True)
class Names:
    """The names that may come out: tools by full name with their parameters, and, if known, the live variables.

    A name without a dot is a function of the run (`answer`). With `variables` given, the first word of an argument of a call
    at statement level must be a parameter or a known name, and so must a word after `=` or a keyword such as `in`, outside
    of brackets; without, only the names of tools and of keyword arguments are constrained. Leave out tools of a server whose
    name is a live variable: there, `text.` is the variable's attribute.
    """

    tools: Mapping[str, Sequence[str]]
    variables: Collection[str] | None = None
    keys: frozenset[str] | None = None
    """What a text in brackets behind a value (`row["price"]`) may be, besides words of the reply itself; None: anything."""
    required: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Tools of servers whose calls are written whole, with the parameters that each needs: only `name=value`, the bracket
    not closed before those are given, and no reply ended inside of brackets."""

    def __hash__(self) -> int:
        variables = None if self.variables is None else frozenset(self.variables)
        tools = frozenset((name, tuple(parameters)) for name, parameters in self.tools.items())
        required = frozenset((name, tuple(parameters)) for name, parameters in self.required.items())
        return hash((tools, variables, self.keys, required))

    def __bool__(self) -> bool:
        return bool(self.tools)


class NameTable:
    """`Names` as bytes, arranged for the lexer."""

    def __init__(self, names: Names) -> None:
        self.parameters = {
            full.encode(): frozenset(parameter.encode() for parameter in parameters)
            for full, parameters in names.tools.items()
        }
        self.required = {
            full.encode(): frozenset(parameter.encode() for parameter in parameters)
            for full, parameters in names.required.items()
        }
        self.tools: dict[bytes, frozenset[bytes]] = {}
        grouped: dict[bytes, set[bytes]] = {}
        for full in self.parameters:
            server, dot, tool = full.partition(b".")
            if dot:
                grouped.setdefault(server, set()).add(tool)
        self.tools = {server: frozenset(tools) for server, tools in grouped.items()}
        self.functions = frozenset(name for name in self.parameters if b"." not in name)
        self.tool_beginnings = {server: _beginnings(tools) for server, tools in self.tools.items()}
        self.server_endings: dict[bytes, list[bytes]] = {}
        for server in self.tools:
            for length in range(len(server) + 1):
                self.server_endings.setdefault(server[:length], []).append(server[length:])
        self.variables = None if names.variables is None else frozenset(name.encode() for name in names.variables)
        self.known = _ALWAYS | frozenset(self.tools) | self.functions | (self.variables or frozenset())
        """Names that any program may use, besides its own and the parameters."""
        self.keys = None if names.keys is None else frozenset(key.encode() for key in names.keys)
        self.known_beginnings = _beginnings(self.known)


def _beginnings(names: Collection[bytes]) -> frozenset[bytes]:
    return frozenset(name[:length] for name in names for length in range(len(name) + 1))
