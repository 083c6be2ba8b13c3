"""Further modules that programs may import: harmless members of the real ones, or small ones of our own."""

from __future__ import annotations

import base64
import calendar
import collections.abc
import contextlib
import copy
import csv
import decimal
import difflib
import fractions
import functools
import html
import importlib
import io
import operator
import pathlib
import re
import string
import sys
import time
import types
import unicodedata
from collections.abc import Callable
from typing import Any

from . import shapes
from .growth import GROWING
from .guards import COMPUTED, EXCEPTION_BASES, METHODS, NAMED, Members, ProgramClass, guarded_getattr
from .scheduler import doze

_SHOWN_WIDTH = 80


def some(module: Any, names: str) -> dict[str, Any]:
    """Those of `names` that the module has."""
    return {name: getattr(module, name) for name in names.split() if hasattr(module, name)}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


METHODS.update({
    decimal.Decimal: _names(
        "adjusted as_integer_ratio as_tuple compare copy_abs copy_negate copy_sign exp is_finite is_infinite is_nan "
        "is_signed is_zero ln log10 max min normalize quantize real remainder_near same_quantum sqrt "
        "to_eng_string to_integral_exact to_integral_value"
    ),
    decimal.DecimalTuple: _names("sign digits exponent"),
    fractions.Fraction: _names("as_integer_ratio denominator limit_denominator numerator"),
    io.StringIO: _names("close getvalue read readline readlines seek tell truncate write writelines"),
    csv.DictReader: _names("fieldnames line_num"),
    csv.DictWriter: _names("fieldnames writeheader writerow writerows"),
    type(csv.reader(())): _names("line_num"),
    type(csv.writer(io.StringIO())): _names("writerow writerows"),
    contextlib.ExitStack: _names("callback close enter_context pop_all"),
    difflib.SequenceMatcher: _names("find_longest_match get_matching_blocks get_opcodes quick_ratio ratio set_seqs"),
    difflib.Match: _names("a b size"),
    type(functools.lru_cache(len)): _names("cache_clear cache_info"),
    type(functools.lru_cache(len).cache_info()): _names("hits misses maxsize currsize"),
    pathlib.PurePosixPath: _names(
        "anchor as_posix is_absolute is_relative_to joinpath match name parent parents parts relative_to root stem suffix "
        "suffixes with_name with_stem with_suffix"
    ),
    time.struct_time: _names("tm_year tm_mon tm_mday tm_hour tm_min tm_sec tm_wday tm_yday tm_isdst"),
})


def _copy() -> dict[str, Any]:
    """Copies of data and of the program's own objects; everything else cannot be changed, and is its own copy."""

    def shallow(x: Any) -> Any:
        kind = type(x)
        if kind in (list, dict, set, collections.deque) or (kind in METHODS and issubclass(kind, dict)):
            return copy.copy(x)
        return _new(x, dict(x.__dict__)) if _is_own(kind) else x

    def deep(x: Any, memo: dict[int, Any] | None = None) -> Any:
        return _deep(x, {} if memo is None else memo)

    return {"copy": shallow, "deepcopy": deep, "replace": _replace_any}


def _is_own(kind: type) -> bool:
    return type(kind) is ProgramClass and not issubclass(kind, BaseException)


def _new(original: Any, fields: dict[str, Any]) -> Any:
    made = object.__new__(type(original))
    made.__dict__.update(fields)
    return made


def _deep(value: Any, memo: dict[int, Any]) -> Any:
    kind = type(value)
    if id(value) in memo:
        return memo[id(value)]
    if kind is list or kind is collections.deque:
        made: Any = [] if kind is list else collections.deque(maxlen=value.maxlen)
        memo[id(value)] = made
        made.extend(_deep(item, memo) for item in value)
    elif isinstance(value, dict) and kind in METHODS:
        made = collections.defaultdict(value.default_factory) if isinstance(value, collections.defaultdict) else kind()
        memo[id(value)] = made
        for key, item in value.items():
            made[_deep(key, memo)] = _deep(item, memo)
    elif kind in (set, frozenset, tuple):
        made = kind(_deep(item, memo) for item in value)
    elif _is_own(kind):
        made = memo[id(value)] = _new(value, {})
        made.__dict__.update({name: _deep(item, memo) for name, item in value.__dict__.items()})
    else:
        made = value
    memo[id(value)] = made
    return made


def _replace_any(obj: Any, /, **changes: Any) -> Any:
    from .dataclass import replace

    return replace(obj, **changes)


