"""Other words for the words of a phrasing: practice is told in more ways than were written by hand.

Only practice is varied. What stands in braces is a slot and stays, so names and values are never touched.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

SHARE = 0.18
"""How often a word that has synonyms is replaced by one."""

_VERBS = """
show: display, present
give me: let me have, hand me, get me
list: enumerate, write out
tell me: let me know, report
count: tally
find: locate, look for, spot, track down
fetch: get, grab, pull
get rid of: remove, delete, discard
get: fetch, obtain, retrieve, grab
search: look through, scan
remove: take out, drop, strip, cut
delete: erase, wipe, remove, discard
erase: delete, wipe
create: make, set up, produce
make: create, build, produce
write: put, store
save: store, keep, record
put: place, store, write
add: insert, attach, append
append: add, attach, tack on
move: shift, transfer, relocate
copy: duplicate, clone
rename: retitle
replace: swap, exchange, substitute
swap: exchange, replace
change: alter, modify, edit, turn
set: change, switch, update
update: change, modify, set
sort: order, arrange, rank
check: verify, see
compute: work out, calculate, determine
calculate: compute, work out, figure out
collect: gather, bring together, pick up
look through: go over, scan, go through
look up: find out, check, pull up
go through: work through, go over, walk through
want: need, would like
need: want, would like
assign: give
cancel: call off
send: dispatch
print: output, show
combine: merge, join
merge: combine, join, unite
add up: total, sum up
convert: turn, change
"""
"""Only where no article or the like makes a noun of them."""
_WORDS = """
in total: altogether, overall, all told
altogether: in total, all in all
combined: taken together, in sum
on average: as a mean
average: mean
highest: largest, biggest, greatest, top
largest: biggest, highest, greatest
biggest: largest, greatest
lowest: smallest
smallest: lowest, tiniest
every: each
contains: includes, mentions, has
contain: include, mention, hold
containing: with, including, that have
mention: contain, name, refer to
only: just
exactly: precisely
number of: count of, amount of
what is: what's
what are: tell me
should: must, has to
otherwise: if not, else, failing that
folder: directory, dir
directory: folder, dir
contents: content, text, whole text
called: named, titled, by the name of
named: called, titled
into: to
inside: in, within
big: large
please: kindly
also: too
more than: over, above, greater than
less than: under, below, fewer than
at least: no less than, a minimum of
at most: no more than, up to
everything: all of it, it all
"""


def _table(lines: str) -> dict[str, tuple[str, ...]]:
    pairs = (line.split(": ") for line in lines.strip().splitlines())
    return {word: tuple(others.split(", ")) for word, others in pairs}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_OTHERS = _table(_VERBS) | _table(_WORDS)
_NO_NOUN = "".join(
    f"(?<!\\b{word} )" for word in ("a", "an", "the", "its", "their", "each", "every", "of", "one", "my", "our")
)
_FOUND = re.compile(
    rf"\{{[^{{}}]*\}}|(?<![\w{{}}*.-])({_NO_NOUN}(?:{_any_of(_table(_VERBS))})|{_any_of(_table(_WORDS))})(?![\w{{}}*.-])",
    re.IGNORECASE,
)


def vary(phrasing: str, held_out: Sequence[str], rng: random.Random, *, share: float = SHARE) -> str:
    """The phrasing with some words replaced by synonyms, in the same casing; slots in braces stay.

    Where that would come to one of the `held_out` templates, the phrasing stays as it is.
    """
    varied = _FOUND.sub(lambda match: _other(match, rng, share), phrasing)
    return phrasing if varied != phrasing and _says_one(tuple(held_out)).fullmatch(varied) else varied


@lru_cache(maxsize=1024)
def _says_one(templates: tuple[str, ...]) -> re.Pattern[str]:
    """What any of the templates can say, with their `<a|b>` taken either way."""
    return re.compile("|".join(map(_pattern, templates)))


def _pattern(template: str) -> str:
    pattern, count = re.escape(template).replace(r"\ ", r"\s*"), 1
    while count:
        pattern, count = re.subn("<([^<>]*)>", lambda found: f"(?:{found[1].replace(chr(92) + '|', '|')})", pattern)
    return pattern


def _other(match: re.Match[str], rng: random.Random, share: float) -> str:
    word = match[1]
    if word is None or rng.random() >= share:
        return match[0]
    other = rng.choice(_OTHERS[word.lower()])
    return other.capitalize() if word[:1].isupper() else other
