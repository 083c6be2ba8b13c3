"""Worlds of composed servers: families single, pipe, loop, condition, search, trouble and beyond."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ...tools_registry.search import ToolIndex
from ...tools_registry.tool import Tool
from .base import Split, Task, World
from .composed_beyond import beyond
from .composed_compute import compute_tools
from .composed_faults import trouble_tools
from .composed_parts import Draft, Ground
from .composed_schema import WIDE_SHARE, Entity, Field, choose, make_fields, make_rows
from .composed_single import single
from .composed_speech import Speaker
from .composed_tools import Records, Spec, Style, make_entity_tools, make_style
from .composed_turns import MAKERS, long, search
from .composed_words import THEMES, cached_pool, pseudo_word, wide_name
from .criteria import criteria_of

SHARES: dict[str, float] = {
    "single": 0.25,
    "pipe": 0.17,
    "loop": 0.14,
    "condition": 0.14,
    "search": 0.12,
    "trouble": 0.08,
    "beyond": 0.10,
}
"""How often each family comes when none is asked for."""
HARD_SHARES: dict[str, float] = {
    "pipe": 0.24,
    "loop": 0.17,
    "condition": 0.17,
    "search": 0.12,
    "trouble": 0.10,
    "beyond": 0.10,
    "long": 0.10,
}
IN_VIEW = 10
"""A needed tool that is not hidden must be among so many first hits for the task's own words."""
SERVER_TOOLS, MOST_SERVERS = 60, 40
"""A toolspace larger than five to nine servers hold at so many tools each has more servers, up to this many."""
_COMMON_NOUNS = 40
"""So many kinds of things have ordinary names where there is room for them; in larger toolspaces the names run out."""
_FAILURES = 60
"""After so many tasks in a row that could not be made, a world is done."""
_TWINS = (
    ("note", "c"),
    ("review", "c"),
    ("photo", "i"),
    ("contract", "c"),
    ("badge", "i"),
    ("file", "i"),
    ("alert", "c"),
    ("group", "r"),
    ("report", "c"),
    ("card", "i"),
    ("call", "c"),
    ("archive", "r"),
)
_REFERS = (("id", "ref"), ("no", "uid"))
_ID_STYLES = (
    "{prefix}-{number}",
    "{prefix}-{number}",
    "{prefix}{number}",
    "{lower}_{number}",
    "int",
    "code",
    "{lower}{number}",
    "{prefix}/{number}",
)


def composed_world(
    seed: int,
    split: Split,
    *,
    tasks: int = 8,
    families: Sequence[str] | None = None,
    tool_count: int = 64,
    hard: bool = False,
    wide: Sequence[str] = (),
    beside: Sequence[Tool] = (),
    names: Sequence[str] = (),
) -> World:
    """A world of generated servers with `tool_count` tools and `tasks` tasks; the same for the same arguments.

    With a lexicon `wide`, many names (servers, nouns, verbs, fields, parameters, choices) are made of its words. Tools
    `beside` are found by searches, too. `names` are the first servers' names. A small world may have fewer tasks.
    """
    rng = random.Random(f"composed/{seed}/{split}/{tool_count}/{hard}")
    pseudo = rng.random() < 0.36
    entities, specs = _servers(rng, split, tool_count, pseudo, hard, wide, names)
    index = ToolIndex((*(spec.tool for spec in specs), *beside))
    by_entity: dict[str, list[Spec]] = {entity.key: [] for entity in entities}
    for spec in specs:
        if spec.entity is not None:
            by_entity[spec.entity.key].append(spec)
    ground = Ground(rng, split, Speaker(rng, split), entities, specs, pseudo, by_entity, wide)
    by_name = {spec.name: spec for spec in specs}
    made: list[Task] = []
    failed = 0
    while len(made) < tasks and failed < _FAILURES:
        shares = HARD_SHARES if hard else SHARES
        family = rng.choice(list(families)) if families else rng.choices(list(shares), list(shares.values()))[0]
        task = _task(ground, index, family, {one.text for one in made}, hard)
        failed = failed + 1 if task is None else 0
        if task is not None:
            made.append(task)
    return World(
        seed=seed,
        split=split,
        tools=tuple(tool for tool in index.tools if tool.full_name in by_name),
        tasks=tuple(made),
        open=lambda: Records(by_name, entities),
    )


def _task(ground: Ground, index: ToolIndex, family: str, known: set[str], hard: bool) -> Task | None:
    for _ in range(60):
        draft = _draft(ground, index, family)
        if draft is None:
            continue
        text = ground.speaker.finish(draft.text)
        if text in known or (hard and family == "pipe" and draft.programs[0].count("\n") < 2):
            continue
        needed = tuple(dict.fromkeys(spec.name for spec in draft.specs))
        if not draft.hidden and needed:
            view = {hit.tool.full_name for hit in index.search(text, IN_VIEW)}
            if not view.issuperset(needed):
                continue
        return Task(
            family=family,
            text=text,
            programs=tuple(draft.programs),
            needed=needed,
            hidden=draft.hidden,
            answer_matters=not draft.acts,
            ordered=draft.ordered,
            criteria=criteria_of(draft.programs, needed=needed, hidden=draft.hidden, answer_matters=not draft.acts),
        )
    return None


def _draft(ground: Ground, index: ToolIndex, family: str) -> Draft | None:
    if family == "single":
        return single(ground, ground.rng.choice(ground.specs))
    if family == "search":
        return search(ground, index)
    if family == "beyond":
        return beyond(ground, index)
    if family == "long":
        return long(ground, index)
    return MAKERS[family](ground)


