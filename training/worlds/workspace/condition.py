"""Tasks with a condition: only some files, one of two things, the longest, the first that."""

from __future__ import annotations

from collections.abc import Callable

from . import words
from .draft import Desk, Draft, Intent, Unsuitable, ask, pattern, q
from .folder import File
from .loop import several
from .single_tables import col, pick_column, table_file, value_of

LONGER = (
    "which {ext} files{here} have more than {n} {what}?",
    "list the {ext} files{here} <with|that have> more than {n} {what}",
    "find all {ext} files{here} longer than {n} {what}",
    "which {ext} files{here} are longer than {n} {what}?",
    "{ext} files{here} with over {n} {what}?",
    "show me every {ext} file{here} that has more than {n} {what}",
    "what {ext} files{here} have over {n} {what}?",
    "tell me which {ext} files{here} exceed {n} {what}",
    "names of the {ext} files{here} that are longer than {n} {what}",
    "give me the {ext} files{here} whose number of {what} is above {n}",
)
SHORTER = (
    "which {ext} files{here} have <fewer|less> than {n} {what}?",
    "list the {ext} files{here} <with|that have> fewer than {n} {what}",
    "find all {ext} files{here} shorter than {n} {what}",
    "which {ext} files{here} are shorter than {n} {what}?",
    "{ext} files{here} with under {n} {what}?",
    "show me every {ext} file{here} that has less than {n} {what}",
    "give me the {ext} files{here} whose number of {what} is below {n}",
)
COUNT_LONGER = (
    "how many {ext} files{here} have more than {n} {what}?",
    "count the {ext} files{here} with more than {n} {what}",
    "number of {ext} files{here} longer than {n} {what}?",
    "how many of the {ext} files{here} are longer than {n} {what}?",
    "how many {ext} files{here} exceed {n} {what}?",
    "tell me how many {ext} files{here} have over {n} {what}",
)
CONTAINING = (
    "which {ext} files{here} <contain|mention|include> {word}?",
    "list the {ext} files{here} that <contain|mention> {word}",
    "find all {ext} files{here} <with|containing|that contain> {word}",
    "in which {ext} files{here} does {word} <occur|appear>?",
    "{ext} files{here} that mention {word}?",
    "which of the {ext} files{here} talk about {word}?",
    "search the {ext} files{here} for {word} and tell me which files have it",
    "show me every {ext} file{here} in which {word} appears",
    "where do I mention {word}? Look in the {ext} files{here} <and list the files|and give me the paths>",
    "which {ext} files{here} have {word} in them?",
    "names of the {ext} files{here} that contain {word}",
    "look through the {ext} files{here}: which ones say {word}?",
    "give me the {ext} files{here} with {word} in the text",
)
NOT_CONTAINING = (
    "which {ext} files{here} do not <contain|mention> {word}?",
    "list the {ext} files{here} without {word}",
    "find the {ext} files{here} that don't mention {word}",
    "{ext} files{here} that do not contain {word}?",
    "which of the {ext} files{here} never mention {word}?",
    "in which {ext} files{here} is there no {word}?",
)
COUNT_CONTAINING = (
    "how many {ext} files{here} <contain|mention> {word}?",
    "count the {ext} files{here} that <contain|mention> {word}",
    "number of {ext} files{here} with {word} in them?",
    "in how many {ext} files{here} does {word} <appear|occur>?",
    "how many of the {ext} files{here} have {word} in them?",
    "tell me how many {ext} files{here} contain {word}",
)
MOVE_IF = (
    "move <all|the> {ext} files{here} that <contain|mention> {word} <to|into> {place}",
    "put every {ext} file{here} with {word} in it into {place}",
    "move each {ext} file{here} <to|into> {place} if it contains {word}",
    "all {ext} files{here} mentioning {word} should go to {place}",
    "find the {ext} files{here} that contain {word} and move them to {place}",
    "if a {ext} file{here} mentions {word}, move it to {place}",
)
COPY_IF = (
    "copy <all|the> {ext} files{here} that <contain|mention> {word} <to|into> {place}",
    "put a copy of every {ext} file{here} with {word} in it into {place}",
    "copy each {ext} file{here} <to|into> {place} if it contains {word}",
    "find the {ext} files{here} that contain {word} and copy them to {place}",
)
DELETE_IF = (
    "delete <all|the> {ext} files{here} that <contain|mention> {word}",
    "remove every {ext} file{here} with {word} in it",
    "if a {ext} file{here} contains {word}, delete it",
    "get rid of the {ext} files{here} that mention {word}",
    "delete each {ext} file{here} in which {word} appears",
)
DELETE_SHORT = (
    "delete <all|the> {ext} files{here} with <fewer|less> than {n} {what}",
    "remove every {ext} file{here} that has fewer than {n} {what}",
    "get rid of {ext} files{here} shorter than {n} {what}",
    "if a {ext} file{here} has less than {n} {what}, delete it",
    "erase the {ext} files{here} with under {n} {what}",
)
MOVE_LONG = (
    "move <all|the> {ext} files{here} with more than {n} {what} <to|into> {place}",
    "put every {ext} file{here} longer than {n} {what} into {place}",
    "if a {ext} file{here} has more than {n} {what}, move it to {place}",
    "{ext} files{here} over {n} {what} should go to {place}",
    "move each {ext} file{here} that has over {n} {what} into {place}",
)
APPEND_IF = (
    "append the line {text} to every {ext} file{here} that <contains|mentions> {word}",
    "add {text} to the end of each {ext} file{here} with {word} in it",
    "if a {ext} file{here} mentions {word}, add the line {text} to it",
    "every {ext} file{here} that contains {word} gets a new line {text} at the end",
    "put {text} at the end of all {ext} files{here} containing {word}",
)
LONGEST = (
    "which {ext} file{here} has the most {what}?",
    "which {ext} file{here} is the longest, counted in {what}?",
    "find the {ext} file{here} with the <most|highest number of> {what}",
    "what is the longest {ext} file{here} (in {what})?",
    "the {ext} file{here} with the most {what}?",
    "tell me which {ext} file{here} has the largest number of {what}",
    "longest {ext} file{here} by {what}?",
    "of all {ext} files{here}, which has the most {what}?",
    "name the {ext} file{here} that contains the most {what}",
)
SHORTEST = (
    "which {ext} file{here} has the <fewest|least> {what}?",
    "which {ext} file{here} is the shortest, counted in {what}?",
    "find the {ext} file{here} with the <fewest|smallest number of> {what}",
    "what is the shortest {ext} file{here} (in {what})?",
    "shortest {ext} file{here} by {what}?",
    "of all {ext} files{here}, which has the fewest {what}?",
    "name the {ext} file{here} with the least {what}",
)
BIGGEST = (
    "which {ext} file{here} is the <biggest|largest>?",
    "what is the <largest|biggest> {ext} file{here}?",
    "find the {ext} file{here} with the largest size",
    "<biggest|largest> {ext} file{here}?",
    "which {ext} file{here} takes the most space?",
    "which of the {ext} files{here} has the most bytes?",
    "name the {ext} file{here} of the greatest size",
)
SMALLEST = (
    "which {ext} file{here} is the smallest?",
    "what is the smallest {ext} file{here}?",
    "find the {ext} file{here} with the smallest size",
    "smallest {ext} file{here}?",
    "which of the {ext} files{here} has the fewest bytes?",
)
BIGGER = (
    "which {ext} files{here} are <bigger|larger> than {n} bytes?",
    "list the {ext} files{here} over {n} bytes",
    "find all {ext} files{here} <larger|bigger> than {n} bytes",
    "{ext} files{here} above {n} bytes?",
    "which {ext} files{here} have more than {n} bytes?",
    "show the {ext} files{here} whose size is more than {n} bytes",
)
MOST_WORD = (
    "which {ext} file{here} has the most lines with {word}?",
    "in which {ext} file{here} do the most lines mention {word}?",
    "find the {ext} file{here} with the most lines containing {word}",
    "what {ext} file{here} mentions {word} on the most lines?",
)
IF_EXISTS = (
    "if {file} exists, append the line {text} to it, <otherwise|else|if not,> create it with that line",
    "append {text} to {file} if it exists, otherwise create {file} with that line",
    "add the line {text} to {file}; if there is no such file, create it with it",
    "is there a {file}? If yes, add the line {text}, if not, make it with this line",
    "put the line {text} at the end of {file}, or create the file with it if it is missing",
)
CREATE_MISSING = (
    "if there is no {file}, create it with the text {text}",
    "create {file} with {text}, but only if it does not exist <yet|already>",
    "make {file} with the text {text} unless it is already there",
    "only if {file} is missing, write {text} to it",
    "does {file} exist? If not, create it with {text}",
    "unless there is a {file} already, create it with {text} in it",
    "if {file} does not exist, make it with the content {text}",
)
DELETE_EXISTS = (
    "if {file} exists, delete it",
    "delete {file} if it exists",
    "if there is a {file}, remove it",
    "remove {file}, if it is there",
    "should {file} exist, delete it",
    "get rid of {file} if there is one",
)
EXISTS = (
    "does {file} exist?",
    "is there a <file called |file named |>{file}<| here>?",
    "do I have a <file called |>{file}?",
    "check <whether|if> {file} exists",
    "is {file} there?",
    "{file}: does it exist?",
    "tell me whether there is a {file}",
    "exists {file}?",
    "can you see a file named {file} here?",
    "is there any {file} in this folder?",
)
IF_WORD = (
    "if {file} <contains|mentions> {word}, append the line {text} to it",
    "add the line {text} to {file} if it mentions {word}",
    "append {text} to {file}, but only if {word} is in it",
    "check {file} for {word}; if it is there, add the line {text}",
    "does {file} mention {word}? If so, append the line {text}",
)
IF_LONG = (
    "if {file} has more than {n} {what}, move it to {place}",
    "move {file} to {place} if it has more than {n} {what}",
    "put {file} into {place}, but only if it is longer than {n} {what}",
    "check the number of {what} in {file}: over {n}, it goes to {place}",
)
IF_TOTAL = (
    "if the total {col} in {file} is over {n}, write {yes} to {out}, otherwise write {no}",
    "write {yes} to {out} if the sum of {col} in {file} is more than {n}, else {no}",
    "check the total {col} in {file}: above {n} write {yes} to {out}, else write {no} there",
    "put {yes} into {out} if {col} in {file} adds up to more than {n}, and {no} if not",
    "is the sum of {col} in {file} greater than {n}? Write {yes} or else {no} to {out}",
)
LONGER_OF = (
    "which is longer <in {what}|counted in {what}>, {a} or {b}?",
    "which of {a} and {b} has more {what}?",
    "does {a} or {b} have more {what}?",
    "{a} or {b}: which has more {what}?",
    "compare {a} and {b}: which one has more {what}?",
    "what has more {what}, {a} or {b}?",
    "of {a} and {b}, name the one with more {what}",
)
IS_MORE = (
    "does {file} have more than {n} {what}?",
    "is {file} longer than {n} {what}?",
    "are there more than {n} {what} in {file}?",
    "has {file} got over {n} {what}?",
    "check whether {file} has more than {n} {what}",
    "{file}: more than {n} {what}, yes or no?",
    "is the number of {what} in {file} above {n}?",
)
LONG_LINES = (
    "which lines of {file} are longer than {n} characters?",
    "list the lines in {file} with more than {n} characters",
    "show the lines of {file} that have more than {n} characters",
    "find all lines longer than {n} characters in {file}",
    "lines over {n} characters in {file}?",
    "give me every line of {file} that is longer than {n} characters",
)
START_LINES = (
    "which lines of {file} <start|begin> with {word}?",
    "list the lines in {file} <starting|beginning|that start> with {word}",
    "show all lines of {file} that begin with {word}",
    "find the lines of {file} starting with {word}",
    "lines of {file} that start with {word}?",
    "give me every line in {file} that begins with {word}",
)
WITHOUT_LINES = (
    "which lines of {file} do not <contain|mention> {word}?",
    "list the lines in {file} without {word}",
    "show all lines of {file} that do not contain {word}",
    "lines of {file} without {word}?",
    "give me every line in {file} that does not mention {word}",
)
REMOVE_LINES = (
    "remove <all|the> lines <with|containing|that contain> {word} from {file}",
    "delete every line <with|that contains|that mentions> {word} in {file}",
    "drop the lines containing {word} from {file}",
    "in {file}, delete all lines that mention {word}",
    "get rid of the lines with {word} in {file}",
    "{file}: remove each line that has {word} in it",
    "take out every line of {file} that mentions {word}",
)
EMPTY_LINES = (
    "remove the empty lines from {file}",
    "delete all blank lines in {file}",
    "get rid of the empty lines in {file}",
    "strip blank lines from {file}",
    "drop all empty lines in {file}",
    "clean up {file}: no empty lines, please",
)


