"""Tasks of one call."""

from __future__ import annotations

from .composed_parts import (
    CREATE_VERBS,
    Draft,
    Ground,
    action,
    action_query,
    call,
    condition,
    creation,
    done,
    id_word,
    source,
)
from .composed_schema import Entity, Field, label_value, number
from .composed_speech import a_noun, literal
from .composed_tools import Spec


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
        code = (
            call(spec, id=literal(row[entity.id.name])) if op == "get" else call(spec, label=literal(row[entity.label.name]))
        )
        fields = [
            part for part in entity.fields[1:] if part.role not in ("ref",) and not (op == "find" and part.role == "label")
        ]
        if spec.shows and rng.random() < 0.6:
            wanted = rng.choice(fields)
            if any(other.field == wanted for other in ground.ops(entity, "value_of")):
                return None
            text = speaker.ask("flag" if wanted.role == "flag" else "value", field=wanted.phrase, one=by)
            return Draft(text, [f'answer({code}["{wanted.name}"])'], [spec], query=f"get {noun} {wanted.phrase}")
        return Draft(speaker.ask("get", one=by), [f"answer({code})"], [spec], query=f"get {noun}")
    if op == "lookup_id":
        text = speaker.ask("id", field=id_word(entity), one=speaker.by_label(entity, row))
        return Draft(
            text,
            [f"answer({call(spec, label=literal(row[entity.label.name]))})"],
            [spec],
            query=f"find {noun} {id_word(entity)}",
        )
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
        return Draft(
            text,
            [f"answer({call(spec)}{tail})"],
            [spec],
            query=f"{'highest' if op == 'top' else 'lowest'} {one.phrase} {noun}",
        )
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
        return Draft(
            text,
            [f"answer({call(spec, ref=literal(parent[entity.parent.id.name]))})"],
            [spec],
            query=f"{verb} {nouns} of {speaker.noun(entity.parent)}",
        )
    if op == "export":
        value = rng.choice(spec.extra["options"])
        text = speaker.ask("export", set=speaker.set(entity, None), nouns=nouns, value=value)
        return Draft(text, [f"answer({call(spec, format=literal(value))})"], [spec], query=f"export {nouns}")
    if op == "create":
        with_id = spec.extra["gives_id"] and rng.random() < 0.3
        said, code, _ = creation(ground, spec, stated=not with_id)
        if with_id:
            said += rng.choice(
                (" and tell me its {i}", "; what is its {i}?", " and give me the new {i}", ", i need the {i}")
            ).format(i=id_word(entity))
            return Draft(said, [f"answer({code})"], [spec], query=f"create {noun}")
        commanded = said.split(" ", 1)[0] in CREATE_VERBS
        return Draft(speaker.polite(said) if commanded else said, [done(code)], [spec], acts=True, query=f"create {noun}")
    act = action(ground, entity, spec)
    if act is None:
        return None
    text = speaker.polite(act.phrase(speaker.by_id(entity, row)))
    return Draft(text, [done(act.code(literal(row[entity.id.name])))], [spec], acts=True, query=action_query(act, noun))


def of_parent(ground: Ground, entity: Entity, by: str, count: bool) -> str:
    """A question about the records of one parent."""
    speaker = ground.speaker
    counts = (
        "how many {n} does {p} have?",
        "!count the {n} of {p}",
        "number of {n} of {p}?",
        "how many {n} belong to {p}?",
        "!tell me how many {n} {p} has",
        "{p}: how many {n}?",
        "what is the number of {n} for {p}?",
        "how many {n} are there for {p}?",
        "!give me the count of {n} of {p}",
        "!find out how many {n} {p} has",
    )
    lists = (
        "!list the {n} of {p}",
        "which {n} does {p} have?",
        "!show me all {n} of {p}",
        "{n} of {p}?",
        "!get the {n} for {p}",
        "what {n} belong to {p}?",
        "!find all {n} of {p}",
        "i need the {n} of {p}",
        "!pull up the {n} of {p}",
        "!give me every one of the {n} of {p}",
    )
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
        text = rng.choice(
            (
                "show the first {k} {n}",
                "list {k} {n}",
                "give me {k} {n}",
                "the first {k} {n}",
                "get up to {k} {n}",
                "at most {k} {n}, please",
            )
        )
        text = text.format(k=speaker.value(limit), n=nouns)
        return Draft(text, [f"answer({call(spec, limit=str(limit))})"], [spec], query=query)
    said = speaker.set(entity, test)
    if spec.shows and rng.random() < 0.45 and not ground.ops(entity, "names"):
        wanted = rng.choice(
            [part for part in entity.fields if part.role not in ("ref", "flag") and (test is None or part != test.field)]
        )
        intent = "names" if wanted.role == "label" else "values"
        text = (
            speaker.ask(
                intent,
                field=wanted.phrase,
                set=said if intent == "values" or test is None else speaker.set(entity, test),
                noun=noun,
            )
            if test is None or intent == "values"
            else speaker.ask("values", field=wanted.phrase, set=said)
        )
        return Draft(text, [f'answer([row["{wanted.name}"] for row in {code}])'], [spec], query=query)
    if rng.random() < 0.2 and not ground.ops(entity, "count"):
        return Draft(
            speaker.ask("count", set=speaker.set(entity, test, False)),
            [f"answer(len({code}))"],
            [spec],
            query=f"count {nouns}",
        )
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
    role = "value" if "value" in spec.args else "filter"
    code = call(spec) if test is None else call(spec, **{role: literal(test.value)})
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
    return Draft(
        speaker.polite(text.format(**said)[1:]) if text.startswith("!") else text.format(**said),
        [f"answer({call(spec, **roles)})"],
        [spec],
        query=spec.extra["query"],
    )
