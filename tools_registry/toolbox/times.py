"""Dates and times as people write them: parsed, and written back in the form they came in."""

from __future__ import annotations

import difflib
import functools
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Literal

from .errors import ToolboxError

_FORM = re.compile(
    r"(?:(?P<date>\d{4}-\d{2}-\d{2})(?P<joint>[T ])?)?"
    r"(?P<time>\d{1,2}:\d{2}(?P<seconds>:\d{2})?(?P<fraction>\.\d{1,6})?)?"
    r"(?P<offset>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII | re.IGNORECASE)
_SHAPES = "write it like 2026-05-04, 2026-05-04 09:30, 2026-05-04T09:30:00+02:00 or 09:30"


@dataclass(frozen=True, slots=True)
class Moment:
    """A parsed time and the form it was written in."""

    value: datetime
    form: Literal["date", "clock", "minutes", "seconds", "fraction"]
    """A date only, a time of day only, or both to the minute, the second or below."""
    joint: str = "T"
    with_seconds: bool = False
    zulu: bool = False

    def on(self, day: date) -> datetime:
        """The value, on `day` where only a time of day was written."""
        return datetime.combine(day, self.value.timetz()) if self.form == "clock" else self.value

    def like(self, value: datetime) -> str:
        """Write `value` in the form that this one had; an offset only where this one had one."""
        if self.form == "date":
            return value.date().isoformat()
        if self.value.tzinfo is None:
            value = value.replace(tzinfo=None)
        if self.form == "clock":
            text = value.timetz().isoformat("seconds" if self.with_seconds else "minutes")
        else:
            detail = {"minutes": "minutes", "seconds": "seconds", "fraction": "auto"}[self.form]
            text = value.isoformat(self.joint, detail)
        return text.replace("+00:00", "Z") if self.zulu else text


def parse(text: str) -> Moment:
    """Parse an ISO date, time of day, or both. Raises `ToolboxError`."""
    match = _FORM.fullmatch(text.strip())
    if not match or not (match["date"] or match["time"]) or (match["offset"] and not match["time"]):
        raise ToolboxError(f"not a date or time: {text[:60]!r}; {_SHAPES}")
    if bool(match["joint"]) != bool(match["date"] and match["time"]) or (match["fraction"] and not match["seconds"]):
        raise ToolboxError(f"not a date or time: {text[:60]!r}; {_SHAPES}")
    day, clock = match["date"] or "2000-01-01", (match["time"] or "00:00").rjust(5, "0")
    clock = clock if clock[2] == ":" else "0" + clock
    try:
        value = datetime.fromisoformat(f"{day}T{clock}{match['offset'] or ''}")
    except ValueError as problem:
        raise ToolboxError(f"not a date or time: {text[:60]!r} ({problem})") from None
    return Moment(value, _form(match), match["joint"] or "T", bool(match["seconds"]), match["offset"] == "Z")


def _form(match: re.Match[str]) -> Literal["date", "clock", "minutes", "seconds", "fraction"]:
    if not match["time"]:
        return "date"
    if not match["date"]:
        return "clock"
    if match["fraction"]:
        return "fraction"
    return "seconds" if match["seconds"] else "minutes"


def difference(start: Moment, end: Moment) -> timedelta:
    """The time from one to the other; where only one has an offset, the other is taken as UTC."""
    if (start.form == "clock") != (end.form == "clock"):
        raise ToolboxError("one has a date and the other only a time of day; write both in the same form")
    first, last = start.value, end.value
    if (first.tzinfo is None) != (last.tzinfo is None):
        first, last = (value if value.tzinfo else value.replace(tzinfo=UTC) for value in (first, last))
    return last - first


def zone(name: str) -> tzinfo:
    """The timezone of an IANA name (in any case) or an offset like +02:00. Raises `ToolboxError`."""
    wanted = name.strip()
    offset = _OFFSET.fullmatch(wanted)
    if offset and int(offset[2]) < 24 and int(offset[3] or 0) < 60:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(span if offset[1] == "+" else -span)
    if wanted.upper() in ("UTC", "Z", "GMT"):
        return UTC
    known = _zones()
    key = known.get(wanted.lower().replace(" ", "_"))
    if key is None:
        raise ToolboxError(f"unknown timezone: {name[:60]}{_hint(wanted)}")
    return zoneinfo.ZoneInfo(key)


@functools.cache
def _zones() -> dict[str, str]:
    names = zoneinfo.available_timezones() - {"localtime", "Factory"}  # what the machine has, and a placeholder
    return {name.lower(): name for name in sorted(names)}


def _hint(wanted: str) -> str:
    known = _zones()
    plain = wanted.lower().replace(" ", "_")
    cities = {key.rsplit("/", 1)[-1]: key for key in known}
    region, _, city = plain[:60].rpartition("/")
    here = {name: key for name, key in cities.items() if region and key.startswith(f"{region}/")}
    near = (
        difflib.get_close_matches(city, here, n=1, cutoff=0.55)
        or difflib.get_close_matches(city, cities, n=1, cutoff=0.7)
        or difflib.get_close_matches(plain[:60], known, n=1)
    )
    return f" (did you mean {known[cities.get(near[0], near[0])]}?)" if near else "; write it like Europe/Paris"
