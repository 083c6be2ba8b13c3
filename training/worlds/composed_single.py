"""Tasks of one call, and the pieces that longer tasks are made of."""

from __future__ import annotations

import random
from collections.abc import Callable
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
    options = [one for one in entity.fields[2:] if one.role != "text" and one.role != "ref" and (not roles or one.role in roles)]
    for _ in range(6):
        if not options:
            return None
        one = rng.choice(options)
        value = rng.choice(entity.rows)[one.name]
        sign = "=="
        if one.role in ("count", "money"):
            sign = rng.choice((">", "<", ">", "<", ">=", "<="))
            value = number(rng, 5, 200, ground.split) if one.role == "count" else rng.choice((5, 10, 25, 50)) * number(rng, 1, 12, ground.split)
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
        street = f"{rng.choice(('Main', 'Oak', 'Mill', 'Lake', 'Hill', 'Park'))} {rng.choice(('Street', 'Road', 'Lane'))} {number(rng, 1, 90, ground.split)}"
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
        return f"{text}{rng.choice((', it is urgent', ' and mark it as urgent', ', urgently', ' (urgent)'))}" if urgent else text

    return Action(spec, phrase, roles)


def _templates(intent: str) -> tuple[str, ...]:
    from .composed_speech import DO

    return DO[intent]


