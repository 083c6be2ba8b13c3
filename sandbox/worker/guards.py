"""What programs may read and write on which objects: an allow-list by exact type, everything else is refused."""

from __future__ import annotations

import collections
import datetime
import enum
import re
import types
import weakref
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from .growth import IN_PLACE
from .policy import SPECIAL_METHODS
from .textformat import safe_format, safe_format_map

_Table = dict[type, frozenset[str]]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DICT = "clear copy get items keys pop popitem setdefault update values"
_LIST = "append clear copy count extend index insert pop remove reverse sort"
_SET = (
    "add clear copy difference difference_update discard intersection intersection_update isdisjoint issubset "
    "issuperset pop remove symmetric_difference symmetric_difference_update union update"
)
_TEXT = (
    "capitalize center count endswith expandtabs find index isalnum isalpha isascii isdigit islower isspace istitle "
    "isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit "
    "rstrip split splitlines startswith strip swapcase title translate upper zfill"
)
_DATE = "day month year ctime isocalendar isoformat isoweekday replace strftime timetuple toordinal weekday"
_TIME = "hour minute second microsecond tzinfo fold dst tzname utcoffset"

METHODS: _Table = {
    str: _names(_TEXT + " casefold encode isdecimal isidentifier isnumeric isprintable"),
    bytes: _names(_TEXT + " decode hex"),
    int: _names("bit_count bit_length as_integer_ratio conjugate denominator imag numerator real to_bytes"),
    bool: _names("bit_length conjugate denominator imag numerator real"),
    float: _names("as_integer_ratio conjugate hex imag is_integer real"),
    complex: _names("conjugate imag real"),
    list: _names(_LIST),
    tuple: _names("count index"),
    dict: _names(_DICT),
    set: _names(_SET),
    frozenset: _names("copy difference intersection isdisjoint issubset issuperset symmetric_difference union"),
    range: _names("count index start stop step"),
    slice: _names("start stop step indices"),
    collections.Counter: _names(_DICT + " elements most_common subtract total"),
    collections.defaultdict: _names(_DICT + " default_factory"),
    collections.OrderedDict: _names(_DICT + " move_to_end"),
    collections.deque: _names(
        "append appendleft clear copy count extend extendleft index insert maxlen pop popleft remove reverse rotate"
    ),
    datetime.date: _names(_DATE),
    datetime.time: _names(_TIME + " isoformat replace strftime"),
    datetime.datetime: _names(f"{_DATE} {_TIME} astimezone date time timestamp timetz utctimetuple"),
    datetime.timedelta: _names("days seconds microseconds total_seconds"),
    datetime.timezone: _names("dst fromutc tzname utcoffset"),
    re.Pattern: _names("findall finditer flags fullmatch groupindex groups match pattern search split sub subn"),
    re.Match: _names("end expand group groupdict groups lastgroup lastindex pos endpos re span start string"),
    re.error: _names("args msg pattern pos lineno colno"),
    types.GeneratorType: _names("close send"),
    property: _names("deleter getter setter"),
    type({}.keys()): _names("isdisjoint"),
    type({}.items()): _names("isdisjoint"),
    type({}.values()): frozenset(),
    type(datetime.date.min.isocalendar()): _names("year week weekday"),
    type(datetime.datetime.min.timetuple()): _names(
        "tm_year tm_mon tm_mday tm_hour tm_min tm_sec tm_wday tm_yday tm_isdst"
    ),
}

CLASS_MEMBERS: _Table = {
    str: METHODS[str] | {"maketrans"},
    bytes: METHODS[bytes] | {"fromhex", "maketrans"},
    int: METHODS[int] | {"from_bytes"},
    float: METHODS[float] | {"fromhex"},
    list: METHODS[list],
    tuple: METHODS[tuple],
    dict: METHODS[dict] | {"fromkeys"},
    set: METHODS[set],
    frozenset: METHODS[frozenset],
    collections.Counter: METHODS[collections.Counter],
    collections.defaultdict: METHODS[collections.defaultdict],
    collections.OrderedDict: METHODS[collections.OrderedDict] | {"fromkeys"},
    collections.deque: METHODS[collections.deque],
    datetime.date: METHODS[datetime.date] | _names("fromisocalendar fromisoformat fromordinal fromtimestamp max min"),
    datetime.time: METHODS[datetime.time] | _names("fromisoformat max min"),
    datetime.datetime: METHODS[datetime.datetime] | _names(
        "combine fromisocalendar fromisoformat fromordinal fromtimestamp max min strptime utcfromtimestamp"
    ),
    datetime.timedelta: METHODS[datetime.timedelta] | _names("max min resolution"),
    datetime.timezone: METHODS[datetime.timezone] | _names("utc min max"),
}

_WRITABLE = frozenset({
    list, dict, collections.Counter, collections.defaultdict, collections.OrderedDict, collections.deque,
})
_EXCEPTION_FIELDS: _Table = {
    KeyError: frozenset(), StopIteration: _names("value"),
    UnicodeDecodeError: _names("encoding reason start end"), UnicodeEncodeError: _names("encoding reason start end"),
}


