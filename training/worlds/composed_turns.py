"""Tasks of several turns: the tool must be found first, a call fails and is repaired, or no tool can do it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...tools_registry.search import ToolIndex
from .base import CANNOT
from .composed_chains import conditional, loop, pipe
from .composed_schema import Entity, number
from .composed_single import QUERY_VERBS, Draft, Ground, action, call, creation, done, id_word, single
from .composed_speech import a_noun, literal
from .composed_tools import Spec, words_of
from .composed_words import word

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
    for family in (_SETS, _ONES, ("sum", "top", "low", "list", "search", "above", "group"), ("set", "update", "increment"), ("exists", "find", "list", "names")):
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
        query = QUERY_VERBS[made.spec.op].format(n=ground.speaker.noun(entity), f=made.spec.field.phrase if made.spec.field else "").strip()
        if made.spec.name not in {hit.tool.full_name for hit in index.search(query, SEARCH_SIZE)}:
            continue
        if any(hit.tool.full_name == made.spec.name for act in acts for hit in index.search(act[3], SEARCH_SIZE)):
            continue
        acts.append((made.phrase(ground.speaker.by_id(entity, row)), made.code(literal(row[entity.id.name])), made.spec, query))
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
    return ground.rng.choice((misnamed, misnamed, misnamed_list, broken_tool, broken_tool, broken_tool, unknown_parent))(ground)


def _slip(ground: Ground, label: str) -> str:
    """A label as a hasty person writes it."""
    rng = ground.rng
    options = [label.lower(), label.upper(), label.replace(" ", "-", 1), label.lower()]
    if len(label) > 6:
        at = rng.randint(2, len(label) - 3)
        options += [label[:at] + label[at + 1 :], label[:at] + label[at] + label[at:], label[:at] + label[at + 1] + label[at] + label[at + 2 :]]
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
    text = speaker.polite(act.phrase(by)) if act else speaker.ask("flag" if wanted.role == "flag" else "value", field=wanted.phrase, one=by)
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
    text = first.phrase(ground.speaker.by_id(other, target)) + joint + second.phrase(ground.speaker.by_label(entity, row, wrong))
    programs: list[str] = []
    for name in (wrong, row[entity.label.name]):
        code = call(spec, label=literal(name))
        body = f"value = {code}\n{second.code('value')}" if spec.op == "lookup_id" else f"row = {code}\n" + second.code(f'row["{entity.id.name}"]')
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
        text = f"{act.phrase(by)}; {rng.choice(('if there is no such', 'if we do not have that', 'should there be no such'))} {speaker.noun(entity)}, {said}"
        first = done(f"row = {call(spec, label=literal(label))}\n" + act.code(f'row["{entity.id.name}"]'))
        if create.extra["gives_id"]:
            second = done(f"value = {code}\n{act.code('value')}")
        else:
            second = done(f"row = {code}\n" + act.code(f'row["{entity.id.name}"]'))
        return Draft(text, [first, second], [spec, act.spec, create], acts=True)
    return None


_EXOTIC: tuple[tuple[str, str], ...] = (
    ("print a label for {o}", "print label"), ("translate the file of {o} into French", "translate file"), ("call {o} on the phone", "phone call"),
    ("merge {o} with its duplicate", "merge duplicate"), ("take a photo of {o}", "take photo"), ("archive {o} in the long-term store", "archive {n}"),
    ("share {o} on social media", "share social media"), ("make a chart of {s}", "make chart"), ("compress the files of {o}", "compress files"),
    ("scan the papers of {o}", "scan papers"), ("sign the contract for {o}", "sign contract"), ("restore yesterday's backup of {s}", "restore backup"),
    ("play a sound for {o}", "play sound"), ("draw a map of {s}", "draw map"), ("clone {o}", "clone {n}"), ("encrypt the data of {o}", "encrypt data"),
    ("undo the last change to {o}", "undo change"), ("rotate the picture of {o}", "rotate picture"), ("record a video about {o}", "record video"),
    ("order a pizza for {o}", "order pizza"), ("lend {o} to the neighbours", "lend {n}"), ("split {o} into two", "split {n}"),
    ("weigh {o} again", "weigh {n}"), ("vaccinate {o}", "vaccinate {n}"), ("publish {s} on the website", "publish website"),
    ("show the change history of {o}", "{n} change history"), ("subscribe to changes of {o}", "subscribe changes"), ("pay {o} in cash", "pay cash"),
    ("turn the lights off near {o}", "turn lights off"), ("fax {o} to the head office", "fax {n}"), ("blacklist {o} everywhere", "blacklist {n}"),
    ("auction {o}", "auction {n}"), ("measure the temperature of {o}", "measure temperature"), ("grant admin rights to {o}", "grant admin rights"),
)
_ELSEWHERE: tuple[tuple[str, str], ...] = (
    ("what's the weather in {c} tomorrow?", "weather forecast"), ("book a flight to {c}", "book flight"), ("play some jazz", "play music"),
    ("what is the exchange rate of the dollar today?", "exchange rate"), ("translate {q} into Spanish", "translate text"),
    ("who won the match in {c} last night?", "match result"), ("find a restaurant near {c}", "find restaurant"), ("set the thermostat to 21 degrees", "set thermostat"),
    ("write a poem about {c}", "write poem"), ("call a cab to {c}", "call cab"), ("how far is it from {c} to the sea?", "distance to sea"),
    ("post {q} on the company blog", "post to blog"), ("download the latest news", "download news"), ("restart the coffee machine", "restart coffee machine"),
    ("what time does the sun set in {c}?", "sunset time"), ("generate a picture of {c} at night", "generate picture"), ("check my email", "check email"),
    ("open the garage door", "open garage door"), ("how is the traffic in {c}?", "traffic report"), ("buy two cinema seats in {c}", "buy cinema seats"),
    ("what's the stock price of {k}?", "stock price"), ("what is the population of {c}?", "city population"), ("convert this PDF to Word", "convert pdf"),
    ("read me the headlines from {c}", "news headlines"), ("turn up the volume", "turn up volume"), ("take a screenshot", "take screenshot"),
)
_ATTRIBUTES = ("shoe size", "blood type", "birthday", "favourite colour", "tax number", "passport number", "mother's name", "serial plate", "warranty date",
               "middle name", "insurance number", "fax number", "nickname", "carbon footprint", "bank account", "licence plate", "coordinates", "time zone",
               "hourly wage", "national flag")


def beyond(ground: Ground, index: ToolIndex) -> Draft | None:
    """No tool of the world can do it."""
    rng = ground.rng
    text, query = rng.choice((_missing_op, _missing_op, _exotic, _elsewhere, _attribute, _unknown_noun))(ground)
    if not text:
        return None
    wanted = set(query.lower().split())
    for hit in index.search(query, SEARCH_SIZE):
        have = set(words_of(hit.tool.name).lower().split())
        if len(wanted) > 1 and wanted <= have | set(hit.tool.description.lower().replace(".", " ").split()):
            return None
    program = f"answer({literal(CANNOT)})"
    return Draft(text, [search_code(query), program], [], acts=False)


def _missing_op(ground: Ground) -> tuple[str, str]:
    """An action that exists for other nouns, but not for this one."""
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    noun = speaker.noun(entity)
    if any(one is not entity and (entity.noun in one.noun or one.noun in entity.noun) for one in ground.entities):
        return "", ""
    row = ground.row(entity)
    by = speaker.by_id(entity, row) if rng.random() < 0.7 else speaker.by_label(entity, row)
    have = {spec.op for spec in ground.by_entity[entity.key]}
    missing = [op for op in ("delete", "send", "note", "tag", "schedule", "create", "export") if op not in have]
    if not missing:
        return "", ""
    op = rng.choice(missing)
    if op == "create":
        text = speaker.do("create", a=a_noun(noun), noun=noun, label=speaker.value(_fresh(ground, entity), 0.35), **{"with": ""})
        return speaker.polite(text), f"create {noun}"
    if op == "export":
        text = speaker.ask("export", set=speaker.set(entity, None), nouns=speaker.nouns(entity), value="csv" if ground.split == "practice" else "yaml")
        return text, f"export {speaker.nouns(entity)}"
    parts = {"server": entity.server, "t": by}
    parts |= {"text": speaker.text(word(rng, "message" if op == "send" else "note", ground.split)), "tags": word(rng, "tag", ground.split),
              "date": f"2026-06-{rng.randint(10, 28)}"}
    return speaker.polite(speaker.do(op, **parts)), QUERY_VERBS[op].format(n=noun, f="")


def _fresh(ground: Ground, entity: Entity) -> str:
    from .composed_schema import label_value

    return label_value(ground.rng, entity.kind, ground.split, ground.pseudo)


def _exotic(ground: Ground) -> tuple[str, str]:
    from .composed_words import cached_pool

    entity = ground.rng.choice(ground.entities)
    text, query = ground.rng.choice(cached_pool(_EXOTIC, ground.split))
    speaker = ground.speaker
    by = speaker.by_id(entity, ground.row(entity))
    return speaker.polite(text.format(o=by, s=speaker.set(entity, None))), query.format(n=speaker.noun(entity))


def _elsewhere(ground: Ground) -> tuple[str, str]:
    from .composed_words import cached_pool

    text, query = ground.rng.choice(cached_pool(_ELSEWHERE, ground.split))
    said = text.format(c=word(ground.rng, "city", ground.split), q=literal(word(ground.rng, "message", ground.split)), k=word(ground.rng, "company", ground.split))
    return (said if said.endswith("?") else ground.speaker.polite(said)), query


def _attribute(ground: Ground) -> tuple[str, str]:
    rng, speaker = ground.rng, ground.speaker
    entity = rng.choice(ground.entities)
    if not any(spec.shows for spec in ground.ops(entity, "get", "find", "list", "search")):
        return "", ""
    if any(not spec.shows for spec in ground.ops(entity, "get", "find", "list", "search", "above", "top", "low")):
        return "", ""
    wanted = speaker.pick(_ATTRIBUTES)
    row = ground.row(entity)
    by = speaker.by_id(entity, row) if rng.random() < 0.5 else speaker.by_label(entity, row)
    return speaker.ask("value", field=wanted, one=by), f"get {speaker.noun(entity)} {wanted}"


def _unknown_noun(ground: Ground) -> tuple[str, str]:
    """An ordinary request about something that no server keeps."""
    from .composed_words import THEMES, cached_pool, plural

    rng, speaker = ground.rng, ground.speaker
    theme = rng.choice(cached_pool(tuple(THEMES), ground.split))
    _, noun, _ = rng.choice(theme.nouns)
    known = {part for entity in ground.entities for name in (entity.noun, entity.synonym or "") for part in name.split("_")}
    if any(part in known for part in noun.split("_")):
        return "", ""
    said, nouns = words_of(noun), words_of(plural(noun))
    one = f"{said} {rng.choice('ABCDEFGHKLMNPRSTVW')}-{number(rng, 11, 990, ground.split)}"
    kind = rng.choice(("count", "list", "delete", "value", "create"))
    if kind in ("count", "list"):
        return speaker.ask(kind, set=nouns, nouns=nouns), f"{kind} {nouns}"
    if kind == "delete":
        text = speaker.pick(("delete {t}", "remove {t}", "get rid of {t}", "erase {t}", "cancel {t}", "take out {t}")).format(t=one)
        return speaker.polite(text), f"delete {said}"
    if kind == "value":
        wanted = speaker.pick(("price", "status", "owner", "city", "age", "size"))
        return speaker.ask("value", field=wanted, one=one), f"get {said} {wanted}"
    text = speaker.do("create", a=a_noun(said), noun=said, label=word(rng, "thing", ground.split).capitalize(), **{"with": ""})
    return speaker.polite(text), f"create {said}"


MAKERS = {"pipe": pipe, "loop": loop, "condition": conditional, "trouble": trouble}
