"""Tasks of two to four calls: a value of one call is needed by the next, or two things are asked at once."""

from __future__ import annotations

from collections.abc import Callable

from . import words
from .draft import Desk, Draft, Intent, Unsuitable, action, ask, pattern, q, sql_text
from .folder import File
from .single_files import other_folder
from .single_tables import col, condition, pick_column, plural, records, table_file, value_of, values_of
from .single_text import EXTRACT

COUNT_THEN_SAVE = (
    "count the {what} in {file} and <write|save|put|store> the <number|result|count> <to|in|into> {out}",
    "how many {what} does {file} have? <Write|Save|Put|Store> the <number|answer|result> <in|into|to> {out}",
    "write the number of {what} in {file} to {out}",
    "save the {one} count of {file} <as|in|to> {out}",
    "{out} should contain the number of {what} in {file}",
    "put the {one} count of {file} into {out}",
    "count {what} in {file}, then write the <count|number> to {out}",
    "determine the number of {what} in {file} and save it as {out}",
    "I want the number of {what} of {file} <written to|saved in> {out}",
    "store how many {what} {file} has in {out}",
    "create {out} with the number of {what} in {file}",
    "take the number of {what} in {file} and write it into {out}",
)
COUNT_THEN_APPEND = (
    "count the {what} in {file} and append the number to {out}",
    "add the number of {what} in {file} to the end of {out}",
    "append the {one} count of {file} to {out}",
    "add a line with the number of {what} of {file} to {out}",
    "how many {what} are in {file}? Add the number as a <new |>line to {out}",
    "put the {one} count of {file} at the end of {out}, as a new line",
    "count {what} in {file} and add the result as a line to {out}",
    "log the number of {what} in {file} at the end of {out}",
)
COPY_TEXT = (
    "append the <content|contents|text> of {file} to {out}",
    "add <everything in|the text of|the contents of> {file} to the end of {out}",
    "put the text of {file} at the end of {out}",
    "attach what is in {file} to the end of {out}",
    "read {file} and append it to {out}",
    "{out} should end with the content of {file}: append it",
    "take the contents of {file} and add them to {out}",
    "glue {file} onto the end of {out}",
)
MERGE = (
    "<merge|join|combine> {a} and {b} into {out}",
    "put {a} and {b} together in {out}",
    "concatenate {a} and {b} into {out}",
    "make {out} out of {a} followed by {b}",
    "write the text of {a} and then of {b} to {out}",
    "create {out} from {a} plus {b}",
    "I want {a} and {b} in one file, {out}",
    "save {a} followed by {b} as {out}",
    "cat {a} {b} > {out}",
)
UPPER = (
    "write the text of {file} in <capital letters|upper case|capitals> to {out}",
    "make an upper-case copy of {file} <called|named> {out}",
    "save {file} in <all caps|upper case> as {out}",
    "convert {file} to upper case and save it as {out}",
    "put an all-caps version of {file} into {out}",
    "{out} should be {file} in capital letters",
)
SORTED = (
    "sort the lines of {file}",
    "sort the lines in {file} alphabetically",
    "put the lines of {file} in alphabetical order",
    "order the lines of {file} alphabetically, in place",
    "{file}: sort its lines",
    "I want the lines of {file} in alphabetical order",
    "rewrite {file} with its lines sorted",
)
SORTED_TO = (
    "sort the lines of {file} and <save|write> them <to|as|in> {out}",
    "write the lines of {file} in alphabetical order to {out}",
    "save a sorted copy of the lines of {file} as {out}",
    "put the sorted lines of {file} in {out}",
    "{out} should have the lines of {file}, sorted",
    "take the lines of {file}, sort them, write them to {out}",
)
REVERSED_TO = (
    "write the lines of {file} in reverse order to {out}",
    "reverse the order of the lines of {file} and save them as {out}",
    "save {file} backwards, last line first, as {out}",
    "turn the lines of {file} upside down into {out}, last line first",
    "put the lines of {file} from last to first in {out}",
)
UNIQUE_TO = (
    "write the lines of {file} without duplicates to {out}",
    "remove duplicate lines from {file} and save the result as {out}",
    "save the unique lines of {file} <in|to|as> {out}, keeping their order",
    "{out} should have each different line of {file} once",
    "drop repeated lines of {file} and write the rest to {out}",
)
LINES_TO = (
    "<write|save|put|store> the lines of {file} <that contain|with|containing|that mention> {word} <to|in|into> {out}",
    "copy <all|the> lines <with|containing> {word} from {file} <to|into> {out}",
    "filter {file} for {word} and <save|write> the lines <to|as> {out}",
    "find the lines with {word} in {file} and write them to {out}",
    "{out} should have all lines of {file} that mention {word}",
    "make {out} from the lines in {file} that contain {word}",
    "extract the {word} lines of {file} into {out}",
    "grep {word} in {file} and save the lines to {out}",
    "take every line of {file} with {word} and put it into {out}",
)
LOOK_LOOKUP = (
    "what is the {col} of {value} in {file}?",
    "what {col} does {value} have in {file}?",
    "{col} of {value} in {file}?",
    "look up {value} in {file}: what is the {col}?",
    "find the {col} of {value} in {file}",
    "in {file}, what's the {col} for {value}?",
    "tell me the {col} of {value} <from|according to> {file}",
    "which {col} is listed for {value} in {file}?",
    "what does {file} give as {col} for {value}?",
    "I need the {col} for {value} in {file}",
    "{file}: {col} of {value}",
    "how much {col} has {value} got in {file}?",
    "check {file} for the {col} of {value}",
    "what's the {col} of {value}, according to {file}?",
)
LOOK_COUNT = (
    "how many {value} {noun} are in {file}?",
    "how many {noun} for {value} are there in {file}?",
    "count the {value} {noun} in {file}",
    "number of {value} rows in {file}?",
    "how many rows of {file} are {value}?",
    "in {file}, how many {noun} are {value}?",
    "how often is {value} listed in {file}?",
    "how many entries for {value} does {file} have?",
    "{value} {noun} in {file}, how many?",
    "tell me how many {value} {noun} {file} has",
    "how many {noun} in {file} belong to {value}?",
)
LOOK_SUM = (
    "what is the total {col} for {value} in {file}?",
    "total {col} of the {value} {noun} in {file}?",
    "sum up {col} for {value} in {file}",
    "how much {col} <is|comes> from {value} in {file}?",
    "add up the {col} of all {value} {noun} in {file}",
    "what does {value} have in {col} in {file}, all together?",
    "{file}: total {col} for {value}",
    "sum of {col} over the {value} rows in {file}?",
    "in {file}, what's the {col} total of {value}?",
    "tell me the total {col} of {value} in {file}",
)
EXTRACT_TO = (
    "<save|write|put|store> <all |the |>{what} from {file} <to|in|into> {out}, one per line",
    "extract the {what} from {file} and <write|save> them to {out}, <one per line|one on each line>",
    "collect the {what} of {file} in {out}, one per line",
    "find all {what} in {file} and put them into {out}, each on its own line",
    "make a list of the {what} in {file} and save it as {out}, one a line",
    "{out} should list the {what} from {file}, one on each line",
)
ROWS_TO = (
    "<save|write|put|export> the {noun} in {file} {that} <to|into|as> {out}",
    "filter {file}: <save|write> only the {noun} {that} <to|as> {out}",
    "make {out} from the rows of {file} {that}",
    "export all rows of {file} {that} to {out}",
    "create {out} with the {noun} from {file} {that}",
    "take the rows {that} from {file} and write them to {out}",
    "{out} should have the rows of {file} {that}",
    "select the rows {that} in {file} and store them as {out}",
    "copy the {noun} {that} from {file} into a new table {out}",
)
SORT_ROWS_TO = (
    "sort {file} by {col} and <save|write> <it|the result> <to|as> {out}",
    "save {file} sorted by {col} as {out}",
    "write the rows of {file}, ordered by {col}, to {out}",
    "order {file} by {col}, result in {out}",
    "make {out}: {file} sorted by {col}",
    "export {file} to {out}, sorted by {col}",
    "create a copy of {file} sorted by {col}, named {out}",
)
CONVERT_TABLE = (
    "convert {file} to {out}",
    "save {file} as {kind}, <named|called> {out}",
    "turn {file} into {out}",
    "make a {kind} version of {file} <called|named> {out}",
    "export {file} as {out}",
    "I need {file} as {kind}: {out}",
    "write the rows of {file} to {out}",
    "change {file} into a {kind} file {out}",
    "transform {file} to {out}",
    "convert {file} to {kind} and save it as {out}",
    "{file} -> {out}, as {kind}",
)
SQL_THEN_SAVE = (
    "write the {fn} {col} <of|in> {file} to {out}",
    "<calculate|compute> the {fn} {col} in {file} and save it <as|in|to> {out}",
    "what is the {fn} {col} in {file}? <Save|Write> it <to|in> {out}",
    "put the {fn} {col} from {file} into {out}",
    "{out} should contain the {fn} {col} of {file}",
    "find the {fn} {col} in {file} and store it in {out}",
    "get the {fn} {col} of {file} and put it in a file {out}",
    "save the {fn} {col} of {file} in {out}",
)
NAMES_TO = (
    "write the {names} <of|from|in> {file} to {out}, one per line",
    "save all {names} in {file} <to|as> {out}, <one per line|one on each line>",
    "put every {col} from {file} into {out}, each on its own line",
    "make {out} with the {names} of {file}, one a line",
    "export the {col} column of {file} to {out}, one per line",
    "list the {names} from {file} in {out}, one on each line",
)
JSON_VALUE = (
    "what is <the value of |the |>{key} in {file}?",
    "{key} in {file}?",
    "read {key} from {file}",
    "get {key} <from|out of> {file}",
    "look up {key} in {file}",
    "what does {file} say for {key}?",
    "what is {key} set to in {file}?",
    "give me the {key} from {file}",
    "which {key} is <set|configured|given> in {file}?",
    "tell me the {key} in {file}",
    "what value does {key} have in {file}?",
    "find the setting {key} in {file}",
    "check {key} in {file}",
    "show the {key} <setting|entry|value> of {file}",
)
JSON_NESTED = (
    "what is the {key} of {section} in {file}?",
    "what is {section}.{key} in {file}?",
    "read {section}.{key} from {file}",
    "in {file}, what is {key} under {section}?",
    "get the {key} <in|from|of> the {section} section of {file}",
    "which {key} does {section} have in {file}?",
    "look up {key} <below|under|inside> {section} in {file}",
    "{file}: {section} {key}?",
    "what is the {section}'s {key} <according to|in> {file}?",
    "tell me the {section} {key} from {file}",
)
JSON_KEYS = (
    "which keys does {file} have <at the top level|>?",
    "list the <top-level |>keys <of|in> {file}",
    "what are the <top-level |>keys in {file}?",
    "keys of {file}?",
    "what settings <are|are there> in {file}? <Names only|Just the keys>",
    "name the top-level keys of {file}",
    "show me the keys of {file}",
)
JSON_LENGTH = (
    "how many {key} are <listed |>in {file}?",
    "count the {key} in {file}",
    "number of {key} in {file}?",
    "how many {key} does {file} <list|have>?",
    "in {file}, how many {key} are there?",
)
JSON_SET = (
    "set {key} to {value} in {file}",
    "change {key} to {value} in {file}",
    "in {file}, set {key} to {value}",
    "{key} in {file} should be {value}",
    "make {key} {value} in {file}",
    "update {key} in {file} to {value}",
    "put {value} as {key} into {file}",
    "edit {file}: {key} = {value}",
    "in {file} the {key} must be {value}, change it",
    "give {key} the value {value} in {file}",
)
STAMP = (
    "append the <current time|time now|current date and time> to {file}",
    "add a line with the current <UTC |>time to {file}",
    "add a time stamp to <the end of |>{file}",
    "write the current time at the end of {file}",
    "append a timestamp line to {file}",
    "note the current time in {file}, <at the end|as a new line>",
    "log the time in {file}",
    "put the time now on a new line at the end of {file}",
)
STAMP_TEXT = (
    "append a line with the current time and {text} to {file}, separated by a space",
    "add the current time followed by {text} to {file}",
    "log {text} with a time stamp in front in {file}",
    "add a line to {file}: the time now, then {text}",
    "append to {file} the current time and then the text {text}",
    "write the time and then {text} at the end of {file}",
    "put a time-stamped line {text} into {file}, at the end",
)
TODAY_TO = (
    "write today's date to {out}",
    "save today's date <in|as> {out}",
    "put the date of today into {out}",
    "create {out} with today's date",
    "{out} should contain today's date",
    "store the current date in a file {out}",
)
WEEKDAY = (
    "what weekday is it today?",
    "which day of the week is it?",
    "what day of the week do we have today?",
    "is it Monday or what? <Which weekday is it?|Tell me the weekday>",
    "weekday today?",
    "tell me the current weekday",
    "name today's day of the week",
)
UNTIL = (
    "how many days <is it|are there|are left> until {date}?",
    "how many days until {date}?",
    "days until {date}?",
    "how long <is it |>until {date}, in days?",
    "count the days from today to {date}",
    "how many days from now to {date}?",
    "number of days between today and {date}?",
    "{date} is how many days away?",
    "how many days do I have <left |>until {date}?",
    "the deadline is {date}. How many days are left?",
)
SINCE = (
    "how many days have passed since {date}?",
    "how many days ago was {date}?",
    "days since {date}?",
    "how many days is it since {date}?",
    "count the days from {date} until today",
    "{date} was how many days ago?",
)
IN_DAYS = (
    "what date is it in {n} days?",
    "what is the date {n} days from <now|today>?",
    "which date is {n} days from today?",
    "today plus {n} days?",
    "what day will it be in {n} days? Give the date",
    "date in {n} days?",
    "add {n} days to today",
    "tell me the date {n} days from today",
)
AGO = (
    "what date was it {n} days ago?",
    "what was the date {n} days ago?",
    "which date was {n} days before today?",
    "today minus {n} days?",
    "date {n} days ago?",
    "go back {n} days from today: which date is it?",
)
FIND_MOVE = (
    "find {file} and move it <to|into> {place}",
    "{file} is somewhere <here|in the subfolders>. Move it <to|into> {place}",
    "move {file}, wherever it is, <to|into> {place}",
    "look for {file} and put it into {place}",
    "search for {file} and move it to {place}",
    "I don't know where {file} is; find it and move it into {place}",
    "locate {file}, then move it to {place}",
)
FIND_READ = (
    "find {file} and show me what is in it",
    "{file} is in some folder. What does it say?",
    "look for {file} everywhere and read it",
    "find the file {file} and read it to me",
    "I don't know in which folder {file} is. Show me its text",
    "search for {file} and print its contents",
    "somewhere there is a file {file}, what's in it?",
)
FIND_COUNT = (
    "find {file} and count its {what}",
    "{file} is in some folder. How many {what} does it have?",
    "look for {file} everywhere and count the {what}",
    "I don't know where {file} is. How many {what} are in it?",
    "search for {file} and tell me how many {what} it has",
    "somewhere there is a file {file}, how many {what} are in it?",
)
MOVE_NEW = (
    "make a {fw} {name} and move {file} <into it|there>",
    "create a {fw} <called|named> {name} and put {file} into it",
    "move {file} into a new {fw} {name}",
    "put {file} in a new {fw} <called|named> {name}",
    "set up a {fw} {name}, then move {file} into it",
    "new {fw} {name}, {file} goes in there",
)
COPY_REPLACE = (
    "copy {file} to {out} and replace {old} <with|by> {new} <there|in the copy>",
    "make a copy of {file} named {out} in which {old} is replaced by {new}",
    "save {file} as {out} with {new} instead of {old}; leave {file} as it is",
    "duplicate {file} as {out}, then change {old} to {new} in the copy",
    "create {out} as a copy of {file}, but with {new} in place of {old}",
    "copy {file} to {out}, then in {out} replace {old} with {new}",
)
APPEND_COUNT = (
    "add the line {text} to {file} and tell me how many lines it has then",
    "append {text} to {file}. How many lines does it have <now|afterwards>?",
    "after adding the line {text} to {file}, how many lines does it have?",
    "put {text} at the end of {file} and count its lines",
    "add {text} to {file} and give me the new number of lines",
)
TWO_FILES = (
    "how many {what} do {a} and {b} have together?",
    "total number of {what} in {a} and {b}?",
    "add up the {what} of {a} and {b}",
    "{what} in {a} plus {what} in {b}?",
    "how many {what} are in {a} and {b} <combined|in total|together>?",
    "what is the combined number of {what} of {a} and {b}?",
    "sum of the {one} counts of {a} and {b}",
    "count the {what} in {a} and in {b} and add the two numbers",
)
DIFFERENCE = (
    "how many more {what} does {a} have than {b}?",
    "what is the difference in {what} between {a} and {b}, {a} minus {b}?",
    "subtract the number of {what} in {b} from that in {a}",
    "by how many {what} is {a} longer than {b}?",
    "{a} has how many more {what} than {b}?",
)
BOTH = (
    "how many lines and <how many |>words does {file} have?",
    "count the lines and the words of {file}",
    "give me lines and words of {file}",
    "lines and words in {file}?",
    "number of lines and number of words in {file}?",
    "tell me the line count and the word count of {file}",
)
SAME = (
    "are {a} and {b} the same?",
    "do {a} and {b} have the same <content|text>?",
    "is {a} identical to {b}?",
    "compare {a} and {b}: are they equal?",
    "check whether {a} and {b} are identical",
    "does {a} say exactly the same as {b}?",
    "is there any difference between {a} and {b}? Answer true if they are the same",
)
CONVERT_SUM = (
    "what is the total {col} in {file}, converted from {a} to {b}?",
    "sum up {col} in {file} and convert it from {a} to {b}",
    "{col} in {file} is in {a}. How much is the total in {b}?",
    "add up {col} of {file} (given in {a}) and give it in {b}",
    "how many {b} is the total {col} of {file}, which is in {a}?",
    "take the sum of {col} in {file} and convert it from {a} into {b}",
)

