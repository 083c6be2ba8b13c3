"""The clock server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from atlas.tools_registry.toolbox import toolbox_functions


def test_now_is_iso_to_the_second_with_offset(tools):
    assert tools["clock.now"]() == "2026-05-04T09:30:00+00:00"
    assert tools["clock.now"]("Asia/Kolkata") == "2026-05-04T15:00:00+05:30"
    assert tools["clock.now"]("america/new_york") == "2026-05-04T05:30:00-04:00"
    assert tools["clock.now"]("+02:00") == tools["clock.now"]("UTC+2") == "2026-05-04T11:30:00+02:00"


def test_now_is_the_time_of_the_machine_by_default(tmp_path):
    told = datetime.fromisoformat(toolbox_functions(tmp_path)["clock.now"]())
    assert abs((datetime.now(UTC) - told).total_seconds()) < 5


def test_a_clock_without_timezone_is_taken_as_utc(tmp_path):
    tools = toolbox_functions(tmp_path, now=lambda: datetime(2026, 1, 1, 12))
    assert tools["clock.now"]("Europe/Paris") == "2026-01-01T13:00:00+01:00"


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Tokyo", "unknown timezone: Tokyo (did you mean Asia/Tokyo?)"),
        ("new york", "unknown timezone: new york (did you mean America/New_York?)"),
        ("Europe/Pariss", "unknown timezone: Europe/Pariss (did you mean Europe/Paris?)"),
        ("America/Kokyo", "unknown timezone: America/Kokyo (did you mean Asia/Tokyo?)"),
        ("../../etc/passwd", "unknown timezone: ../../etc/passwd; write it like Europe/Paris"),
        ("/etc/localtime", "unknown timezone: /etc/localtime; write it like Europe/Paris"),
        ("", "unknown timezone: ; write it like Europe/Paris"),
        ("+99:00", "unknown timezone: +99:00; write it like Europe/Paris"),
    ],
)
def test_an_unknown_timezone_is_named(fails, zone, said):
    error = fails("clock.now", zone)
    assert error.kind == "invalid" and error.message == said


@pytest.mark.parametrize(
    ("time", "source", "target", "result"),
    [
        ("09:30", "UTC", "Asia/Tokyo", "18:30"),
        ("9:05:07", "UTC", "Asia/Tokyo", "18:05:07"),
        ("23:30", "UTC", "Europe/Paris", "01:30"),
        ("2026-05-04 09:30", "America/New_York", "UTC", "2026-05-04 13:30"),
        ("2026-01-04T23:30", "Europe/London", "Asia/Tokyo", "2026-01-05T08:30"),
        ("2026-05-04T09:30:15", "UTC", "+05:30", "2026-05-04T15:00:15"),
        ("2026-05-04T09:30:00Z", "Asia/Tokyo", "Europe/Paris", "2026-05-04T11:30:00+02:00"),
        ("2026-05-04T09:30:00.250000+02:00", "UTC", "UTC", "2026-05-04T07:30:00.250000+00:00"),
    ],
)
def test_convert_answers_in_the_form_of_the_question(tools, time, source, target, result):
    assert tools["clock.convert"](time, source, target) == result


def test_convert_needs_a_time_of_day(fails):
    assert "no time of day" in str(fails("clock.convert", "2026-05-04", "UTC", "Asia/Tokyo"))
    assert "out of range" in str(fails("clock.convert", "0001-01-01 00:00", "UTC", "America/New_York"))


@pytest.mark.parametrize(
    ("time", "steps", "result"),
    [
        ("2026-05-04", {"days": 10}, "2026-05-14"),
        ("2026-03-01", {"days": -1}, "2026-02-28"),
        ("2026-05-04", {"hours": 30}, "2026-05-05T06:00"),
        ("2026-05-04 09:30", {"minutes": 45}, "2026-05-04 10:15"),
        ("2026-05-04T09:30:00", {"days": 1, "hours": 1}, "2026-05-05T10:30:00"),
        ("2026-05-04T23:59:59Z", {"minutes": 1}, "2026-05-05T00:00:59Z"),
        ("2026-05-04T09:30:00+02:00", {}, "2026-05-04T09:30:00+02:00"),
        ("23:50", {"minutes": 20}, "00:10"),
    ],
)
def test_add_keeps_the_form(tools, time, steps, result):
    assert tools["clock.add"](time, **steps) == result


def test_add_out_of_range_is_an_error(fails):
    assert fails("clock.add", "2026-05-04", days=10**12).message.startswith("out of range")
    assert fails("clock.add", "9999-12-31", 1).message.startswith("out of range")


@pytest.mark.parametrize(
    ("start", "end", "unit", "result"),
    [
        ("2026-05-04", "2026-06-01", "days", 28.0),
        ("2026-06-01", "2026-05-04", "days", -28.0),
        ("09:30", "10:15", "minutes", 45.0),
        ("2026-05-04 09:30", "2026-05-04T21:30:00", "hours", 12.0),
        ("2026-05-04", "2026-05-04 12:00", "days", 0.5),
        ("2026-05-04T09:30:00+02:00", "2026-05-04T09:30:00Z", "hours", 2.0),
        ("2026-05-04T09:30:00+02:00", "2026-05-04 09:30", "seconds", 7200.0),
    ],
)
def test_difference(tools, start, end, unit, result):
    assert tools["clock.difference"](start, end, unit) == result


def test_difference_of_a_date_and_a_time_of_day_is_an_error(fails):
    assert fails("clock.difference", "2026-05-04", "09:30").kind == "invalid"
    assert "one of 'days', 'hours'" in str(fails("clock.difference", "2026-05-04", "2026-05-05", "weeks"))


@pytest.mark.parametrize(
    "time", ["", "today", "2026-13-01", "2026-02-30", "04/05/2026", "2026-5-4", "25:00", "2026-05-04T", "2026-05-04Z",
             "2026-05-0409:30", "0000-01-01", "٢٠٢٦-٠٥-٠٤", "09:30.5", "2026-05-04 09:30 +25:00"]
)  # fmt: skip
def test_what_is_no_time_is_named(fails, time):
    for name, arguments in (("clock.add", (time,)), ("clock.difference", (time, "2026-05-04"))):
        error = fails(name, *arguments)
        assert error.kind == "invalid" and error.message.startswith("not a date or time: ")
