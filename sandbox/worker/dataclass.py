"""`@dataclass` for programs: made of the annotated names of the class body, without generating code."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from typing import Any

from .guards import ANNOTATED, EXCEPTION_BASES, METHODS, ProgramClass

_MISSING = object()


class Field:
    """What `field(...)` leaves as a default."""

    __slots__ = ("default", "factory", "init", "name", "shown")

    def __init__(self, default: Any, factory: Any, *, init: bool = True, shown: bool = True) -> None:
        self.default, self.factory, self.init, self.shown = default, factory, init, shown
        self.name = ""

    def make(self) -> Any:
        """The default of one new object."""
        return self.factory() if self.factory is not _MISSING else self.default

    @property
    def missing(self) -> bool:
        """Whether the argument is required."""
        return self.default is _MISSING and self.factory is _MISSING


def field(
    *, default: Any = _MISSING, default_factory: Any = _MISSING, init: bool = True, repr: bool = True, **_: Any
) -> Field:
    """A field with a default."""
    return Field(default, default_factory, init=bool(init), shown=bool(repr))


class FrozenInstanceError(AttributeError):
    """A field of a frozen dataclass was assigned."""


EXCEPTION_BASES.add(FrozenInstanceError)
METHODS[Field] = frozenset({"default", "init", "name"})
_FIELDS: weakref.WeakKeyDictionary[type, dict[str, Field]] = weakref.WeakKeyDictionary()


def dataclass(target: Any = None, /, *, eq: bool = True, order: bool = False, frozen: bool = False, **_: Any) -> Any:
    """Give a class `__init__`, `__repr__` and comparison by its fields; `frozen` makes it hashable and unchangeable."""
    if target is None:
        return lambda one: dataclass(one, eq=eq, order=order, frozen=frozen)
    if type(target) is not ProgramClass:
        raise TypeError("dataclass needs a class of the program")
    fields = _FIELDS[target] = _fields(target)
    own = target.__dict__
    names, shown = tuple(fields), tuple(name for name, one in fields.items() if one.shown)
    methods: dict[str, Callable[..., Any] | None] = {"__init__": _init(fields), "__repr__": _repr(shown)}
    if eq:
        methods["__eq__"] = _comparison(names, lambda left, right: left == right)
        methods["__hash__"] = (lambda self: hash(_values(self, names))) if frozen else None
    if order:
        for name, compare in _ORDER.items():
            methods[name] = _comparison(names, compare)
    if frozen:
        methods["__setattr__"] = methods["__delattr__"] = _unchangeable
    for name, method in methods.items():
        if name not in own or (name == "__repr__" and not _wrote_repr(own)) or (name == "__hash__" and own[name] is None):
            setattr(target, name, method)
    return target


_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "__lt__": operator.lt, "__le__": operator.le, "__gt__": operator.gt, "__ge__": operator.ge,
}


def _unchangeable(self: Any, name: str, value: Any = None) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _fields_of(value: Any) -> dict[str, Field]:
    kind = value if isinstance(value, type) else type(value)
    for base in kind.__mro__:
        if type(base) is ProgramClass and base in _FIELDS:
            return _FIELDS[base]
    raise TypeError("a dataclass, or an object of one, is needed")


def fields(class_or_instance: Any) -> tuple[Field, ...]:
    """The fields, each with its `name`."""
    return tuple(_fields_of(class_or_instance).values())


def is_dataclass(obj: Any) -> bool:
    """Whether it is a dataclass, or an object of one."""
    try:
        return bool(_fields_of(obj)) or True
    except TypeError:
        return False


def asdict(obj: Any) -> dict[str, Any]:
    """Name -> value, in dataclasses inside, too."""
    return {name: _plain(obj.__dict__.get(name), asdict) for name in _fields_of(_instance(obj))}


def astuple(obj: Any) -> tuple[Any, ...]:
    """The values, in dataclasses inside, too."""
    return tuple(_plain(obj.__dict__.get(name), astuple) for name in _fields_of(_instance(obj)))


def replace(obj: Any, /, **changes: Any) -> Any:
    """A new object with some fields changed."""
    kept = {name: obj.__dict__.get(name) for name, one in _fields_of(_instance(obj)).items() if one.init}
    return type(obj)(**(kept | changes))


def _instance(obj: Any) -> Any:
    if isinstance(obj, type):
        raise TypeError("an object of a dataclass is needed, not the class")
    return obj


def _plain(value: Any, convert: Callable[[Any], Any]) -> Any:
    if type(type(value)) is ProgramClass and is_dataclass(value):
        return convert(value)
    if type(value) in (list, tuple):
        return type(value)(_plain(item, convert) for item in value)
    if type(value) is dict:
        return {key: _plain(item, convert) for key, item in value.items()}
    return value


def _wrote_repr(own: Any) -> bool:
    return str(own["__repr__"].__code__.co_filename).startswith("<program")


def _fields(target: type) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for base in reversed(target.__mro__):
        for name in base.__dict__.get(ANNOTATED, ()) if type(base) is ProgramClass else ():
            default = base.__dict__.get(name, _MISSING)
            if type(default) in (list, dict, set):
                kind = type(default).__name__
                raise ValueError(f"mutable default <class '{kind}'> for field {name} is not allowed: use default_factory")
            known = _FIELDS.get(base, {}).get(name) if type(default) is not Field else None
            one = fields[name] = default if type(default) is Field else known or Field(default, _MISSING)
            one.name = name
            if type(default) is Field:
                if default.default is _MISSING:
                    delattr(base, name)
                else:
                    setattr(base, name, default.default)
    return fields


def _init(fields: dict[str, Field]) -> Callable[..., None]:
    names = [name for name, one in fields.items() if one.init]

    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__}() takes {len(names)} arguments but {len(args)} were given")
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names or name in given:
                raise TypeError(f"{type(self).__name__}() got an unexpected or repeated argument '{name}'")
            given[name] = value
        for name, one in fields.items():
            if not one.init and one.missing:
                continue
            if name not in given and one.missing:
                raise TypeError(f"{type(self).__name__}() is missing the argument '{name}'")
            self.__dict__[name] = given[name] if name in given else one.make()
        after = getattr(type(self), "__post_init__", None)
        if after is not None:
            after(self)

    return __init__


def _repr(names: tuple[str, ...]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={self.__dict__.get(name)!r}' for name in names)})"

    return __repr__


def _values(one: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(one.__dict__.get(name) for name in names)


def _comparison(names: tuple[str, ...], compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if type(self) is not type(other):
            return NotImplemented
        return compare(_values(self, names), _values(other, names))

    return method