_RESULTS = tuple(
    "result count out output answer number total numbers summary found lines extract selection list "
    "sorted new filtered export overview combined all stats matches clean final".split()
)


def _out(desk: Desk, *endings: str) -> str:
    """A new file for a result, named for it or at random."""
    ending = desk.rng.choice(endings or ("txt", "txt", "txt", "md"))
    if desk.draw.chance(0.6):
        name = f"{desk.draw.one(_RESULTS)}.{ending}"
        if not desk.folder.taken(name):
            return name
    return desk.fresh_name(ending, folder=desk.rng.choice(["", "", "", *desk.folder.folders]))


def _what(desk: Desk) -> tuple[str, str]:
    what = desk.rng.choice(("words", "lines", "words", "lines", "characters"))
    return what, "chars" if what == "characters" else what


def _two(desk: Desk) -> tuple[File, File]:
    files = desk.folder.kind("prose", "list", "log", "prices")
    if len(files) < 2:
        raise Unsuitable("one file only")
    a, b = desk.rng.sample(files, 2)
    return a, b


def count_then_save(desk: Desk) -> Draft:
    """A count, written or appended to another file."""
    file, (what, unit) = desk.text_file(), _what(desk)
    count = f"text.count(path={q(file.path)}, what={q(unit)})"
    if desk.draw.chance(0.6):
        out = _out(desk)
        return action(
            desk.say(COUNT_THEN_SAVE, file=desk.path(file.path), what=what, one=what[:-1], out=desk.mark(out)),
            f"total = {count}\nfiles.write(path={q(out)}, content=str(total))",
        )
    other = desk.file("prose", "list", "log", where=lambda one: one is not file)
    return action(
        desk.say(COUNT_THEN_APPEND, file=desk.path(file.path), what=what, one=what[:-1], out=desk.mark(other.path)),
        f'total = {count}\nfiles.append(path={q(other.path)}, content=f"{{total}}\\n")',
    )


