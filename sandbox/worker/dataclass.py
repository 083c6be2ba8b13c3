"""`@dataclass` for programs: made of the annotated names of the class body, without generating code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .guards import ANNOTATED, ProgramClass

_MISSING = object()


class Field:
    """What `field(...)` leaves as a default."""

    __slots__ = ("default", "factory")

    def __init__(self, default: Any, factory: Any) -> None:
        self.default, self.factory = default, factory

    def make(self) -> Any:
        """The default of one new object."""
        return self.factory() if self.factory is not _MISSING else self.default

    @property
    def missing(self) -> bool:
        """Whether the argument is required."""
        return self.default is _MISSING and self.factory is _MISSING


def field(*, default: Any = _MISSING, default_factory: Any = _MISSING, **_: Any) -> Field:
    """A field with a default."""
    return Field(default, default_factory)


def dataclass(target: Any = None, /, *, eq: bool = True, order: bool = False, frozen: bool = False, **_: Any) -> Any:
    """Give a class `__init__`, `__repr__` and comparison by its fields; `frozen` makes it hashable."""
    if target is None:
        return lambda one: dataclass(one, eq=eq, order=order, frozen=frozen)
    if type(target) is not ProgramClass:
        raise TypeError("dataclass needs a class of the program")
    fields = _fields(target)
    own = target.__dict__
    methods: dict[str, Callable[..., Any]] = {"__init__": _init(fields), "__repr__": _repr(tuple(fields))}
    if eq:
        methods["__eq__"] = _comparison(tuple(fields), lambda left, right: left == right)
        methods["__hash__"] = lambda self: hash(_values(self, tuple(fields)))
    if order:
        methods["__lt__"] = _comparison(tuple(fields), lambda left, right: left < right)
        methods["__le__"] = _comparison(tuple(fields), lambda left, right: left <= right)
    for name, method in methods.items():
        if name not in own or (name == "__repr__" and not _wrote_repr(own)):
            setattr(target, name, method)
    return target


def _wrote_repr(own: Any) -> bool:
    return str(own["__repr__"].__code__.co_filename).startswith("<program")


def _fields(target: type) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for base in reversed(target.__mro__):
        for name in base.__dict__.get(ANNOTATED, ()) if type(base) is ProgramClass else ():
            default = base.__dict__.get(name, _MISSING)
            fields[name] = default if type(default) is Field else Field(default, _MISSING)
            if type(default) is Field:
                if default.default is _MISSING:
                    delattr(base, name)
                else:
                    setattr(base, name, default.default)
    return fields


def _init(fields: dict[str, Field]) -> Callable[..., None]:
    names = list(fields)

    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__}() takes {len(names)} arguments but {len(args)} were given")
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in fields or name in given:
                raise TypeError(f"{type(self).__name__}() got an unexpected or repeated argument '{name}'")
            given[name] = value
        for name, one in fields.items():
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
