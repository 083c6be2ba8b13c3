"""What programs get for `import json` and the like: frozen objects with harmless members, never the module itself."""

from __future__ import annotations

import bisect
import collections
import datetime
import functools
import heapq
import itertools
import json
import math
import operator
import re
import statistics
import string
import textwrap
from collections.abc import Callable
from typing import Any

from .dataclass import dataclass, field
from .guards import DYNAMIC, EXCEPTION_BASES, FIELD_NAMES, METHODS, Members
from .scheduler import Scheduler, Token

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
_OPERATOR = (
    "abs add and_ concat contains countOf eq floordiv ge gt indexOf inv invert is_ is_not itemgetter le lt mod mul ne "
    "neg not_ or_ pos pow sub truediv truth xor"
)
_TYPING = (
    "Any Callable ClassVar Dict Final FrozenSet Generator Iterable Iterator List Literal Mapping Optional Sequence Set "
    "Tuple Type Union"
)


def _some(module: Any, names: str) -> dict[str, Any]:
    return {name: getattr(module, name) for name in names.split() if hasattr(module, name)}


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
    members = _some(re, "compile escape findall finditer fullmatch match search split sub subn error Match Pattern")
    flags = "A ASCII DOTALL I IGNORECASE M MULTILINE NOFLAG S U UNICODE VERBOSE X"
    return members | _some(re, flags)


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
    members = _some(datetime, "date datetime time timedelta timezone tzinfo MINYEAR MAXYEAR")
    return members | {"UTC": datetime.UTC}


def _collections() -> dict[str, Any]:
    def namedtuple(typename: str, field_names: Any, *, rename: bool = False, defaults: Any = None) -> Any:
        names = field_names.replace(",", " ").split() if type(field_names) is str else [str(name) for name in field_names]
        if type(typename) is not str or not all(type(name) is str for name in names):
            raise TypeError("names must be text")
        make: Any = collections.namedtuple
        made = make(typename, names, rename=rename, defaults=defaults)
        FIELD_NAMES[made] = frozenset(made._fields) | {"count", "index"}
        return made

    return _some(collections, "Counter OrderedDict defaultdict deque") | {"namedtuple": namedtuple}


def _functools() -> dict[str, Any]:
    def lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
        if callable(maxsize):
            return functools.lru_cache(128)(maxsize)
        return lambda function: functools.lru_cache(maxsize, typed)(function)

    def cache(function: Callable[..., Any]) -> Any:
        return functools.lru_cache(None)(function)

    def wraps(wrapped: Any, **_: Any) -> Callable[[Any], Any]:
        return lambda function: function

    members = {"reduce": functools.reduce, "partial": functools.partial, "cmp_to_key": functools.cmp_to_key}
    return members | {"lru_cache": lru_cache, "cache": cache, "wraps": wraps}


def _asyncio(scheduler: Scheduler) -> dict[str, Any]:
    def gather(*values: Any, return_exceptions: bool = False) -> Token:
        return scheduler.gather(values, return_exceptions)

    def wait_for(value: Any, timeout: Any = None) -> Token:
        return scheduler.as_token(value)

    def sleep(delay: Any = 0, result: Any = None) -> Token:
        return scheduler.finished(result)

    def start(value: Any, *, name: Any = None) -> Token:
        return scheduler.as_token(value)

    return {
        "gather": gather, "run": scheduler.run, "create_task": start, "ensure_future": start, "sleep": sleep,
        "wait_for": wait_for,
    }


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


def namespaces(scheduler: Scheduler, now: Callable[[], float]) -> dict[str, Members]:
    """Module name -> what programs get for it."""
    made = {
        "asyncio": _asyncio(scheduler),
        "bisect": _some(bisect, "bisect bisect_left bisect_right insort insort_left insort_right"),
        "collections": _collections(),
        "dataclasses": {"dataclass": dataclass, "field": field},
        "datetime": _datetime(now),
        "functools": _functools(),
        "heapq": _some(heapq, "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest"),
        "itertools": _some(itertools, _ITERTOOLS),
        "json": _json(),
        "math": _some(math, _MATH),
        "operator": _some(operator, _OPERATOR),
        "re": _re(),
        "statistics": _some(statistics, _STATISTICS),
        "string": _some(string, "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits "
                                "printable punctuation whitespace"),
        "textwrap": _some(textwrap, "dedent fill indent shorten wrap"),
        "typing": {name: Placeholder(name) for name in _TYPING.split()},
    }
    made["itertools"]["chain"] = itertools.chain
    DYNAMIC[itertools.chain, "from_iterable"] = lambda: itertools.chain.from_iterable
    METHODS[json.JSONDecodeError] = frozenset({"args", "colno", "doc", "lineno", "msg", "pos"})
    FIELD_NAMES[statistics.LinearRegression] = frozenset({"intercept", "slope"})
    EXCEPTION_BASES.update({json.JSONDecodeError, re.error, statistics.StatisticsError})
    return {name: Members("module", name, members) for name, members in made.items()}


MODULES = frozenset({
    "asyncio", "bisect", "collections", "dataclasses", "datetime", "functools", "heapq", "itertools", "json", "math",
    "operator", "re", "statistics", "string", "textwrap", "typing",
})
BOUND = ("asyncio", "collections", "datetime", "itertools", "json", "math", "re", "statistics")
"""Modules that are there without an import."""
