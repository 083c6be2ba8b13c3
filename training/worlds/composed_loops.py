"""Tasks that do something for each record of a list."""

from __future__ import annotations

from .composed_parts import (
    Draft,
    Ground,
    Source,
    action,
    call,
    condition,
    done,
    join_words,
    source,
)
from .composed_speech import literal

EACH = (
    "for each of {s}, {a}",
    "for every one of {s}: {a}",
    "go through {s} and {a}",
    "take {s} and for each one {a}",
    "with each of {s}, {a}",
    "loop over {s} and {a}",
    "work through {s}: {a}",
    "for {s}, {a}",
)


def loop(ground: Ground) -> Draft | None:
    """Something for each record of a list."""
    makers = (
        each_action,
        each_action,
        collect,
        total_of,
        values_dict,
        given_ids,
        given_ids,
        children_dict,
        best_of,
        average_of,
    )
    return ground.rng.choice(makers)(ground)


def _each(way: Source, body: str) -> str:
    inner = f"    if {way.test}:\n        {body}" if way.test else f"    {body}"
    return f"for row in {way.code}:\n{inner}"


def each_action(ground: Ground) -> Draft | None:
    """Do the same to every record that passes a test."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    act = action(ground, entity)
    test = condition(ground, entity) if rng.random() < 0.75 else None
    way = source(ground, entity, test)
    if act is None or way is None or (test is None and act.spec.op == "delete"):
        return None
    if rng.random() < 0.4:
        text = speaker.pick(EACH).format(s=speaker.set(entity, test), a=act.phrase("it" if entity.kind != "p" else "them"))
    else:
        said = speaker.set(entity, test, False)
        text = act.phrase(rng.choice(("all {s}", "every one of the {s}", "each of the {s}", "all the {s}")).format(s=said))
    body = act.code(f'row["{entity.id.name}"]')
    return Draft(speaker.polite(text, 0.2), [done(_each(way, body))], [*way.specs, act.spec], acts=True)


def collect(ground: Ground) -> Draft | None:
    """A field of every record that passes a test."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    test = condition(ground, entity)
    way = source(ground, entity, test)
    if way is None or test is None or not way.test:
        return None
    wanted = rng.choice([one for one in entity.fields if one.role not in ("ref", "flag") and one != test.field])
    text = speaker.ask("values", field=wanted.phrase, set=speaker.set(entity, test))
    return Draft(text, [f'answer([row["{wanted.name}"] for row in {way.code} if {way.test}])'], way.specs)


def total_of(ground: Ground) -> Draft | None:
    """A total that no tool gives."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    numbers = entity.with_role("count", "money")
    test = condition(ground, entity) if rng.random() < 0.6 else None
    way = source(ground, entity, test)
    if not numbers or way is None:
        return None
    one = rng.choice(numbers)
    if any(spec.field == one for spec in ground.ops(entity, "sum")) or (test and test.field == one):
        return None
    text = speaker.ask("sum", field=one.phrase, set=speaker.set(entity, test))
    item = f'total += row["{one.name}"]'
    lines = f"total = 0\n{_each(way, item)}\nanswer(total)"
    return Draft(text, [lines], way.specs)


def average_of(ground: Ground) -> Draft | None:
    """An average that no tool gives."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    numbers = entity.with_role("count", "money")
    test = condition(ground, entity) if rng.random() < 0.4 else None
    way = source(ground, entity, test)
    if not numbers or way is None or way.test:
        return None
    one = rng.choice(numbers)
    text = speaker.ask("average", field=one.phrase, set=speaker.set(entity, test))
    return Draft(text, [f'rows = {way.code}\nanswer(sum(row["{one.name}"] for row in rows) / len(rows))'], way.specs)


