"""What a composed world keeps: entities with typed fields and records."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as made
from datetime import date, timedelta
from typing import Any

from .base import Split
from .composed_names import FIELD_NAMES, Pair
from .composed_words import cached_pool, plural, pseudo_word, random_code, wide_name, word

STATUS: dict[str, tuple[tuple[str, ...], ...]] = {
    "p": (
        ("active", "paused", "blocked"),
        ("new", "regular", "former"),
        ("present", "away"),
        ("invited", "registered"),
        ("trusted", "suspended"),
        ("engaged", "dormant"),
    ),
    "i": (
        ("available", "reserved", "sold"),
        ("ready", "damaged"),
        ("listed", "hidden"),
        ("fresh", "stale"),
        ("stocked", "depleted"),
    ),
    "c": (
        ("open", "done"),
        ("pending", "approved", "rejected"),
        ("unpaid", "paid", "overdue"),
        ("draft", "sent"),
        ("waiting", "running", "finished"),
        ("escalated", "settled"),
    ),
    "r": (("free", "occupied"), ("clean", "dirty"), ("vacant", "taken"), ("usable", "condemned")),
    "v": (
        ("idle", "moving", "parked"),
        ("working", "broken"),
        ("online", "offline"),
        ("charged", "empty"),
        ("docked", "roaming"),
    ),
    "e": (("planned", "cancelled"), ("confirmed", "tentative"), ("upcoming", "past"), ("scheduled", "postponed")),
}
CATEGORIES: tuple[tuple[str, ...], ...] = (
    ("basic", "plus", "pro"),
    ("small", "medium", "large"),
    ("bronze", "silver", "gold"),
    ("north", "south", "east", "west"),
    ("red", "green", "blue"),
    ("sales", "support", "finance"),
    ("indoor", "outdoor"),
    ("daily", "weekly", "monthly"),
    ("standard", "deluxe"),
    ("junior", "senior"),
    ("public", "private"),
    ("road", "rail", "air"),
    ("low", "normal", "high"),
    ("alpha", "beta", "gamma"),
    ("domestic", "foreign"),
    ("analog", "digital"),
    ("rookie", "veteran"),
    ("inland", "coastal"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: its role decides how tasks speak of it."""

    name: str
    role: str
    kind: str
    """JSON Schema type."""
    options: tuple[str, ...] = ()

    @property
    def phrase(self) -> str:
        """The field in English."""
        return {"active_flag": "active", "opened_on": "opening date"}.get(self.name, self.name.replace("_", " "))

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the field in results."""
        return {"type": self.kind}


@dataclass(slots=True)
class Entity:
    """A kind of record that one server keeps."""

    key: str
    server: str
    kind: str
    noun: str
    synonym: str | None
    fields: tuple[Field, ...]
    id_style: str
    prefix: str
    rows: list[dict[str, Any]] = made(default_factory=list)
    parent: Entity | None = None
    """Entity whose ids the field with role `ref` holds."""

    def first(self, *roles: str) -> Field | None:
        """The first field with one of these roles."""
        return next((one for role in roles for one in self.fields if one.role == role), None)

    def with_role(self, *roles: str) -> list[Field]:
        """All fields with one of these roles."""
        return [one for one in self.fields if one.role in roles]

    @property
    def id(self) -> Field:
        """The field that identifies a record."""
        return self.fields[0]

    @property
    def label(self) -> Field:
        """The field a person uses to name a record."""
        return self.fields[1]

    @property
    def plural(self) -> str:
        """The noun for several, as in tool names."""
        return plural(self.noun)


WIDE_SHARE = 0.6
"""In worlds with a lexicon, how often a name is made of its words instead of taken from the list."""


def choose(rng: random.Random, pair: Pair, split: Split, wide: Sequence[str] = ()) -> str:
    """One name of a pair of lists; with a lexicon `wide`, often one made of its words, in the same composition."""
    listed = rng.choice(pair[split == "heldout"])
    if not wide or rng.random() >= WIDE_SHARE:
        return listed
    hole = re.search(r"{\w+}", listed)
    return f"{hole[0]}_{wide_name(rng, wide)}" if hole else wide_name(rng, wide)


def number(rng: random.Random, low: int, high: int, split: Split) -> int:
    """A whole number; one residue class modulo 7 is held out."""
    while True:
        value = rng.randint(low, high)
        if (value % 7 == 3) == (split == "heldout"):
            return value


def day(rng: random.Random, split: Split) -> str:
    """An ISO date in 2026; one day in seven is held out."""
    return (date(2026, 1, 1) + timedelta(days=number(rng, 10, 350, split))).isoformat()


def money(rng: random.Random, split: Split) -> float:
    """An amount; some with cents."""
    whole = number(rng, 5, 900, split)
    return whole + rng.choice((0.0, 0.0, 0.5, 0.25, 0.9))


def person_name(rng: random.Random, split: Split) -> str:
    """First and last name."""
    return f"{word(rng, 'first', split)} {word(rng, 'last', split)}"


def label_value(rng: random.Random, kind: str, split: Split, pseudo: bool, wide: Sequence[str] = ()) -> str:
    """A name or title for a record; with a lexicon `wide`, often of its words."""
    if wide and rng.random() < 0.5:
        return " ".join(rng.choice(wide).capitalize() for _ in range(rng.choice((1, 2, 2, 3))))
    if pseudo and rng.random() < 0.6:
        first = pseudo_word(rng, split).capitalize()
        return f"{first} {pseudo_word(rng, split).capitalize()}" if kind == "p" or rng.random() < 0.3 else first
    if kind == "p":
        return person_name(rng, split)
    if kind == "c" and rng.random() < 0.6:
        return word(rng, "problem", split)
    if kind == "v" and rng.random() < 0.6:
        return f"{word(rng, 'thing', split).capitalize()} {number(rng, 2, 99, split)}"
    if rng.random() < 0.1:
        return word(rng, "company", split)
    return f"{word(rng, 'adjective', split).capitalize()} {word(rng, 'thing', split).capitalize()}"


def make_fields(
    rng: random.Random, kind: str, noun: str, split: Split, pseudo: bool, int_ids: bool, wide: Sequence[str] = ()
) -> tuple[Field, ...]:
    """Id and label, and two to four more fields."""
    fields = [
        Field(choose(rng, FIELD_NAMES["id"], split, wide).format(noun=noun), "id", "integer" if int_ids else "string"),
        Field(choose(rng, FIELD_NAMES[f"label_{kind}"], split, wide), "label", "string"),
    ]
    roles = {
        "p": ("city", "status", "category", "count", "money", "date", "flag", "text"),
        "i": ("status", "category", "count", "money", "city", "flag", "text"),
        "c": ("status", "category", "count", "money", "date", "person", "city", "flag"),
        "r": ("status", "category", "count", "money", "city", "person", "flag"),
        "v": ("status", "category", "count", "money", "city", "person", "date", "flag"),
        "e": ("status", "category", "count", "money", "date", "person", "city", "flag"),
    }[kind]
    for role in rng.sample(roles, rng.choice((2, 3, 3, 4))):
        one = make_field(rng, role, kind, split, pseudo, wide)
        if one.name not in {other.name for other in fields}:
            fields.append(one)
    return tuple(fields)


def make_field(
    rng: random.Random, role: str, kind: str, split: Split, pseudo: bool, wide: Sequence[str] = ()
) -> Field:
    """A field with a name, type and values that fit its role."""
    list_name = {"count": f"count_{kind}", "money": f"money_{kind}", "text": "text_p" if kind == "p" else "text_x"}.get(
        role, role
    )
    name = choose(rng, FIELD_NAMES[list_name], split, wide)
    if pseudo and role in ("count", "money", "category", "text") and rng.random() < 0.5:
        name = pseudo_word(rng, split)
    options: tuple[str, ...] = ()
    if role == "status":
        options = rng.choice(cached_pool(STATUS[kind], split))
    elif role == "category":
        options = rng.choice(cached_pool(CATEGORIES, split))
        if pseudo and rng.random() < 0.5:
            options = tuple(pseudo_word(rng, split) for _ in range(3))
    if wide and options and rng.random() < WIDE_SHARE:
        options = tuple(rng.sample(wide, len(options)))
    types = {"count": "integer", "money": "number", "flag": "boolean"}
    return Field(name, role, types.get(role, "string"), options)


def make_rows(
    rng: random.Random, entity: Entity, split: Split, pseudo: bool, taken: set[str], wide: Sequence[str] = ()
) -> None:
    """Fill `entity` with five to eight records whose labels no other record of the world has."""
    size = rng.randint(5, 8)
    cities = [word(rng, "city", split) for _ in range(3)]
    people = [person_name(rng, split) for _ in range(3)]
    identifiers: set[Any] = set()
    while len(entity.rows) < size:
        label = label_value(rng, entity.kind, split, pseudo, wide)
        while label in taken:
            label = f"{label_value(rng, entity.kind, split, pseudo)} {number(rng, 2, 99, split)}"
        taken.add(label)
        identifier = make_id(rng, entity, split)
        if identifier in identifiers:
            continue
        identifiers.add(identifier)
        row: dict[str, Any] = {entity.id.name: identifier, entity.label.name: label}
        for one in entity.fields[2:]:
            row[one.name] = field_value(rng, one, entity, split, cities, people)
        entity.rows.append(row)


def make_id(rng: random.Random, entity: Entity, split: Split) -> Any:
    """A fresh id in the style of the entity."""
    value = number(rng, 11, 990, split)
    if entity.id_style == "int":
        return value
    if entity.id_style == "code":
        return f"{entity.prefix.lower()}{random_code(rng, 4)}"
    return entity.id_style.format(prefix=entity.prefix, lower=entity.prefix.lower(), number=value)


def field_value(rng: random.Random, one: Field, entity: Entity, split: Split, cities: list[str], people: list[str]) -> Any:
    """A value for a field of a record."""
    if one.options:
        return rng.choice(one.options)
    if one.role == "city":
        return rng.choice(cities)
    if one.role == "person":
        return rng.choice(people)
    if one.role == "date":
        return day(rng, split)
    if one.role == "count":
        return number(rng, 1, 240 if one.name not in ("age", "floor", "level", "rating") else 80, split)
    if one.role == "money":
        return money(rng, split)
    if one.role == "flag":
        return rng.random() < 0.5
    if one.role == "ref":
        assert entity.parent is not None
        return rng.choice(entity.parent.rows)[entity.parent.id.name]
    return text_value(rng, one.name, split)


def text_value(rng: random.Random, name: str, split: Split) -> str:
    """An email address, phone number, link or code."""
    if "email" in name:
        return f"{word(rng, 'first', split)}.{word(rng, 'last', split)}@{word(rng, 'thing', split)}.example".lower()
    if name in ("phone", "pager"):
        return f"+{number(rng, 20, 60, split)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}"
    if name in ("website", "link"):
        return f"https://{word(rng, 'thing', split)}.example/{random_code(rng, 3)}"
    return random_code(rng, 6)