def _operator() -> dict[str, Any]:
    def read(value: Any, name: Any) -> Any:
        if type(name) is not str:
            raise TypeError("attribute name must be a string")
        for part in name.split("."):
            value = guarded_getattr(value, part)
        return value

    def attrgetter(attr: str, *more: str) -> Callable[[Any], Any]:
        if not more:
            return lambda obj: read(obj, attr)
        return lambda obj: tuple(read(obj, one) for one in (attr, *more))

    def methodcaller(name: str, /, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        return lambda obj: read(obj, name)(*args, **kwargs)

    names = (
        "abs add and_ concat contains countOf eq floordiv ge gt indexOf inv invert is_ is_not itemgetter le lt mod mul ne "
        "neg not_ or_ pos rshift sub truediv truth xor"
    )
    own = {"attrgetter": attrgetter, "methodcaller": methodcaller, "pow": GROWING["pow"], "lshift": GROWING["lshift"]}
    return some(operator, names) | own


def _functools() -> dict[str, Any]:
    def lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
        if callable(maxsize):
            return functools.lru_cache(128)(maxsize)
        return lambda function: functools.lru_cache(maxsize, typed)(function)

    def cache(function: Callable[..., Any]) -> Any:
        return functools.lru_cache(None)(function)

    def wraps(wrapped: Any, **_: Any) -> Callable[[Any], Any]:
        def rename(function: Any) -> Any:
            own = type(function) is types.FunctionType and function.__code__.co_filename.startswith("<program")
            if own and isinstance(wrapped, types.FunctionType):  # functions of the library keep their names
                function.__name__, function.__qualname__ = wrapped.__name__, wrapped.__qualname__
            return function

        return rename

    def total_ordering(cls: Any) -> Any:
        if type(cls) is not ProgramClass:
            raise TypeError("total_ordering needs a class of the program")
        return functools.total_ordering(cls)

    real = some(functools, "reduce partial cmp_to_key cached_property")
    return real | {"lru_cache": lru_cache, "cache": cache, "wraps": wraps, "total_ordering": total_ordering}


NAMED[type(functools.lru_cache(len))] = lambda cached: str(cached.__name__)


class Template:
    """`string.Template`: `$name` and `${name}`."""

    __slots__ = ("template",)
    _FIELD = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)

    def __init__(self, template: str) -> None:
        if type(template) is not str:
            raise TypeError("a template is text")
        self.template = template

    def _fill(self, values: dict[str, Any], strict: bool) -> str:
        def one(match: re.Match[str]) -> str:
            if match[1]:
                return "$"
            name = match[2] or match[3]
            return str(values[name]) if strict or name in values else match[0]

        return self._FIELD.sub(one, self.template)

    def substitute(self, mapping: Any = None, /, **values: Any) -> str:
        """Fill in; a missing name is a KeyError."""
        return self._fill(dict(mapping or {}) | values, True)

    def safe_substitute(self, mapping: Any = None, /, **values: Any) -> str:
        """Fill in what there is."""
        return self._fill(dict(mapping or {}) | values, False)


METHODS[Template] = _names("template substitute safe_substitute")


def _time(now: Callable[[], float]) -> dict[str, Any]:
    def sleep(secs: Any) -> None:
        if float(secs) < 0:
            raise ValueError("sleep length must be non-negative")
        doze(float(secs))

    def strftime(format: str, t: Any = None) -> str:
        return time.strftime(format, time.gmtime(now()) if t is None else t)

    def moment(secs: Any = None) -> time.struct_time:
        return time.gmtime(now() if secs is None else secs)

    clocks = dict.fromkeys(("time", "monotonic", "perf_counter", "process_time"), now)
    whole = dict.fromkeys(("time_ns", "monotonic_ns", "perf_counter_ns"), lambda: int(now() * 1e9))
    return {
        **clocks, **whole, "sleep": sleep, "strftime": strftime, "gmtime": moment, "localtime": moment,
        "strptime": time.strptime, "mktime": calendar.timegm,
    }  # fmt: skip


def _calendar() -> dict[str, Any]:
    months, days = ("month_name", "month_abbr"), ("day_name", "day_abbr")
    tables = {name: tuple(getattr(calendar, name)) for name in (*months, *days)}
    return tables | some(calendar, (
        "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY isleap leapdays month monthcalendar monthrange timegm "
        "weekday"
    ))


