"""Tasks whose first natural program fails with an error that says how to mend it."""

from __future__ import annotations

from . import words
from .chain import UPPER, _out
from .draft import Desk, Draft, Intent, Unsuitable, done, q
from .folder import File, Folder
from .single_files import COPY, DELETE, MOVE, READ, SIZE
from .single_other import CONVERT, NOW, amount
from .single_tables import MAX, MEAN, MIN, SUM, pick_column, table_file, value_of
from .single_text import COUNT_LINES, COUNT_WORDS, FIRST_LINE, LAST_LINE, REPLACE

ZONES = tuple(
    "Tashkent=Asia/Tashkent Baku=Asia/Baku Colombo=Asia/Colombo Dhaka=Asia/Dhaka Kabul=Asia/Kabul "
    "Karachi=Asia/Karachi Manila=Asia/Manila Riyadh=Asia/Riyadh "
    "Taipei=Asia/Taipei Tehran=Asia/Tehran Tbilisi=Asia/Tbilisi Yerevan=Asia/Yerevan "
    "Baghdad=Asia/Baghdad Beirut=Asia/Beirut Sofia=Europe/Sofia Riga=Europe/Riga "
    "Vilnius=Europe/Vilnius Tallinn=Europe/Tallinn Belgrade=Europe/Belgrade Bucharest=Europe/Bucharest "
    "Budapest=Europe/Budapest Zagreb=Europe/Zagreb "
    "Sarajevo=Europe/Sarajevo Malta=Europe/Malta Monaco=Europe/Monaco Luxembourg=Europe/Luxembourg "
    "Minsk=Europe/Minsk Tirane=Europe/Tirane Accra=Africa/Accra "
    "Algiers=Africa/Algiers Casablanca=Africa/Casablanca Dakar=Africa/Dakar Harare=Africa/Harare "
    "Kampala=Africa/Kampala Tunis=Africa/Tunis Windhoek=Africa/Windhoek "
    "Caracas=America/Caracas Havana=America/Havana Panama=America/Panama Phoenix=America/Phoenix "
    "Anchorage=America/Anchorage Montevideo=America/Montevideo "
    "Winnipeg=America/Winnipeg Halifax=America/Halifax Brisbane=Australia/Brisbane Perth=Australia/Perth "
    "Adelaide=Australia/Adelaide Darwin=Australia/Darwin "
    "Fiji=Pacific/Fiji Guam=Pacific/Guam Tahiti=Pacific/Tahiti Reykjavik=Atlantic/Reykjavik "
    "Bermuda=Atlantic/Bermuda Maldives=Indian/Maldives".split()
)


def _other_name(desk: Desk, file: File) -> str:
    """The name as a person misremembers it: another casing, another ending, another folder."""
    stem, _, ending = file.name.rpartition(".")
    at = desk.rng.random()
    if at < 0.35:
        name = desk.rng.choice(
            (file.name.upper(), file.name.capitalize(), file.name.title(), file.name.lower(), f"{stem}.{ending.upper()}")
        )
        return f"{file.folder}/{name}" if file.folder else name
    if at < 0.6 and file.folder:
        return file.name
    if at < 0.8:
        other = (
            stem.replace("-", "_")
            if "-" in stem
            else stem.replace("_", "-")
            if "_" in stem
            else stem + "s"
            if not stem.endswith("s")
            else stem[:-1]
        )
        return f"{file.folder}/{other}.{ending}" if file.folder else f"{other}.{ending}"
    other = {"md": "txt", "txt": "md", "log": "txt", "csv": "tsv"}.get(ending, "txt")
    return f"{file.folder}/{stem}.{other}" if file.folder else f"{stem}.{other}"


def suggested(folder: Folder, path: str) -> str | None:
    """What the toolbox suggests for a path that is not there; kept equal to it by a test."""
    import difflib

    where, _, name = path.rpartition("/")
    beside = set()
    for known in folder.paths:
        if not where or known.startswith(where + "/"):
            beside.add(known[len(where) + 1 if where else 0 :].split("/")[0])
    near = _closest(name, sorted(beside), difflib.get_close_matches)
    if near:
        return f"{where}/{near}" if where else near
    same = sorted(known for known in folder.paths if known.rsplit("/", 1)[-1].lower() == name.lower())
    return same[0] if same else _closest(path, sorted(folder.paths), difflib.get_close_matches)


def _closest(name: str, options: list[str], match: object) -> str | None:
    lowered = {option.lower(): option for option in options}
    near = match(name.lower()[:200], list(lowered), n=1, cutoff=0.7)  # type: ignore[operator]
    return lowered[near[0]] if near else None


def misnamed(desk: Desk) -> tuple[File, str]:
    """A file, and another name for it that makes the toolbox suggest the right one."""
    file = desk.file("prose", "list", "log", "prices", "table")
    name = _other_name(desk, file)
    if name in desk.folder.paths or suggested(desk.folder, name) != file.path:
        raise Unsuitable("no clear suggestion")
    return file, name


