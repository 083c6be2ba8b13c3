"""A generated folder: files with realistic names and short content, remembered as data so that tasks can refer to them."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from ..base import Split, pool
from . import words

T = TypeVar("T")


@lru_cache(maxsize=4096)
def _pooled(options: tuple[Any, ...], split: Split) -> tuple[Any, ...]:
    return tuple(pool(options, split))


class Draw:
    """Random choices for one world, only from the pieces of its split.

    `wide` is a lexicon: where it is given, names of the world (files, things, people, columns, ...) are made of its words,
    so that who learns from the world has to read names instead of knowing them.
    """

    def __init__(self, rng: random.Random, split: Split, wide: Sequence[str] = ()) -> None:
        self.rng, self.split, self.wide = rng, split, wide
        self._widened: dict[int, tuple[Any, ...]] = {}

    def one(self, options: Sequence[T]) -> T:
        """One option among those of the split."""
        return self.rng.choice(self.all(options))

    def all(self, options: Sequence[T]) -> tuple[T, ...]:
        """All options of the split; of a list of names and with a lexicon, as many of its words."""
        if self.wide and isinstance(options, tuple) and id(options) in words.NAMES:
            if id(options) not in self._widened:
                self._widened[id(options)] = tuple(self._other(option) for option in options)
            return self._widened[id(options)]
        return _pooled(tuple(options), self.split)

    def _other(self, option: Any) -> Any:
        """A word of the lexicon written like `option`; a pair of a name and its values is replaced part by part."""
        if isinstance(option, tuple):
            return tuple(self._other(part) for part in option)
        word = self.rng.choice(self.wide)
        if "_" in option and self.chance(0.5):
            word = f"{word}_{self.rng.choice(self.wide)}"
        return word.capitalize() if option[:1].isupper() else word

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Distinct options of the split, fewer than `count` where there are not as many."""
        chosen = self.all(options)
        return self.rng.sample(chosen, min(count, len(chosen)))

    def chance(self, share: float) -> bool:
        """True in `share` of the cases."""
        return self.rng.random() < share

    def pseudo(self, syllables: int = 2) -> str:
        """A word that does not exist."""
        return "".join(self.rng.choice(self.all(words.SYLLABLES)) for _ in range(syllables)) + self.rng.choice("nrlkst")

    def name(self) -> str:
        """A person's name."""
        return self.one(words.PEOPLE)

    def day(self) -> date:
        """A day of the years around the worlds' now."""
        return date(2025, 6, 1) + timedelta(days=self.rng.randrange(600))

    def number(self, low: int, high: int) -> int:
        """A number; every fifth number is held out."""
        while True:
            value = self.rng.randint(low, high)
            if high - low < 10 or (value * 7919 % 5 == 0) == (self.split == "heldout"):
                return value


@dataclass(frozen=True, slots=True)
class Column:
    """A table column: `kind` is name, date, category, money or count; `role` the list its values came from."""

    name: str
    kind: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a CSV or JSON file; `noun` is what a person calls its rows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    noun: str

    def of(self, *kinds: str) -> list[Column]:
        """Columns of some kinds."""
        return [column for column in self.columns if column.kind in kinds]

    def values(self, column: Column) -> list[Any]:
        """One column's values, row by row."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows]


@dataclass(slots=True)
class File:
    """A file of the folder; `kind` is prose, list, log, prices, config, table or code."""

    path: str
    text: str
    kind: str
    table: Table | None = None
    data: Any = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """The folder of the file, empty at the top."""
        return self.path.rpartition("/")[0]

    @property
    def ending(self) -> str:
        """The file name's ending, without the dot."""
        return self.name.rpartition(".")[2]

    @property
    def lines(self) -> list[str]:
        """The lines of the text."""
        return self.text.splitlines()


@dataclass(slots=True)
class Folder:
    """All files of a world."""

    files: list[File] = field(default_factory=list)

    @property
    def paths(self) -> set[str]:
        """All paths."""
        return {file.path for file in self.files}

    @property
    def folders(self) -> list[str]:
        """All folders that hold a file."""
        found: set[str] = set()
        for file in self.files:
            parts = file.folder.split("/") if file.folder else []
            found |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
        return sorted(found)

    def texts(self) -> dict[str, str]:
        """Path to text."""
        return {file.path: file.text for file in self.files}

    def kind(self, *kinds: str) -> list[File]:
        """Files of some kinds."""
        return [file for file in self.files if file.kind in kinds]

    def tables(self, *endings: str) -> list[File]:
        """Tables, of some file endings."""
        return [file for file in self.files if file.table is not None and (not endings or file.ending in endings)]

    def taken(self, path: str) -> bool:
        """True when a file or folder of that name is there, in any casing."""
        low = path.lower()
        return any(low == file.path.lower() or file.path.lower().startswith(low + "/") for file in self.files)