def copy_text(desk: Desk) -> Draft:
    """One file's text added to another, or two in a new one."""
    a, b = _two(desk)
    if desk.draw.chance(0.5):
        return action(
            desk.say(COPY_TEXT, file=desk.mark(a.path), out=desk.mark(b.path)),
            f"content = files.read(path={q(a.path)})\nfiles.append(path={q(b.path)}, content=content)",
        )
    out = _out(desk)
    return action(
        desk.say(MERGE, a=desk.mark(a.path), b=desk.mark(b.path), out=desk.mark(out)),
        f"content = files.read(path={q(a.path)}) + files.read(path={q(b.path)})\n"
        f"files.write(path={q(out)}, content=content)",
    )


def upper(desk: Desk) -> Draft:
    """An upper-case copy."""
    file, out = desk.text_file(), _out(desk)
    return action(
        desk.say(UPPER, file=desk.mark(file.path), out=desk.mark(out)),
        f"content = files.read(path={q(file.path)})\nfiles.write(path={q(out)}, content=content.upper())",
    )


def arranged(templates: tuple[str, ...], order: str) -> Callable[[Desk], Draft]:
    """The lines in another order, in a new file."""

    def make(desk: Desk) -> Draft:
        file, out = desk.file("list", "prose", "log"), _out(desk)
        return action(desk.say(templates, file=desk.mark(file.path), out=desk.mark(out)), _rewrite(file.path, out, order))

    return make


