"""The units server."""

from __future__ import annotations

import pytest

from atlas.tools_registry.toolbox import child


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (1, "km", "mile", 0.6213711922),
        (5, "kilometres", "m", 5000.0),
        (2, "Miles", "Kilometers", 3.218688),
        (10, "lbs", "kg", 4.5359237),
        (20, "celsius", "fahrenheit", 68.0),
        (20, "C", "F", 68.0),
        (68, "°F", "°C", 20.0),
        (0, "degrees Celsius", "kelvin", 273.15),
        (-40, "degC", "degF", -40.0),
        (1, "GB", "MB", 1000.0),
        (1, "GiB", "MiB", 1024.0),
        (1, "gb", "mb", 1000.0),
        (8, "bit", "byte", 1.0),
        (100, "km/h", "mph", 62.13711922),
        (1, "meters per second", "km/h", 3.6),
        (1, "square meters", "sqft", 10.76391042),
        (1, "m²", "cm^2", 10000.0),
        (1, "m2", "cm2", 10000.0),
        (1, "cubic meter", "liters", 1000.0),
        (3, "cups", "tablespoons", 48.0),
        (1, "fl oz", "ml", 29.57352956),
        (2, "hours", "min", 120.0),
        (1, "week", "days", 7.0),
        (1, "kWh", "joules", 3600000.0),
        (1, "nautical mile", "km", 1.852),
        (50, "%", "percent", 50.0),
        (1, "kg*m/s^2", "newton", 1.0),
        (6, "feet", "inches", 72.0),
    ],
)
def test_convert(tools, value, source, target, result):
    converted = tools["units.convert"](value, source, target)
    assert converted == result and type(converted) is float


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("mille", "km", "unknown unit: mille (did you mean mile?)"),
        ("m", "hour", "cannot convert m (length) to hour (time)"),
        ("dollars", "euros", "unknown unit: dollars"),
        ("", "m", "not a unit: ''"),
        ("m", "   ", "not a unit: '   '"),
        ("x" * 100, "m", "not a unit"),
        ("__import__('os')", "m", "not a unit"),
        ("2**9999999", "m", "not a unit"),
        ("m**9999999", "m", "not a unit"),
        ("m^99", "m", "not a unit"),
        ("3 m", "m", "not a unit"),
        ("m + m", "m", "not a unit"),
        ("m.__class__", "m", "not a unit"),
        ("m\0", "m", "not a unit"),
        ("(m)", "m", "not a unit"),
        ("m/", "m", "not a unit"),
        ("__class__", "m", "unknown unit: __class__"),
        ("celsius/m", "fahrenheit/m", "cannot convert celsius/m (temperature / length)"),
    ],
)
def test_what_is_no_unit_or_does_not_fit_is_named(fails, source, target, said):
    error = fails("units.convert", 1.0, source, target)
    assert error.kind == "invalid" and error.message.startswith(said), error


def test_numbers_that_are_not_finite_are_refused(fails):
    for value in (float("nan"), float("inf")):
        assert fails("units.convert", value, "m", "km").message.startswith("not a finite number")
    assert fails("units.convert", 1e308, "km", "mm").message.startswith("the result is too large")
    assert fails("units.convert", True, "m", "km").message == "value must be float, not bool True"


def test_the_conversion_runs_in_the_child(tools):
    tools["units.convert"](1.0, "km", "m")
    assert child.MEASURES.pid is not None
