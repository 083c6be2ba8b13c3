"""Tasks that no tool of the world can do."""

from __future__ import annotations

from functools import lru_cache

from ...tools_registry.search import ToolIndex
from .base import CANNOT, Split
from .composed_parts import (
    QUERY_VERBS,
    Draft,
    Ground,
)
from .composed_schema import Entity, number
from .composed_speech import a_noun, literal
from .composed_tools import words_of
from .composed_turns import SEARCH_SIZE, search_code
from .composed_words import THEMES, cached_pool, plural, word
from .phrasebook import further

_EXOTIC: tuple[tuple[str, str], ...] = (
    ("print a label for {o}", "print label"),
    ("translate the file of {o} into French", "translate file"),
    ("call {o} on the phone", "phone call"),
    ("merge {o} with its duplicate", "merge duplicate"),
    ("take a photo of {o}", "take photo"),
    ("archive {o} in the long-term store", "archive {n}"),
    ("share {o} on social media", "share social media"),
    ("make a chart of {s}", "make chart"),
    ("compress the files of {o}", "compress files"),
    ("scan the papers of {o}", "scan papers"),
    ("sign the contract for {o}", "sign contract"),
    ("restore yesterday's backup of {s}", "restore backup"),
    ("play a sound for {o}", "play sound"),
    ("draw a map of {s}", "draw map"),
    ("clone {o}", "clone {n}"),
    ("encrypt the data of {o}", "encrypt data"),
    ("undo the last change to {o}", "undo change"),
    ("rotate the picture of {o}", "rotate picture"),
    ("record a video about {o}", "record video"),
    ("order a pizza for {o}", "order pizza"),
    ("lend {o} to the neighbours", "lend {n}"),
    ("split {o} into two", "split {n}"),
    ("weigh {o} again", "weigh {n}"),
    ("vaccinate {o}", "vaccinate {n}"),
    ("publish {s} on the website", "publish website"),
    ("show the change history of {o}", "{n} change history"),
    ("subscribe to changes of {o}", "subscribe changes"),
    ("pay {o} in cash", "pay cash"),
    ("turn the lights off near {o}", "turn lights off"),
    ("fax {o} to the head office", "fax {n}"),
    ("blacklist {o} everywhere", "blacklist {n}"),
    ("auction {o}", "auction {n}"),
    ("measure the temperature of {o}", "measure temperature"),
    ("grant admin rights to {o}", "grant admin rights"),
)
_ELSEWHERE: tuple[tuple[str, str], ...] = (
    ("what's the weather in {c} tomorrow?", "weather forecast"),
    ("book a flight to {c}", "book flight"),
    ("play some jazz", "play music"),
    ("what is the exchange rate of the dollar today?", "exchange rate"),
    ("translate {q} into Spanish", "translate text"),
    ("who won the match in {c} last night?", "match result"),
    ("find a restaurant near {c}", "find restaurant"),
    ("set the thermostat to 21 degrees", "set thermostat"),
    ("write a poem about {c}", "write poem"),
    ("call a cab to {c}", "call cab"),
    ("how far is it from {c} to the sea?", "distance to sea"),
    ("post {q} on the company blog", "post to blog"),
    ("download the latest news", "download news"),
    ("restart the coffee machine", "restart coffee machine"),
    ("what time does the sun set in {c}?", "sunset time"),
    ("generate a picture of {c} at night", "generate picture"),
    ("check my email", "check email"),
    ("open the garage door", "open garage door"),
    ("how is the traffic in {c}?", "traffic report"),
    ("buy two cinema seats in {c}", "buy cinema seats"),
    ("what's the stock price of {k}?", "stock price"),
    ("what is the population of {c}?", "city population"),
    ("convert this PDF to Word", "convert pdf"),
    ("read me the headlines from {c}", "news headlines"),
    ("turn up the volume", "turn up volume"),
    ("take a screenshot", "take screenshot"),
)
_ATTRIBUTES = (
    "shoe size",
    "blood type",
    "birthday",
    "favourite colour",
    "tax number",
    "passport number",
    "mother's name",
    "serial plate",
    "warranty date",
    "middle name",
    "insurance number",
    "fax number",
    "nickname",
    "carbon footprint",
    "bank account",
    "licence plate",
    "coordinates",
    "time zone",
    "hourly wage",
    "national flag",
)


