"""Tasks over many files or rows."""

from __future__ import annotations

import re

from . import words
from .draft import Desk, Draft, Intent, Unsuitable, action, ask, pattern, q, sql_text
from .folder import File

EACH_COUNT = (
    "for every {ext} file{here}, how many {what} does it have?",
    "count the {what} in <each|every> {ext} file{here}",
    "how many {what} does each {ext} file{here} have?",
    "how many {what} has each {ext} file{here}?",
    "{what} per {ext} file{here}?",
    "give me the number of {what} <for each|of every> {ext} file{here}",
    "how many {what} are in each of the {ext} files{here}?",
    "list the {one} counts of all {ext} files{here}",
    "tell me for each {ext} file{here} how many {what} it has",
    "show the {one} count of every {ext} file{here}",
    "for each {ext} file{here}: number of {what}",
    "go through the {ext} files{here} and count the {what} of each",
    "I want the {one} count of each {ext} file{here}",
    "what is the {one} count of each {ext} file{here}?",
)
EACH_COUNT_SAVE = (
    "for every {ext} file{here}, how many {what} does it have? <Put|Write|Save> the "
    "<totals|counts|numbers> <in|into|to> {out}",
    "count the {what} in each {ext} file{here} and <write|save|put> the <counts|totals|result> <to|in|into> {out}",
    "write the {one} count of every {ext} file{here} <to|into> {out}",
    "make {out} with the number of {what} of each {ext} file{here}",
    "save a {one} count for each {ext} file{here} in {out}",
    "{out} should have the number of {what} for every {ext} file{here}",
    "how many {what} are in each {ext} file{here}? Store the numbers in {out}",
    "go through all {ext} files{here}, count their {what} and save the counts as {out}",
    "put the number of {what} in each {ext} file{here} into {out}",
    "create {out}: for each {ext} file{here} its number of {what}",
    "collect the {one} counts of all {ext} files{here} in {out}",
    "for each {ext} file{here} count the {what} and save <everything|it all> <as|in> {out}",
)
TOTAL = (
    "how many {what} do all {ext} files{here} have <together|in total|altogether>?",
    "total number of {what} in all {ext} files{here}?",
    "add up the {what} of all {ext} files{here}",
    "what is the total {one} count of the {ext} files{here}?",
    "how many {what} are there in all {ext} files{here} combined?",
    "sum the {what} over every {ext} file{here}",
    "how many {what} have I got in my {ext} files{here}, in total?",
    "count all {what} in all {ext} files{here}",
    "the {ext} files{here}: how many {what} in total?",
    "give me the total of {what} over all {ext} files{here}",
    "overall {one} count of the {ext} files{here}",
    "taken together, how many {what} do the {ext} files{here} have?",
)
AVERAGE = (
    "how many {what} does a {ext} file{here} have on average?",
    "average number of {what} per {ext} file{here}?",
    "what is the mean {one} count of the {ext} files{here}?",
    "compute the average {one} count of the {ext} files{here}",
    "on average, how many {what} are in the {ext} files{here}?",
)
TOTAL_SIZE = (
    "how many bytes do all {ext} files{here} have <together|in total>?",
    "total size of the {ext} files{here}?",
    "add up the sizes of all {ext} files{here}",
    "how big are the {ext} files{here} altogether, in bytes?",
    "what is the combined size of all {ext} files{here} in bytes?",
    "how much space do the {ext} files{here} take in total?",
)
SIZES = (
    "how big is each {ext} file{here}?",
    "list the size of every {ext} file{here}",
    "sizes of the {ext} files{here}?",
    "give me the size in bytes of each {ext} file{here}",
    "for each {ext} file{here}, show its size",
    "what are the sizes of all {ext} files{here}?",
)
FIRST_LINES = (
    "<show|give> me the first line of <each|every> {ext} file{here}",
    "what is the first line of each {ext} file{here}?",
    "list the first lines of all {ext} files{here}",
    "collect the first line of every {ext} file{here}",
    "for each {ext} file{here}, show its first line",
    "first line of every {ext} file{here}?",
    "how does each {ext} file{here} begin? First lines, please",
    "read the first line from each of the {ext} files{here}",
)
FIRST_LINES_SAVE = (
    "write the first line of every {ext} file{here} to {out}, one per line",
    "collect the first lines of all {ext} files{here} in {out}, one per line",
    "put the first line of each {ext} file{here} into {out}, each on its own line",
    "save the first line of every {ext} file{here} in {out}, one per line",
    "make {out} from the first lines of the {ext} files{here}, one on each line",
)
MERGE = (
    "<join|merge|combine|concatenate> all {ext} files{here} into {out}",
    "put the text of all {ext} files{here} together in {out}",
    "write all {ext} files{here} one after the other into {out}",
    "make one file {out} out of all {ext} files{here}",
    "save the combined text of every {ext} file{here} as {out}",
    "{out} should contain the text of all {ext} files{here}",
    "append the contents of all {ext} files{here} to a new file {out}",
)
MOVE_ALL = (
    "move all {ext} files{here} <to|into> {place}",
    "put <all|every one of> the {ext} files{here} into {place}",
    "all {ext} files{here} <should go|belong> into {place}, move them",
    "move every {ext} file{here} into {place}",
    "collect all {ext} files{here} in {place}: move them there",
    "I want all {ext} files{here} moved to {place}",
    "transfer the {ext} files{here} to {place}",
    "every {ext} file{here} must move to {place}",
)
COPY_ALL = (
    "copy all {ext} files{here} <to|into> {place}",
    "put a copy of every {ext} file{here} into {place}",
    "back up all {ext} files{here} <to|into> {place}",
    "copy every {ext} file{here} into {place}",
    "make copies of all {ext} files{here} in {place}",
    "duplicate all {ext} files{here} into {place}",
    "the {ext} files{here} should be copied to {place}",
)
DELETE_ALL = (
    "delete all {ext} files{here}",
    "remove <every|all> {ext} files{here}",
    "get rid of <all|the> {ext} files{here}",
    "erase every {ext} file{here}",
    "throw away all {ext} files{here}",
    "I don't need the {ext} files{here} any more, delete them",
    "all {ext} files{here} can go",
    "clean up: delete the {ext} files{here}",
    "rm all {ext} files{here}",
)
REPLACE_ALL = (
    "replace {old} <with|by> {new} in <all|every one of the> {ext} files{here}",
    "in every {ext} file{here}, replace {old} <with|by> {new}",
    "change {old} to {new} in all {ext} files{here}",
    "all {ext} files{here} should say {new} instead of {old}",
    "swap {old} for {new} in each {ext} file{here}",
    "put {new} wherever a {ext} file{here} says {old}",
    "go through all {ext} files{here} and change {old} to {new}",
    "substitute {new} for {old} in every {ext} file{here}",
    "rename {old} to {new} inside all {ext} files{here}",
)
APPEND_ALL = (
    "append the line {text} to every {ext} file{here}",
    "add {text} to the end of each {ext} file{here}",
    "add the line {text} to all {ext} files{here}",
    "put {text} at the end of every {ext} file{here}",
    "every {ext} file{here} should end with the line {text}: add it",
    "write {text} at the bottom of all {ext} files{here}",
    "each {ext} file{here} gets a new last line {text}",
)
RENAME_ALL = (
    "rename all {ext} files{here} to {new}",
    "change the ending of every {ext} file{here} to {new}",
    "give all {ext} files{here} the <ending|extension> {new}",
    "turn the extension of each {ext} file{here} into {new}",
    "every {ext} file{here} should end in {new} instead, rename them",
    "rename each {ext} file{here} so that it ends in {new}",
    "all {ext} files{here} get the extension {new} in place of {old}",
)
PREFIX_ALL = (
    "put {prefix} in front of the name of every {ext} file {here1}",
    "rename all {ext} files {here1} so that they begin with {prefix}",
    "add the prefix {prefix} to all {ext} files {here1}",
    "all {ext} files {here1} should get {prefix} in front of their names",
    "prefix every {ext} file {here1} with {prefix}",
)
COUNT_WORD = (
    "how many lines in <all|the> {ext} files{here} <contain|mention> {word}?",
    "count the lines with {word} in all {ext} files{here}",
    "number of lines that mention {word} in the {ext} files{here}?",
    "over all {ext} files{here}, how many lines have {word}?",
    "how many {word} lines do the {ext} files{here} have in total?",
    "total number of lines containing {word} in all {ext} files{here}",
)
EACH_WORD = (
    "how many lines <with|containing> {word} does each {ext} file{here} have?",
    "for every {ext} file{here}, count the lines with {word}",
    "count the lines that mention {word} in each {ext} file{here}",
    "lines with {word} per {ext} file{here}?",
    "for each {ext} file{here}, how many lines contain {word}?",
    "give me the number of {word} lines of each {ext} file{here}",
)
ALL_LINES = (
    "<list|show|find> all lines with {word} in all {ext} files{here}",
    "which lines in the {ext} files{here} mention {word}?",
    "search all {ext} files{here} for {word} and <list|show> the lines",
    "collect the lines containing {word} from every {ext} file{here}",
    "grep {word} in all {ext} files{here}",
    "look through the {ext} files{here} and give me every line with {word}",
)
EXTRACT_ALL = (
    "<list|find|collect|extract> all {what} in all {ext} files{here}",
    "which {what} are in the {ext} files{here}?",
    "extract the {what} from every {ext} file{here}",
    "go through all {ext} files{here} and collect the {what}",
    "give me the {what} of all {ext} files{here}",
    "all {what} from all {ext} files{here}?",
)
ROWS_EACH = (
    "how many rows does each {ext} file{here} have?",
    "for each {ext} file{here}, count the rows",
    "number of rows per {ext} file{here}?",
    "row count of every {ext} file{here}",
    "list the row counts of all {ext} files{here}",
    "tell me for every {ext} file{here} how many rows it has",
    "how many rows are in each of the {ext} files{here}?",
)
ROWS_TOTAL = (
    "how many rows do all {ext} files{here} have together?",
    "total number of rows in all {ext} files{here}?",
    "add up the rows of all {ext} files{here}",
    "how many rows are there in the {ext} files{here} altogether?",
    "sum of the row counts of all {ext} files{here}",
    "over all {ext} files{here}, how many rows are there?",
)
SUM_FILES = (
    "what is the total {col} over {list}?",
    "add up {col} in {list}",
    "sum of {col} over {list}",
    "how much is {col} in total in {list}?",
    "what's the sum of {col} in {list} together?",
    "total {col} of {list}, all together?",
    "take {list} and add up all {col}",
    "{col} in {list}, summed over the files?",
)
SUM_EACH = (
    "what is the total {col} of each of {list}?",
    "sum {col} for each of {list}",
    "for each of {list}, what is the sum of {col}?",
    "give me the {col} total of each file: {list}",
    "total {col} per file for {list}",
)
EACH_OF = (
    "how many {what} do {list} have, each?",
    "count the {what} of each of {list}",
    "for each of {list}, how many {what} does it have?",
    "{what} in each of {list}?",
    "give me the number of {what} for {list}, one by one",
    "tell me the {one} counts of {list}",
)
MAKE_FOLDERS = (
    "make the folders {list}",
    "create folders for {list}",
    "create {n} folders: {list}",
    "I need folders <named |called |>{list}",
    "make a folder for each of {list}",
    "set up directories {list}",
    "add the directories {list}",
    "new folders: {list}",
    "mkdir {list}",
)
MAKE_FILES = (
    "create empty files {list}",
    "make the empty files {list}",
    "touch {list}",
    "I need {n} empty files: {list}",
    "create {n} empty files <named |called |>{list}",
    "add blank files {list}",
    "make {n} empty files, {list}",
)
DELETE_LIST = (
    "delete {list}",
    "remove the files {list}",
    "get rid of {list}",
    "delete these files: {list}",
    "erase {list}",
    "{list} can all be deleted",
    "throw {list} away",
    "rm {list}",
)
MOVE_LIST = (
    "move {list} <to|into> {place}",
    "put {list} into {place}",
    "{list} should all go to {place}",
    "move these files to {place}: {list}",
    "bring {list} into {place}",
    "transfer {list} to {place}",
)
FILE_PER_ROW = (
    "make a folder for each {col} in {file}",
    "create a folder for every different {col} in {file}",
    "for each distinct {col} in {file}, make a folder",
    "set up one folder per {col} in {file}",
    "I want a folder for each {col} that occurs in {file}",
    "every {col} of {file} needs its own folder, make them",
)
APPEND_ROWS = (
    "append <a line for each|each|every> {col} in {file} to {out}",
    "add <all the|all> {names} from {file} to the end of {out}, one per line",
    "add each {col} of {file} as a line to {out}",
    "put every {col} of {file} as a new line at the end of {out}",
    "append the {names} in {file} to {out}, each on its own line",
)