def _measure(desk: Desk, files: list[File]) -> tuple[str, str, list[int]]:
    what = desk.rng.choice(("words", "words", "lines", "lines", "characters"))
    measures: dict[str, Callable[[File], int]] = {
        "words": lambda file: len(file.text.split()),
        "lines": lambda file: len(file.lines),
        "characters": lambda file: len(file.text),
    }
    return what, "chars" if what == "characters" else what, [measures[what](file) for file in files]


def _limit(desk: Desk, sizes: list[int]) -> int:
    low, high = min(sizes), max(sizes)
    if low == high:
        raise Unsuitable("all the same")
    limit = desk.rng.randint(low, high - 1)
    return limit // 10 * 10 if limit >= 30 and limit // 10 * 10 >= low and desk.draw.chance(0.6) else limit


def by_length(desk: Desk) -> Draft:
    """Files longer or shorter than a number."""
    glob, ext, here, files = several(desk, "md", "txt", "csv", "md")
    what, unit, sizes = _measure(desk, files)
    limit, more = _limit(desk, sizes), desk.draw.chance(0.65)
    if not more:
        limit += 1
    test = f"text.count(path=path, what={q(unit)}) {'>' if more else '<'} {limit}"
    shown = {"ext": ext, "here": here, "what": what, "n": desk.count(limit)}
    if more and desk.draw.chance(0.3):
        return ask(
            desk.say(COUNT_LONGER, **shown),
            f"found = []\n"
            f"for path in files.find(pattern={q(glob)}):\n"
            f"    if {test}:\n"
            f"        found.append(path)\n"
            f"answer(len(found))",
        )
    return ask(
        desk.say(LONGER if more else SHORTER, **shown),
        f"found = []\nfor path in files.find(pattern={q(glob)}):\n    if {test}:\n        found.append(path)\nanswer(found)",
    )


