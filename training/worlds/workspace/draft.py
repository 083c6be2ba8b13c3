"""What an author of intents works with: one task being written, and how files, values and numbers are shown in a text."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..base import Split, pool
from ..phrasebook import further
from ..synonyms import vary
from . import grammar, words
from .folder import Draw, File, Folder

_COMMON = frozenset(
    re.findall(r"[a-z]+", " ".join((*words.SENTENCES, *words.BULLETS, *words.HEADINGS)).lower())
) | frozenset("type write call update number test file line word old new from with yes".split())
"""Words that read as a part of the sentence unless they are quoted."""


_USUAL = 0.08
"""How much more often than the others the first phrasing of a list is practised."""


class Unsuitable(Exception):
    """The folder of this world does not suit the intent; another one is drawn."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A task before its family and criteria are known."""

    text: str
    programs: tuple[str, ...]
    answer_matters: bool = True
    ordered: bool = False
    hidden: tuple[str, ...] = ()
    needed: tuple[str, ...] | None = None
    """The tools called, where they are fewer than those that the program names."""


@dataclass(slots=True)
class Desk:
    """One world's random choices and its folder, with the words for them."""

    draw: Draw
    folder: Folder
    polite: list[str] = field(default_factory=list)
    curious: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.polite = list(self.draw.all(grammar.polite_forms()))
        self.curious = list(self.draw.all(grammar.curious_forms()))

    @property
    def rng(self) -> random.Random:
        """The world's random numbers."""
        return self.draw.rng

    @property
    def split(self) -> Split:
        """The split that pieces come from."""
        return self.draw.split

    def say(self, templates: Sequence[str], **slots: str) -> str:
        """The text of a task: a phrasing of the split, its alternatives chosen, dressed and filled."""
        usual = self.split == "practice" and self.draw.chance(_USUAL)
        template = templates[0] if usual else self.rng.choice(phrasings(tuple(templates), self.split))
        text = grammar.expand(template, self.rng)
        if self.split == "practice":
            text = vary(text, phrasings(tuple(templates), "heldout"), self.rng)
        return grammar.fill(grammar.dress(text, self.rng, self.polite, self.curious), slots)

    def file(self, *kinds: str, ending: str | None = None, where: Callable[[File], bool] | None = None) -> File:
        """A random file of some kinds. Raises `Unsuitable` when there is none."""
        files = [
            file
            for file in self.folder.files
            if (not kinds or file.kind in kinds)
            and (ending is None or file.ending == ending)
            and (where is None or where(file))
        ]
        if not files:
            raise Unsuitable("no such file")
        return self.rng.choice(files)

    def text_file(self) -> File:
        """A file that a person would read as text."""
        return self.file("prose", "list", "log", "prices")

    def path(self, path: str) -> str:
        """A path as people write it: bare, quoted, "the file x", "x in the folder y"."""
        at = self.rng.random()
        folder, _, name = path.rpartition("/")
        if folder and at < 0.3:
            shown = self.mark(name)
            return self.rng.choice(
                (
                    f"{shown} in {folder}",
                    f"{shown} in the {folder} {self.folder_word()}",
                    f"{shown} in {folder}/",
                    f"{shown} from the {folder} {self.folder_word()}",
                    f"{shown} ({self.folder_word()} {folder})",
                )
            )
        if at > 0.9:
            return f"the file {self.mark(path)}"
        if at > 0.86:
            return f"the {path} file"
        return self.mark(path)

    def mark(self, text: str) -> str:
        """A name bare or in quotes."""
        return self.rng.choices((text, f'"{text}"', f"'{text}'", f"`{text}`", f"“{text}”"), (64, 13, 8, 13, 2))[0]

    def folder_word(self) -> str:
        """Folder, directory, ..."""
        return self.rng.choice(("folder", "folder", "directory", "dir"))

    def place(self, path: str) -> str:
        """A folder as people write it."""
        shown = self.rng.choice((path, path, f"{path}/", f'"{path}"', f"`{path}`", f"'{path}'"))
        return self.rng.choice(
            (
                f"the {shown} {self.folder_word()}",
                f"the {self.folder_word()} {shown}",
                shown,
                f"the {path} {self.folder_word()}",
                f"{path}/",
            )
        )

    def value(self, text: str) -> str:
        """A value between quotes that do not occur in it."""
        marks = [mark for mark in ('""', '""', '""', "''", "``", "“”") if mark[0] not in text and mark[1] not in text]
        mark = self.rng.choice(marks) if marks else "“”"
        return f"{mark[0]}{text}{mark[1]}"

    def word(self, text: str) -> str:
        """A single word, often bare."""
        return text if text.isalnum() and text.lower() not in _COMMON and self.draw.chance(0.4) else self.value(text)

    def count(self, number: int) -> str:
        """A number in digits, small ones sometimes in words."""
        return words.NUMBER_WORDS[number] if number <= 12 and self.draw.chance(0.3) else str(number)

    def odd_text(self) -> str:
        """A short text with characters that have to be quoted rightly."""
        draw, rng = self.draw, self.rng
        topic, thing, name = draw.one(words.TOPICS), draw.one(words.THINGS), draw.name()
        price = draw.number(2, 99)
        return rng.choice(
            (
                f'it\'s ${price} "net"',
                f"{name}'s {thing}",
                f"`${price}`",
                f"${price}",
                f"{thing}: ${price}",
                f'"{topic}" & {thing}',
                f"{price}% off",
                f'the "{topic}" {thing}',
                f"don't forget the {thing}!",
                f"C:\\{topic}\\{thing}",
                f"{price} €",
                f"`{topic}` costs ${price}",
                f"größe: {price}",
                f"{topic}/{thing} #{price}",
                f'{name} said "yes"',
                f"Müller & {name}",
                f"{{{topic}}}",
                f"$HOME/{thing}",
                f"[{topic}] ({price})",
                f"café {name}",
                f"a\\b {price}",
                f"<{topic}>",
                f"100% {topic}",
                f"it's {name}'s {topic}",
                f'"{name}"',
                f"naïve {topic} – {price}",
                f"{topic}@{thing}",
                f"$({topic})",
                f"* {topic} *",
            )
        )

    def plain_text(self) -> str:
        """A short text that a person would write into a file."""
        draw, rng = self.draw, self.rng
        topic, thing, name = draw.one(words.TOPICS), draw.one(words.THINGS), draw.name()
        return rng.choice(
            (
                f"buy a {thing}",
                f"call {name}",
                f"call {name} about the {topic}",
                f"{topic} is done",
                f"{thing}",
                f"Hello {name}",
                f"{name}: {topic}",
                f"- {topic}",
                f"- [ ] {topic}",
                f"TODO: {topic}",
                f"remember the {thing}",
                f"{topic} at {rng.randint(1, 12)} pm",
                f"ask {name} for the {thing}",
                f"{rng.randint(2, 20)} x {thing}",
                f"the {topic} is late",
                f"meeting with {name} on {draw.day()}",
                f"{draw.pseudo()} {draw.pseudo()}",
                f"# {topic.capitalize()}",
                f"{name} has the {thing}",
                f"version {rng.randint(1, 9)}.{rng.randint(0, 9)}",
            )
        )

    def line_text(self) -> str:
        """A text to be written; now and then an awkward one."""
        return self.odd_text() if self.draw.chance(0.3) else self.plain_text()

    def fresh_name(self, ending: str, *, folder: str = "") -> str:
        """A path that is not there yet."""
        from .folder import stem

        while True:
            path = f"{folder}/{stem(self.draw)}.{ending}" if folder else f"{stem(self.draw)}.{ending}"
            if not self.folder.taken(path) and not any(
                file.path.rpartition(".")[0] == path.rpartition(".")[0] for file in self.folder.files
            ):
                return path

    def word_in(self, file: File) -> str:
        """A word of four letters or more that occurs in a text file."""
        found = sorted(set(re.findall(r"[^\W\d_]{4,}", file.text)))
        if not found:
            raise Unsuitable("no word")
        word: str = self.rng.choice(found)
        return word


