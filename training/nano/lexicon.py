"""Words of the wide world: what the names of practice worlds are made of, and what is never used.

Held-out pieces must not slip in through the lexicon or through the vocabulary, so every word that only held-out worlds
use is left out of both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from ...tools_registry.stubs import prompt_stub
from ..worlds.base import Split, World, pool
from ..worlds.composed_words import RESERVED, WORDS

_PROTECTED = frozenset(
    """def str int float bool list dict object none true false literal answer print json search_tools load_tools tools tool
    search load error done line task servers system cannot does this with from that when where which what have there
    name names value values item items found total row rows find get create delete update count number send show read
    write add remove set sort date time text file files path what words lines chars folder table tables clock units
    find_tools toolerror message kind null return output each every more most less than only first last same busy again
    must should valid invalid known unknown such mean
    fetch lookup change increase edit drop register export convert check comment annotate note notify remind reminder
    schedule archive dump highest smallest minimum maximum above below over about needed full limit""".split()
)
"""Words of the program language, and verbs, which as a noun would tell a wrong thing."""
_SQL = frozenset(
    """analyse analyze anti array asof asymmetric authorization between bigint binary boolean both case cast char character
    check coalesce collate collation column columns concurrently constraint create cross decimal default deferrable desc
    describe distinct else except exists extract false fetch float foreign freeze from full generated glob group grouping
    grouping_id having ilike initially inner inout integer intersect interval into isnull join lambda lateral leading left
    like limit national natural nchar none notnull null nullif numeric offset only order outer overlaps overlay pivot
    pivot_longer pivot_wider placing position positional precision primary qualify real references returning right select
    semi setof show similar smallint some struct substring summarize symmetric table tablesample then time timestamp
    trailing treat trim true try_cast tuple union unique unpack unpivot using values varchar variadic verbose when where
    window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
    xmltable""".split()
)
"""Words that a column cannot be called in SQL without quotes."""


def words_of(text: str) -> list[str]:
    """Lower-case words of a text, identifiers split."""
    return re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())


def world_words(worlds: Iterable[World]) -> Counter[str]:
    """How often each word occurs in stubs, tasks, programs and files of some worlds."""
    counts: Counter[str] = Counter()
    for world in worlds:
        for tool in world.tools:
            counts.update(words_of(f"{tool.full_name} {tool.description} {' '.join(tool.parameters)}"))
        for task in world.tasks:
            counts.update(words_of(" ".join((task.text, *task.programs))))
        for path, content in world.files.items():
            counts.update(words_of(f"{path} {content}"))
    return counts


def name_words(worlds: Iterable[World]) -> Counter[str]:
    """How often each word occurs in names that a program writes: of servers, tools, parameters, fields and choices."""
    counts: Counter[str] = Counter()
    for world in worlds:
        for tool in world.tools:
            counts.update(words_of(re.sub("#.*", "", prompt_stub(tool))))
    return counts


def value_words(split: Split) -> Counter[str]:
    """The words of the values (names, titles, messages, places) in composed worlds of a split."""
    return Counter(word for values in WORDS.values() for value in pool(values, split) for word in words_of(value))


def held_out_words(practice: Counter[str], heldout: Counter[str]) -> set[str]:
    """Words of four letters or more that only held-out worlds use."""
    return {word for word in heldout if word not in practice and len(word) >= 4}


def lexicon(texts: Iterable[str], held_out: set[str], *, size: int = 6000) -> list[str]:
    """Frequent words of four to eleven letters that can be a noun in singular, without those held out."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(re.findall(r"(?<![A-Za-z])[a-z]{4,11}(?![A-Za-z])", text))
    unfit = held_out | _PROTECTED | _SQL | RESERVED
    words = [word for word, _ in counts.most_common(3 * size) if word not in unfit and not word.endswith("s")]
    return words[:size]


def without(text: str, held_out: set[str]) -> str:
    """The text with held-out words cut out, so that no vocabulary learns them whole."""
    return re.sub(r"[A-Za-z]{4,}", lambda match: "" if match[0].lower() in held_out else match[0], text)