def values_dict(ground: Ground) -> Draft | None:
    """A tool's value for each record, by name."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    test = condition(ground, entity) if rng.random() < 0.5 else None
    way = source(ground, entity, test)
    fields = [one for one in entity.fields[2:] if one.role not in ("ref", "flag") and (test is None or one != test.field)]
    if way is None or not fields:
        return None
    wanted = rng.choice(fields)
    templates = (
        "for each of {s}, what is the {f}? answer with {l} and {f}",
        "map the {l} of {s} to their {f}",
        "make a dict from {l} to {f} for {s}",
        "{f} of {s}, by {l}",
        "give me the {f} of {s} keyed by {l}",
        "show {l} and {f} of {s} as a dict",
    )
    text = speaker.pick(templates).format(s=speaker.set(entity, test), f=wanted.phrase, l=entity.label.phrase)
    item = f'found[row["{entity.label.name}"]] = row["{wanted.name}"]'
    return Draft(text, [f"found = {{}}\n{_each(way, item)}\nanswer(found)"], way.specs)


def given_ids(ground: Ground) -> Draft | None:
    """The same for several records that the task names."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    act = action(ground, entity)
    rows = rng.sample(entity.rows, rng.choice((2, 3, 3, 4)))
    ids = [row[entity.id.name] for row in rows]
    said = f"{speaker.nouns(entity)} {join_words([str(one) for one in ids])}"
    if rng.random() < 0.35:
        spec = ground.op(entity, "value_of")
        if spec is None or "id" not in spec.args or spec.field is None or spec.field.role == "flag":
            return None
        code = call(spec, id="value")
        if spec.field.role in ("count", "money") and rng.random() < 0.5:
            text = speaker.ask("sum", field=spec.field.phrase, set=said)
            return Draft(text, [f"total = 0\nfor value in {literal(ids)}:\n    total += {code}\nanswer(total)"], [spec])
        text = speaker.ask("values", field=spec.field.phrase, set=said)
        return Draft(text, [f"answer([{code} for value in {literal(ids)}])"], [spec])
    if act is None:
        return None
    lines = f"for value in {literal(ids)}:\n    {act.code('value')}"
    return Draft(speaker.polite(act.phrase(said)), [done(lines)], [act.spec], acts=True)


def children_dict(ground: Ground) -> Draft | None:
    """For each parent, how many records belong to it."""
    rng, speaker = ground.rng, ground.speaker
    options = [one for one in ground.entities if one.parent and ground.ops(one, "ref_rows", "ref_count")]
    if not options:
        return None
    entity = rng.choice(options)
    parent = entity.parent
    assert parent is not None
    test = condition(ground, parent) if rng.random() < 0.6 else None
    way, spec = source(ground, parent, test), ground.op(entity, "ref_count") or ground.op(entity, "ref_rows")
    if way is None or spec is None:
        return None
    code = call(spec, ref=f'row["{parent.id.name}"]')
    code = code if spec.op == "ref_count" else f"len({code})"
    if rng.random() < 0.5:
        templates: tuple[str, ...] = (
            "how many {n} do {s} have in total?",
            "!count the {n} of {s} in total",
            "total number of {n} of {s}?",
            "!add up how many {n} {s} have",
            "taken together, how many {n} do {s} have?",
        )
        text = speaker.pick(templates).format(n=speaker.nouns(entity), s=speaker.set(parent, test))
        text = speaker.polite(text[1:]) if text.startswith("!") else text
        return Draft(text, [f"total = 0\n{_each(way, f'total += {code}')}\nanswer(total)"], [*way.specs, spec])
    templates = (
        "for each of {s}, how many {n} are there? use the {l} as key",
        "!count the {n} of each of {s}, by {l}",
        "number of {n} for each of {s}, by {l}",
        "!make a dict from {l} to number of {n} for {s}",
        "how many {n} does each of {s} have? key by {l}",
        "!map the {l} of {s} to how many {n} they have",
    )
    text = speaker.pick(templates).format(n=speaker.nouns(entity), s=speaker.set(parent, test), l=parent.label.phrase)
    text = speaker.polite(text[1:], 0.2) if text.startswith("!") else text
    item = f'found[row["{parent.label.name}"]] = {code}'
    return Draft(text, [f"found = {{}}\n{_each(way, item)}\nanswer(found)"], [*way.specs, spec])


def best_of(ground: Ground) -> Draft | None:
    """The record with the highest or lowest number, which no tool gives."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    numbers = entity.with_role("count", "money")
    way = source(ground, entity, None)
    if not numbers or way is None:
        return None
    one, low = rng.choice(numbers), rng.random() < 0.4
    if any(spec.field == one for spec in ground.ops(entity, "top", "low")):
        return None
    values = sorted((row[one.name] for row in entity.rows), reverse=not low)
    if values[0] == values[1]:
        return None
    text = speaker.ask("low" if low else "top", noun=speaker.noun(entity), nouns=speaker.nouns(entity), field=one.phrase)
    lines = (
        f'row = {"min" if low else "max"}({way.code}, key=lambda row: row["{one.name}"])\nanswer(row["{entity.label.name}"])'
    )
    return Draft(text, [lines], way.specs)