def by_word(desk: Desk) -> Draft:
    """Files that contain a word, or do not."""
    glob, ext, here, files = several(desk, "md", "txt", "log", "csv", "md", "txt")
    word = desk.word_in(desk.rng.choice(files))
    test, at = f"text.search(path=path, pattern={pattern(word)})", desk.rng.random()
    templates = CONTAINING if at < 0.6 else NOT_CONTAINING if at < 0.75 else COUNT_CONTAINING
    end = "answer(len(found))" if templates is COUNT_CONTAINING else "answer(found)"
    program = (
        f"found = []\n"
        f"for path in files.find(pattern={q(glob)}):\n"
        f"    if {'not ' if templates is NOT_CONTAINING else ''}{test}:\n"
        f"        found.append(path)\n"
        f"{end}"
    )
    return ask(desk.say(templates, ext=ext, here=here, word=desk.word(word)), program)


def act_on_some(desk: Desk) -> Draft:
    """Move, copy, delete or extend the files that meet a condition."""
    glob, ext, here, files = several(desk, "md", "txt", "log", "md", "txt")
    target = desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(target) or len({file.name for file in files}) < len(files):
        raise Unsuitable("names clash")
    shown = {"ext": ext, "here": here, "place": desk.place(target)}
    kind = desk.rng.choice(("move", "move", "copy", "delete", "append", "short", "long"))
    if kind in ("short", "long"):
        what, unit, sizes = _measure(desk, files)
        limit = _limit(desk, sizes) + (kind == "short")
        test = f"text.count(path=path, what={q(unit)}) {'<' if kind == 'short' else '>'} {limit}"
        text = desk.say(DELETE_SHORT if kind == "short" else MOVE_LONG, **shown, n=desk.count(limit), what=what)
    else:
        word = desk.word_in(desk.rng.choice(files))
        test, line = f"text.search(path=path, pattern={pattern(word)})", desk.line_text()
        templates = {"move": MOVE_IF, "copy": COPY_IF, "delete": DELETE_IF, "append": APPEND_IF}[kind]
        text = desk.say(templates, **shown, word=desk.word(word), text=desk.value(line))
    call = {
        "delete": "files.delete(path=path)",
        "short": "files.delete(path=path)",
        "copy": f"files.copy(source=path, target={q(target + '/')})",
    }.get(kind, f"files.move(source=path, target={q(target + '/')})")
    if kind == "append":
        call = f"files.append(path=path, content={q(line + chr(10))})"
    return Draft(
        text,
        (f'for path in files.find(pattern={q(glob)}):\n    if {test}:\n        {call}\nanswer("done")',),
        answer_matters=False,
    )


