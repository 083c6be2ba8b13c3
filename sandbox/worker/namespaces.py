"""What programs get for `import json` and the like: frozen objects with harmless members, never the module itself."""

from __future__ import annotations

import bisect
import collections
import datetime
import heapq
import itertools
import json
import math
import re
import statistics
import textwrap
from collections.abc import Callable
from typing import Any

from . import shapes
from .dataclass import FrozenInstanceError, asdict, astuple, dataclass, field, fields, is_dataclass, replace
from .growth import GROWING
from .guards import DYNAMIC, EXCEPTION_BASES, FIELD_NAMES, METHODS, Members
from .libraries import further, some
from .scheduler import Scheduler
from .shapes import record_class
from .waiting import asyncio_members

_MATH = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 expm1 "
    "fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp lgamma log "
    "log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt tan tanh tau trunc ulp"
)
_STATISTICS = (
    "StatisticsError correlation covariance fmean geometric_mean harmonic_mean linear_regression mean median "
    "median_grouped median_high median_low mode multimode pstdev pvariance quantiles stdev variance"
)
_ITERTOOLS = (
    "accumulate batched combinations combinations_with_replacement compress count cycle dropwhile filterfalse groupby "
    "islice pairwise permutations product repeat starmap takewhile tee zip_longest"
)
_TYPING = (
    "Annotated Any AnyStr AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable ChainMap ClassVar Collection "
    "Concatenate Container Coroutine Counter DefaultDict Deque Dict Final FrozenSet Generator Hashable ItemsView Iterable "
    "Iterator KeysView List Literal LiteralString Mapping MutableMapping MutableSequence MutableSet Never NoReturn "
    "NotRequired Optional OrderedDict ParamSpec Pattern Match Required Reversible Self Sequence Set Sized SupportsFloat "
    "SupportsInt Text Tuple Type TypeAlias TypeGuard Union ValuesView"
)


def _json() -> dict[str, Any]:
    def dumps(
        obj: Any, *, indent: Any = None, sort_keys: bool = False, ensure_ascii: bool = True, separators: Any = None,
        default: Callable[[Any], Any] | None = None, allow_nan: bool = True, skipkeys: bool = False,
    ) -> str:
        return json.dumps(
            obj, indent=indent, sort_keys=sort_keys, ensure_ascii=ensure_ascii, separators=separators, default=default,
            allow_nan=allow_nan, skipkeys=skipkeys,
        )

    def loads(s: Any) -> Any:
        if type(s) not in (str, bytes):
            raise TypeError(f"the JSON object must be str or bytes, not {type(s).__name__}")
        return json.loads(s)

    return {"dumps": dumps, "loads": loads, "JSONDecodeError": json.JSONDecodeError}


def _re() -> dict[str, Any]:
    members = some(re, "compile escape findall finditer fullmatch match search split sub subn error Match Pattern")
    flags = "A ASCII DOTALL I IGNORECASE M MULTILINE NOFLAG S U UNICODE VERBOSE X"
    return members | some(re, flags)


def _datetime(now: Callable[[], float]) -> dict[str, Any]:
    kind, day = datetime.datetime, datetime.date

    def current(tz: datetime.tzinfo | None = None) -> datetime.datetime:
        moment = kind.fromtimestamp(now(), datetime.UTC)
        return moment.replace(tzinfo=None) if tz is None else moment.astimezone(tz)

    def today() -> datetime.date:
        return current().date()

    DYNAMIC.update({
        (kind, "now"): lambda: current, (kind, "utcnow"): lambda: lambda: current(),
        (kind, "today"): lambda: lambda: current(), (day, "today"): lambda: today,
    })
    members = some(datetime, "date datetime time timedelta timezone tzinfo MINYEAR MAXYEAR")
    return members | {"UTC": datetime.UTC}