def _ending(desk: Desk, *allowed: str, least: int = 2) -> str:
    counts = {ending: sum(file.ending == ending for file in desk.folder.files) for ending in allowed}
    options = [ending for ending, count in counts.items() if count >= least]
    if not options:
        raise Unsuitable("too few files")
    return desk.rng.choices(options, [counts[option] for option in options])[0]


def several(desk: Desk, *allowed: str, least: int = 2, top: bool = False) -> tuple[str, str, str, list[File]]:
    """Files by ending: the pattern, how the ending and the place are said, and the files."""
    ending = _ending(desk, *(allowed or ("md", "txt")), least=least)
    files = [file for file in desk.folder.files if file.ending == ending]
    names = {"md": "markdown", "txt": "text", "csv": "CSV", "json": "JSON", "log": "log"}
    shown = desk.rng.choice((f".{ending}", f".{ending}", f"*.{ending}", ending, names.get(ending, ending)))
    places = [place for place in desk.folder.folders if sum(file.path.startswith(place + "/") for file in files) >= least]
    at = desk.rng.random()
    if places and at < 0.25:
        place = desk.rng.choice(places)
        inside = [file for file in files if file.path.startswith(place + "/")]
        return (
            f"{place}/**/*.{ending}",
            shown,
            f" {desk.rng.choice(('in', 'in', 'inside', 'under'))} {desk.place(place)}",
            inside,
        )
    flat = [file for file in files if not file.folder]
    if top or (at < 0.35 and len(flat) >= least):
        if len(flat) < least:
            raise Unsuitable("too few files at the top")
        return (
            f"*.{ending}",
            shown,
            desk.rng.choice(
                (
                    " at the top level",
                    " directly in this folder (no subfolders)",
                    " in this folder only (not in subfolders)",
                    " at the top level only",
                )
            ),
            flat,
        )
    here = desk.rng.choice(
        (
            "",
            "",
            "",
            " here",
            " here",
            " in this folder",
            " everywhere",
            " in all subfolders",
            " in this folder and below",
            " in all folders",
            " in the workspace",
            " in this directory",
        )
    )
    return f"**/*.{ending}", shown, here, files


