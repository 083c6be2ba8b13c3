"""Tasks of several calls in one program: pipes, loops and conditions."""

from __future__ import annotations

from typing import Any

from .composed_schema import Entity, number
from .composed_single import (
    Action,
    Draft,
    Ground,
    Source,
    action,
    call,
    condition,
    creation,
    done,
    field_value_for,
    join_words,
    of_parent,
    source,
)
from .composed_speech import Condition, a_noun, literal
from .composed_tools import Spec

EACH = ("for each of {s}, {a}", "for every one of {s}: {a}", "go through {s} and {a}", "take {s} and for each one {a}",
        "with each of {s}, {a}", "loop over {s} and {a}", "work through {s}: {a}", "for {s}, {a}")


def _lookup(ground: Ground, entity: Entity, row: dict[str, Any]) -> tuple[str, str, Spec] | None:
    """First line of a program that finds a record by its name, and the expression of its id."""
    spec = ground.op(entity, "find", "lookup_id")
    if spec is None or (spec.op == "find" and not spec.shows):
        return None
    code = call(spec, label=literal(row[entity.label.name]))
    if spec.op == "lookup_id":
        return f"value = {code}", "value", spec
    return f"row = {code}", f'row["{entity.id.name}"]', spec


def pipe(ground: Ground) -> Draft | None:
    """Two to four chained calls."""
    makers = (named_action, named_action, named_value, children, parent_of, top_action, create_then, raise_by, names_sent, count_noted,
              two_actions, children)
    return ground.rng.choice(makers)(ground)


def named_action(ground: Ground) -> Draft | None:
    """Find a record by name, then do something to it."""
    entity = ground.rng.choice(ground.entities)
    row = ground.row(entity)
    found, act = _lookup(ground, entity, row), action(ground, entity)
    if found is None or act is None:
        return None
    line, identifier, spec = found
    text = ground.speaker.polite(act.phrase(ground.speaker.by_label(entity, row)))
    return Draft(text, [done(f"{line}\n{act.code(identifier)}")], [spec, act.spec], acts=True)


def two_actions(ground: Ground) -> Draft | None:
    """Find a record by name, then do two things to it."""
    entity = ground.rng.choice(ground.entities)
    row = ground.row(entity)
    found, one, two = _lookup(ground, entity, row), action(ground, entity), action(ground, entity)
    if found is None or one is None or two is None or one.spec is two.spec or "delete" in (one.spec.op, two.spec.op):
        return None
    line, identifier, spec = found
    joint = ground.speaker.pick((" and ", ", then ", " and then ", "; also ", ". Then ", "; after that ", ", and also "))
    text = f"{one.phrase(ground.speaker.by_label(entity, row))}{joint}{two.phrase('it' if entity.kind != 'p' else 'them')}"
    return Draft(text, [done(f"{line}\n{one.code(identifier)}\n{two.code(identifier)}")], [spec, one.spec, two.spec], acts=True)


def named_value(ground: Ground) -> Draft | None:
    """Find a record by name, then ask a tool that wants its id."""
    entity = ground.rng.choice(ground.entities)
    row = ground.row(entity)
    found = _lookup(ground, entity, row)
    spec = ground.op(entity, "value_of")
    if found is None or spec is None or "id" not in spec.args or spec.field is None:
        return None
    if found[2].op == "find":
        return None
    intent = "flag" if spec.field.role == "flag" else "value"
    text = ground.speaker.ask(intent, field=spec.field.phrase, one=ground.speaker.by_label(entity, row))
    return Draft(text, [f"{found[0]}\nanswer({call(spec, id=found[1])})"], [found[2], spec])