def _rewrite(path: str, out: str, order: str) -> str:
    return (
        f'lines = files.read(path={q(path)}).splitlines()\nfiles.write(path={q(out)}, content="\\n".join({order}) + "\\n")'
    )


def sort_in_place(desk: Desk) -> Draft:
    """Sort the lines of a file."""
    file = desk.file("list", "prose")
    return action(desk.say(SORTED, file=desk.mark(file.path)), _rewrite(file.path, file.path, "sorted(lines)"))


def lines_to(desk: Desk) -> Draft:
    """Matching lines, written to a file."""
    file, out = desk.text_file(), _out(desk)
    word = (
        desk.rng.choice([level for level in words.LEVELS if level in file.text])
        if file.kind == "log"
        else desk.word_in(file)
    )
    return action(
        desk.say(LINES_TO, file=desk.path(file.path), word=desk.word(word), out=desk.mark(out)),
        f'lines = [row["text"] for row in text.search(path={q(file.path)}, pattern={pattern(word)})]\n'
        f'files.write(path={q(out)}, content="\\n".join(lines) + "\\n")',
    )


def extract_to(desk: Desk) -> Draft:
    """Extracted values, written to a file."""
    file, out = desk.text_file(), _out(desk)
    _, names, regex = desk.rng.choice(EXTRACT)
    return action(
        desk.say(EXTRACT_TO, file=desk.path(file.path), what=desk.rng.choice(names), out=desk.mark(out)),
        f"found = text.extract(path={q(file.path)}, pattern={q(regex)})\n"
        f'files.write(path={q(out)}, content="\\n".join(found) + "\\n")',
    )