def _what(desk: Desk) -> tuple[str, str]:
    what = desk.rng.choice(("words", "words", "lines", "lines", "characters"))
    return what, "chars" if what == "characters" else what


def _loop(pattern_: str, body: str, before: str = "") -> str:
    return f"{before}for path in files.find(pattern={q(pattern_)}):\n    {body}\n"


def each_count(desk: Desk) -> Draft:
    """A count per file, answered or saved."""
    glob, ext, here, _ = several(desk, "md", "txt", "csv", "log")
    what, unit = _what(desk)
    program = _loop(glob, f"counts[path] = text.count(path=path, what={q(unit)})", "counts = {}\n")
    if desk.draw.chance(0.45):
        return ask(desk.say(EACH_COUNT, ext=ext, here=here, what=what, one=what[:-1]), program + "answer(counts)")
    out = json_out(desk)
    return ask(
        desk.say(EACH_COUNT_SAVE, ext=ext, here=here, what=what, one=what[:-1], out=desk.mark(out)),
        program + f"files.write(path={q(out)}, content=json.dumps(counts))\nanswer(counts)",
    )


_RESULTS = tuple(
    "counts totals result results stats numbers summary report out index overview lengths sizes table wordcount".split()
)


def json_out(desk: Desk) -> str:
    """A new JSON file for results."""
    name = f"{desk.draw.one(_RESULTS)}.json"
    return name if not desk.folder.taken(name) else desk.fresh_name("json")