ANNOTATED = "@annotated"
"""Where a program's class keeps the annotated names of its body, in order; `dataclass` reads them."""


class ProgramClass(type):
    """The metaclass of every class that a program defines."""

    def __repr__(cls) -> str:
        return f"<class '{cls.__name__}'>"


class Members:
    """An object of the sandbox whose attributes programs may read: a module's namespace, a server's tools."""

    __slots__ = ("kind", "members", "name")

    def __init__(self, kind: str, name: str, members: dict[str, Any]) -> None:
        self.kind, self.name, self.members = kind, name, members

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


DYNAMIC: dict[tuple[type, str], Callable[[], Any]] = {}
"""(class, name) -> value, for what is not the class's own attribute, such as `datetime.now`, which asks the host."""

COMPUTED: dict[tuple[type, str], Callable[[Any], Any]] = {}
"""(exact type, name) -> what an object of that type shows under that name, such as `task.result`."""

NAMED: dict[type, Callable[[Any], str]] = {}
"""Types of the sandbox's own whose objects have a `__name__`."""

EXCEPTION_BASES: set[type] = set()
ABSTRACT: weakref.WeakSet[Any] = weakref.WeakSet()
"""Functions marked by `abc.abstractmethod`."""
FIELD_NAMES: dict[type, frozenset[str]] = {}
"""Classes made for the program (named tuples, ToolError) -> their readable attributes."""


def guarded_getattr(target: Any, name: str, hidden_server: str | None = None) -> Any:
    """`target.name`, where that is on the list."""
    kind = type(target)
    allowed = METHODS.get(kind)
    if allowed is not None and name in allowed:
        return getattr(target, name)
    if kind is Members:
        try:
            return target.members[name]
        except KeyError:
            raise AttributeError(_missing_member(target, name)) from None
    return _other_attribute(target, kind, name, hidden_server)


def _other_attribute(target: Any, kind: type, name: str, hidden_server: str | None) -> Any:
    if type(name) is not str or name.startswith("_"):
        raise AttributeError(f"the attribute {str(name)[:80]!r} is not available")
    if type(kind) is ProgramClass:
        return _instance_attribute(target, kind, name)
    if kind is ProgramClass:
        return _class_attribute(target, name)
    if kind is type or kind is enum.EnumMeta:
        return _builtin_class_attribute(target, name)
    if kind is str and name in ("format", "format_map"):
        return safe_format(target) if name == "format" else safe_format_map(target)
    if kind is super:
        return guarded_super(target, name)
    fields = FIELD_NAMES.get(kind)
    if fields is not None and name in fields:
        return getattr(target, name)
    computed = COMPUTED.get((kind, name))
    if computed is not None:
        return computed(target)
    if isinstance(target, BaseException) and (name == "args" or name in _EXCEPTION_FIELDS.get(kind, ())):
        return getattr(target, name)
    raise AttributeError(_missing(target, kind, name, hidden_server))


def _instance_attribute(target: Any, kind: type, name: str) -> Any:
    for base in kind.__mro__:
        if name in base.__dict__:  # the one that `getattr` will find: only if it is the program's own, or on a list
            if type(base) is ProgramClass or name in FIELD_NAMES.get(base, ()):
                return getattr(target, name)
            break
    held = getattr(target, "__dict__", None)
    if held is not None and name in held:
        return held[name]
    if isinstance(target, BaseException) and (name == "args" or _is_field_of_base(kind, name)):
        return getattr(target, name)
    near = get_close_matches(name, [*(held or ()), *_public(kind)], 1)
    raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'" + _perhaps(near))


def _is_field_of_base(kind: type, name: str) -> bool:
    return any(name in _EXCEPTION_FIELDS.get(base, ()) or name in FIELD_NAMES.get(base, ()) for base in kind.__mro__)


def _public(kind: type) -> list[str]:
    return [name for base in kind.__mro__ if type(base) is ProgramClass for name in base.__dict__ if name[0] not in "_@"]


def _class_attribute(target: type, name: str) -> Any:
    for base in target.__mro__:
        if name in base.__dict__:
            if type(base) is ProgramClass:
                return getattr(target, name)
            break
    raise AttributeError(f"type object '{target.__name__}' has no attribute '{name}'" + _perhaps(
        get_close_matches(name, _public(target), 1)))


def _builtin_class_attribute(target: type, name: str) -> Any:
    dynamic = DYNAMIC.get((target, name))
    if dynamic is not None:
        return dynamic()
    if name in CLASS_MEMBERS.get(target, ()):
        return getattr(target, name)
    if target is str and name in ("format", "format_map"):
        return lambda text, *args, **kwargs: guarded_getattr(_exact(text), name)(*args, **kwargs)
    near = get_close_matches(name, CLASS_MEMBERS.get(target, ()), 1)
    raise AttributeError(f"type object '{target.__name__}' has no attribute '{name}'" + _perhaps(near))


def _exact(text: Any) -> str:
    if type(text) is not str:
        raise TypeError("expected a str")
    return text