def _rows(desk: Desk, file: File, tail: str, out: str, text: str) -> Draft:
    query = f"SELECT * FROM {sql_text(file.path)}{tail}"
    return action(text, f"rows = tables.sql(query={q(query)})\ntables.write(path={q(out)}, rows=rows)")


def rows_to(desk: Desk) -> Draft:
    """The rows that meet a condition, as a new table."""
    file, table = table_file(desk)
    some, out = condition(desk, table), _out(desk, "csv", "csv", "json")
    if not any(some.test(row) for row in records(table)):
        raise Unsuitable("no row")
    return _rows(
        desk,
        file,
        f" WHERE {some.sql}",
        out,
        desk.say(ROWS_TO, file=desk.path(file.path), noun=table.noun, that=some.that, out=desk.mark(out)),
    )


def sort_rows_to(desk: Desk) -> Draft:
    """A sorted copy of a table."""
    file, table = table_file(desk, "money|count")
    column, out, down = pick_column(desk, table, "money", "count"), _out(desk, "csv", "csv", "json"), desk.draw.chance(0.4)
    shown = col(desk, column) + (
        desk.rng.choice((", highest first", " (largest first)", ", descending", " in descending order")) if down else ""
    )
    return _rows(
        desk,
        file,
        f" ORDER BY {column.name}{' DESC' if down else ''}",
        out,
        desk.say(SORT_ROWS_TO, file=desk.mark(file.path), col=shown, out=desk.mark(out)),
    )


