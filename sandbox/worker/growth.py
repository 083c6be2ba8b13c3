"""Operations that make gigantic numbers of small ones: refused before they take the memory or the time."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

_MOST_BITS = 4_000_000
"""About 1.2 million digits; Python itself shows no more than 4,300 of them."""
_MOST_FACTORS = 100_000


def power(base: Any, exponent: Any) -> Any:
    """`base ** exponent`."""
    if type(base) is int and type(exponent) is int and exponent > 1:
        _check(abs(base).bit_length() * exponent if abs(base) > 1 else 0)
    return base**exponent


def guarded_pow(base: Any, exp: Any, mod: Any = None) -> Any:
    """The builtin `pow`."""
    return power(base, exp) if mod is None else pow(base, exp, mod)


def shift(value: Any, count: Any) -> Any:
    """`value << count`."""
    if type(value) is int and type(count) is int and value != 0:
        _check(value.bit_length() + count)
    return value << count


def _check(bits: int) -> None:
    if bits > _MOST_BITS:
        raise OverflowError(f"the result would have about {_about(bits)} bits; at most {_MOST_BITS:,} are allowed")


def _about(bits: int) -> str:
    return f"{bits:,}" if bits < 10**15 else "10**" + str(int(math.log10(bits)))


def _limited(function: Callable[..., int], factors: Callable[..., int]) -> Callable[..., int]:
    def call(*args: Any) -> int:
        if all(type(one) is int for one in args) and 1 <= len(args) <= 2 and factors(*args) > _MOST_FACTORS:
            raise OverflowError(f"{function.__name__}(): the numbers are too large here")
        return function(*args)

    call.__name__ = function.__name__
    return call


GROWING = {
    "factorial": _limited(math.factorial, lambda n, *_: n),
    "comb": _limited(math.comb, lambda n, k=0: min(k, n - k)),
    "perm": _limited(math.perm, lambda n, k=None: n if k is None else min(k, n)),
    "lshift": shift,
    "pow": power,
}
"""Members of `math` and `operator` by name, with the limit. (`math.pow` is of floats, and stays.)"""
_OPERATORS = {"**": power, "<<": shift}
IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.iadd, "-": operator.isub, "*": operator.imul, "/": operator.itruediv, "%": operator.imod,
    "|": operator.ior, "^": operator.ixor, "&": operator.iand, "//": operator.ifloordiv, "@": operator.imatmul,
    ">>": operator.irshift, **_OPERATORS,
}
"""`a.b += c` and the like, by sign."""