def make_folder(draw: Draw) -> Folder:
    """A folder of 6 to 25 files."""
    folder = Folder()
    depth = draw.some(words.FOLDERS, draw.rng.randint(1, 4))
    if len(depth) > 1 and draw.chance(0.5):
        depth.append(f"{depth[0]}/{draw.one(words.FOLDERS)}")
    plan = ["prose"] * draw.rng.randint(2, 6) + ["list"] * draw.rng.randint(1, 3) + ["log"] * draw.rng.randint(0, 2)
    plan += ["csv"] + ["table"] * draw.rng.randint(1, 4) + ["jsontable"] * draw.rng.randint(0, 2)
    plan += ["config"] * draw.rng.randint(1, 2) + ["prices"] * draw.rng.randint(0, 2)
    shared = _columns(draw) if draw.chance(0.5) else None
    for kind in plan:
        where = "" if draw.chance(0.55) else draw.rng.choice(depth) + "/"
        if kind == "table" and shared and draw.chance(0.45):
            _add(folder, _table_file(draw, where, "csv", shared))
        else:
            _add(folder, _file(draw, kind, where))
    draw.rng.shuffle(folder.files)
    return folder


def _add(folder: Folder, file: File) -> None:
    stem = file.path.rpartition(".")[0]
    if not any(other.path.rpartition(".")[0].lower() == stem.lower() for other in folder.files):
        folder.files.append(file)


_CONFIGS = tuple("config settings options app package profile defaults prefs setup data".split())


def _file(draw: Draw, kind: str, where: str) -> File:
    if kind == "csv":
        return _table_file(draw, where, "csv", _columns(draw))
    if kind == "table":
        return _table_file(draw, where, "csv" if draw.chance(0.85) else "tsv", _columns(draw))
    if kind == "jsontable":
        return _table_file(draw, where, "json" if draw.chance(0.7) else "jsonl", _columns(draw))
    if kind == "config":
        data = _config(draw)
        return File(
            f"{where}{draw.one(_CONFIGS)}.json",
            json.dumps(data, indent=2, ensure_ascii=False) + "\n",
            "config",
            data=data,
        )
    if kind == "log":
        name = (
            f"{draw.one(('app', 'server', 'error', 'access', 'system', 'worker', 'build', 'sync', 'debug', 'install'))}.log"
        )
        return File(where + name, _log(draw), "log")
    if kind == "prices":
        return File(
            f"{where}{draw.one(('prices', 'fees', 'rates', 'tickets', 'menu', 'costs', 'pricelist', 'tariff'))}.txt",
            _prices(draw),
            "prices",
        )
    ending = draw.rng.choice(("md", "md", "md", "txt")) if kind == "prose" else draw.rng.choice(("txt", "txt", "md"))
    return File(f"{where}{stem(draw)}.{ending}", _prose(draw) if kind == "prose" else _list(draw), kind)


def stem(draw: Draw) -> str:
    """A file name without its ending."""
    base = draw.one(words.STEMS)
    at = draw.rng.random()
    if at < 0.6:
        return base.capitalize() if at < 0.04 else base
    joint = draw.rng.choice("-_")
    if at < 0.85:
        parts = [base, draw.one(words.MODIFIERS)]
        return joint.join(parts if draw.chance(0.5) else parts[::-1])
    return draw.pseudo() if at < 0.95 else f"{draw.pseudo()}{joint}{draw.rng.randint(1, 30)}"


