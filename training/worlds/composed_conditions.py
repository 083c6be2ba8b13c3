"""Tasks with a condition: if, only those where, if there is none."""

from __future__ import annotations

from typing import Any

from .composed_parts import (
    Draft,
    Ground,
    action,
    call,
    condition,
    creation,
    done,
    field_value_for,
    source,
)
from .composed_schema import Entity, number
from .composed_speech import Condition, a_noun, literal
from .composed_tools import Spec


def conditional(ground: Ground) -> Draft | None:
    """If, only those where, if there is none."""
    makers = (if_action, if_action, if_else, none_then, compare, more_than, count_if, filtered, exists_else)
    return ground.rng.choice(makers)(ground)


def _reader(ground: Ground, entity: Entity, row: dict[str, Any]) -> tuple[str, str, Spec, bool] | None:
    """Line that reads a record, how the task names it, the tool, and whether by id."""
    spec = ground.op(entity, "get", "find")
    if spec is None or not spec.shows:
        return None
    by_id = spec.op == "get"
    part = entity.id if by_id else entity.label
    by = ground.speaker.by_id(entity, row) if by_id else ground.speaker.by_label(entity, row)
    return f"row = {call(spec, **{'id' if by_id else 'label': literal(row[part.name])})}", by, spec, by_id


def _clause(ground: Ground, test: Condition, subject: str) -> str:
    """`subject` passes the test, as a clause."""
    speaker, one = ground.speaker, test.field
    value = speaker.value(test.value, 0.08)
    if one.role == "flag":
        templates: tuple[str, ...] = (
            ("{s} is {f}", "{s} is marked {f}", "{f} is true for {s}", "{s} is listed as {f}", "{s} counts as {f}")
            if test.value
            else (
                "{s} is not {f}",
                "{s} isn't {f}",
                "{s} is not marked {f}",
                "{f} is false for {s}",
                "{s} isn't listed as {f}",
            )
        )
    elif one.role == "status":
        templates = (
            "{s} is {v}",
            "the {f} of {s} is {v}",
            "{s} is marked {v}",
            "{s} has the {f} {v}",
            "{s} is set to {v}",
            "{s} is still {v}",
        )
    elif test.sign == "==":
        templates = (
            "the {f} of {s} is {v}",
            "{s} has {f} {v}",
            "{s} has {v} as {f}",
            "the {f} of {s} equals {v}",
            "{f} of {s} is {v}",
        )
    elif one.role == "date":
        templates = (
            "the {f} of {s} is {w} {v}",
            "{s} has a {f} {w} {v}",
            "{f} of {s} is {w} {v}",
            "the {f} of {s} lies {w} {v}",
            "{s} has its {f} {w} {v}",
        )
        return speaker.pick(templates).format(s=subject, f=one.phrase, v=value, w="after" if test.sign == ">" else "before")
    else:
        words = {
            ">": ("over", "above", "more than", "greater than"),
            "<": ("under", "below", "less than", "lower than"),
            ">=": ("at least",),
            "<=": ("at most",),
        }[test.sign]
        templates = (
            "the {f} of {s} is {w} {v}",
            "{s} has {f} of {w} {v}" if test.sign in (">=", "<=") else "{s} has {f} {w} {v}",
            "{f} of {s} is {w} {v}",
            "the {f} for {s} is {w} {v}",
            "{f} of {s} comes to {w} {v}",
        )
        return speaker.pick(templates).format(s=subject, f=one.phrase, v=value, w=ground.rng.choice(words))
    return speaker.pick(templates).format(s=subject, f=one.phrase, v=value)


def if_action(ground: Ground) -> Draft | None:
    """Act on a record only when it passes a test."""
    entity = ground.rng.choice(ground.entities)
    row = ground.row(entity)
    read, act, test = _reader(ground, entity, row), action(ground, entity), condition(ground, entity)
    if read is None or act is None or test is None:
        return None
    line, by, spec, by_id = read
    identifier = literal(row[entity.id.name]) if by_id else f'row["{entity.id.name}"]'
    pronoun = "it" if entity.kind != "p" else "them"
    templates = (
        "if {c}, {a}",
        "{a2} if {c2}",
        "{a2}, but only if {c2}",
        "if {c} then {a}",
        "should it be that {c}, {a}",
        "in case {c}, {a}",
        "check {b}: if {c2}, {a}",
        "when {c}, {a}",
        "only if {c}, {a}",
        "{a2} provided that {c2}",
        "see whether {c}; if so, {a}",
    )
    text = ground.speaker.pick(templates).format(
        c=_clause(ground, test, by),
        c2=_clause(ground, test, "it" if entity.kind != "p" else "that person"),
        a=act.phrase(pronoun),
        a2=act.phrase(by),
        b=by,
    )
    lines = f"{line}\nif {test.code()}:\n    {act.code(identifier)}"
    return Draft(text, [done(lines)], [spec, act.spec], acts=True)