def children(ground: Ground) -> Draft | None:
    """Find a parent by name, then ask about the records that belong to it."""
    rng, speaker = ground.rng, ground.speaker
    options = [one for one in ground.entities if one.parent and ground.ops(one, "ref_rows", "ref_count")]
    if not options:
        return None
    entity = rng.choice(options)
    parent = entity.parent
    assert parent is not None
    row = ground.row(parent)
    found, spec = _lookup(ground, parent, row), ground.op(entity, "ref_rows", "ref_count")
    if found is None or spec is None:
        return None
    line, identifier, finder = found
    code, by = call(spec, ref=identifier), speaker.by_label(parent, row)
    if spec.op == "ref_count":
        return Draft(of_parent(ground, entity, by, True), [f"{line}\nanswer({code})"], [finder, spec])
    numbers = entity.with_role("money", "count")
    if spec.shows and numbers and rng.random() < 0.5:
        one = rng.choice(numbers)
        text = speaker.ask("sum", field=one.phrase, set=f"the {speaker.nouns(entity)} of {by}")
        return Draft(text, [f'{line}\nrows = {code}\nanswer(sum(row["{one.name}"] for row in rows))'], [finder, spec])
    if spec.shows and rng.random() < 0.5:
        text = speaker.ask("values", field=entity.label.phrase, set=f"the {speaker.nouns(entity)} of {by}")
        return Draft(text, [f'{line}\nrows = {code}\nanswer([row["{entity.label.name}"] for row in rows])'], [finder, spec])
    return Draft(of_parent(ground, entity, by, False), [f"{line}\nanswer({code})"], [finder, spec])


def parent_of(ground: Ground) -> Draft | None:
    """Read a record, then the record that it belongs to."""
    rng, speaker = ground.rng, ground.speaker
    options = [one for one in ground.entities if one.parent and ground.ops(one, "get", "find") and ground.ops(one.parent, "get", "value_of")]
    if not options:
        return None
    entity = rng.choice(options)
    parent, ref, row = entity.parent, entity.first("ref"), ground.row(entity)
    first, second = ground.op(entity, "get", "find"), None
    assert parent is not None and ref is not None and first is not None
    second = ground.op(parent, "get", "value_of")
    assert second is not None
    if not first.shows or "id" not in second.args or (second.op == "get" and not second.shows):
        return None
    by = speaker.by_id(entity, row) if first.op == "get" else speaker.by_label(entity, row)
    role = "id" if first.op == "get" else "label"
    start = f"row = {call(first, **{role: literal(row[(entity.id if role == 'id' else entity.label).name])})}"
    code = call(second, id=f'row["{ref.name}"]')
    wanted = second.field if second.op == "value_of" else rng.choice([one for one in parent.fields[1:] if one.role != "ref"])
    assert wanted is not None
    owner = speaker.pick(("the {p} of {o}", "the {p} that {o} belongs to", "the {p} behind {o}", "the {p} linked to {o}", "the {p} on {o}"))
    intent = "flag" if wanted.role == "flag" else "value"
    text = speaker.ask(intent, field=wanted.phrase, one=owner.format(p=speaker.noun(parent), o=by))
    if second.op == "value_of":
        return Draft(text, [f"{start}\nanswer({code})"], [first, second])
    return Draft(text, [f'{start}\nitem = {code}\nanswer(item["{wanted.name}"])'], [first, second])


def top_action(ground: Ground) -> Draft | None:
    """Do something to the record that leads by a number."""
    entity = ground.rng.choice(ground.entities)
    spec, act = ground.op(entity, "top", "low"), action(ground, entity)
    if spec is None or not spec.shows or act is None or spec.field is None:
        return None
    high = ("highest", "largest", "top", "biggest", "maximum") if spec.op == "top" else ("lowest", "smallest", "minimum", "least")
    target = f"the {ground.speaker.noun(entity)} with the {ground.rng.choice(high)} {spec.field.phrase}"
    code = f'row = {call(spec)}\n' + act.code(f'row["{entity.id.name}"]')
    return Draft(ground.speaker.polite(act.phrase(target)), [done(code)], [spec, act.spec], acts=True)


def create_then(ground: Ground) -> Draft | None:
    """Create a record, then do something to the new one."""
    entity = ground.rng.choice(ground.entities)
    spec, act = ground.op(entity, "create"), action(ground, entity, ops=("send", "note", "tag", "schedule"))
    if spec is None or act is None or not spec.shows:
        return None
    said, code, _ = creation(ground, spec)
    joint = ground.speaker.pick((" and ", ", then ", " and then ", ". Then ", "; after that ", ", and "))
    text = f"{said}{joint}{act.phrase('it' if entity.kind != 'p' else 'them')}"
    if spec.extra["gives_id"]:
        program = f"value = {code}\n{act.code('value')}"
    else:
        program = f"row = {code}\n" + act.code(f'row["{entity.id.name}"]')
    return Draft(text, [done(program)], [spec, act.spec], acts=True)