def total(desk: Desk) -> Draft:
    """A sum over files."""
    glob, ext, here, _ = several(desk, "md", "txt", "log", "csv")
    what, unit = _what(desk)
    at = desk.rng.random()
    if at < 0.7:
        program = _loop(glob, f"total += text.count(path=path, what={q(unit)})", "total = 0\n")
        return ask(desk.say(TOTAL, ext=ext, here=here, what=what, one=what[:-1]), program + "answer(total)")
    if at < 0.8:
        program = (
            f"counts = [text.count(path=path, what={q(unit)}) for path in files.find(pattern={q(glob)})]\n"
            f"answer(sum(counts) / len(counts))"
        )
        return ask(desk.say(AVERAGE, ext=ext, here=here, what=what, one=what[:-1]), program)
    return ask(
        desk.say(TOTAL_SIZE, ext=ext, here=here),
        _loop(glob, 'total += files.info(path=path)["size"]', "total = 0\n") + "answer(total)",
    )


def sizes(desk: Desk) -> Draft:
    """The size of each file."""
    glob, ext, here, _ = several(desk, "md", "txt", "csv", "json", "log")
    return ask(
        desk.say(SIZES, ext=ext, here=here),
        _loop(glob, 'sizes[path] = files.info(path=path)["size"]', "sizes = {}\n") + "answer(sizes)",
    )