def if_else(ground: Ground) -> Draft | None:
    """One action or another, by a test."""
    entity = ground.rng.choice(ground.entities)
    row = ground.row(entity)
    read, one, two, test = (
        _reader(ground, entity, row),
        action(ground, entity),
        action(ground, entity),
        condition(ground, entity),
    )
    if read is None or one is None or two is None or test is None or one.spec is two.spec:
        return None
    line, by, spec, by_id = read
    identifier = literal(row[entity.id.name]) if by_id else f'row["{entity.id.name}"]'
    pronoun = "it" if entity.kind != "p" else "them"
    templates = (
        "if {c}, {a}, otherwise {b}",
        "if {c}, {a}; if not, {b}",
        "if {c} then {a}, else {b}",
        "check whether {c}: if yes, {a}, if no, {b}",
        "when {c}, {a}; otherwise {b}",
        "{a2} if {c2}, otherwise {b}",
    )
    text = ground.speaker.pick(templates).format(
        c=_clause(ground, test, by),
        c2=_clause(ground, test, "it" if entity.kind != "p" else "that person"),
        a=one.phrase(pronoun),
        b=two.phrase(pronoun),
        a2=one.phrase(by),
    )
    lines = f"{line}\nif {test.code()}:\n    {one.code(identifier)}\nelse:\n    {two.code(identifier)}"
    return Draft(text, [done(lines)], [spec, one.spec, two.spec], acts=True)


def none_then(ground: Ground) -> Draft | None:
    """Create a record when there is none that passes a test."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    create = ground.op(entity, "create")
    test = condition(ground, entity, roles=("city", "status", "category"), some=False)
    if test and test.field.role == "city" and rng.random() < 0.6:
        test = Condition(test.field, "==", field_value_for(ground, entity, test.field))
    way = source(ground, entity, test, fields=False)
    if create is None or way is None or way.test or test is None:
        return None
    said, code, _ = creation(ground, create)
    templates = (
        "if there are no {s}, {a}",
        "{a} if there are no {s}",
        "check for {s}; if there are none, {a}",
        "if we have no {s}, {a}",
        "are there any {s}? if not, {a}",
        "look for {s}, and if there is none, {a}",
        "unless there are {s}, {a}",
        "in case there are no {s}, {a}",
    )
    text = speaker.pick(templates).format(s=speaker.set(entity, test, False), a=said)
    return Draft(text, [done(f"rows = {way.code}\nif not rows:\n    {code}")], [*way.specs, create], acts=True)


def exists_else(ground: Ground) -> Draft | None:
    """Create a record unless one of that name exists."""
    rng, speaker = ground.rng, ground.speaker
    options = [one for one in ground.entities if ground.ops(one, "exists") and ground.ops(one, "create")]
    if not options:
        return None
    entity = rng.choice(options)
    exists, create = ground.ops(entity, "exists")[0], ground.ops(entity, "create")[0]
    said, code, label = creation(ground, create)
    noun = speaker.noun(entity)
    templates = (
        "if there is no {n} called {l} yet, {a}",
        "{a}, unless it exists already",
        "check whether {l} is already {an}; if not, {a}",
        "{a} if we do not have that {n} yet",
        "make sure that {an} {l} exists: if it is missing, {a}",
    )
    text = speaker.pick(templates).format(n=noun, l=label, a=said, an=a_noun(noun))
    lines = f"if not {call(exists, label=literal(label))}:\n    {code}"
    return Draft(text, [done(lines)], [exists, create], acts=True)


def compare(ground: Ground) -> Draft | None:
    """Which of two records has more."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    numbers = entity.with_role("count", "money")
    if not numbers:
        return None
    field_ = rng.choice(numbers)
    one, two = rng.sample(entity.rows, 2)
    if one[field_.name] == two[field_.name]:
        return None
    spec = ground.op(entity, "get", "find", "value_of")
    if spec is None or (spec.op == "value_of" and spec.field != field_) or (spec.op != "value_of" and not spec.shows):
        return None
    role = "label" if "label" in spec.args else "id"
    part = entity.label if role == "label" else entity.id
    low = rng.random() < 0.4
    word = rng.choice(("lower", "smaller") if low else ("higher", "larger", "bigger"))
    nouns, a, b = speaker.nouns(entity), str(one[part.name]), str(two[part.name])
    templates = (
        "which of the {n} {a} and {b} has the {w} {f}?",
        "which {o} has the {w} {f}, {a} or {b}?",
        "{a} or {b}: which {o} has the {w} {f}?",
        "compare the {n} {a} and {b}: which one has the {w} {f}?",
        "of the {n} {a} and {b}, which has the {w} {f}?",
        "does {o} {a} or {o} {b} have the {w} {f}?",
    )
    text = speaker.pick(templates).format(n=nouns, o=speaker.noun(entity), a=a, b=b, w=word, f=field_.phrase)
    tail = "" if spec.op == "value_of" else f'["{field_.name}"]'
    first, second = (f"{call(spec, **{role: literal(row[part.name])})}{tail}" for row in (one, two))
    lines = (
        f"value = {first}\nother = {second}\nif value {'<' if low else '>'} other:\n    answer({literal(one[part.name])})\n"
        f"else:\n    answer({literal(two[part.name])})"
    )
    return Draft(text, [lines], [spec])


