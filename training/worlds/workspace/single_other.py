"""Tasks of one call on the clock and on units."""

from __future__ import annotations

from datetime import timedelta

from . import words
from .draft import Desk, Draft, Intent, ask, q

NOW = (
    "what time is it in {place}?",
    "what's the time in {place}?",
    "time in {place}?",
    "what is the current time in {place}?",
    "current time in {place}",
    "how late is it in {place}?",
    "tell me the time in {place}",
    "what time is it now in {place}?",
    "what time do they have in {place} <right now|now|at the moment>?",
    "give me the <current |>time in {place}",
    "the clock in {place} shows what time?",
    "what does the clock say in {place}?",
    "local time in {place}?",
    "which time is it in {place} at the moment?",
    "I'd like to know what time it is in {place}",
    "in {place}, what time is it?",
    "get the current <date and time|time> in {place}",
    "is it late in {place}? What time is it there?",
)
NOW_UTC = (
    "what time is it?",
    "what is the current time?",
    "what's the time?",
    "current date and time?",
    "what time is it now, UTC?",
    "tell me the current time",
    "what is the date and time?",
    "time in UTC?",
    "get the current UTC time",
    "what does the clock say?",
    "how late is it?",
    "the time, please",
)
TODAY = (
    "what is today's date?",
    "what day is it today?",
    "today's date?",
    "what is the date <today|>?",
    "tell me today's date",
    "which date do we have today?",
    "give me today's date",
    "what's the date?",
    "date of today",
)
CONVERT_TIME = (
    "what is {time} {a} time in {b}?",
    "convert {time} from {a} to {b} time",
    "when it is {time} in {a}, what time is it in {b}?",
    "{time} in {a} is what time in {b}?",
    "if it's {time} in {a}, what time is it in {b}?",
    "convert {time} in {a} to the time in {b}",
    "it is {time} in {a}. What time is it in {b}?",
    "express {time} ({a}) in {b} time",
    "my call is at {time} {a} time. When is that in {b}?",
    "translate {time} in {a} into {b} time",
    "{time} {a} to {b}?",
    "a meeting starts at {time} in {a}; what time is that in {b}?",
    "what's {time} {a} time for someone in {b}?",
    "change the time {time} from {a} time to {b} time",
)
ADD = (
    "what is {time} plus {amount}?",
    "what date is {amount} after {time}?",
    "add {amount} to {time}",
    "{amount} after {time}?",
    "what comes {amount} after {time}?",
    "which date is {amount} later than {time}?",
    "{time} plus {amount}?",
    "what will the date be {amount} after {time}?",
    "count {amount} on from {time}",
    "calculate {time} + {amount}",
    "when is it {amount} after {time}?",
    "go {amount} forward from {time}",
    "it's {time}. What is it {amount} later?",
)
SUBTRACT = (
    "what is {time} minus {amount}?",
    "what date is {amount} before {time}?",
    "subtract {amount} from {time}",
    "{amount} before {time}?",
    "which date is {amount} earlier than {time}?",
    "{time} minus {amount}?",
    "what was the date {amount} before {time}?",
    "go {amount} back from {time}",
    "take {amount} off {time}",
    "calculate {time} - {amount}",
)
DIFFERENCE = (
    "how many {unit} are <there |>between {a} and {b}?",
    "how many {unit} <is it |>from {a} to {b}?",
    "{unit} between {a} and {b}?",
    "number of {unit} from {a} to {b}",
    "what is the difference between {a} and {b} in {unit}?",
    "count the {unit} between {a} and {b}",
    "how many {unit} lie between {a} and {b}?",
    "from {a} until {b}, how many {unit} is that?",
    "how long is it from {a} to {b} in {unit}?",
    "tell me how many {unit} there are between {a} and {b}",
    "how many {unit} pass from {a} to {b}?",
    "calculate the {unit} from {a} to {b}",
)
CONVERT = (
    "convert {v} {a} to {b}",
    "how many {b} are <in |>{v} {a}?",
    "what is {v} {a} in {b}?",
    "{v} {a} in {b}?",
    "{v} {a} to {b}",
    "how much is {v} {a} in {b}?",
    "express {v} {a} in {b}",
    "turn {v} {a} into {b}",
    "{v} {a} is how many {b}?",
    "what's {v} {a} in {b}?",
    "I have {v} {a}. How much is that in {b}?",
    "calculate {v} {a} in {b}",
    "give me {v} {a} in {b}",
    "how many {b} is {v} {a}?",
    "{v} {a} = ? {b}",
    "change {v} {a} into {b}",
    "what do {v} {a} make in {b}?",
    "tell me what {v} {a} is in {b}",
    "{b} in {v} {a}?",
    "convert to {b}: {v} {a}",
    "if I have {v} {a}, how many {b} is that?",
    "my scale says {v} {a}, what is that in {b}?",
    "translate {v} {a} to {b}",
)