class _Slots(dict[str, str]):
    """What a sentence may ask for, drawn when it does."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self._draw = draw

    def __missing__(self, key: str) -> str:
        draw = self._draw
        makers: dict[str, Callable[[], str]] = {
            "topic": lambda: draw.one(words.TOPICS),
            "thing": lambda: draw.one(words.THINGS),
            "person": draw.name,
            "n": lambda: str(draw.rng.randint(2, 40)),
            "hour": lambda: str(draw.rng.randint(8, 18)),
            "date": lambda: draw.day().isoformat(),
            "mail": lambda: mail(draw),
            "url": lambda: url(draw),
        }
        text = makers[key.lower().rstrip("2")]()
        return text.capitalize() if key[0].isupper() else text


def mail(draw: Draw) -> str:
    """A made-up address."""
    return f"{draw.name().lower().translate(_ASCII)}@{draw.pseudo()}.{draw.rng.choice(('com', 'org', 'net', 'io'))}"


def url(draw: Draw) -> str:
    """A made-up link."""
    tail = draw.rng.choice(("", f"/{draw.one(words.TOPICS)}", f"/{draw.one(words.TOPICS)}/{draw.rng.randint(1, 99)}"))
    return f"https://{draw.pseudo()}.{draw.rng.choice(('com', 'org', 'net', 'io'))}{tail}"


_ASCII = str.maketrans("äöüéèç", "aoueec")


def _prose(draw: Draw) -> str:
    lines = [draw.one(words.HEADINGS).format_map(_Slots(draw))] if draw.chance(0.6) else []
    for _ in range(draw.rng.randint(2, 9)):
        lines.append(draw.one(words.SENTENCES if draw.chance(0.75) else words.BULLETS).format_map(_Slots(draw)))
        if draw.chance(0.12):
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _list(draw: Draw) -> str:
    if draw.chance(0.5):
        return "".join(draw.one(words.BULLETS).format_map(_Slots(draw)) + "\n" for _ in range(draw.rng.randint(3, 10)))
    source = draw.rng.choice((words.THINGS, words.TOPICS, words.PEOPLE))
    return "".join(f"{item}\n" for item in draw.some(source, draw.rng.randint(3, 9)))


def _log(draw: Draw) -> str:
    day, second = draw.day(), draw.rng.randrange(3600 * 6, 3600 * 9)
    lines = []
    for _ in range(draw.rng.randint(5, 14)):
        second += draw.rng.randint(3, 900)
        stamp = f"{day} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        lines.append(f"{stamp} {draw.rng.choice(words.LEVELS)} {draw.one(words.EVENTS)}")
    return "\n".join(lines) + "\n"


def _prices(draw: Draw) -> str:
    joint = draw.rng.choice((": ", " - ", " = "))
    return "".join(
        f"{item}{joint}${draw.rng.randint(2, 60)}{draw.rng.choice(('', '', '.50'))}\n"
        for item in draw.some(words.PRICES, draw.rng.randint(3, 8))
    )


def _config(draw: Draw) -> dict[str, Any]:
    data: dict[str, Any] = {key: value(draw, key) for key in draw.some(words.CONFIG_KEYS, draw.rng.randint(2, 5))}
    for section in draw.some(words.SECTIONS, draw.rng.randint(0, 2)):
        data[section] = {key: value(draw, key) for key in draw.some(words.CONFIG_KEYS, draw.rng.randint(2, 3))}
    if draw.chance(0.4):
        data[draw.rng.choice(("tags", "authors", "hosts", "users", "labels"))] = draw.some(
            words.PEOPLE, draw.rng.randint(2, 4)
        )
    return data


def value(draw: Draw, key: str) -> Any:
    """A value that suits a configuration key."""
    if key == "debug" or draw.chance(0.1):
        return draw.chance(0.5)
    return draw.number(1, 9000) if draw.chance(0.55) else draw.pseudo()


def _columns(draw: Draw) -> tuple[Column, ...]:
    columns = []
    if draw.chance(0.45):
        columns.append(Column(draw.one(words.DATE_COLUMNS), "date"))
    if draw.chance(0.8):
        person = draw.chance(0.5)
        columns.append(
            Column(
                draw.one(words.PERSON_COLUMNS if person else words.THING_COLUMNS),
                "name",
                words.PEOPLE if person else words.THINGS,
            )
        )
    for name, values in draw.some(words.CATEGORIES, draw.rng.randint(1, 2)):
        columns.append(Column(name, "category", tuple(draw.some(values, 4))))
    columns += [Column(name, "money") for name in draw.some(words.MONEY, draw.rng.randint(1, 2))]
    columns += [Column(name, "count") for name in draw.some(words.COUNTS, draw.rng.randint(0, 2))]
    if len({column.name for column in columns}) < len(columns):
        return _columns(draw)
    return tuple(columns)


def _table_file(draw: Draw, where: str, ending: str, columns: tuple[Column, ...]) -> File:
    stem_, noun = draw.one(words.TABLE_STEMS)
    name = stem_
    if draw.chance(0.3):
        name = f"{stem_}{draw.rng.choice('-_')}{draw.one(words.MODIFIERS)}"
    elif draw.chance(0.1):
        name, noun = draw.pseudo(), "rows"
    rows = draw.rng.randint(4, 12)
    data = [_cells(draw, column, rows) for column in columns]
    table = Table(columns, tuple(zip(*data, strict=True)), noun)
    return File(f"{where}{name}.{ending}", table_text(table, ending), "table", table=table)


def _cells(draw: Draw, column: Column, rows: int) -> list[Any]:
    if column.kind == "date":
        start = draw.day()
        return [(start + timedelta(days=step)).isoformat() for step in draw.rng.sample(range(120), rows)]
    if column.kind == "category":
        return [draw.rng.choice(column.values) for _ in range(rows)]
    if column.kind == "name":
        options = list(draw.all(column.values))
        return draw.rng.sample(options, rows) if len(options) >= rows else [draw.pseudo().capitalize() for _ in range(rows)]
    if column.kind == "count":
        return draw.rng.sample(range(1, 120), rows)
    cents = draw.chance(0.4)
    numbers = draw.rng.sample(range(3, draw.rng.choice((80, 400, 3000))), rows)
    return [number + draw.rng.choice((0.25, 0.5, 0.75)) if cents else number for number in numbers]


def table_text(table: Table, ending: str) -> str:
    """The file that holds a table."""
    names = [column.name for column in table.columns]
    records = [dict(zip(names, row, strict=True)) for row in table.rows]
    if ending == "json":
        return json.dumps(records, indent=1, ensure_ascii=False) + "\n"
    if ending == "jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if ending == "tsv" else ",", lineterminator="\n")
    writer.writerow(names)
    writer.writerows(table.rows)
    return out.getvalue()
