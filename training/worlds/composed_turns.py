"""Tasks of several turns: the tool must be found first, a call fails and is repaired, or no tool can do it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...tools_registry.search import ToolIndex
from .composed_conditions import conditional
from .composed_loops import loop
from .composed_parts import (
    QUERY_VERBS,
    Draft,
    Ground,
    action,
    call,
    creation,
    done,
    id_word,
)
from .composed_pipes import pipe
from .composed_schema import Entity, number
from .composed_single import single
from .composed_speech import literal
from .composed_tools import Spec

SEARCH_SIZE = 4
_SETS = ("list", "search", "above", "count", "ref_rows", "ref_count", "names", "group", "export")
_ONES = ("get", "find", "value_of", "lookup_id")


def search_code(query: str) -> str:
    """The program that asks for tools."""
    return f"load_tools(*search_tools({literal(query)}, k={SEARCH_SIZE}))"


def alternatives(ground: Ground, spec: Spec) -> list[Spec]:
    """`spec` and the other tools with which the same task might be done."""
    if spec.entity is None:
        return [spec]
    for family in (
        _SETS,
        _ONES,
        ("sum", "top", "low", "list", "search", "above", "group"),
        ("set", "update", "increment"),
        ("exists", "find", "list", "names"),
    ):
        if spec.op in family:
            same = [one for one in ground.by_entity[spec.entity.key] if one.op in family]
            if spec.op in ("set", "increment"):
                same = [one for one in same if one.op == "update" or one.field == spec.field]
            if spec.op in _ONES:
                same += ground.ops(spec.entity, "list", "search", "top", "low")
            if spec.op in ("set", "increment") and spec.field and spec.field.role not in ("count", "money"):
                same = [one for one in same if one.op != "increment"]
            return same if spec in same else [spec, *same]
    return [spec]


def search(ground: Ground, index: ToolIndex) -> Draft | None:
    """The needed tool is not in view."""
    spec = ground.rng.choice(ground.specs)
    draft = single(ground, spec)
    if draft is None or not draft.query:
        return None
    hits = {hit.tool.full_name for hit in index.search(draft.query, SEARCH_SIZE)}
    if spec.name not in hits:
        return None
    hidden = tuple(sorted({one.name for one in alternatives(ground, spec)} | {spec.name}))
    return replace(draft, programs=[search_code(draft.query), *draft.programs], hidden=hidden)


def long(ground: Ground, index: ToolIndex) -> Draft | None:
    """Two to four actions in a row, each with a tool that must be found first."""
    rng = ground.rng
    acts: list[tuple[str, str, Spec, str]] = []
    for _ in range(12):
        if len(acts) == 4 or (len(acts) >= 2 and rng.random() < 0.2):
            break
        entity = rng.choice(ground.entities)
        made = action(ground, entity)
        if made is None or made.spec.op == "delete" or any(made.spec is act[2] for act in acts):
            continue
        row = ground.row(entity)
        query = (
            QUERY_VERBS[made.spec.op]
            .format(n=ground.speaker.noun(entity), f=made.spec.field.phrase if made.spec.field else "")
            .strip()
        )
        if made.spec.name not in {hit.tool.full_name for hit in index.search(query, SEARCH_SIZE)}:
            continue
        if any(hit.tool.full_name == made.spec.name for act in acts for hit in index.search(act[3], SEARCH_SIZE)):
            continue
        acts.append(
            (made.phrase(ground.speaker.by_id(entity, row)), made.code(literal(row[entity.id.name])), made.spec, query)
        )
    if len(acts) < 2:
        return None
    joint = ground.speaker.pick((", then ", "; then ", " and then ", ". Then ", ". After that ", "; after that ", ", next "))
    programs = []
    for number_, act in enumerate(acts):
        programs += [search_code(act[3]), act[1] if number_ < len(acts) - 1 else done(act[1])]
    hidden = tuple(sorted({one.name for act in acts for one in alternatives(ground, act[2])}))
    return Draft(joint.join(act[0] for act in acts), programs, [act[2] for act in acts], acts=True, hidden=hidden)


def trouble(ground: Ground) -> Draft | None:
    """The natural first program fails, and the message says how to mend it."""
    return ground.rng.choice((misnamed, misnamed, misnamed_list, broken_tool, broken_tool, broken_tool, unknown_parent))(
        ground
    )


def _slip(ground: Ground, label: str) -> str:
    """A label as a hasty person writes it."""
    rng = ground.rng
    options = [label.lower(), label.upper(), label.replace(" ", "-", 1), label.lower()]
    if len(label) > 6:
        at = rng.randint(2, len(label) - 3)
        options += [
            label[:at] + label[at + 1 :],
            label[:at] + label[at] + label[at:],
            label[:at] + label[at + 1] + label[at] + label[at + 2 :],
        ]
    return rng.choice([option for option in options if option != label] or [label.swapcase()])


def _mistaken(ground: Ground) -> tuple[Entity, dict[str, Any], str, Spec] | None:
    entity = ground.rng.choice(ground.entities)
    spec = ground.op(entity, "find", "lookup_id")
    if spec is None or (spec.op == "find" and not spec.shows):
        return None
    row = ground.row(entity)
    label = row[entity.label.name]
    wrong = _slip(ground, label)
    import difflib

    lower = {str(one[entity.label.name]).lower(): one[entity.label.name] for one in entity.rows}
    near = difflib.get_close_matches(wrong.lower(), list(lower), 1, 0.7)
    return (entity, row, wrong, spec) if near and lower[near[0]] == label else None


def misnamed(ground: Ground) -> Draft | None:
    """A name with a slip; the server says which one it knows."""
    made = _mistaken(ground)
    if made is None:
        return None
    entity, row, wrong, spec = made
    speaker = ground.speaker
    label = row[entity.label.name]
    by = speaker.by_label(entity, row, wrong)
    programs = []
    act = action(ground, entity) if ground.rng.random() < 0.5 else None
    wanted = ground.rng.choice([one for one in entity.fields[2:] if one.role != "ref"] or [entity.id])
    text = (
        speaker.polite(act.phrase(by))
        if act
        else speaker.ask("flag" if wanted.role == "flag" else "value", field=wanted.phrase, one=by)
    )
    if act is None and spec.op == "lookup_id":
        wanted = entity.id
        text = speaker.ask("id", field=id_word(entity), one=by)
    if act is None and any(one.field == wanted for one in ground.ops(entity, "value_of")):
        return None
    for name in (wrong, label):
        code = call(spec, label=literal(name))
        if act is None:
            programs.append(f"answer({code})" if spec.op == "lookup_id" else f'answer({code}["{wanted.name}"])')
        elif spec.op == "lookup_id":
            programs.append(done(f"value = {code}\n{act.code('value')}"))
        else:
            programs.append(done(f"row = {code}\n" + act.code(f'row["{entity.id.name}"]')))
    return Draft(text, programs, [spec, act.spec] if act else [spec], acts=act is not None)


def misnamed_list(ground: Ground) -> Draft | None:
    """Two actions, the second on a name with a slip: only what is missing is done again."""
    made = _mistaken(ground)
    if made is None:
        return None
    entity, row, wrong, spec = made
    other = ground.rng.choice(ground.entities)
    first, second = action(ground, other), action(ground, entity)
    if first is None or second is None or (first.spec is second.spec) or other is entity:
        return None
    target = ground.row(other)
    joint = ground.speaker.pick((" and ", ", then ", ". Then ", "; also ", ", and then ", "; after that "))
    text = (
        first.phrase(ground.speaker.by_id(other, target))
        + joint
        + second.phrase(ground.speaker.by_label(entity, row, wrong))
    )
    programs: list[str] = []
    for name in (wrong, row[entity.label.name]):
        code = call(spec, label=literal(name))
        body = (
            f"value = {code}\n{second.code('value')}"
            if spec.op == "lookup_id"
            else f"row = {code}\n" + second.code(f'row["{entity.id.name}"]')
        )
        programs.append(done(body if programs else f"{first.code(literal(target[other.id.name]))}\n{body}"))
    return Draft(text, programs, [first.spec, spec, second.spec], acts=True)


def broken_tool(ground: Ground) -> Draft | None:
    """A tool that is busy once, or that spells a value its own way."""
    rng, speaker = ground.rng, ground.speaker
    options = [spec for spec in ground.specs if spec.trouble]
    if not options:
        return None
    spec = rng.choice(options)
    if spec.trouble == "busy":
        draft = single(ground, replace(spec, trouble=""))
        if draft is None or len(draft.specs) != 1 or draft.specs[0].tool is not spec.tool:
            return None
        return replace(draft, programs=[draft.programs[0], draft.programs[0]])
    entity = spec.entity
    assert entity is not None and spec.field is not None
    said, spelled = rng.choice(spec.extra["spellings"])
    row = ground.row(entity)
    if spec.trouble == "unit":
        said = str(number(rng, 2, 90, ground.split))
        spelled = f"{said} {spec.extra['unit']}"
    phrase = speaker.do("set", t=speaker.by_id(entity, row), field=spec.field.phrase, value=said)
    programs = [done(call(spec, id=literal(row[entity.id.name]), value=literal(value))) for value in (said, spelled)]
    return Draft(speaker.polite(phrase), programs, [spec], acts=True)


def unknown_parent(ground: Ground) -> Draft | None:
    """Something must be created before it can be used."""
    rng, speaker = ground.rng, ground.speaker
    options = [one for one in ground.entities if ground.ops(one, "exists") or ground.ops(one, "create")]
    for entity in rng.sample(options, len(options)):
        spec, create = ground.op(entity, "find"), ground.op(entity, "create")
        act = action(ground, entity, ops=("note", "tag", "send", "schedule"))
        if spec is None or create is None or act is None or not spec.shows or not create.shows:
            continue
        said, code, label = creation(ground, create)
        by = speaker.by_label(entity, {entity.label.name: label})
        if "did you mean" in label or label in said.replace(label, "", 1):
            continue
        lead = rng.choice(("if there is no such", "if we do not have that", "should there be no such"))
        text = f"{act.phrase(by)}; {lead} {speaker.noun(entity)}, {said}"
        first = done(f"row = {call(spec, label=literal(label))}\n" + act.code(f'row["{entity.id.name}"]'))
        if create.extra["gives_id"]:
            second = done(f"value = {code}\n{act.code('value')}")
        else:
            second = done(f"row = {code}\n" + act.code(f'row["{entity.id.name}"]'))
        return Draft(text, [first, second], [spec, act.spec, create], acts=True)
    return None


MAKERS = {"pipe": pipe, "loop": loop, "condition": conditional, "trouble": trouble}