def _collections() -> dict[str, Any]:
    def namedtuple(
        typename: str, field_names: Any, *, rename: bool = False, defaults: Any = None, module: Any = None
    ) -> Any:
        names = field_names.replace(",", " ").split() if type(field_names) is str else [str(name) for name in field_names]
        if type(typename) is not str or not all(type(name) is str for name in names):
            raise TypeError("names must be text")
        return record_class(typename, names, rename=rename, defaults=defaults)

    return some(collections, "Counter OrderedDict defaultdict deque") | {"namedtuple": namedtuple}


class Placeholder:
    """A name of `typing`: annotations are never evaluated, so it only has to exist and to take brackets."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, item: Any) -> Placeholder:
        return self

    def __or__(self, other: Any) -> Placeholder:
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"typing.{self._name}"


def _typing() -> dict[str, Any]:
    def same(value: Any) -> Any:
        return value

    def cast(typ: Any, val: Any) -> Any:
        return val

    def variable(name: Any, *_: Any, **__: Any) -> Placeholder:
        return Placeholder(str(name))

    def new_type(name: Any, tp: Any) -> Callable[[Any], Any]:
        return same

    return {
        **{name: Placeholder(name) for name in _TYPING.split()}, "TYPE_CHECKING": False, "cast": cast, "NewType": new_type,
        "TypeVar": variable, "ParamSpec": variable, "overload": same, "final": same, "override": same,
        "runtime_checkable": same, "no_type_check": same, "Protocol": shapes.PROTOCOL, "Generic": shapes.GENERIC,
        "NamedTuple": shapes.NAMED_TUPLE, "TypedDict": shapes.TYPED_DICT,
    }  # fmt: skip


def namespaces(
    scheduler: Scheduler, now: Callable[[], float], write: Callable[[str], None] = lambda text: None
) -> dict[str, Members]:
    """Module name -> what programs get for it; `write` prints."""
    made: dict[str, dict[str, Any]] = {
        **further(now, write),
        "asyncio": asyncio_members(scheduler),
        "bisect": some(bisect, "bisect bisect_left bisect_right insort insort_left insort_right"),
        "collections": _collections(),
        "dataclasses": {"asdict": asdict, "astuple": astuple, "dataclass": dataclass, "field": field, "fields": fields,
                        "is_dataclass": is_dataclass, "replace": replace, "FrozenInstanceError": FrozenInstanceError},
        "datetime": _datetime(now),
        "heapq": some(heapq, "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest"),
        "itertools": some(itertools, _ITERTOOLS),
        "json": _json(),
        "math": some(math, _MATH) | {name: GROWING[name] for name in ("factorial", "comb", "perm")},
        "re": _re(),
        "statistics": some(statistics, _STATISTICS),
        "textwrap": some(textwrap, "dedent fill indent shorten wrap"),
        "typing": _typing(),
    }
    made["itertools"]["chain"] = itertools.chain
    DYNAMIC[itertools.chain, "from_iterable"] = lambda: itertools.chain.from_iterable
    METHODS[json.JSONDecodeError] = frozenset({"args", "colno", "doc", "lineno", "msg", "pos"})
    FIELD_NAMES[statistics.LinearRegression] = frozenset({"intercept", "slope"})
    EXCEPTION_BASES.update({json.JSONDecodeError, re.error, statistics.StatisticsError})
    modules = {name: Members("module", name, members) for name, members in made.items()}
    modules["collections"].members["abc"] = modules["collections.abc"]
    modules["urllib.parse"] = modules["urllib"].members["parse"]
    return modules


MODULES = frozenset({
    "abc", "asyncio", "base64", "bisect", "calendar", "collections", "collections.abc", "contextlib", "copy", "csv",
    "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "io",
    "itertools", "json", "math", "operator", "pathlib", "pprint", "re", "statistics", "string", "textwrap", "time", "typing",
    "unicodedata", "urllib", "urllib.parse",
})
BOUND = ("asyncio", "collections", "datetime", "itertools", "json", "math", "re", "statistics")
"""Modules that are there without an import."""