def convert_table(desk: Desk) -> Draft:
    """A table in another format."""
    file, _ = table_file(desk)
    ending = desk.rng.choice([one for one in ("csv", "json", "jsonl", "tsv") if one != file.ending])
    out = f"{file.path.rpartition('.')[0]}.{ending}" if desk.draw.chance(0.6) else _out(desk, ending)
    if desk.folder.taken(out):
        raise Unsuitable("name taken")
    kind = {"csv": "CSV", "json": "JSON", "jsonl": "JSON lines", "tsv": "TSV"}[ending]
    return _rows(desk, file, "", out, desk.say(CONVERT_TABLE, file=desk.mark(file.path), kind=kind, out=desk.mark(out)))


def sql_then_save(desk: Desk) -> Draft:
    """A number from a table, written to a file."""
    file, table = table_file(desk, "money|count")
    column, out = pick_column(desk, table, "money", "count"), _out(desk)
    name, function = desk.rng.choice(
        (
            ("total", "sum"),
            ("sum of the", "sum"),
            ("highest", "max"),
            ("lowest", "min"),
            ("maximum", "max"),
            ("smallest", "min"),
            ("largest", "max"),
        )
    )
    return action(
        desk.say(SQL_THEN_SAVE, file=desk.path(file.path), fn=name, col=col(desk, column), out=desk.mark(out)),
        f"total = {value_of(f'{function}({column.name})', file)}\nfiles.write(path={q(out)}, content=str(total))",
    )


def names_to(desk: Desk) -> Draft:
    """A column, one value per line."""
    file, table = table_file(desk, "name")
    name, out = pick_column(desk, table, "name"), _out(desk)
    return action(
        desk.say(NAMES_TO, file=desk.path(file.path), names=plural(name.name), col=name.name, out=desk.mark(out)),
        f'lines = {values_of(name.name, file)}\nfiles.write(path={q(out)}, content="\\n".join(lines) + "\\n")',
    )


def json_value(desk: Desk) -> Draft:
    """A value of a JSON file."""
    file = desk.file("config")
    data = f"json.loads(files.read(path={q(file.path)}))"
    sections = [key for key, value in file.data.items() if isinstance(value, dict)]
    lists = [key for key, value in file.data.items() if isinstance(value, list)]
    at = desk.rng.random()
    if sections and at < 0.4:
        section = desk.rng.choice(sections)
        key = desk.rng.choice(list(file.data[section]))
        return ask(
            desk.say(JSON_NESTED, file=desk.path(file.path), section=section, key=key),
            f"data = {data}\nanswer(data[{q(section)}][{q(key)}])",
        )
    if lists and at < 0.6:
        return ask(
            desk.say(JSON_LENGTH, file=desk.path(file.path), key=lists[0]),
            f"data = {data}\nanswer(len(data[{q(lists[0])}]))",
        )
    if at < 0.7:
        return ask(desk.say(JSON_KEYS, file=desk.path(file.path)), f"data = {data}\nanswer(list(data))")
    key = desk.rng.choice(list(file.data))
    return ask(
        desk.say(JSON_VALUE, file=desk.path(file.path), key=desk.mark(key)), f"data = {data}\nanswer(data[{q(key)}])"
    )