def _servers(
    rng: random.Random, split: Split, tool_count: int, pseudo: bool, hard: bool, wide: Sequence[str], names: Sequence[str]
) -> tuple[list[Entity], list[Spec]]:
    """Entities and tools of five to nine servers; more where the toolspace is large."""
    count = max(rng.randint(5, 9), min(MOST_SERVERS, tool_count // SERVER_TOOLS))
    every = list(cached_pool(tuple(THEMES), split))
    themes = rng.sample(every, min(count, len(every)))
    themes += rng.choices(every, k=count - len(themes))
    styles: dict[str, Style] = {}
    for theme in themes:
        name = pseudo_word(rng, split) if pseudo and rng.random() < 0.6 else rng.choice(theme.servers)
        if wide and rng.random() < WIDE_SHARE:
            name = wide_name(rng, wide)
        if len(styles) < len(names):
            name = names[len(styles)]
        while name in styles and count > len(every):
            name = pseudo_word(rng, split)
        if name not in styles:
            styles[name] = make_style(rng, split, wide)
    servers = list(styles)
    taken: set[str] = set()
    entities: list[Entity] = []
    specs: list[Spec] = []
    turn = 0
    while len(specs) < tool_count:
        theme, server = themes[turn % len(servers)], servers[turn % len(servers)]
        turn += 1
        entity = _twin(rng, split, entities, server, wide) if entities and rng.random() < (0.3 if hard else 0.18) else None
        entity = entity or _entity(rng, split, entities, theme.nouns, server, pseudo, wide)
        if entity is None:
            continue
        make_rows(rng, entity, split, pseudo, taken, wide)
        made = make_entity_tools(rng, split, entity, styles[server])
        if rng.random() < 0.4:
            made += trouble_tools(rng, split, entity, styles[server], made, wide)
        if rng.random() < 0.25 and not any(spec.tool.server == server and spec.op == "compute" for spec in specs):
            made += compute_tools(rng, split, server, pseudo)
        known = {spec.name for spec in specs} | {spec.tool.name for spec in specs if spec.op == "compute"}
        made = [spec for spec in made if spec.name not in known and spec.tool.name not in known]
        entities.append(entity)
        specs += made
    specs = specs[:tool_count]
    rng.shuffle(specs)
    used = {spec.entity.key for spec in specs if spec.entity is not None}
    return [entity for entity in entities if entity.key in used], specs


def _entity(
    rng: random.Random,
    split: Split,
    entities: list[Entity],
    nouns: Sequence[tuple[str, str, str | None]],
    server: str,
    pseudo: bool,
    wide: Sequence[str],
) -> Entity | None:
    used = {entity.noun for entity in entities}
    kind, noun, synonym = rng.choice(nouns)
    if pseudo and rng.random() < 0.65:
        noun, synonym = pseudo_word(rng, split), None
    elif wide and rng.random() < WIDE_SHARE:
        noun, synonym = rng.choice(wide), rng.choice(wide) if synonym else None
    if noun in used or any(entity.noun.startswith(noun) for entity in entities):
        every = [part for theme in cached_pool(tuple(THEMES), split) for part in theme.nouns]
        kind, noun, synonym = rng.choice(every)
        if noun in used and len(entities) >= _COMMON_NOUNS:
            noun, synonym = pseudo_word(rng, split), None
        if noun in used:
            return None
    return _made(rng, split, entities, kind, noun, synonym if rng.random() < 0.45 else None, server, pseudo, wide)


def _twin(
    rng: random.Random, split: Split, entities: list[Entity], server: str, wide: Sequence[str]
) -> Entity | None:
    """An entity of near name: `client_note` beside `client`."""
    parent = rng.choice(entities)
    suffix, kind = rng.choice(cached_pool(_TWINS, split))
    if wide and rng.random() < WIDE_SHARE:
        suffix = rng.choice(wide)
    noun = f"{parent.noun}_{suffix}"
    if parent.noun.count("_") or any(entity.noun == noun for entity in entities):
        return None
    return _made(rng, split, entities, kind, noun, None, server, False, wide, parent)


def _made(
    rng: random.Random,
    split: Split,
    entities: list[Entity],
    kind: str,
    noun: str,
    synonym: str | None,
    server: str,
    pseudo: bool,
    wide: Sequence[str],
    parent: Entity | None = None,
) -> Entity:
    style = rng.choice(_ID_STYLES)
    prefixes = {entity.prefix for entity in entities}
    prefix = noun[0].upper()
    while prefix in prefixes:
        prefix = (
            (prefix + rng.choice("ABCDEFGHKLMNPRSTVWXZ"))[-3:]
            if len(prefix) > 1
            else noun[0].upper() + rng.choice("ABCDEFGHKLMNPRSTVWXZ")
        )
    fields = make_fields(rng, kind, noun, split, pseudo, style == "int", wide)
    people = [entity for entity in entities if entity.kind == "p"]
    if parent is None and kind in "civ" and people and rng.random() < 0.55:
        parent = rng.choice(people)
    if parent is not None:
        name = f"{parent.noun}_{choose(rng, _REFERS, split, wide)}"
        if all(one.name != name for one in fields):
            fields = (*fields[:5], Field(name, "ref", parent.id.kind))
        else:
            parent = None
    return Entity(
        key=f"{server}.{noun}",
        server=server,
        kind=kind,
        noun=noun,
        synonym=synonym,
        fields=fields,
        id_style=style,
        prefix=prefix,
        parent=parent,
    )


__all__ = ["HARD_SHARES", "SHARES", "composed_world"]
