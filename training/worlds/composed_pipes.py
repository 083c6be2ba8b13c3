"""Tasks of two to four chained calls in one program."""

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
    source,
)
from .composed_schema import Entity, number
from .composed_single import of_parent
from .composed_speech import literal
from .composed_tools import Spec


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
    makers = (
        named_action,
        named_action,
        named_value,
        children,
        parent_of,
        top_action,
        create_then,
        raise_by,
        names_sent,
        count_noted,
        two_actions,
        children,
    )
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
    return Draft(
        text, [done(f"{line}\n{one.code(identifier)}\n{two.code(identifier)}")], [spec, one.spec, two.spec], acts=True
    )


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
    options = [
        one
        for one in ground.entities
        if one.parent and ground.ops(one, "get", "find") and ground.ops(one.parent, "get", "value_of")
    ]
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
    owner = speaker.pick(
        ("the {p} of {o}", "the {p} that {o} belongs to", "the {p} behind {o}", "the {p} linked to {o}", "the {p} on {o}")
    )
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
    high = (
        ("highest", "largest", "top", "biggest", "maximum")
        if spec.op == "top"
        else ("lowest", "smallest", "minimum", "least")
    )
    target = f"the {ground.speaker.noun(entity)} with the {ground.rng.choice(high)} {spec.field.phrase}"
    code = f"row = {call(spec)}\n" + act.code(f'row["{entity.id.name}"]')
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
    verbs, calculation = rng.choice(
        (
            (
                (
                    "raise the {f} of {o} by {n}",
                    "add {n} to the {f} of {o}",
                    "increase the {f} of {o} by {n}",
                    "put the {f} of {o} up by {n}",
                    "bump {f} of {o} up by {n}",
                ),
                f"+ {step}",
            ),
            (
                (
                    "lower the {f} of {o} by {n}",
                    "take {n} off the {f} of {o}",
                    "reduce the {f} of {o} by {n}",
                    "cut the {f} of {o} by {n}",
                    "bring {f} of {o} down by {n}",
                ),
                f"- {step}",
            ),
            (
                (
                    "double the {f} of {o}",
                    "make the {f} of {o} twice as large",
                    "set the {f} of {o} to double of what it is",
                    "multiply the {f} of {o} by 2",
                    "have the {f} of {o} doubled",
                ),
                "* 2",
            ),
        )
    )
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
    verbs = (
        "send the {f} of {s} to {t}",
        "send {t} the {f} of {s}",
        "tell {t} the {f} of {s}",
        "mail the {f} of {s} to {t}",
        "let {t} have the {f} of {s}",
    )
    if send.op == "note":
        verbs = (
            "note the {f} of {s} on {t}",
            "add the {f} of {s} as a note to {t}",
            "write the {f} of {s} in a note on {t}",
            "put the {f} of {s} as a note on {t}",
            "leave the {f} of {s} as a note on {t}",
        )
    text = speaker.pick(verbs).format(f=noun, s=speaker.set(entity, test), t=target) + speaker.pick(
        (
            ", separated by commas",
            ", comma separated",
            " (with commas between)",
            ", joined by commas",
            ", with commas between them",
        )
    )
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
    verbs = (
        "send the number of {s} to {t}",
        "tell {t} how many {s} there are",
        "send {t} the count of {s}",
        "let {t} know how many {s} we have",
        "message {t} the number of {s}",
    )
    if send.op == "note":
        verbs = (
            "note the number of {s} on {t}",
            "write the number of {s} as a note on {t}",
            "add a note to {t} with the number of {s}",
            "put the count of {s} in a note on {t}",
            "leave the number of {s} as a note on {t}",
        )
    text = speaker.pick(verbs).format(s=speaker.set(entity, test, False), t=speaker.by_id(other, row))
    code = call(count, **({"value" if "value" in count.args else "filter": literal(test.value)} if test else {}))
    lines = f"total = {code}\n{call(send, id=literal(row[other.id.name]), text='str(total)')}"
    return Draft(speaker.polite(text), [done(lines)], [count, send], acts=True)