@lru_cache(maxsize=1024)
def phrasings(templates: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """The phrasings of a split. The first of a list is the one that everybody uses: it is always practised."""
    held = tuple(template for template in pool(templates, "heldout") if template != templates[0])
    held = held or (min(templates[1:], key=lambda template: repr(template)[::-1]),)
    if split == "heldout":
        return held
    return tuple(template for template in templates if template not in held) + further(templates, held)


def q(value: str) -> str:
    """A string as reference programs write it."""
    return json.dumps(value, ensure_ascii=False)


def sql_text(value: object) -> str:
    """A value as SQL writes it."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def pattern(value: str) -> str:
    """A literal text as a regular expression in a program."""
    return q(value) if re.fullmatch(r"[\w \-,:;@%&!#/\"'`<>=–é€]*", value) else f"re.escape({q(value)})"


def done(program: str) -> str:
    """A program that only acts."""
    return f'{program}\nanswer("done")'


def action(text: str, program: str) -> Draft:
    """A draft of a task that only changes something."""
    return Draft(text, (done(program),), answer_matters=False)


def ask(text: str, program: str, *, ordered: bool = False) -> Draft:
    """A draft of a task that wants an answer."""
    return Draft(text, (program,), ordered=ordered)


Intent = tuple[int, Callable[[Desk], Draft]]
"""How often, and how it is made."""
