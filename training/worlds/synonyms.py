"""Other words for the words of a phrasing: practice is told in more ways than were written by hand.

Only practice is varied. What stands in braces is a slot and stays, so names and values are never touched.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

SHARE = 0.25
"""How often a word that has synonyms is replaced by one."""

_VERBS = """
show me: let me see, bring up, present me, put before me, pull up
show: display, present, bring up, reveal, put up
give me: let me have, hand me, get me, bring me, supply me with, provide me with, send me
hand me: give me, pass me
get me: bring me, give me, find me
list: enumerate, write out, itemise, lay out, name, run through, spell out
tell me: let me know, report, inform me, let me hear, say
name: list, mention, state, spell out
report: state, tell me, give me
return: give back, hand back, deliver
output: print, return, emit
count: tally, number, add up, tot up, count up
find: locate, look for, spot, track down, identify, discover, hunt for, seek, pick out, dig up
fetch: get, grab, pull, bring, collect, retrieve, go get
get rid of: remove, delete, discard, throw away, clear away, do away with
get: fetch, obtain, retrieve, grab, bring, pull up, look up, acquire
search: look through, scan, comb, go through, sift through
remove: take out, take away, strip, cut, eliminate, clear out, throw out, lose, purge
delete: erase, wipe, remove, discard, trash, bin, throw away, dump, purge, scrap, kill
erase: delete, wipe, purge, scrub, trash
discard: delete, throw away, bin, dump
create: make, set up, produce, generate, build, start, open, establish, register
make: create, build, produce, prepare, generate
produce: make, create, generate
generate: create, make, produce
write down: note, record, jot down, put down, set down
write: put, store, jot, note down, record, set down, print
save: store, keep, record, stash, deposit, persist, file away
store: save, keep, put away, deposit
put: place, store, write, stick, set, position, deposit
add: insert, attach, append, include, tack on, join, put in
append: add, attach, tack on, stick, put at the end
insert: add, put in, slip in
attach: add, append, fasten
move: shift, transfer, relocate, bring, carry, take, send, push
relocate: move, shift, transfer
transfer: move, carry over, bring over
copy: duplicate, clone, replicate, reproduce
duplicate: copy, clone, replicate
rename: retitle, relabel, rebrand
replace: swap, exchange, substitute, switch, trade
substitute: replace, swap, exchange
swap: exchange, replace, switch, trade
change: alter, modify, edit, turn, adjust, amend, revise, switch
modify: change, alter, adjust, amend
edit: change, modify, revise, amend
set: change, switch, update, put, adjust, fix
update: change, modify, set, revise, adjust, refresh, amend
adjust: change, set, modify
increase: raise, bump up, boost, up, lift
raise: increase, bump up, boost, lift, put up
bump: raise, increase, boost
mark: flag, label, designate
flag: mark, label
tag: label, mark
sort: order, arrange, rank, organise, put in order, sequence
check: verify, see, test, confirm, make sure, find out
verify: check, confirm, make sure
compute: work out, calculate, determine, derive, establish, figure out
calculate: compute, work out, figure out, determine, reckon
determine: work out, find out, establish
work out: calculate, compute, determine, figure out
figure out: work out, determine, find out
collect: gather, bring together, pick up, assemble, round up
gather: collect, bring together, assemble
extract: get out, take out, lift, isolate, pick out
filter: narrow down, screen
compare: hold against each other, contrast
look through: go over, scan, go through, browse, skim
look up: find out, check, pull up, search for, consult
look for: search for, seek, hunt for
look at: inspect, examine, view
go through: work through, go over, walk through, step through, run through
read: open, view, load, go over, consult
open: read, view, pull up
describe: outline, characterise, summarise
want: need, would like, wish, require
need: want, would like, require, must have
schedule: plan, arrange, set up, book
remind: alert, notify, nudge
assign: give, allocate, hand, attach
cancel: call off, scrap, drop
send: dispatch, forward, shoot, transmit, pass on, deliver
notify: tell, inform, alert
print: output, show, display, write out
export: dump, write out, output
combine: merge, join, put together, fuse
concatenate: join, string together, put together
merge: combine, join, unite, fuse
join: combine, merge, link
add up: total, sum up, tot up, count together
sum up: add up, total, tot up
convert: turn, change, transform, translate
turn: convert, change, transform
transform: convert, turn, change
translate: convert, render
share: pass on, hand over
"""
"""Only where no article or the like makes a noun of them."""
_WORDS = """
in total: altogether, overall, all told, all in all, in sum
altogether: in total, all in all, overall
overall: in total, altogether
combined: taken together, in sum, all together
put together: combined, altogether
on average: as a mean, on the average, in the mean
the average: the mean, the average value, the arithmetic mean
average: mean
highest: largest, biggest, greatest, top, maximum, most
largest: biggest, highest, greatest, maximum, hugest
biggest: largest, greatest, highest
greatest: largest, highest, biggest
lowest: smallest, least, minimum, bottom
smallest: lowest, tiniest, minimum, littlest
longest: lengthiest
shortest: briefest
latest: newest, most recent, last
earliest: first, oldest
every: each, every single
each of: every one of, all of
for each: for every, per, for every single, with each
for every: for each, for every single, per
each: every
contains: includes, mentions, has, holds, features
contain: include, mention, hold, have, feature
containing: with, including, that have, holding, featuring, that include
mentioning: containing, that name, that refer to, with
mentions: contains, names, refers to, speaks of, includes
mention: contain, name, refer to, speak of, include, cite
that have: with, having, that come with
that has: with, having
occur: appear, turn up, come up, show up
appear: occur, turn up, show up, come up
occurs: appears, turns up, comes up
exists: is there, is present, is around
exist: are around, are present
belong to: are part of, go with, are of
belongs to: is part of, goes with, is of
is there: do we have, can you find
do we have: have we got
we have: we've got, there are, we keep
how many: just how many, exactly how many, what number of
how often: how many times, how frequently
the most: the highest number of, the largest number of, the greatest number of, the maximum number of
the fewest: the lowest number of, the smallest number of
number of: count of, amount of, total number of, quantity of
the total: the sum, the grand total, the overall
the sum of: the total of, all of
total number: overall number, full number, complete number
only: just, solely, nothing but
just: only, merely
exactly: precisely
what is: what's, what would be
what's: what is
what are: what might be
what time is it: what's the time, what is the hour, how late is it now
which files: what files, which of the files, the files which
which lines: what lines, which of the lines
which file: what file, which one of the files
which of: what of, who of, which one of
where is: where's, where can I find, where do I find
can you: could you, would you, will you
could you: can you, would you, will you
i need: I require, I'm after, I'm looking for, I could use, I have to have
i want: I'm after, I'd like, I require, I wish for
i'd like: I want, I would like, I need, I'd love
should: must, has to, ought to, is to, needs to
must: has to, should, needs to
if there is: in case there is, when there is, provided there is, assuming there is, should there be
if it: in case it, when it, provided it, assuming it
unless: except if, except when
otherwise: if not, else, failing that, in any other case, or else
whether: if
then: after that, afterwards, and then, subsequently, next
and then: then, and after that, and next
instead of: in place of, rather than
instead: in its place
according to: by, going by
without: lacking, minus, with no
until: till, up to
before: prior to, ahead of
after: following, later than
folder: directory, dir, file folder
folders: directories
directory: folder, dir
directories: folders
contents: content, text, whole text, entire text
content: contents, text
the text of: the contents of, what is written in, the wording of
called: named, titled, by the name of, with the name, that goes by
named: called, titled, by the name of, with the name
into: to, inside, over to
inside: in, within
in all: across all, in every one of, over all, throughout all
of all: across all, over all, from all, for all
from all: out of all, of all, across all
across: over, throughout, in
big: large
empty: blank, void
missing: absent, lacking
distinct: different, unique
different: distinct, unique
the same: an identical, the very same
please: kindly
also: too, in addition, as well
as well: too, also
more than: over, above, greater than, in excess of, upwards of, beyond
less than: under, below, fewer than, short of, beneath
fewer than: less than, under, below
longer than: lengthier than, over, beyond
at least: no less than, a minimum of, not less than
at most: no more than, up to, a maximum of, not over
greater than: above, over, more than
everything: all of it, it all, the whole lot, the lot
everywhere: in every place, throughout, all over
at the end: at the bottom, as the last thing
the end of: the bottom of, the tail of, the close of
the start of: the beginning of, the top of, the head of
the beginning of: the start of, the top of, the head of
first line: opening line, top line, initial line, line one
last line: final line, bottom line, closing line
a new: a fresh, another, one more, a brand new
a copy of: a duplicate of, a clone of, a replica of
a note: a remark, a comment, a memo, a short note, an annotation
the note: the remark, the comment, the memo
a reminder: an alert, a nudge, a notification
the record: the entry, the data, the details
records: entries, items, data sets
rows: records, entries, data rows, table rows
columns: fields, table columns
column: field, table column
one per line: each on its own line, one on every line, a line each, line by line
per line: on each line, to a line
sorted by: ordered by, arranged by, ranked by, in order of
in order: sorted, one after another
together with: along with, plus, and
current: present, actual
right now: at the moment, at present, this very moment, currently
now: at the moment, at present, currently
today: this very day, as of today
the time: the hour, the clock time
the date: the day, the calendar date
marked: flagged, labelled, designated, set
numbers: figures, digits
don't: do not
doesn't: does not
isn't: is not
aren't: are not
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
    return phrasing if varied != phrasing and says_one(tuple(held_out)).fullmatch(varied) else varied


@lru_cache(maxsize=1024)
def says_one(templates: tuple[str, ...]) -> re.Pattern[str]:
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