def extreme(desk: Desk) -> Draft:
    """The longest, shortest, biggest or smallest file."""
    glob, ext, here, files = several(desk, "md", "txt", "csv", "log", "md")
    at = desk.rng.random()
    templates: tuple[str, ...]
    if at < 0.6:
        what, unit, sizes = _measure(desk, files)
        key, most = f"text.count(path=path, what={q(unit)})", desk.draw.chance(0.65)
        templates, shown = (LONGEST if most else SHORTEST), {"ext": ext, "here": here, "what": what}
    elif at < 0.85:
        sizes, key, most = (
            [len(file.text.encode()) for file in files],
            'files.info(path=path)["size"]',
            desk.draw.chance(0.65),
        )
        templates, shown = (BIGGEST if most else SMALLEST), {"ext": ext, "here": here}
    else:
        word = desk.word_in(desk.rng.choice(files))
        sizes, most = [sum(word in line for line in file.lines) for file in files], True
        key, templates, shown = (
            f"len(text.search(path=path, pattern={pattern(word)}))",
            MOST_WORD,
            {"ext": ext, "here": here, "word": desk.word(word)},
        )
    best = max(sizes) if most else min(sizes)
    if sizes.count(best) > 1:
        raise Unsuitable("a tie")
    return ask(
        desk.say(templates, **shown),
        f"counts = {{}}\n"
        f"for path in files.find(pattern={q(glob)}):\n"
        f"    counts[path] = {key}\n"
        f"answer({'max' if most else 'min'}(counts, key=counts.get))",
    )