def json_set(desk: Desk) -> Draft:
    """A value of a JSON file, changed."""
    file = desk.file("config")
    key = desk.rng.choice([key for key, value in file.data.items() if isinstance(value, (int, str))] or [""])
    if not key:
        raise Unsuitable("no plain value")
    value = desk.draw.number(1, 9000) if not isinstance(file.data[key], str) else desk.draw.pseudo()
    literal = q(value) if isinstance(value, str) else str(value)
    return action(
        desk.say(
            JSON_SET,
            file=desk.path(file.path),
            key=desk.mark(key),
            value=desk.word(value) if isinstance(value, str) else literal,
        ),
        f"data = json.loads(files.read(path={q(file.path)}))\n"
        f"data[{q(key)}] = {literal}\n"
        f"files.write(path={q(file.path)}, content=json.dumps(data))",
    )


def stamp(desk: Desk) -> Draft:
    """The time, appended to a file or written to one."""
    file = desk.file("log", "list", "prose")
    at = desk.rng.random()
    if at < 0.25:
        out = _out(desk)
        return action(desk.say(TODAY_TO, out=desk.mark(out)), f"files.write(path={q(out)}, content=clock.now()[:10])")
    if at < 0.6:
        return action(
            desk.say(STAMP, file=desk.mark(file.path)), f'files.append(path={q(file.path)}, content=clock.now() + "\\n")'
        )
    text = desk.plain_text()
    return action(
        desk.say(STAMP_TEXT, file=desk.mark(file.path), text=desk.value(text)),
        f"files.append(path={q(file.path)}, content=clock.now() + {q(' ' + text + chr(10))})",
    )


def days(desk: Desk) -> Draft:
    """Questions about a day seen from today."""
    at = desk.rng.randrange(5)
    if at == 0 and desk.draw.chance(0.6):
        return ask(desk.say(WEEKDAY), 'answer(datetime.datetime.fromisoformat(clock.now()).strftime("%A"))')
    if at <= 2:
        late = desk.draw.chance(0.65)
        day = desk.draw.day().isoformat()
        while (day > "2026-05-04") != late:
            day = desk.draw.day().isoformat()
        span = f"start=clock.now()[:10], end={q(day)}" if late else f"start={q(day)}, end=clock.now()[:10]"
        return ask(desk.say(UNTIL if late else SINCE, date=day), f'answer(clock.difference({span}, unit="days"))')
    number = desk.draw.number(2, 120)
    later = desk.draw.chance(0.65)
    return ask(
        desk.say(IN_DAYS if later else AGO, n=desk.count(number)),
        f"answer(clock.add(time=clock.now()[:10], days={number if later else -number}))",
    )


def find_then(desk: Desk) -> Draft:
    """A file that has to be found before it is used."""
    file = desk.file("prose", "list", "log", "prices", where=lambda one: one.folder != "")
    found, shown = f"path = files.find(pattern={q(f'**/{file.name}')})[0]\n", desk.mark(file.name)
    at = desk.rng.random()
    if at < 0.35:
        return ask(desk.say(FIND_READ, file=shown), found + "answer(files.read(path=path))")
    if at < 0.65:
        what, unit = _what(desk)
        return ask(desk.say(FIND_COUNT, file=shown, what=what), found + f"answer(text.count(path=path, what={q(unit)}))")
    target = other_folder(desk, file.folder) if desk.draw.chance(0.6) else desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(f"{target}/{file.name}"):
        raise Unsuitable("name taken")
    return action(
        desk.say(FIND_MOVE, file=shown, place=desk.place(target)),
        found + f"files.move(source=path, target={q(target + '/')})",
    )


def move_new(desk: Desk) -> Draft:
    """A file into a new folder."""
    file, name = desk.file(), desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(name):
        raise Unsuitable("name taken")
    return action(
        desk.say(MOVE_NEW, fw=desk.folder_word(), name=desk.mark(name), file=desk.mark(file.path)),
        f"files.make_folder(path={q(name)})\nfiles.move(source={q(file.path)}, target={q(name + '/')})",
    )