def join_words(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def creation(ground: Ground, spec: Spec, label: str | None = None, stated: bool = False) -> tuple[str, str, str]:
    """Verb phrase, call and label for a new record."""
    rng, speaker, entity = ground.rng, ground.speaker, spec.entity
    assert entity is not None
    while label is None or any(row[entity.label.name] == label for row in entity.rows):
        label = label_value(rng, entity.kind, ground.split, ground.pseudo)
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


def single(ground: Ground, spec: Spec) -> Draft | None:
    """A task that one call of `spec` solves."""
    rng, speaker, entity = ground.rng, ground.speaker, spec.entity
    if spec.trouble:
        return None
    if entity is None:
        return compute(ground, spec)
    op, one = spec.op, spec.field
    nouns, noun = speaker.nouns(entity), speaker.noun(entity)
    row = ground.row(entity)
    if op in ("list", "search", "above"):
        return _set_task(ground, spec)
    if op == "names":
        text = speaker.ask("names", field=entity.label.phrase, set=speaker.set(entity, None), noun=noun)
        return Draft(text, [f"answer({call(spec)})"], [spec], query=f"list {noun} {entity.label.phrase}s")
    if op in ("get", "find"):
        by = speaker.by_id(entity, row) if op == "get" else speaker.by_label(entity, row)
        code = call(spec, id=literal(row[entity.id.name])) if op == "get" else call(spec, label=literal(row[entity.label.name]))
        fields = [part for part in entity.fields[1:] if part.role not in ("ref",) and not (op == "find" and part.role == "label")]
        if spec.shows and rng.random() < 0.6:
            wanted = rng.choice(fields)
            if any(other.field == wanted for other in ground.ops(entity, "value_of")):
                return None
            text = speaker.ask("flag" if wanted.role == "flag" else "value", field=wanted.phrase, one=by)
            return Draft(text, [f'answer({code}["{wanted.name}"])'], [spec], query=f"get {noun} {wanted.phrase}")
        return Draft(speaker.ask("get", one=by), [f"answer({code})"], [spec], query=f"get {noun}")
    if op == "lookup_id":
        text = speaker.ask("id", field=id_word(entity), one=speaker.by_label(entity, row))
        return Draft(text, [f"answer({call(spec, label=literal(row[entity.label.name]))})"], [spec], query=f"find {noun} {id_word(entity)}")
    if op == "value_of" and one is not None:
        by_label = "label" in spec.args
        by = speaker.by_label(entity, row) if by_label else speaker.by_id(entity, row)
        role = "label" if by_label else "id"
        code = call(spec, **{role: literal(row[(entity.label if by_label else entity.id).name])})
        text = speaker.ask("flag" if one.role == "flag" else "value", field=one.phrase, one=by)
        return Draft(text, [f"answer({code})"], [spec], query=f"get {noun} {one.phrase}")
    if op == "count":
        return _count_task(ground, spec)
    if op == "sum" and one is not None:
        extra: Field | None = spec.extra.get("filter")
        test = condition(ground, entity, roles=(extra.role,)) if extra and rng.random() < 0.6 else None
        test = test if test and test.field == extra else None
        code = call(spec, filter=literal(test.value)) if test else call(spec)
        text = speaker.ask("sum", field=one.phrase, set=speaker.set(entity, test))
        return Draft(text, [f"answer({code})"], [spec], query=f"total {one.phrase} of {nouns}")
    if op in ("top", "low") and one is not None:
        text = speaker.ask(op, noun=noun, nouns=nouns, field=one.phrase)
        tail = f'["{entity.label.name}"]' if spec.shows else ""
        return Draft(text, [f"answer({call(spec)}{tail})"], [spec], query=f"{'highest' if op == 'top' else 'lowest'} {one.phrase} {noun}")
    if op == "group" and one is not None:
        text = speaker.ask("group", noun=noun, nouns=nouns, field=one.phrase)
        return Draft(text, [f"answer({call(spec)})"], [spec], query=f"count {nouns} per {one.phrase}")
    if op == "exists":
        label = row[entity.label.name] if rng.random() < 0.6 else label_value(rng, entity.kind, ground.split, ground.pseudo)
        text = speaker.ask("exists", a=a_noun(noun), noun=noun, nouns=nouns, label=speaker.value(label))
        return Draft(text, [f"answer({call(spec, label=literal(label))})"], [spec], query=f"check {noun} exists")
    if op in ("ref_count", "ref_rows") and one is not None and entity.parent is not None:
        parent = ground.row(entity.parent)
        by = speaker.by_id(entity.parent, parent)
        text = of_parent(ground, entity, by, op == "ref_count")
        verb = "count" if op == "ref_count" else "list"
        return Draft(text, [f"answer({call(spec, ref=literal(parent[entity.parent.id.name]))})"], [spec],
                     query=f"{verb} {nouns} of {speaker.noun(entity.parent)}")
    if op == "export":
        value = rng.choice(spec.extra["options"])
        text = speaker.ask("export", set=speaker.set(entity, None), nouns=nouns, value=value)
        return Draft(text, [f"answer({call(spec, format=literal(value))})"], [spec], query=f"export {nouns}")
    if op == "create":
        with_id = spec.extra["gives_id"] and rng.random() < 0.3
        said, code, _ = creation(ground, spec, stated=not with_id)
        if with_id:
            said += rng.choice((" and tell me its {i}", "; what is its {i}?", " and give me the new {i}", ", i need the {i}")).format(i=id_word(entity))
            return Draft(said, [f"answer({code})"], [spec], query=f"create {noun}")
        commanded = said.split(" ", 1)[0] in CREATE_VERBS
        return Draft(speaker.polite(said) if commanded else said, [done(code)], [spec], acts=True, query=f"create {noun}")
    act = action(ground, entity, spec)
    if act is None:
        return None
    text = speaker.polite(act.phrase(speaker.by_id(entity, row)))
    return Draft(text, [done(act.code(literal(row[entity.id.name])))], [spec], acts=True, query=action_query(act, noun))


CREATE_VERBS = frozenset("create add register set enter make open put save".split())
QUERY_VERBS = {"delete": "delete {n}", "set": "set {n} {f}", "send": "send message to {n}", "note": "add note to {n}", "tag": "tag {n}",
               "schedule": "schedule reminder {n}", "address": "set {n} address", "increment": "increase {n} {f}", "update": "update {n}"}


def action_query(act: Action, noun: str) -> str:
    """What to search for to find the tool of an action."""
    field_name = act.spec.field.phrase if act.spec.field else ""
    return QUERY_VERBS[act.spec.op].format(n=noun, f=field_name)


def of_parent(ground: Ground, entity: Entity, by: str, count: bool) -> str:
    """A question about the records of one parent."""
    speaker = ground.speaker
    counts = ("how many {n} does {p} have?", "!count the {n} of {p}", "number of {n} of {p}?", "how many {n} belong to {p}?",
              "!tell me how many {n} {p} has", "{p}: how many {n}?", "what is the number of {n} for {p}?", "how many {n} are there for {p}?",
              "!give me the count of {n} of {p}", "!find out how many {n} {p} has")
    lists = ("!list the {n} of {p}", "which {n} does {p} have?", "!show me all {n} of {p}", "{n} of {p}?", "!get the {n} for {p}",
             "what {n} belong to {p}?", "!find all {n} of {p}", "i need the {n} of {p}", "!pull up the {n} of {p}", "!give me every one of the {n} of {p}")
    text = speaker.pick(counts if count else lists).format(n=speaker.nouns(entity), p=by)
    return speaker.polite(text[1:]) if text.startswith("!") else text


def _set_task(ground: Ground, spec: Spec) -> Draft | None:
    rng, speaker, entity, one = ground.rng, ground.speaker, spec.entity, spec.field
    assert entity is not None
    noun, nouns = speaker.noun(entity), speaker.nouns(entity)
    test = None
    if one is not None and (spec.op in ("search", "above") or rng.random() < 0.7):
        test = condition(ground, entity, roles=(one.role,))
        if test is None or test.field != one or (spec.op == "above") != (test.sign == ">"):
            return None
    way = source(ground, entity, test, fields=False)
    if way is None or way.specs[0] is not spec or way.test:
        return None
    code = way.code
    query = f"list {nouns}" if test is None else f"find {nouns} by {test.field.phrase}"
    if spec.op == "list" and "limit" in spec.args and rng.random() < 0.7:
        limit = number(rng, 2, 5, ground.split)
        text = rng.choice(("show the first {k} {n}", "list {k} {n}", "give me {k} {n}", "the first {k} {n}", "get up to {k} {n}", "at most {k} {n}, please"))
        text = text.format(k=speaker.value(limit), n=nouns)
        return Draft(text, [f"answer({call(spec, limit=str(limit))})"], [spec], query=query)
    said = speaker.set(entity, test)
    if spec.shows and rng.random() < 0.45 and not ground.ops(entity, "names"):
        wanted = rng.choice([part for part in entity.fields if part.role not in ("ref", "flag") and (test is None or part != test.field)])
        intent = "names" if wanted.role == "label" else "values"
        text = speaker.ask(intent, field=wanted.phrase, set=said if intent == "values" or test is None else speaker.set(entity, test), noun=noun) \
            if test is None or intent == "values" else speaker.ask("values", field=wanted.phrase, set=said)
        return Draft(text, [f'answer([row["{wanted.name}"] for row in {code}])'], [spec], query=query)
    if rng.random() < 0.2 and not ground.ops(entity, "count"):
        return Draft(speaker.ask("count", set=speaker.set(entity, test, False)), [f"answer(len({code}))"], [spec], query=f"count {nouns}")
    text = speaker.ask("list_where" if test else "list", set=said, nouns=nouns)
    return Draft(text, [f"answer({code})"], [spec], query=query)


def _count_task(ground: Ground, spec: Spec) -> Draft | None:
    rng, speaker, entity, one = ground.rng, ground.speaker, spec.entity, spec.field
    assert entity is not None
    test = None
    if one is not None and ("value" in spec.args or rng.random() < 0.65):
        test = condition(ground, entity, roles=(one.role,))
        if test is None or test.field != one:
            return None
    if test is None:
        code = call(spec)
    else:
        code = call(spec, **{"value" if "value" in spec.args else "filter": literal(test.value)})
    text = speaker.ask("count", set=speaker.set(entity, test, False))
    return Draft(text, [f"answer({code})"], [spec], query=f"count {speaker.nouns(entity)}")


def compute(ground: Ground, spec: Spec) -> Draft | None:
    """A task for a tool that only calculates."""
    rng, speaker = ground.rng, ground.speaker
    value = number(rng, 2, 400, ground.split)
    roles = {"value": str(value)}
    said = {"value": str(value)}
    if "option" in spec.args:
        if rng.random() < 0.5:
            roles["option"] = "True"
            text = speaker.pick(spec.extra["with_option"])
        else:
            text = speaker.pick(spec.extra["asks"])
    elif "unit" in spec.args:
        unit = rng.choice(spec.extra["units"])
        roles["unit"], said["unit"] = literal(unit), unit
        text = speaker.pick(spec.extra["asks"])
    else:
        text = speaker.pick(spec.extra["asks"])
    return Draft(speaker.polite(text.format(**said)[1:]) if text.startswith("!") else text.format(**said),
                 [f"answer({call(spec, **roles)})"], [spec], query=spec.extra["query"])
