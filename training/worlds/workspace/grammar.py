"""From a hand-written phrasing to the text of a task: alternatives, slots, politeness, casing, rare typos.

A phrasing is a line such as `<how many|what number of> words <are there |>in {file}?`: one alternative of each `<...>` is
taken (they nest), then the slots are filled. Typos are made before that, so names and values stay as they are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

_INNER = re.compile(r"<([^<>]*)>")
_SLOT = re.compile(r"\{(\w+)\}")

COMMANDS = frozenset(
    "add append archive build calculate change check collect combine compare compile compute concatenate convert copy count "
    "create delete describe determine display drop duplicate erase extract fetch figure file fill find "
    "format gather generate "
    "get give grep list load log look make measure merge move note open output place print produce pull put read record "
    "relocate remove rename replace report retrieve return save scan search show sort store substitute "
    "sum summarise swap take "
    "tell transfer turn update use work write insert pick select query transform express name bring attach drag clear set "
    "total tally examine enumerate present let hand spot track obtain grab strip cut discard erase wipe build keep "
    "record place attach tack shift clone retitle exchange alter modify edit arrange rank verify see go dispatch join "
    "unite sum".split()
)
_BEFORE_COMMAND = (
    "please {}",
    "can you {}?",
    "could you {}?",
    "could you please {}?",
    "can you please {}?",
    "I need you to {}",
    "I want you to {}",
    "I'd like you to {}",
    "would you {}?",
    "hey, {}",
    "now {}",
    "go ahead and {}",
    "just {}",
    "{}, please",
    "{} please",
    "{}, thanks",
    "{} for me",
    "kindly {}",
    "ok, {}",
    "quickly {}",
    "your job: {}",
    "you should {}",
    "we need to {}",
    "help me {}",
    "next, {}",
    "hi! {}",
    "let's {}",
    "first of all, {}",
    "try to {}",
    "{}, will you?",
    "I would like to {}",
    "it's time to {}",
)
_BEFORE_QUESTION = (
    "hey, {}",
    "please tell me: {}",
    "quick question: {}",
    "hi, {}",
    "question: {}",
    "I wonder: {}",
    "tell me, {}",
    "one question: {}",
    "so, {}",
    "I have to know: {}",
    "hello! {}",
    "um, {}",
    "{} Thanks!",
    "{} Please check.",
    "for my report: {}",
    "just curious: {}",
)
_OURS = ("let's", "help me", "we need", "I would like", "it's time", "try to", "{} for me")
"""Sentences in which a second "me" sounds wrong."""
_KEYS = {"a": "s", "e": "r", "i": "o", "o": "p", "t": "y", "n": "m", "r": "t", "s": "d", "l": "k", "u": "i", "h": "g"}


def expand(template: str, rng: random.Random) -> str:
    """Take one alternative of every `<a|b>`, innermost first."""
    while True:
        found = _INNER.search(template)
        if found is None:
            return " ".join(template.split())
        template = template[: found.start()] + rng.choice(found[1].split("|")) + template[found.end() :]


def fill(text: str, slots: Mapping[str, str]) -> str:
    """Put the slots in, in one pass: a value that looks like a slot stays text."""
    return _SLOT.sub(lambda match: slots[match[1]], text)


def is_command(text: str) -> bool:
    """True when the text begins with a verb in the imperative."""
    first = re.match(r"[a-z]+", text.lower())
    return first is not None and first[0] in COMMANDS


def dress(text: str, rng: random.Random, polite: list[str], curious: list[str]) -> str:
    """Politeness around a still unfilled phrasing, casing of its first letter, its full stop."""
    if "\n" not in text and rng.random() < 0.26:
        text = _wrap(text, rng, polite, curious)
    if rng.random() < 0.04:
        text = _typo(text, rng)
    ending = text[-1:]
    if (ending == "?" and rng.random() < 0.12) or (ending == "." and rng.random() < 0.45):
        text = text[:-1]
    elif ending not in "?.!}" and is_command(text) and rng.random() < 0.3:
        text += "."
    return text if rng.random() < 0.22 else _capital(text)


def _wrap(text: str, rng: random.Random, polite: list[str], curious: list[str]) -> str:
    if is_command(text):
        sentence = rng.choice(polite)
        if sentence.startswith(_OURS) and re.search(r"\bme\b", text):
            return text
        body = text[0].lower() + text[1:]
        if body.count(". ") and not sentence.endswith("{}"):
            return text
        return sentence.format(body.rstrip(".") if not sentence.endswith("{}") else body)
    if text.endswith("?"):
        return rng.choice(curious).format(text)
    return text


def _capital(text: str) -> str:
    return text[0].upper() + text[1:] if text[:1].isalpha() else text


def _typo(text: str, rng: random.Random) -> str:
    """One slip in one longer word outside the slots: two letters swapped, one lost, doubled or hit beside."""
    spots = list(re.finditer(r"(?<![{\w])[a-z]{6,}(?![}\w])", text))
    if not spots:
        return text
    spot = rng.choice(spots)
    word, at = spot[0], rng.randrange(1, len(spot[0]) - 2)
    slip = rng.randrange(4)
    if slip == 0:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif slip == 1:
        word = word[:at] + word[at + 1 :]
    elif slip == 2:
        word = word[: at + 1] + word[at:]
    else:
        word = word[:at] + _KEYS.get(word[at], word[at]) + word[at + 1 :]
    return text[: spot.start()] + word + text[spot.end() :]


def polite_forms() -> tuple[str, ...]:
    """All sentences that a command can be put into."""
    return _BEFORE_COMMAND


def curious_forms() -> tuple[str, ...]:
    """All sentences that a question can be put into."""
    return _BEFORE_QUESTION
