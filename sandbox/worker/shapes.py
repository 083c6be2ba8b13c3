"""Classes that Python makes in a way of its own: `NamedTuple`, `TypedDict`, `Enum`; and bases that mean nothing here."""

from __future__ import annotations

import collections
import enum
from collections.abc import Callable
from typing import Any

from .guards import ABSTRACT, ANNOTATED, CLASS_MEMBERS, FIELD_NAMES, NAMED, SHAPES, Shape, make_class

_OF_ENUMS = frozenset({"__str__", "__repr__", "__format__", "__module__", "__qualname__", "__doc__"})
_BY_CLASS_BODY = frozenset({"@fields", ANNOTATED, "__module__", "__qualname__", "__doc__", "__classcell__"})


def record_class(name: str, fields: list[str], *, rename: bool = False, defaults: Any = None) -> Any:
    """A named tuple; its fields are readable."""
    make: Any = collections.namedtuple
    made = make(name, fields, rename=rename, defaults=defaults)
    FIELD_NAMES[made] = frozenset(made._fields) | {"count", "index"}
    return made


def _named_tuple(name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
    if bases:
        raise TypeError("a NamedTuple has no other bases")
    fields = namespace.pop("@fields", [])
    given = [name in namespace for name in fields]
    if given != sorted(given):
        raise TypeError("a field without a default follows one with a default")
    made = record_class(name, fields, defaults=[namespace.pop(field) for field in fields if field in namespace])
    own = {key: value for key, value in namespace.items() if key not in _BY_CLASS_BODY}
    for key, value in own.items():
        setattr(made, key, value)
    FIELD_NAMES[made] |= {key for key in own if not key.startswith("_")}
    return made


def _typed_dict(name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
    def make(*args: Any, **fields: Any) -> dict[str, Any]:
        return dict(*args, **fields)

    make.__name__ = make.__qualname__ = name
    return make


def _enumeration(kind: type[enum.Enum]) -> Callable[[str, tuple[Any, ...], dict[str, Any]], Any]:
    def make(name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
        mixed = tuple(base for base in bases if base is str or base is int)
        if len(mixed) != len(bases) or len(bases) > 1:
            raise TypeError("besides Enum, an enumeration can only inherit from str or int")
        namespace.pop("@fields", None)
        strange = [key for key in namespace if key.startswith("_") and key not in _OF_ENUMS]
        if strange:
            raise TypeError(f"an enumeration cannot define {strange[0]}")
        body: Any = enum.EnumMeta.__prepare__(name, (*mixed, kind))
        for key, value in namespace.items():
            body[key] = value
        made: Any = enum.EnumMeta(name, (*mixed, kind), body)
        if not made.__members__:
            raise TypeError("an enumeration needs members")
        public = frozenset(key for key in namespace if not key.startswith("_"))
        CLASS_MEMBERS[made] = public
        FIELD_NAMES[made] = public | {"name", "value"}
        return made

    return make


def abstractmethod(function: Any) -> Any:
    """Mark a method that subclasses must define."""
    if callable(function):
        ABSTRACT.add(function)
    return function


def _nothing(name: str) -> Shape:
    shape = Shape(name)
    SHAPES[shape] = make_class
    return shape


def _shape(name: str, make: Callable[[str, tuple[Any, ...], dict[str, Any]], Any]) -> Shape:
    shape = Shape(name)
    SHAPES[shape] = make
    return shape


ABC, PROTOCOL, GENERIC = _nothing("abc.ABC"), _nothing("typing.Protocol"), _nothing("typing.Generic")
NAMED_TUPLE, TYPED_DICT = _shape("typing.NamedTuple", _named_tuple), _shape("typing.TypedDict", _typed_dict)
ENUM, INT_ENUM = _shape("enum.Enum", _enumeration(enum.Enum)), _shape("enum.IntEnum", _enumeration(enum.IntEnum))
STR_ENUM = _shape("enum.StrEnum", _enumeration(enum.StrEnum))
NAMED[Shape] = lambda shape: str(shape.name).rpartition(".")[2]