def first_lines(desk: Desk) -> Draft:
    """The first line of each file."""
    glob, ext, here, _ = several(desk)
    if desk.draw.chance(0.65):
        return ask(
            desk.say(FIRST_LINES, ext=ext, here=here),
            _loop(glob, "lines[path] = files.read(path=path).splitlines()[0]", "lines = {}\n") + "answer(lines)",
        )
    out = desk.fresh_name("csv" if ext == "csv" else "log")
    return action(
        desk.say(FIRST_LINES_SAVE, ext=ext, here=here, out=desk.mark(out)),
        _loop(glob, "lines.append(files.read(path=path).splitlines()[0])", "lines = []\n")
        + f'files.write(path={q(out)}, content="\\n".join(lines) + "\\n")',
    )


def merge(desk: Desk) -> Draft:
    """All texts in one file."""
    glob, ext, here, _ = several(desk, "md", "txt", "log")
    out = desk.fresh_name(desk.rng.choice(("md", "txt", "log")))
    return action(
        desk.say(MERGE, ext=ext, here=here, out=desk.mark(out)),
        _loop(glob, "content += files.read(path=path)", 'content = ""\n') + f"files.write(path={q(out)}, content=content)",
    )


def all_files(desk: Desk) -> Draft:
    """Move, copy or delete all files of a kind."""
    glob, ext, here, files = several(desk, "md", "txt", "csv", "json", "log")
    at = desk.rng.random()
    if at < 0.25:
        return action(desk.say(DELETE_ALL, ext=ext, here=here), _loop(glob, "files.delete(path=path)").rstrip())
    target = desk.draw.one(words.NEW_FOLDERS)
    names = [file.name for file in files]
    if desk.folder.taken(target) or len(set(names)) < len(names):
        raise Unsuitable("names clash")
    move = at < 0.65
    return action(
        desk.say(MOVE_ALL if move else COPY_ALL, ext=ext, here=here, place=desk.place(target)),
        _loop(glob, f"files.{'move' if move else 'copy'}(source=path, target={q(target + '/')})").rstrip(),
    )


def change_all(desk: Desk) -> Draft:
    """Replace or append in all files of a kind."""
    glob, ext, here, files = several(desk)
    if desk.draw.chance(0.4):
        text = desk.line_text()
        return action(
            desk.say(APPEND_ALL, ext=ext, here=here, text=desk.value(text)),
            _loop(glob, f"files.append(path=path, content={q(text + chr(10))})").rstrip(),
        )
    old = desk.word_in(desk.rng.choice(files))
    new = (
        desk.odd_text()
        if desk.draw.chance(0.2)
        else desk.rng.choice((desk.draw.one(words.TOPICS), desk.draw.name(), desk.draw.pseudo()))
    )
    return action(
        desk.say(REPLACE_ALL, ext=ext, here=here, old=desk.value(old), new=desk.value(new)),
        _loop(glob, f"text.replace(path=path, old={q(old)}, new={q(new)})").rstrip(),
    )


