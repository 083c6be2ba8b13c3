"""The pieces that tasks are made of: calls, conditions, sources of records, actions, new records."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .base import Split
from .composed_schema import Entity, Field, day, label_value, money, number, person_name
from .composed_speech import Condition, Speaker, a_noun, literal
from .composed_tools import Spec
from .composed_words import word


@dataclass(slots=True)
class Draft:
    """A task in the making."""

    text: str
    programs: list[str]
    specs: list[Spec]
    acts: bool = False
    """True for an action: the answer does not matter."""
    ordered: bool = False
    query: str = ""
    """What to search for when the first tool is hidden."""
    hidden: tuple[str, ...] = ()


@dataclass(slots=True)
class Ground:
    """A world under construction, as task makers see it."""

    rng: random.Random
    split: Split
    speaker: Speaker
    entities: list[Entity]
    specs: list[Spec]
    pseudo: bool
    by_entity: dict[str, list[Spec]] = field(default_factory=dict)
    wide: Sequence[str] = ()
    """The lexicon, where names are made of it."""

    def ops(self, entity: Entity, *ops: str) -> list[Spec]:
        """Healthy tools of an entity with one of these meanings."""
        return [spec for spec in self.by_entity.get(entity.key, ()) if spec.op in ops and not spec.trouble]

    def op(self, entity: Entity, *ops: str) -> Spec | None:
        """One of them, at random."""
        options = self.ops(entity, *ops)
        return self.rng.choice(options) if options else None

    def row(self, entity: Entity) -> dict[str, Any]:
        """A random record."""
        return self.rng.choice(entity.rows)


def call(spec: Spec, **roles: str) -> str:
    """A call with keyword arguments; `roles` maps roles to Python expressions, in the order of the stub."""
    given = {spec.args[role.replace("__", ":")]: text for role, text in roles.items()}
    ordered = [name for name in spec.tool.parameters if name in given]
    return f"{spec.name}({', '.join(f'{name}={given[name]}' for name in ordered)})"


def condition(ground: Ground, entity: Entity, *, roles: tuple[str, ...] = (), some: bool = True) -> Condition | None:
    """A condition on a field of the entity that some records pass and some do not."""
    rng = ground.rng
    options = [
        one for one in entity.fields[2:] if one.role != "text" and one.role != "ref" and (not roles or one.role in roles)
    ]
    for _ in range(6):
        if not options:
            return None
        one = rng.choice(options)
        value = rng.choice(entity.rows)[one.name]
        sign = "=="
        if one.role in ("count", "money"):
            sign = rng.choice((">", "<", ">", "<", ">=", "<="))
            value = (
                number(rng, 5, 200, ground.split)
                if one.role == "count"
                else rng.choice((5, 10, 25, 50)) * number(rng, 1, 12, ground.split)
            )
        elif one.role == "date":
            sign, value = rng.choice((">", "<")), day(rng, ground.split)
        elif one.role == "flag":
            value = rng.random() < 0.7
        made = Condition(one, sign, value)
        passing = sum(made.holds(row) for row in entity.rows)
        if not some or 0 < passing < len(entity.rows):
            return made
    return None


@dataclass(slots=True)
class Source:
    """Where a program gets a set of records from: an expression, and a test when it must choose itself."""

    code: str
    test: str
    specs: list[Spec]


def source(ground: Ground, entity: Entity, test: Condition | None, fields: bool = True) -> Source | None:
    """The shortest way to the records that pass `test`."""
    if test is not None and test.sign == "==":
        for spec in ground.ops(entity, "search"):
            if spec.field == test.field and (spec.shows or not fields):
                return Source(call(spec, value=literal(test.value)), "", [spec])
        for spec in ground.ops(entity, "list"):
            if spec.field == test.field and (spec.shows or not fields):
                return Source(call(spec, filter=literal(test.value)), "", [spec])
    if test is not None and test.sign == ">":
        for spec in ground.ops(entity, "above"):
            if spec.field == test.field and (spec.shows or not fields):
                return Source(call(spec, min=literal(test.value)), "", [spec])
    for spec in ground.ops(entity, "list"):
        if spec.shows or not (fields or test):
            return Source(call(spec), test.code() if test else "", [spec])
    return None


def field_value_for(ground: Ground, entity: Entity, one: Field) -> Any:
    """A new value to set."""
    rng, split = ground.rng, ground.split
    if one.options:
        return rng.choice(one.options)
    if one.role == "city":
        return word(rng, "city", split)
    if one.role == "person":
        return person_name(rng, split)
    if one.role == "date":
        return day(rng, split)
    if one.role == "flag":
        return rng.random() < 0.6
    if one.role == "money":
        return money(rng, split) if one.kind == "number" else number(rng, 5, 900, split)
    return number(rng, 2, 300, split)


@dataclass(slots=True)
class Action:
    """Something done to one record: the verb phrase with a hole for the target, and the call with a hole for its id."""

    spec: Spec
    phrase: Callable[[str], str]
    roles: dict[str, str]

    def code(self, identifier: str) -> str:
        """The call."""
        return call(self.spec, id=identifier, **self.roles)


def action(ground: Ground, entity: Entity, spec: Spec | None = None, *, ops: tuple[str, ...] = ()) -> Action | None:
    """A random action that a tool can do to a record of `entity`."""
    rng, speaker = ground.rng, ground.speaker
    allowed = ops or ("delete", "set", "set", "send", "note", "tag", "schedule", "increment", "update", "address")
    if spec is None:
        spec = ground.op(entity, *allowed)
    if spec is None:
        return None
    op, one = spec.op, spec.field
    roles: dict[str, str] = {}
    said: dict[str, str] = {"server": spec.tool.server}
    intent = op
    if op in ("set", "increment") and one is not None:
        value = field_value_for(ground, entity, one) if op == "set" else number(rng, 2, 60, ground.split)
        roles = {"value" if op == "set" else "amount": literal(value)}
        said |= {"field": one.phrase, "value": speaker.value(value, 0.1)}
        if op == "set" and one.role in ("status", "person") and rng.random() < 0.8:
            intent = f"set_{one.role}"
        if op == "set" and one.role == "flag":
            intent = "flag_on" if value else "flag_off"
    elif op in ("send", "note"):
        text = word(rng, "message" if op == "send" else "note", ground.split)
        if ground.wide and rng.random() < 0.5:
            text = " ".join(rng.choices(ground.wide, k=rng.randint(2, 6))).capitalize()
        roles = {"text": literal(text)}
        said["text"] = speaker.text(text)
    elif op == "tag":
        tags = rng.sample([word(rng, "tag", ground.split) for _ in range(6)], rng.choice((1, 2, 2, 3)))
        tags = list(dict.fromkeys(tags))
        roles = {"tags": literal(tags)}
        said["tags"] = join_words(tags)
    elif op == "schedule":
        when = day(rng, ground.split)
        roles, said["date"] = {"date": literal(when)}, when
    elif op == "address":
        way = f"{rng.choice(('Main', 'Oak', 'Mill', 'Lake', 'Hill', 'Park'))} {rng.choice(('Street', 'Road', 'Lane'))}"
        street = f"{way} {number(rng, 1, 90, ground.split)}"
        city = word(rng, "city", ground.split)
        roles = {"address": literal({"street": street, "city": city})}
        said |= {"street": street, "city": city}
    elif op == "update":
        chosen = rng.sample([role for role in spec.args if role.startswith("field:")], rng.choice((1, 2)))
        changes = []
        link = rng.choice((" ", " to ", " = "))
        for role in sorted(chosen):
            target = next(part for part in entity.fields if part.name == role.removeprefix("field:"))
            value = field_value_for(ground, entity, target)
            roles[role.replace(":", "__")] = literal(value)
            changes.append(f"{target.phrase}{link}{speaker.value(value, 0.1)}")
        said["changes"] = join_words(changes)
    urgent = False
    if op == "send" and "urgent" in spec.args and rng.random() < 0.45:
        roles["urgent"], urgent = "True", True
    template = speaker.pick(_templates(intent))

    def phrase(target: str) -> str:
        text = template.format(t=target, **said)
        return (
            f"{text}{rng.choice((', it is urgent', ' and mark it as urgent', ', urgently', ' (urgent)'))}"
            if urgent
            else text
        )

    return Action(spec, phrase, roles)


def _templates(intent: str) -> tuple[str, ...]:
    from .composed_phrases import DO

    return DO[intent]


def join_words(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def creation(ground: Ground, spec: Spec, label: str | None = None, stated: bool = False) -> tuple[str, str, str]:
    """Verb phrase, call and label for a new record."""
    rng, speaker, entity = ground.rng, ground.speaker, spec.entity
    assert entity is not None
    while label is None or any(row[entity.label.name] == label for row in entity.rows):
        label = label_value(rng, entity.kind, ground.split, ground.pseudo, ground.wide)
    roles = {"label": literal(label)}
    given = []
    for role in spec.args:
        if role == "label" or (role in spec.optional and rng.random() < 0.5):
            continue
        one = next(part for part in entity.fields if part.name == role.removeprefix("field:"))
        value = field_value_for(ground, entity, one)
        roles[role.replace(":", "__")] = literal(value)
        given.append(f"{one.phrase} {speaker.value(value, 0.1)}")
    rng.shuffle(given)
    lead = rng.choice((" with ", ", ", " (", ": ", " with "))
    extra = f"{lead}{join_words(given)}{')' if lead == ' (' else ''}" if given else ""
    noun = speaker.noun(entity)
    parts = {"a": a_noun(noun), "noun": noun, "label": speaker.value(label, 0.35), "with": extra}
    said = speaker.ask("stated", **parts) if stated and rng.random() < 0.2 else speaker.do("create", **parts)
    return said, call(spec, **roles), label


def id_word(entity: Entity) -> str:
    """What a person calls the id: without the noun."""
    return entity.id.phrase.removeprefix(entity.noun.replace("_", " ") + " ")


def done(code: str) -> str:
    """A program that acts."""
    return f'{code}\nanswer("done")'


CREATE_VERBS = frozenset("create add register set enter make open put save".split())
QUERY_VERBS = {
    "delete": "delete {n}",
    "set": "set {n} {f}",
    "send": "send message to {n}",
    "note": "add note to {n}",
    "tag": "tag {n}",
    "schedule": "schedule reminder {n}",
    "address": "set {n} address",
    "increment": "increase {n} {f}",
    "update": "update {n}",
}


def action_query(act: Action, noun: str) -> str:
    """What to search for to find the tool of an action."""
    field_name = act.spec.field.phrase if act.spec.field else ""
    return QUERY_VERBS[act.spec.op].format(n=noun, f=field_name)