def copy_replace(desk: Desk) -> Draft:
    """A copy with a text replaced."""
    file = desk.file("prose", "list", "prices")
    out, old = _out(desk, file.ending), desk.word_in(file)
    new = desk.odd_text() if desk.draw.chance(0.2) else desk.draw.one(words.TOPICS)
    return action(
        desk.say(COPY_REPLACE, file=desk.mark(file.path), out=desk.mark(out), old=desk.value(old), new=desk.value(new)),
        f"files.copy(source={q(file.path)}, target={q(out)})\ntext.replace(path={q(out)}, old={q(old)}, new={q(new)})",
    )


def append_count(desk: Desk) -> Draft:
    """A line appended, then the lines counted."""
    file, text = desk.text_file(), desk.line_text()
    return ask(
        desk.say(APPEND_COUNT, file=desk.mark(file.path), text=desk.value(text)),
        f"files.append(path={q(file.path)}, content={q(text + chr(10))})\n"
        f'answer(text.count(path={q(file.path)}, what="lines"))',
    )


def two_files(desk: Desk) -> Draft:
    """Counts of two files, together or compared."""
    (a, b), (what, unit), at = _two(desk), _what(desk), desk.rng.random()
    one, other = (f"text.count(path={q(file.path)}, what={q(unit)})" for file in (a, b))
    shown = {"a": desk.mark(a.path), "b": desk.mark(b.path)}
    if at < 0.2:
        return ask(desk.say(SAME, **shown), f"answer(files.read(path={q(a.path)}) == files.read(path={q(b.path)}))")
    if at < 0.4:
        path = q(a.path)
        return ask(
            desk.say(BOTH, file=shown["a"]),
            f'answer({{"lines": text.count(path={path}, what="lines"), "words": text.count(path={path}, what="words")}})',
        )
    if at < 0.8:
        return ask(desk.say(TWO_FILES, **shown, what=what, one=what[:-1]), f"answer({one} + {other})")
    return ask(desk.say(DIFFERENCE, **shown, what=what), f"answer({one} - {other})")


def look_first(desk: Desk) -> Draft:
    """A value without its column's name: a look at the first rows shows where it stands."""
    file, table = table_file(desk, "name|category", "money|count")
    look = f"print(tables.sql(query={q(f'SELECT * FROM {sql_text(file.path)} LIMIT 5')}))"
    column, number = pick_column(desk, table, "name", "category"), pick_column(desk, table, "money", "count")
    value = str(desk.rng.choice(table.values(column)[:5]))
    shown = {
        "file": desk.path(file.path),
        "noun": table.noun,
        "value": value if desk.draw.chance(0.8) else desk.value(value),
        "col": col(desk, number),
    }
    tail = f" WHERE {column.name} = {sql_text(value)}"
    if column.kind == "name":
        return Draft(desk.say(LOOK_LOOKUP, **shown), (look, f"answer({value_of(number.name, file, tail)})"))
    if desk.draw.chance(0.5):
        return Draft(desk.say(LOOK_COUNT, **shown), (look, f"answer({value_of('count(*)', file, tail)})"))
    return Draft(desk.say(LOOK_SUM, **shown), (look, f"answer({value_of(f'sum({number.name})', file, tail)})"))


def convert_sum(desk: Desk) -> Draft:
    """A total, converted to another unit."""
    file, table = table_file(desk, "count")
    column = pick_column(desk, table, "count")
    _, units = desk.rng.choice(words.UNITS[:2] + words.UNITS[5:6])
    (a, source), (b, target) = desk.rng.sample(units, 2)
    if source == target:
        raise Unsuitable("one unit")
    return ask(
        desk.say(CONVERT_SUM, file=desk.path(file.path), col=col(desk, column), a=a, b=b),
        f"total = {value_of(f'sum({column.name})', file)}\n"
        f"answer(units.convert(value=total, source={q(source)}, target={q(target)}))",
    )


INTENTS: tuple[Intent, ...] = (
    (8, count_then_save),
    (6, copy_text),
    (2, upper),
    (2, sort_in_place),
    (3, arranged(SORTED_TO, "sorted(lines)")),
    (1, arranged(REVERSED_TO, "reversed(lines)")),
    (1, arranged(UNIQUE_TO, "dict.fromkeys(lines)")),
    (5, lines_to),
    (4, extract_to),
    (5, rows_to),
    (3, sort_rows_to),
    (5, convert_table),
    (4, sql_then_save),
    (3, names_to),
    (9, json_value),
    (3, json_set),
    (6, stamp),
    (7, days),
    (6, find_then),
    (3, move_new),
    (3, copy_replace),
    (3, append_count),
    (6, two_files),
    (2, convert_sum),
    (9, look_first),
)