def rename_all(desk: Desk) -> Draft:
    """A new ending, or a prefix, for all files of a kind."""
    if desk.draw.chance(0.4):
        glob, ext, here, _ = several(desk, "md", "txt", "csv", top=True)
        prefix = desk.rng.choice(
            (f"{desk.draw.one(words.MODIFIERS)}-", f"{desk.draw.one(words.MODIFIERS)}_", f"{desk.draw.pseudo()}-")
        )
        return action(
            desk.say(PREFIX_ALL, ext=ext, here1=here.strip(), prefix=desk.value(prefix)),
            _loop(glob, f"files.move(source=path, target={q(prefix)} + path)").rstrip(),
        )
    glob, _, here, files = several(desk, "md", "txt", "log", "csv")
    ending = files[0].ending
    new = desk.rng.choice([one for one in ("md", "txt", "bak", "old", "text", "markdown", "rst") if one != ending])
    return action(
        desk.say(
            RENAME_ALL,
            ext=f".{ending}",
            here=here,
            new=desk.rng.choice((f".{new}", f'".{new}"', f"`.{new}`")),
            old=f".{ending}",
        ),
        _loop(glob, f"files.move(source=path, target=path.removesuffix({q('.' + ending)}) + {q('.' + new)})").rstrip(),
    )


def word_lines(desk: Desk) -> Draft:
    """Matching lines over all files of a kind."""
    glob, ext, here, files = several(desk, "md", "txt", "log", "md")
    word = desk.word_in(desk.rng.choice(files))
    search, at = f"text.search(path=path, pattern={pattern(word)})", desk.rng.random()
    shown = {"ext": ext, "here": here, "word": desk.word(word)}
    if at < 0.35:
        return ask(desk.say(COUNT_WORD, **shown), _loop(glob, f"total += len({search})", "total = 0\n") + "answer(total)")
    if at < 0.65:
        return ask(
            desk.say(EACH_WORD, **shown), _loop(glob, f"counts[path] = len({search})", "counts = {}\n") + "answer(counts)"
        )
    return ask(
        desk.say(ALL_LINES, **shown),
        f"lines = []\n"
        f"for path in files.find(pattern={q(glob)}):\n"
        f"    for row in {search}:\n"
        f'        lines.append(row["text"])\n'
        f"answer(lines)",
    )


def extract_all(desk: Desk) -> Draft:
    """Extracted values of all files of a kind."""
    from .single_text import EXTRACT

    glob, ext, here, files = several(desk, "md", "txt", "log")
    fitting = [entry for entry in EXTRACT if any(re.search(entry[2], file.text) for file in files)]
    if not fitting:
        raise Unsuitable("nothing to extract")
    _, names, regex = desk.rng.choice(fitting)
    return ask(
        desk.say(EXTRACT_ALL, ext=ext, here=here, what=desk.rng.choice(names)),
        _loop(glob, f"found += text.extract(path=path, pattern={q(regex)})", "found = []\n") + "answer(found)",
    )


def rows(desk: Desk) -> Draft:
    """Row counts of all tables."""
    glob, ext, here, _ = several(desk, "csv")
    count = 'tables.describe(path=path)["rows"]'
    if desk.draw.chance(0.5):
        return ask(
            desk.say(ROWS_EACH, ext=ext, here=here),
            _loop(glob, f"counts[path] = {count}", "counts = {}\n") + "answer(counts)",
        )
    return ask(desk.say(ROWS_TOTAL, ext=ext, here=here), _loop(glob, f"total += {count}", "total = 0\n") + "answer(total)")


def joined(desk: Desk, items: list[str]) -> str:
    """A list of names as people write it."""
    shown = [desk.mark(item) for item in items] if desk.draw.chance(0.4) else items
    return ", ".join(shown[:-1]) + desk.rng.choice((" and ", " and ", ", ", ", and ")) + shown[-1]