def beyond(ground: Ground, index: ToolIndex) -> Draft | None:
    """No tool of the world can do it."""
    rng = ground.rng
    text, query = rng.choice((_missing_op, _missing_op, _exotic, _elsewhere, _attribute, _unknown_noun))(ground)
    if not text:
        return None
    wanted = set(query.lower().split())
    if "export" in wanted and any(tool.full_name == "files.write" for tool in index.tools):
        return None  # listing and writing do it
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
        text = speaker.do(
            "create", a=a_noun(noun), noun=noun, label=speaker.value(_fresh(ground, entity), 0.35), **{"with": ""}
        )
        return speaker.polite(text), f"create {noun}"
    if op == "export":
        text = speaker.ask(
            "export",
            set=speaker.set(entity, None),
            nouns=speaker.nouns(entity),
            value="csv" if ground.split == "practice" else "yaml",
        )
        return text, f"export {speaker.nouns(entity)}"
    parts = {"server": entity.server, "t": by}
    parts |= {
        "text": speaker.text(word(rng, "message" if op == "send" else "note", ground.split)),
        "tags": word(rng, "tag", ground.split),
        "date": f"2026-06-{rng.randint(10, 28)}",
    }
    return speaker.polite(speaker.do(op, **parts)), QUERY_VERBS[op].format(n=noun, f="")


def _fresh(ground: Ground, entity: Entity) -> str:
    from .composed_schema import label_value

    return label_value(ground.rng, entity.kind, ground.split, ground.pseudo, ground.wide)


@lru_cache(maxsize=4)
def _wishes(listed: tuple[tuple[str, str], ...], split: Split) -> tuple[tuple[str, str], ...]:
    """The wishes of a split with the queries of their searches; those of practice with the phrasebook's `wish | query`."""
    held_out = cached_pool(listed, "heldout")
    if split == "heldout":
        return held_out
    lines = further([" | ".join(one) for one in listed], [" | ".join(one) for one in held_out])
    added = (line.partition(" | ") for line in lines)
    known = {wish for wish, _ in held_out}
    return cached_pool(listed, split) + tuple((wish, query) for wish, _, query in added if wish not in known)


def _exotic(ground: Ground) -> tuple[str, str]:
    entity = ground.rng.choice(ground.entities)
    text, query = ground.rng.choice(_wishes(_EXOTIC, ground.split))
    speaker = ground.speaker
    by = speaker.by_id(entity, ground.row(entity))
    return speaker.polite(text.format(o=by, s=speaker.set(entity, None))), query.format(n=speaker.noun(entity))


def _elsewhere(ground: Ground) -> tuple[str, str]:
    text, query = ground.rng.choice(_wishes(_ELSEWHERE, ground.split))
    said = text.format(
        c=word(ground.rng, "city", ground.split),
        q=literal(word(ground.rng, "message", ground.split)),
        k=word(ground.rng, "company", ground.split),
    )
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
        text = speaker.pick(
            ("delete {t}", "remove {t}", "get rid of {t}", "erase {t}", "cancel {t}", "take out {t}")
        ).format(t=one)
        return speaker.polite(text), f"delete {said}"
    if kind == "value":
        wanted = speaker.pick(("price", "status", "owner", "city", "age", "size"))
        return speaker.ask("value", field=wanted, one=one), f"get {said} {wanted}"
    text = speaker.do(
        "create", a=a_noun(said), noun=said, label=word(rng, "thing", ground.split).capitalize(), **{"with": ""}
    )
    return speaker.polite(text), f"create {said}"