def _pprint(write: Callable[[str], None]) -> dict[str, Any]:
    sys.modules.setdefault("dataclasses", types.ModuleType("dataclasses"))  # the real one loads half of the library
    vars(sys.modules["dataclasses"]).setdefault("is_dataclass", lambda value: False)
    pprint = importlib.import_module("pprint")

    def pformat(object: Any, indent: int = 1, width: int = _SHOWN_WIDTH, depth: Any = None, *, compact: bool = False,
                sort_dicts: bool = True) -> str:  # fmt: skip
        text: str = pprint.pformat(object, indent, width, depth, compact=compact, sort_dicts=sort_dicts)
        return text

    def show(object: Any, stream: Any = None, *args: Any, **options: Any) -> None:
        write(pformat(object, *args, **options) + "\n")

    def pp(object: Any, *args: Any, sort_dicts: bool = False, **options: Any) -> None:
        show(object, *args, sort_dicts=sort_dicts, **options)

    return {"pprint": show, "pformat": pformat, "pp": pp}


def _hashlib() -> dict[str, Any]:
    """From the interpreter's own modules: `hashlib` would load a large library."""
    found: dict[str, Any] = {}
    for name in ("md5", "sha1", "sha256", "sha512"):
        for home in (f"_{name}", "_sha2"):
            with contextlib.suppress(ImportError, AttributeError):
                found[name] = getattr(importlib.import_module(home), name)
    for make in found.values():
        METHODS[type(make())] = _names("copy digest digest_size hexdigest name update")
    return found


def _urllib() -> dict[str, Any]:
    parse = importlib.import_module("urllib.parse")
    for kind in (parse.ParseResult, parse.SplitResult):
        METHODS[kind] = _names("scheme netloc path params query fragment hostname port username password geturl count index")
    members = some(parse, "parse_qs parse_qsl quote quote_plus unquote unquote_plus urlencode urljoin urlparse urlsplit")
    return {"parse": Members("module", "urllib.parse", members)}


def further(now: Callable[[], float], write: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Module name -> members."""
    EXCEPTION_BASES.update({decimal.InvalidOperation, decimal.DecimalException, csv.Error})
    kinds = (
        "Awaitable Callable Collection Container Coroutine AsyncGenerator AsyncIterable AsyncIterator Generator Hashable "
        "Iterable Iterator KeysView ItemsView ValuesView Mapping MutableMapping MutableSequence MutableSet Reversible "
        "Sequence Set Sized"
    )
    return {
        "abc": {"ABC": shapes.ABC, "abstractmethod": shapes.abstractmethod},
        "base64": some(base64, "b16decode b16encode b32decode b32encode b64decode b64encode standard_b64decode "
                               "standard_b64encode urlsafe_b64decode urlsafe_b64encode"),
        "calendar": _calendar(),
        "collections.abc": some(collections.abc, kinds),
        "contextlib": some(contextlib, "ExitStack contextmanager nullcontext suppress"),
        "copy": _copy(),
        "csv": some(csv, "DictReader DictWriter Error QUOTE_ALL QUOTE_MINIMAL QUOTE_NONE QUOTE_NONNUMERIC reader writer"),
        "decimal": some(decimal, "Decimal DecimalException DivisionByZero Inexact InvalidOperation ROUND_05UP ROUND_CEILING "
                                 "ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP"),
        "difflib": some(difflib, "SequenceMatcher get_close_matches ndiff unified_diff"),
        "enum": {"Enum": shapes.ENUM, "IntEnum": shapes.INT_ENUM, "StrEnum": shapes.STR_ENUM,
                 **some(importlib.import_module("enum"), "auto unique")},
        "fractions": {"Fraction": fractions.Fraction},
        "functools": _functools(),
        "hashlib": _hashlib(),
        "html": some(html, "escape unescape"),
        "io": {"StringIO": io.StringIO},
        "operator": _operator(),
        "pathlib": dict.fromkeys(("Path", "PurePath", "PosixPath", "PurePosixPath"), pathlib.PurePosixPath),
        "pprint": _pprint(write),
        "string": some(string, "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits "
                               "printable punctuation whitespace") | {"Template": Template},
        "time": _time(now),
        "unicodedata": some(unicodedata, "category combining decimal digit east_asian_width is_normalized lookup name "
                                         "normalize numeric"),
        "urllib": _urllib(),
    }  # fmt: skip


COMPUTED[csv.DictReader, "fieldnames"] = lambda reader: list(reader.fieldnames or ())