def sum_files(desk: Desk) -> Draft:
    """A column's sum over named tables with the same column."""
    tables = desk.folder.tables("csv")
    groups: dict[str, list[File]] = {}
    for file in tables:
        for column in file.table.of("money", "count") if file.table else ():
            groups.setdefault(column.name, []).append(file)
    options = {name: files for name, files in groups.items() if len(files) >= 2}
    if not options:
        raise Unsuitable("no shared column")
    name = desk.rng.choice(sorted(options))
    files = options[name][:4]
    paths = "[" + ", ".join(q(file.path) for file in files) + "]"
    query = f'tables.sql(query=f"SELECT sum({name}) AS value FROM \'{{path}}\'")[0]["value"]'
    listed = joined(desk, [file.path for file in files])
    if desk.draw.chance(0.65):
        return ask(
            desk.say(SUM_FILES, col=name, list=listed),
            f"total = 0\nfor path in {paths}:\n    total += {query}\nanswer(total)",
        )
    return ask(
        desk.say(SUM_EACH, col=name, list=listed),
        f"totals = {{}}\nfor path in {paths}:\n    totals[path] = {query}\nanswer(totals)",
    )


def named_files(desk: Desk) -> Draft:
    """The same for each of some named files."""
    files = desk.rng.sample(desk.folder.files, min(len(desk.folder.files), desk.rng.randint(2, 4)))
    paths = "[" + ", ".join(q(file.path) for file in files) + "]"
    listed, at = joined(desk, [file.path for file in files]), desk.rng.random()
    if at < 0.4:
        what, unit = _what(desk)
        return ask(
            desk.say(EACH_OF, what=what, one=what[:-1], list=listed),
            f"counts = {{}}\nfor path in {paths}:\n    counts[path] = text.count(path=path, what={q(unit)})\nanswer(counts)",
        )
    if at < 0.7:
        return action(desk.say(DELETE_LIST, list=listed), f"for path in {paths}:\n    files.delete(path=path)")
    target = desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(target) or len({file.name for file in files}) < len(files):
        raise Unsuitable("names clash")
    return action(
        desk.say(MOVE_LIST, list=listed, place=desk.place(target)),
        f"for path in {paths}:\n    files.move(source=path, target={q(target + '/')})",
    )


def make_several(desk: Desk) -> Draft:
    """Several new folders or files."""
    number = desk.rng.randint(2, 4)
    templates: tuple[str, ...]
    if desk.draw.chance(0.6):
        names = [
            name for name in desk.draw.some((*words.NEW_FOLDERS, *words.MODIFIERS), number) if not desk.folder.taken(name)
        ]
        call, templates = "files.make_folder(path=path)", MAKE_FOLDERS
    else:
        names = list(dict.fromkeys(desk.fresh_name(desk.rng.choice(("txt", "md"))) for _ in range(number)))
        call, templates = 'files.write(path=path, content="")', MAKE_FILES
    if len(names) < 2:
        raise Unsuitable("names clash")
    return action(
        desk.say(templates, list=joined(desk, names), n=desk.count(len(names))),
        f"for path in [{', '.join(q(name) for name in names)}]:\n    {call}",
    )


def over_rows(desk: Desk) -> Draft:
    """Something for each row of a table."""
    from .single_tables import pick_column, plural, table_file

    if desk.draw.chance(0.5):
        file, table = table_file(desk, "category")
        column = pick_column(desk, table, "category")
        query = f"SELECT DISTINCT {column.name} FROM {sql_text(file.path)}"
        return action(
            desk.say(FILE_PER_ROW, file=desk.path(file.path), col=column.name),
            f"for row in tables.sql(query={q(query)}):\n    files.make_folder(path=row[{q(column.name)}])",
        )
    file, table = table_file(desk, "name")
    column, out = pick_column(desk, table, "name"), desk.file("list", "prose", "log")
    query = f"SELECT {column.name} FROM {sql_text(file.path)}"
    return action(
        desk.say(
            APPEND_ROWS, file=desk.path(file.path), col=column.name, names=plural(column.name), out=desk.mark(out.path)
        ),
        f"for row in tables.sql(query={q(query)}):\n"
        f'    files.append(path={q(out.path)}, content=row[{q(column.name)}] + "\\n")',
    )


INTENTS: tuple[Intent, ...] = (
    (14, each_count),
    (9, total),
    (2, sizes),
    (5, first_lines),
    (4, merge),
    (7, all_files),
    (6, change_all),
    (4, rename_all),
    (6, word_lines),
    (4, extract_all),
    (4, rows),
    (4, sum_files),
    (7, named_files),
    (3, make_several),
    (4, over_rows),
)