def more_than(ground: Ground) -> Draft | None:
    """A yes or no about a count."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    spec = ground.op(entity, "count")
    if spec is None:
        return None
    test = (
        condition(ground, entity, roles=(spec.field.role,))
        if spec.field and ("value" in spec.args or rng.random() < 0.6)
        else None
    )
    if (spec.field and test and test.field != spec.field) or ("value" in spec.args and test is None):
        return None
    more = rng.random() < 0.6
    limit = number(rng, 1 if more else 2, 9, ground.split)
    templates = (
        "are there {w} {k} {s}?",
        "do we have {w} {k} {s}?",
        "is the number of {s} {w} {k}?",
        "!check if there are {w} {k} {s}",
        "{w} {k} {s}, yes or no?",
        "!tell me whether we have {w} {k} {s}",
    )
    text = speaker.pick(templates).format(
        w="more than" if more else "fewer than", k=speaker.value(limit), s=speaker.set(entity, test, False)
    )
    text = speaker.polite(text[1:]) if text.startswith("!") else text
    code = call(spec, **({"value" if "value" in spec.args else "filter": literal(test.value)} if test else {}))
    return Draft(text, [f"answer({code} {'>' if more else '<'} {limit})"], [spec])


def count_if(ground: Ground) -> Draft | None:
    """Act when a count passes a limit."""
    rng, speaker = ground.rng, ground.speaker
    entity, other = rng.choice(ground.entities), rng.choice(ground.entities)
    spec, act = ground.op(entity, "count"), action(ground, other)
    if spec is None or act is None or entity is other:
        return None
    test = condition(ground, entity, roles=(spec.field.role,)) if spec.field else None
    if spec.field and (test is None or test.field != spec.field):
        return None
    limit, more, row = number(rng, 2, 11, ground.split), rng.random() < 0.6, ground.row(other)
    templates = (
        "if there are {w} {k} {s}, {a}",
        "{a} if there are {w} {k} {s}",
        "{a}, but only if we have {w} {k} {s}",
        "if we have {w} {k} {s}, {a}",
        "when the number of {s} is {w} {k}, {a}",
        "count the {s}; if there are {w} {k}, {a}",
    )
    text = speaker.pick(templates).format(
        w="more than" if more else "fewer than",
        k=speaker.value(limit),
        s=speaker.set(entity, test, False),
        a=act.phrase(speaker.by_id(other, row)),
    )
    code = call(spec, **({"value" if "value" in spec.args else "filter": literal(test.value)} if test else {}))
    lines = f"if {code} {'>' if more else '<'} {limit}:\n    {act.code(literal(row[other.id.name]))}"
    return Draft(text, [done(lines)], [spec, act.spec], acts=True)


def filtered(ground: Ground) -> Draft | None:
    """Records that pass a test which no tool knows, or two tests."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    first, test = condition(ground, entity, roles=("status", "category", "city")), condition(ground, entity)
    if test is None:
        return None
    way = (
        source(ground, entity, first)
        if first and first.field != test.field and rng.random() < 0.6
        else source(ground, entity, None)
    )
    if way is None:
        return None
    both = bool(way.test) or (first is not None and way.code != getattr(source(ground, entity, None), "code", ""))
    plain = source(ground, entity, test)
    if not both and (plain is None or not plain.test):
        return None
    said = speaker.set(entity, first if both else test)
    tests = test.code()
    if both:
        if first is None or not any(first.holds(row) and test.holds(row) for row in entity.rows):
            return None
        said += (
            f" {rng.choice(('and whose', 'where the', 'and where the'))} {_bare_clause(ground, test)}"
            if test.field.role != "flag"
            else (f" that are{'' if test.value else ' not'} {test.field.phrase}")
        )
        tests = f"{way.test} and {tests}" if way.test else tests
    if rng.random() < 0.4:
        wanted = entity.label
        text = speaker.ask("values", field=wanted.phrase, set=said)
        return Draft(text, [f'answer([row["{wanted.name}"] for row in {way.code} if {tests}])'], way.specs)
    if rng.random() < 0.4:
        text = speaker.ask("count", set=said.removeprefix("all ").removeprefix("the "))
        return Draft(text, [f"answer(len([row for row in {way.code} if {tests}]))"], way.specs)
    return Draft(speaker.ask("list_where", set=said), [f"answer([row for row in {way.code} if {tests}])"], way.specs)


def _bare_clause(ground: Ground, test: Condition) -> str:
    words = {"==": "is", ">": "is over", "<": "is under", ">=": "is at least", "<=": "is at most"}
    if test.field.role == "date":
        words = {">": "is after", "<": "is before"}
    return f"{test.field.phrase} {words[test.sign]} {ground.speaker.value(test.value, 0.08)}"