def file_name(desk: Desk) -> Draft:
    """A file that is called otherwise."""
    file, name = misnamed(desk)
    kind = desk.rng.choice(
        ("words", "lines", "read", "first", "last", "replace", "delete", "move", "copy", "size", "upper")
    )
    shown = desk.mark(name)
    if kind in ("words", "lines"):
        text, call = (
            desk.say(COUNT_WORDS if kind == "words" else COUNT_LINES, file=shown),
            f'answer(text.count(path=%s, what="{kind}"))',
        )
    elif kind == "read":
        text, call = desk.say(READ, file=shown), "answer(files.read(path=%s))"
    elif kind == "size":
        text, call = desk.say(SIZE, file=shown), 'answer(files.info(path=%s)["size"])'
    elif kind in ("first", "last"):
        text, call = (
            desk.say(FIRST_LINE if kind == "first" else LAST_LINE, file=shown),
            f"answer(files.read(path=%s).splitlines()[{0 if kind == 'first' else -1}])",
        )
    else:
        return _action(desk, kind, file, name)
    return Draft(text, (call % q(name), call % q(file.path)), ordered=True)


def _action(desk: Desk, kind: str, file: File, name: str) -> Draft:
    shown = desk.mark(name)
    if kind == "delete":
        text, call = desk.say(DELETE, file=shown), "files.delete(path=%s)"
    elif kind == "move":
        target = desk.draw.one(words.NEW_FOLDERS)
        if desk.folder.taken(target):
            raise Unsuitable("name taken")
        text, call = (
            desk.say(MOVE, file=shown, place=desk.place(target)),
            f"files.move(source=%s, target={q(target + '/')})",
        )
    elif kind == "copy":
        out = desk.fresh_name(file.ending)
        text, call = desk.say(COPY, file=shown, new=desk.mark(out)), f"files.copy(source=%s, target={q(out)})"
    elif kind == "replace":
        old, new = desk.word_in(file), desk.draw.one(words.TOPICS)
        text, call = (
            desk.say(REPLACE, file=shown, old=desk.value(old), new=desk.value(new)),
            f"text.replace(path=%s, old={q(old)}, new={q(new)})",
        )
    else:
        out = _out(desk)
        text, call = (
            desk.say(UPPER, file=shown, out=desk.mark(out)),
            f"content = files.read(path=%s)\nfiles.write(path={q(out)}, content=content.upper())",
        )
    return Draft(text, (done(call.replace("%s", q(name))), done(call.replace("%s", q(file.path)))), answer_matters=False)


def timezone(desk: Desk) -> Draft:
    """A city that is no timezone by itself."""
    name, zone = desk.draw.one(ZONES).split("=")
    return Draft(
        desk.say(NOW, place=name), (f"answer(clock.now(timezone={q(name)}))", f"answer(clock.now(timezone={q(zone)}))")
    )


UNIT_SLIPS: tuple[tuple[str, str, str], ...] = (
    ("kilometr", "kilometer", "mile"),
    ("milles", "mile", "km"),
    ("gramms", "gram", "ounce"),
    ("ounzes", "ounce", "gram"),
    ("poundz", "pound", "kg"),
    ("galons", "gallon", "liter"),
    ("litters", "liter", "gallon"),
    ("secounds", "second", "hour"),
    ("minuts", "minute", "hour"),
    ("celcius", "celsius", "fahrenheit"),
    ("farenheit", "fahrenheit", "celsius"),
    ("kilogramms", "kilogram", "pound"),
    ("yardes", "yard", "meter"),
    ("teaspons", "teaspoon", "milliliter"),
    ("hectars", "hectare", "acre"),
    ("houres", "hour", "minute"),
    ("knotes", "knot", "kph"),
)


def column(desk: Desk) -> Draft:
    """A column that is called otherwise: the database names the one that is there."""
    file, table = table_file(desk, "money|count")
    column = pick_column(desk, table, "money", "count")
    name = column.name
    at = desk.rng.randrange(1, len(name) - 1)
    slips = (
        name + "s",
        name.replace("_", ""),
        name[:at] + name[at] + name[at:],
        name[:at] + name[at + 1 :],
        name[:at] + name[at + 1] + name[at] + name[at + 2 :],
    )
    wrong = desk.rng.choice([slip for slip in slips if slip != name])
    if len(name) < 5 or any(wrong == other.name for other in table.columns):
        raise Unsuitable("another column")
    function, templates = desk.rng.choice((("sum", SUM), ("avg", MEAN), ("max", MAX), ("min", MIN)))
    text = desk.say(templates, file=desk.path(file.path), col=wrong, where="")
    return Draft(
        text,
        (f"answer({value_of(f'{function}({wrong})', file)})", f"answer({value_of(f'{function}({column.name})', file)})"),
    )


def unit(desk: Desk) -> Draft:
    """A unit that is misspelt."""
    wrong, right, target = desk.draw.one(UNIT_SLIPS)
    value = amount(desk)
    text = desk.say(CONVERT, v=value, a=wrong, b=target + ("s" if target.isalpha() and len(target) > 3 else ""))
    call = f"answer(units.convert(value={value}, source=%s, target={q(target)}))"
    return Draft(text, (call % q(wrong), call % q(right)))


INTENTS: tuple[Intent, ...] = ((12, file_name), (3, timezone), (2, unit), (2, column))
