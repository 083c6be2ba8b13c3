"""Unit conversion with pint's definitions. Units are looked up by name; pint's expression parser never sees them."""

from __future__ import annotations

import difflib
import functools
import math
import re
from typing import Any

_NAME_CHARS = 60
_FACTOR = re.compile(r"(?P<name>[^\W\d]+(?:[ _][^\W\d]+)*|[°µμΩÅ][^\W\d]*|%|°)(?:\s?\^\s?|\*\*)?(?P<power>-?[1-9])?")
_POWERS = {"²": "^2", "³": "^3", "⁻¹": "^-1", "⁻²": "^-2"}
_OTHER_NAMES = {
    "degrees celsius": "degC", "degree celsius": "degC", "degrees c": "degC", "centigrade": "degC", "°c": "degC",
    "degrees fahrenheit": "degF", "degree fahrenheit": "degF", "degrees f": "degF", "°f": "degF",
    "fl oz": "fluid_ounce", "floz": "fluid_ounce", "sqft": "square foot", "sqm": "square meter", "sq ft": "square foot",
    "sq m": "square meter", "sqkm": "square kilometer", "sqmi": "square mile", "cc": "cubic centimeter",
    "kmh": "km/hour", "kmph": "km/hour", "mpg": "mile/gallon", "mps": "m/s", "fps": "foot/second",
    "kbps": "kilobit/second", "mbps": "megabit/second", "gbps": "gigabit/second",
    "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "pb": "petabyte",
    "percent": "percent", "%": "percent", "metric ton": "metric_ton", "sec": "second", "secs": "second",
    "mins": "minute", "hr": "hour", "hrs": "hour", "wk": "week", "wks": "week", "yrs": "year", "yr": "year",
}  # fmt: skip
_SECOND_READING = {"C": "degC", "F": "degF", "c": "degC", "f": "degF", "k": "kelvin", **{
    name: _OTHER_NAMES[name] for name in ("kb", "mb", "gb", "tb", "pb")
}}  # fmt: skip


def warm() -> None:
    """Load the definitions, which takes most of a second."""
    _registry()


def convert(value: float, source: str, target: str) -> float:
    """Convert a number, to ten significant digits."""
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {value}")
    readings = [(source, target), (_SECOND_READING.get(source, source), _SECOND_READING.get(target, target))]
    first: ValueError | None = None
    for reading in readings:
        try:
            return _convert(value, *reading)
        except ValueError as problem:  # coulomb to farad is no conversion, Celsius to Fahrenheit is
            first = first or problem
    raise first or ValueError("nothing to convert")


def _convert(value: float, source: str, target: str) -> float:
    import pint

    registry = _registry()
    start, goal = _unit(registry, source), _unit(registry, target)
    try:
        result = float(registry.convert(value, start, goal))
    except pint.DimensionalityError:
        kinds = _kind(registry, start), _kind(registry, goal)
        raise ValueError(f"cannot convert {source[:40]} ({kinds[0]}) to {target[:40]} ({kinds[1]})") from None
    except (pint.PintError, ArithmeticError, TypeError):
        raise ValueError(f"cannot convert {source[:40]} to {target[:40]}") from None
    if not math.isfinite(result):
        raise ValueError(f"the result is too large: {value} {source[:40]} in {target[:40]}")
    return float(f"{result:.10g}")


@functools.cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


def _kind(registry: Any, unit: Any) -> str:
    return str(registry.Unit(unit).dimensionality).replace("[", "").replace("]", "").replace(" ** ", "^")


def _unit(registry: Any, text: str) -> Any:
    """A unit, or a quotient of products of units with whole powers, looked up name by name."""
    plain = _plain(text)
    powers: dict[str, int] = {}
    for number, part in enumerate(plain.split("/")):
        for factor in re.split(r"[*·⋅]", part):
            name, power = _factor(registry, factor.strip(), text)
            powers[name] = powers.get(name, 0) + (-power if number else power)
    from pint.util import UnitsContainer

    return UnitsContainer({name: power for name, power in powers.items() if power})


def _plain(text: str) -> str:
    if not 0 < len(text.strip()) <= _NAME_CHARS:
        raise ValueError(f"not a unit: {text[:40]!r}; write a unit name like km, mile or km/h")
    plain = " ".join(text.split())
    plain = _OTHER_NAMES.get(plain.lower(), plain) if plain not in _known_names() else plain
    for sign, power in _POWERS.items():
        plain = plain.replace(sign, power)
    return re.sub(r"\s+per\s+|\s*/\s*", "/", plain)


def _factor(registry: Any, factor: str, text: str) -> tuple[str, int]:
    times = 1
    for word, power in (("square ", 2), ("cubic ", 3)):
        if factor.lower().startswith(word):
            factor, times = factor[len(word) :], power
    for word, power in ((" squared", 2), (" cubed", 3)):
        if factor.lower().endswith(word):
            factor, times = factor[: -len(word)], power
    match = _FACTOR.fullmatch(factor)
    if not match:
        raise ValueError(f"not a unit: {text[:40]!r}; write a unit name like km, mile or km/h")
    return _name(registry, match["name"], text), times * int(match["power"] or 1)


def _name(registry: Any, written: str, text: str) -> str:
    import pint

    other = _OTHER_NAMES.get(written.lower(), "")
    for name in dict.fromkeys((written, written.replace(" ", "_"), other, written.replace(" ", "_").lower())):
        if name and " " not in name and "/" not in name:
            try:
                return str(registry.get_name(name))
            except (pint.PintError, ValueError, KeyError):
                continue
    near = difflib.get_close_matches(written.replace(" ", "_").lower(), _known_names(), n=1)
    raise ValueError(f"unknown unit: {text[:40]}" + (f" (did you mean {near[0]}?)" if near else ""))


@functools.cache
def _known_names() -> frozenset[str]:
    return frozenset(name for name in _registry()._units if name.isascii() and not name.startswith("delta_"))