def city(desk: Desk) -> tuple[str, str]:
    """A place as people say it, and its timezone. Which city lies in which zone is knowledge, not a held-out piece."""
    name, zone = desk.rng.choice(words.CITIES)
    at = desk.rng.random()
    if at < 0.25:
        return zone, zone
    return (f"{name} ({zone})", zone) if at < 0.32 else (name, zone)


def now(desk: Desk) -> Draft:
    """The time now."""
    at = desk.rng.random()
    if at < 0.12:
        return ask(desk.say(NOW_UTC), "answer(clock.now())")
    if at < 0.22:
        return ask(desk.say(TODAY), "answer(clock.now()[:10])")
    shown, zone = city(desk)
    return ask(desk.say(NOW, place=shown), f"answer(clock.now(timezone={q(zone)}))")


def moment(desk: Desk) -> str:
    """A date and time."""
    return f"{desk.draw.day()}T{desk.rng.randrange(24):02d}:{desk.rng.choice((0, 15, 30, 45)):02d}:00"


def shown_time(desk: Desk, time: str) -> str:
    """A date and time as people write it."""
    return desk.rng.choice((time[:16].replace("T", " "), time[:16].replace("T", " "), time[:16], time))


def convert_time(desk: Desk) -> Draft:
    """A time in one place as a time in another."""
    (a, source), (b, target) = city(desk), city(desk)
    while target == source:
        b, target = city(desk)
    time = shown_time(desk, moment(desk))
    return ask(
        desk.say(CONVERT_TIME, time=time, a=a, b=b),
        f"answer(clock.convert(time={q(time)}, source={q(source)}, target={q(target)}))",
    )


def add(desk: Desk) -> Draft:
    """A date some days on or back."""
    sign = 1 if desk.draw.chance(0.65) else -1
    if desk.draw.chance(0.6):
        weeks = desk.draw.chance(0.2)
        number = desk.rng.randint(2, 8) if weeks else desk.draw.number(2, 200)
        time, amount, argument = (
            desk.draw.day().isoformat(),
            f"{desk.count(number)} {'weeks' if weeks else 'days'}",
            f"days={sign * number * (7 if weeks else 1)}",
        )
    else:
        unit = desk.rng.choice(("hours", "minutes"))
        number = desk.draw.number(2, 90)
        time, amount, argument = shown_time(desk, moment(desk)), f"{desk.count(number)} {unit}", f"{unit}={sign * number}"
    return ask(
        desk.say(ADD if sign > 0 else SUBTRACT, time=time, amount=amount), f"answer(clock.add(time={q(time)}, {argument}))"
    )


def difference(desk: Desk) -> Draft:
    """How long between two times."""
    unit = desk.rng.choice(("days", "days", "days", "hours", "minutes"))
    if unit == "days":
        start = desk.draw.day()
        a, b = start.isoformat(), (start + timedelta(days=desk.draw.number(2, 300))).isoformat()
    else:
        time = moment(desk)
        hour = desk.rng.randint(0, 15)
        a = f"{time[:10]} {hour:02d}:{desk.rng.choice((0, 10, 20, 40)):02d}"
        b = f"{time[:10]} {hour + desk.rng.randint(1, 8):02d}:{desk.rng.choice((0, 5, 30, 45)):02d}"
    return ask(
        desk.say(DIFFERENCE, a=a, b=b, unit=unit), f"answer(clock.difference(start={q(a)}, end={q(b)}, unit={q(unit)}))"
    )


def amount(desk: Desk) -> str:
    """A number for a unit."""
    at = desk.rng.random()
    whole = desk.draw.number(2, 500 if at < 0.8 else 20000)
    return f"{whole}.{desk.rng.randint(1, 9)}" if at < 0.2 else str(whole)


def convert(desk: Desk) -> Draft:
    """A number of one unit in another."""
    _, units = desk.rng.choice((*words.UNITS, *words.UNITS[:4]))
    (a, source), (b, target) = desk.rng.sample(units, 2)
    while source == target:
        (a, source), (b, target) = desk.rng.sample(units, 2)
    value = amount(desk)
    return ask(
        desk.say(CONVERT, v=value, a=a, b=b),
        f"answer(units.convert(value={value}, source={q(source)}, target={q(target)}))",
    )


CLOCK: tuple[Intent, ...] = ((4, now), (3, convert_time), (4, add), (4, difference))
UNITS: tuple[Intent, ...] = ((1, convert),)