def by_size(desk: Desk) -> Draft:
    """Files bigger than a number of bytes."""
    glob, ext, here, files = several(desk, "md", "txt", "csv", "json", "log")
    limit = _limit(desk, [len(file.text.encode()) for file in files])
    return ask(
        desk.say(BIGGER, ext=ext, here=here, n=str(limit)),
        f"found = []\n"
        f"for path in files.find(pattern={q(glob)}):\n"
        f'    if files.info(path=path)["size"] > {limit}:\n'
        f"        found.append(path)\n"
        f"answer(found)",
    )


def _maybe(desk: Desk) -> tuple[str, bool]:
    if desk.draw.chance(0.5):
        return desk.text_file().path, True
    return desk.fresh_name(desk.rng.choice(("txt", "md", "log"))), False


def if_exists(desk: Desk) -> Draft:
    """One thing if a file exists, another if not."""
    (path, there), text = _maybe(desk), desk.line_text()
    found, shown, at = f"files.find(pattern={q(path)})", desk.mark(path), desk.rng.random()
    if at < 0.3:
        return ask(desk.say(EXISTS, file=shown), f"answer(bool({found}))")
    if at < 0.5:
        return Draft(
            desk.say(DELETE_EXISTS, file=shown),
            (f'if {found}:\n    files.delete(path={q(path)})\nanswer("done")',),
            False,
            needed=("files.find", "files.delete") if there else ("files.find",),
        )
    if at < 0.75:
        return Draft(
            desk.say(CREATE_MISSING, file=shown, text=desk.value(text)),
            (f'if not {found}:\n    files.write(path={q(path)}, content={q(text)})\nanswer("done")',),
            False,
            needed=("files.find",) if there else ("files.find", "files.write"),
        )
    line = q(text + chr(10))
    program = (
        f"if {found}:\n"
        f"    files.append(path={q(path)}, content={line})\n"
        f"else:\n"
        f"    files.write(path={q(path)}, content={line})\n"
        f'answer("done")'
    )
    return Draft(
        desk.say(IF_EXISTS, file=shown, text=desk.value(text)),
        (program,),
        False,
        needed=("files.find", "files.append" if there else "files.write"),
    )