def _missing(target: Any, kind: type, name: str, hidden_server: str | None) -> str:
    text = f"'{kind.__name__}' object has no attribute '{name}'"
    if hidden_server is not None:
        hides = f"the variable {hidden_server!r} hides the server of that name"
        return f"{text}: {hides}; use another name, or `del {hidden_server}`"
    if kind is dict and name in target:
        return f"{text}; did you mean [{name!r}]?"
    return text + _perhaps(get_close_matches(name, METHODS.get(kind, ()), 1))


def _missing_member(target: Members, name: str) -> str:
    near = get_close_matches(name, target.members, 3, 0.4)
    if target.kind == "server":
        known = " or ".join(f"{target.name}.{one}" for one in near or list(target.members)[:5])
        return f"server '{target.name}' has no tool '{name}'; did you mean {known}?"
    inner = [
        f"{one}.{name}" for one, member in target.members.items()
        if isinstance(member, type) and (name in CLASS_MEMBERS.get(member, ()) or (member, name) in DYNAMIC)
    ]
    near = [f"{target.name}.{one}" for one in (*inner, *near)]
    return f"{target.kind} '{target.name}' has no attribute '{name}'{_perhaps(near)}"


def _perhaps(near: list[str]) -> str:
    return f"; did you mean '{near[0]}'?" if near else ""


def guarded_write(target: Any) -> Any:
    """`target`, if programs may change its attributes or items."""
    kind = type(target)
    if kind in _WRITABLE or type(kind) is ProgramClass or kind is ProgramClass:
        return target
    if kind in (str, tuple, bytes, range, frozenset):
        raise TypeError(f"'{kind.__name__}' object does not support item assignment")
    raise TypeError(f"a {kind.__name__} cannot be changed")


def guarded_setattr(target: Any, name: str, value: Any) -> None:
    """`setattr` for programs."""
    _check_public(name)
    setattr(guarded_write(target), name, value)


def guarded_delattr(target: Any, name: str) -> None:
    """`delattr` for programs."""
    _check_public(name)
    delattr(guarded_write(target), name)


def _check_public(name: Any) -> None:
    if type(name) is not str or name.startswith(("_", "@")):
        raise AttributeError(f"the attribute {str(name)[:80]!r} is not available")


def augmented_attribute(target: Any, name: str, sign: str, value: Any) -> None:
    """`target.name += value`."""
    writable = guarded_write(target)
    setattr(writable, name, IN_PLACE[sign](guarded_getattr(target, name), value))


def guarded_super(target: Any, name: str) -> Any:
    """`super().name` for methods of program classes, and the special ones of their plain bases."""
    if type(target) is not super:
        raise TypeError("super(): wrong use")
    owner: Any = getattr(target, "__self_class__", None)
    known = type(owner) is ProgramClass and (
        name in SPECIAL_METHODS
        or any(type(base) is ProgramClass and name in base.__dict__ for base in owner.__mro__)
    )
    if not known:
        raise AttributeError(f"'super' object has no attribute '{name}'")
    return getattr(target, name)


def type_name(target: Any) -> str:
    """`type(target).__name__`."""
    return str(type(target).__name__)


def name_of(target: Any) -> str:
    """`target.__name__` of functions, classes and tools."""
    if isinstance(target, (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return str(target.__name__)
    name = NAMED.get(type(target))
    if name is not None:
        return name(target)
    raise AttributeError(f"'{type(target).__name__}' object has no attribute '__name__'")


class Shape:
    """What a program names as the base of a class that is made in another way, such as `NamedTuple`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, item: Any) -> Shape:
        return self

    def __repr__(self) -> str:
        return f"<{self.name}>"


SHAPES: dict[Shape, Callable[[str, tuple[Any, ...], dict[str, Any]], Any]] = {}


def make_class(name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
    """The metaclass hook: bases are classes of the program, `object`, exceptions, and what `typing` and the like lend."""
    for base in bases:
        shape = SHAPES.get(base) if type(base) is Shape else None
        if shape is not None:
            return shape(name, tuple(one for one in bases if one is not base), namespace)
    for base in bases:
        plain_type = type(base) is type and (base is object or base in EXCEPTION_BASES)
        if type(base) is not ProgramClass and not plain_type:
            raise TypeError(f"a class cannot inherit from {getattr(base, '__name__', 'that')!s:.80}")
    fields = namespace.pop("@fields", [])
    plain = all(base is object for base in bases)
    if plain and "__repr__" not in namespace:
        namespace["__repr__"] = lambda self: f"<{type(self).__name__} object>"
    namespace[ANNOTATED] = tuple(fields)
    made = ProgramClass(name, bases, namespace)
    _note_abstract(made)
    return made


def _note_abstract(made: Any) -> None:
    """Classes with methods marked by `abstractmethod` cannot be called, as Python's `ABC` has it."""
    names = {name for name, value in made.__dict__.items() if type(value) is types.FunctionType and value in ABSTRACT}
    for base in made.__mro__[1:]:
        if type(base) is ProgramClass:
            inherited = getattr(base, "__abstractmethods__", ()) if "__abstractmethods__" in base.__dict__ else ()
            names |= {name for name in inherited if getattr(made, name, None) in ABSTRACT}
    if names:
        made.__abstractmethods__ = frozenset(names)