def raise_by(ground: Ground) -> Draft | None:
    """Read a number, calculate, and write it back."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    setters = [spec for spec in ground.ops(entity, "set") if spec.field and spec.field.role in ("count", "money")]
    finder = ground.op(entity, "find", "get")
    if not setters or finder is None or not finder.shows:
        return None
    spec, row = rng.choice(setters), ground.row(entity)
    one = spec.field
    assert one is not None
    if any(other.field == one for other in ground.ops(entity, "increment")):
        return None
    role = "id" if finder.op == "get" else "label"
    by = speaker.by_id(entity, row) if role == "id" else speaker.by_label(entity, row)
    start = f"row = {call(finder, **{role: literal(row[(entity.id if role == 'id' else entity.label).name])})}"
    step = number(rng, 2, 50, ground.split)
    verbs, calculation = rng.choice((
        (("raise the {f} of {o} by {n}", "add {n} to the {f} of {o}", "increase the {f} of {o} by {n}", "put the {f} of {o} up by {n}", "bump {f} of {o} up by {n}"), f"+ {step}"),
        (("lower the {f} of {o} by {n}", "take {n} off the {f} of {o}", "reduce the {f} of {o} by {n}", "cut the {f} of {o} by {n}", "bring {f} of {o} down by {n}"), f"- {step}"),
        (("double the {f} of {o}", "make the {f} of {o} twice as large", "set the {f} of {o} to double of what it is", "multiply the {f} of {o} by 2", "have the {f} of {o} doubled"), "* 2"),
    ))
    text = speaker.polite(speaker.pick(verbs).format(f=one.phrase, o=by, n=speaker.value(step)))
    identifier, value = f'row["{entity.id.name}"]', f'row["{one.name}"] {calculation}'
    return Draft(text, [done(f"{start}\n{call(spec, id=identifier, value=value)}")], [finder, spec], acts=True)


def names_sent(ground: Ground) -> Draft | None:
    """Send a list of names to someone."""
    rng, speaker = ground.rng, ground.speaker
    entity, other = rng.choice(ground.entities), rng.choice(ground.entities)
    send = ground.op(other, "send", "note")
    test = condition(ground, entity) if rng.random() < 0.6 else None
    way = source(ground, entity, test)
    if send is None or way is None or entity is other:
        return None
    target, row = speaker.by_id(other, ground.row(other)), None
    row = next(one for one in other.rows if str(one[other.id.name]) in target)
    noun = f"{entity.label.phrase}s"
    verbs = ("send the {f} of {s} to {t}", "send {t} the {f} of {s}", "tell {t} the {f} of {s}", "mail the {f} of {s} to {t}", "let {t} have the {f} of {s}")
    if send.op == "note":
        verbs = ("note the {f} of {s} on {t}", "add the {f} of {s} as a note to {t}", "write the {f} of {s} in a note on {t}", "put the {f} of {s} as a note on {t}", "leave the {f} of {s} as a note on {t}")
    text = speaker.pick(verbs).format(f=noun, s=speaker.set(entity, test), t=target) + speaker.pick((", separated by commas", ", comma separated", " (with commas between)", ", joined by commas", ", with commas between them"))
    tail = f" if {way.test}" if way.test else ""
    lines = f'names = [row["{entity.label.name}"] for row in {way.code}{tail}]\n'
    lines += call(send, id=literal(row[other.id.name]), text='", ".join(names)')
    return Draft(speaker.polite(text), [done(lines)], [*way.specs, send], acts=True)


def count_noted(ground: Ground) -> Draft | None:
    """Count, then write the number elsewhere."""
    rng, speaker = ground.rng, ground.speaker
    entity, other = rng.choice(ground.entities), rng.choice(ground.entities)
    count, send = ground.op(entity, "count"), ground.op(other, "send", "note")
    if count is None or send is None or entity is other:
        return None
    test = condition(ground, entity, roles=(count.field.role,)) if count.field else None
    if count.field and (test is None or test.field != count.field):
        return None
    row = ground.row(other)
    verbs = ("send the number of {s} to {t}", "tell {t} how many {s} there are", "send {t} the count of {s}", "let {t} know how many {s} we have", "message {t} the number of {s}")
    if send.op == "note":
        verbs = ("note the number of {s} on {t}", "write the number of {s} as a note on {t}", "add a note to {t} with the number of {s}", "put the count of {s} in a note on {t}", "leave the number of {s} as a note on {t}")
    text = speaker.pick(verbs).format(s=speaker.set(entity, test, False), t=speaker.by_id(other, row))
    code = call(count, **({"value" if "value" in count.args else "filter": literal(test.value)} if test else {}))
    lines = f"total = {code}\n{call(send, id=literal(row[other.id.name]), text='str(total)')}"
    return Draft(speaker.polite(text), [done(lines)], [count, send], acts=True)


def loop(ground: Ground) -> Draft | None:
    """Something for each record of a list."""
    makers = (each_action, each_action, collect, total_of, values_dict, given_ids, given_ids, children_dict, best_of, average_of)
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
    templates = ("for each of {s}, what is the {f}? answer with {l} and {f}", "map the {l} of {s} to their {f}", "make a dict from {l} to {f} for {s}",
                 "{f} of {s}, by {l}", "give me the {f} of {s} keyed by {l}", "show {l} and {f} of {s} as a dict")
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
        templates: tuple[str, ...] = ("how many {n} do {s} have in total?", "!count the {n} of {s} in total", "total number of {n} of {s}?", "!add up how many {n} {s} have", "taken together, how many {n} do {s} have?")
        text = speaker.pick(templates).format(n=speaker.nouns(entity), s=speaker.set(parent, test))
        text = speaker.polite(text[1:]) if text.startswith("!") else text
        return Draft(text, [f"total = 0\n{_each(way, f'total += {code}')}\nanswer(total)"], [*way.specs, spec])
    templates = ("for each of {s}, how many {n} are there? use the {l} as key", "!count the {n} of each of {s}, by {l}", "number of {n} for each of {s}, by {l}",
                 "!make a dict from {l} to number of {n} for {s}", "how many {n} does each of {s} have? key by {l}", "!map the {l} of {s} to how many {n} they have")
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
    lines = f'row = {"min" if low else "max"}({way.code}, key=lambda row: row["{one.name}"])\nanswer(row["{entity.label.name}"])'
    return Draft(text, [lines], way.specs)


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
        templates: tuple[str, ...] = ("{s} is {f}", "{s} is marked {f}", "{f} is true for {s}", "{s} is listed as {f}", "{s} counts as {f}") if test.value else (
            "{s} is not {f}", "{s} isn't {f}", "{s} is not marked {f}", "{f} is false for {s}", "{s} isn't listed as {f}")
    elif one.role == "status":
        templates = ("{s} is {v}", "the {f} of {s} is {v}", "{s} is marked {v}", "{s} has the {f} {v}", "{s} is set to {v}", "{s} is still {v}")
    elif test.sign == "==":
        templates = ("the {f} of {s} is {v}", "{s} has {f} {v}", "{s} has {v} as {f}", "the {f} of {s} equals {v}", "{f} of {s} is {v}")
    elif one.role == "date":
        templates = ("the {f} of {s} is {w} {v}", "{s} has a {f} {w} {v}", "{f} of {s} is {w} {v}", "the {f} of {s} lies {w} {v}", "{s} has its {f} {w} {v}")
        return speaker.pick(templates).format(s=subject, f=one.phrase, v=value, w="after" if test.sign == ">" else "before")
    else:
        words = {">": ("over", "above", "more than", "greater than"), "<": ("under", "below", "less than", "lower than"),
                 ">=": ("at least",), "<=": ("at most",)}[test.sign]
        templates = ("the {f} of {s} is {w} {v}", "{s} has {f} of {w} {v}" if test.sign in (">=", "<=") else "{s} has {f} {w} {v}",
                     "{f} of {s} is {w} {v}", "the {f} for {s} is {w} {v}", "{f} of {s} comes to {w} {v}")
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
    templates = ("if {c}, {a}", "{a2} if {c2}", "{a2}, but only if {c2}", "if {c} then {a}", "should it be that {c}, {a}", "in case {c}, {a}",
                 "check {b}: if {c2}, {a}", "when {c}, {a}", "only if {c}, {a}", "{a2} provided that {c2}", "see whether {c}; if so, {a}")
    text = ground.speaker.pick(templates).format(
        c=_clause(ground, test, by), c2=_clause(ground, test, "it" if entity.kind != "p" else "that person"), a=act.phrase(pronoun), a2=act.phrase(by), b=by)
    lines = f"{line}\nif {test.code()}:\n    {act.code(identifier)}"
    return Draft(text, [done(lines)], [spec, act.spec], acts=True)


def if_else(ground: Ground) -> Draft | None:
    """One action or another, by a test."""
    entity = ground.rng.choice(ground.entities)
    row = ground.row(entity)
    read, one, two, test = _reader(ground, entity, row), action(ground, entity), action(ground, entity), condition(ground, entity)
    if read is None or one is None or two is None or test is None or one.spec is two.spec:
        return None
    line, by, spec, by_id = read
    identifier = literal(row[entity.id.name]) if by_id else f'row["{entity.id.name}"]'
    pronoun = "it" if entity.kind != "p" else "them"
    templates = ("if {c}, {a}, otherwise {b}", "if {c}, {a}; if not, {b}", "if {c} then {a}, else {b}", "check whether {c}: if yes, {a}, if no, {b}",
                 "when {c}, {a}; otherwise {b}", "{a2} if {c2}, otherwise {b}")
    text = ground.speaker.pick(templates).format(
        c=_clause(ground, test, by), c2=_clause(ground, test, "it" if entity.kind != "p" else "that person"),
        a=one.phrase(pronoun), b=two.phrase(pronoun), a2=one.phrase(by))
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
    templates = ("if there are no {s}, {a}", "{a} if there are no {s}", "check for {s}; if there are none, {a}", "if we have no {s}, {a}",
                 "are there any {s}? if not, {a}", "look for {s}, and if there is none, {a}", "unless there are {s}, {a}", "in case there are no {s}, {a}")
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
    templates = ("if there is no {n} called {l} yet, {a}", "{a}, unless it exists already", "check whether {l} is already {an}; if not, {a}",
                 "{a} if we do not have that {n} yet", "make sure that {an} {l} exists: if it is missing, {a}")
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
    templates = ("which of the {n} {a} and {b} has the {w} {f}?", "which {o} has the {w} {f}, {a} or {b}?", "{a} or {b}: which {o} has the {w} {f}?",
                 "compare the {n} {a} and {b}: which one has the {w} {f}?", "of the {n} {a} and {b}, which has the {w} {f}?", "does {o} {a} or {o} {b} have the {w} {f}?")
    text = speaker.pick(templates).format(n=nouns, o=speaker.noun(entity), a=a, b=b, w=word, f=field_.phrase)
    tail = "" if spec.op == "value_of" else f'["{field_.name}"]'
    first, second = (f"{call(spec, **{role: literal(row[part.name])})}{tail}" for row in (one, two))
    lines = (f"value = {first}\nother = {second}\nif value {'<' if low else '>'} other:\n    answer({literal(one[part.name])})\n"
             f"else:\n    answer({literal(two[part.name])})")
    return Draft(text, [lines], [spec])


def more_than(ground: Ground) -> Draft | None:
    """A yes or no about a count."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    spec = ground.op(entity, "count")
    if spec is None:
        return None
    test = condition(ground, entity, roles=(spec.field.role,)) if spec.field and ("value" in spec.args or rng.random() < 0.6) else None
    if (spec.field and test and test.field != spec.field) or ("value" in spec.args and test is None):
        return None
    more = rng.random() < 0.6
    limit = number(rng, 1 if more else 2, 9, ground.split)
    templates = ("are there {w} {k} {s}?", "do we have {w} {k} {s}?", "is the number of {s} {w} {k}?", "!check if there are {w} {k} {s}", "{w} {k} {s}, yes or no?",
                 "!tell me whether we have {w} {k} {s}")
    text = speaker.pick(templates).format(w="more than" if more else "fewer than", k=speaker.value(limit), s=speaker.set(entity, test, False))
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
    templates = ("if there are {w} {k} {s}, {a}", "{a} if there are {w} {k} {s}", "{a}, but only if we have {w} {k} {s}", "if we have {w} {k} {s}, {a}",
                 "when the number of {s} is {w} {k}, {a}", "count the {s}; if there are {w} {k}, {a}")
    text = speaker.pick(templates).format(w="more than" if more else "fewer than", k=speaker.value(limit), s=speaker.set(entity, test, False),
                                          a=act.phrase(speaker.by_id(other, row)))
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
    way = source(ground, entity, first) if first and first.field != test.field and rng.random() < 0.6 else source(ground, entity, None)
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
        said += f" {rng.choice(('and whose', 'where the', 'and where the'))} {_bare_clause(ground, test)}" if test.field.role != "flag" else (
            f" that are{'' if test.value else ' not'} {test.field.phrase}")
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


__all__ = ["Action", "conditional", "loop", "pipe"]