def if_file(desk: Desk) -> Draft:
    """Something only if a file contains a word or is long."""
    file, at = desk.text_file(), desk.rng.random()
    if at < 0.4:
        word, text = (desk.word_in(file) if desk.draw.chance(0.6) else desk.draw.one(words.TOPICS)), desk.line_text()
        program = (
            f"if text.search(path={q(file.path)}, pattern={pattern(word)}):\n"
            f"    files.append(path={q(file.path)}, content={q(text + chr(10))})\n"
            f'answer("done")'
        )
        return Draft(
            desk.say(IF_WORD, file=desk.mark(file.path), word=desk.word(word), text=desk.value(text)),
            (program,),
            False,
            needed=("text.search", "files.append") if word in file.text else ("text.search",),
        )
    what, unit, sizes = _measure(desk, [file])
    limit = max(1, sizes[0] + desk.rng.randint(-sizes[0] // 2, sizes[0] // 2))
    test, shown = f"text.count(path={q(file.path)}, what={q(unit)}) > {limit}", {"n": desk.count(limit), "what": what}
    if at < 0.7:
        return ask(desk.say(IS_MORE, file=desk.path(file.path), **shown), f"answer({test})")
    target = desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(target):
        raise Unsuitable("name taken")
    program = f'if {test}:\n    files.move(source={q(file.path)}, target={q(target + "/")})\nanswer("done")'
    return Draft(
        desk.say(IF_LONG, file=desk.mark(file.path), place=desk.place(target), **shown),
        (program,),
        False,
        needed=("text.count", "files.move") if sizes[0] > limit else ("text.count",),
    )


def if_total(desk: Desk) -> Draft:
    """One text or another, depending on a total."""
    file, table = table_file(desk, "money|count")
    column = pick_column(desk, table, "money", "count")
    limit = max(1, int(sum(table.values(column)) * desk.rng.choice((0.5, 0.8, 1.2, 1.5))))
    yes, no = desk.rng.choice(
        (("high", "low"), ("over", "under"), ("yes", "no"), ("too much", "ok"), ("good", "bad"), ("alarm", "fine"))
    )
    out = desk.fresh_name("txt")
    program = (
        f"total = {value_of(f'sum({column.name})', file)}\n"
        f"if total > {limit}:\n"
        f"    files.write(path={q(out)}, content={q(yes)})\n"
        f"else:\n"
        f"    files.write(path={q(out)}, content={q(no)})\n"
        f'answer("done")'
    )
    return Draft(
        desk.say(
            IF_TOTAL,
            file=desk.path(file.path),
            col=col(desk, column),
            n=str(limit),
            yes=desk.value(yes),
            no=desk.value(no),
            out=desk.mark(out),
        ),
        (program,),
        False,
    )


def longer_of(desk: Desk) -> Draft:
    """Which of two files is longer."""
    files = desk.folder.kind("prose", "list", "log")
    if len(files) < 2:
        raise Unsuitable("one file")
    a, b = desk.rng.sample(files, 2)
    what, unit, sizes = _measure(desk, [a, b])
    if sizes[0] == sizes[1]:
        raise Unsuitable("a tie")
    program = (
        f"counts = {{}}\n"
        f"for path in [{q(a.path)}, {q(b.path)}]:\n"
        f"    counts[path] = text.count(path=path, what={q(unit)})\n"
        f"answer(max(counts, key=counts.get))"
    )
    text = desk.say(LONGER_OF, a=desk.mark(a.path), b=desk.mark(b.path), what=what)
    return ask(text, program)


def some_lines(desk: Desk) -> Draft:
    """Lines that meet a condition."""
    file, at = desk.text_file(), desk.rng.random()
    lines = f"lines = files.read(path={q(file.path)}).splitlines()\n"
    if at < 0.25:
        limit = _limit(desk, [len(line) for line in file.lines])
        return ask(
            desk.say(LONG_LINES, file=desk.path(file.path), n=str(limit)),
            lines + f"answer([line for line in lines if len(line) > {limit}])",
            ordered=True,
        )
    if at < 0.5:
        start = desk.rng.choice([line for line in file.lines if line]).split(" ")[0]
        return ask(
            desk.say(START_LINES, file=desk.path(file.path), word=desk.value(start)),
            lines + f"answer([line for line in lines if line.startswith({q(start)})])",
            ordered=True,
        )
    word = desk.word_in(file)
    if at < 0.62:
        return ask(
            desk.say(WITHOUT_LINES, file=desk.path(file.path), word=desk.word(word)),
            lines + f"answer([line for line in lines if {q(word)} not in line])",
            ordered=True,
        )
    keep, templates = ("if line.strip()", EMPTY_LINES) if at < 0.75 else (f"if {q(word)} not in line", REMOVE_LINES)
    program = (
        lines + f"lines = [line for line in lines {keep}]\n"
        f'files.write(path={q(file.path)}, content="\\n".join(lines) + "\\n")\n'
        f'answer("done")'
    )
    return Draft(desk.say(templates, file=desk.path(file.path), word=desk.word(word)), (program,), answer_matters=False)


INTENTS: tuple[Intent, ...] = (
    (8, by_length),
    (10, by_word),
    (9, act_on_some),
    (8, extreme),
    (2, by_size),
    (9, if_exists),
    (6, if_file),
    (2, if_total),
    (4, longer_of),
    (8, some_lines),
)
