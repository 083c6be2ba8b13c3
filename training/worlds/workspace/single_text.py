"""Tasks of one call on text: counting, searching, replacing, extracting, reading a line."""

from __future__ import annotations

import re

from . import words
from .draft import Desk, Draft, Intent, Unsuitable, action, ask, pattern, q

COUNT_WORDS = (
    "how many words <are|are there> in {file}?",
    "how many words does {file} <have|contain|hold|count>?",
    "count the words in {file}",
    "count <all|all the|how many> words <in|of> {file}",
    "<what is|what's> the word count of {file}?",
    "word count <of|for|in|> {file}",
    "words in {file}?",
    "number of words in {file}",
    "{file}: how many words?",
    "give me the <word count|number of words> <of|in> {file}",
    "tell me how many words {file} has",
    "how long is {file} in words?",
    "how many words <did I write|have I written|are written> in {file}?",
    "<get|find|determine|report|show me|calculate> the <number of words|word count> <in|of> {file}",
    "how wordy is {file}? <count the words|I want the word count>",
    "I <need|want> the <word count|number of words> of {file}",
    "take {file} and count its words",
    "in {file}, how many words are there?",
    "<what's|what is> the <number|total number> of words in {file}?",
    "check how many words there are in {file}",
    "{file} - word count?",
    "how many words long is {file}?",
    "find out how many words are in {file}",
    "words of {file}, how many?",
    "open {file} and tell me how many words it <has|contains>",
)
COUNT_LINES = (
    "how many lines <are|are there> in {file}?",
    "how many lines does {file} <have|contain|count>?",
    "count the lines <in|of> {file}",
    "count <all|all the|how many> lines in {file}",
    "<what is|what's> the line count of {file}?",
    "line count <of|for|> {file}",
    "lines in {file}?",
    "number of lines in {file}",
    "{file}: how many lines?",
    "give me the <line count|number of lines> <of|in> {file}",
    "tell me how many lines {file} has",
    "how long is {file} in lines?",
    "<get|find|determine|report|show me> the number of lines in {file}",
    "I <need|want> the number of lines of {file}",
    "in {file}, how many lines are there?",
    "check how many lines there are in {file}",
    "how many lines of text are in {file}?",
    "how many lines long is {file}?",
    "find out how many lines {file} has",
    "{file} line count",
    "take {file} and count its lines",
    "<what's|what is> the <number|total number> of lines in {file}?",
    "{file} has how many lines?",
)
COUNT_CHARS = (
    "how many characters <are|are there> in {file}?",
    "how many characters does {file} <have|contain>?",
    "count the <characters|chars> in {file}",
    "character count <of|for|> {file}",
    "number of characters in {file}",
    "how long is {file} in characters?",
    "{file}: how many characters?",
    "give me the <character count|number of characters> of {file}",
    "chars in {file}?",
    "<what is|what's> the number of characters in {file}?",
    "tell me how many characters {file} has",
    "how many letters and other characters <are|are there> in {file}?",
    "I want the <char|character> count of {file}",
)
SEARCH_LINES = (
    "which lines <in|of> {file} <contain|mention|have|include> {word}?",
    "show <me |>the lines <in|of> {file} <that contain|containing|with|that mention> {word}",
    "find <all |the |>lines <with|containing|that contain> {word} in {file}",
    "lines with {word} in {file}?",
    "search {file} for {word} <and give me the lines|and list the matching lines|and show the lines>",
    "grep {word} {file}",
    "grep {file} for {word}",
    "list every line of {file} <that has|with|containing> {word} in it",
    "where does {file} mention {word}? <give me the lines|list the lines|show the lines>",
    "get <all|all the|every one of the> lines of {file} in which {word} occurs",
    "look for {word} in {file} and <show|give|tell> me the lines",
    "print the lines from {file} <that have|with> {word}",
    "what lines in {file} talk about {word}?",
    "{file}: lines containing {word}",
    "I need <every line|all lines> from {file} that <contains|mentions|includes> {word}",
    "in {file}, what lines contain {word}?",
    "pull out the lines in {file} that mention {word}",
    "what does {file} say about {word}? <list the lines|show the matching lines>",
)
SEARCH_NUMBERS = (
    "on which lines of {file} <does {word} occur|does {word} appear|is {word}>?",
    "give me the line numbers <where|in which> {word} <occurs|appears> in {file}",
    "line numbers of {word} in {file}?",
    "in {file}, at which line numbers is {word} <found|mentioned>?",
    "list the <line numbers|numbers of the lines> <in|of> {file} <that contain|containing> {word}",
    "find the line numbers with {word} in {file}",
    "which line numbers of {file} <have|contain> {word}?",
    "tell me the numbers of the lines in {file} that mention {word}",
    "{word} in {file}: which line numbers?",
    "at what lines does {file} mention {word}? <just the numbers|only the numbers|numbers only>",
)
COUNT_MATCHES = (
    "how many lines <in|of> {file} <contain|mention|have|include> {word}?",
    "count the lines <in|of> {file} <with|that contain|containing|that mention> {word}",
    "number of lines with {word} in {file}",
    "how many lines in {file} have {word} in them?",
    "in {file}, how many lines mention {word}?",
    "how many {word} lines <are|are there> in {file}?",
    "on how many lines of {file} does {word} <appear|occur|show up>?",
    "tell me how many lines of {file} <contain|include> {word}",
    "count how many lines mention {word} in {file}",
    "{file}: how many lines with {word}?",
    "<get|determine|report> the number of lines in {file} <containing|that contain> {word}",
    "{word} lines in {file}, how many?",
    "how many of the lines in {file} have {word}?",
    "what's the count of lines containing {word} in {file}?",
)
CONTAINS = (
    "does {file} <contain|mention|include> {word}?",
    "is {word} <mentioned |>in {file}?",
    "is there {word} in {file}?",
    "{word} in {file}, yes or no?",
    "check <whether|if> {file} <contains|mentions|has> {word}",
    "can {word} be found in {file}?",
    "does the text {word} <appear|occur> in {file}?",
    "tell me <if|whether> {word} <occurs|is> in {file}",
    "is {word} somewhere in {file}?",
    "does {file} say anything about {word}?",
    "find out if {file} has {word} in it",
    "has {file} got {word} in it?",
    "does {file} have {word} in it?",
)
REPLACE = (
    "replace {old} <by|with> {new} in {file}",
    "in {file}, replace {old} <with|by> {new}",
    "change {old} to {new} in {file}",
    "in {file} change <all |every |>{old} to {new}",
    "replace <every|all|each> {old} in {file} <with|by> {new}",
    "substitute {new} for {old} in {file}",
    "swap {old} for {new} in {file}",
    "in {file}, {old} should <become|be> {new}",
    "make every {old} in {file} <into |>a {new}",
    "find {old} in {file} and replace it <with|by> {new}",
    "{file}: replace {old} <with|by> {new}",
    "turn {old} into {new} in {file}",
    "update {file}: {old} <becomes|is now|should be> {new}",
    "wherever {file} says {old}, <write|put|make it say> {new} instead",
    "{old} -> {new} in {file}",
    "use {new} instead of {old} in {file}",
    "rename {old} to {new} inside {file}",
    "I misspelled something in {file}: <change|replace> {old} <to|by|with> {new}",
    "edit {file} so that {old} reads {new}",
    "exchange {old} for {new} in {file}",
    "in the text of {file}, put {new} where it says {old}",
    "correct {old} to {new} in {file}",
    "search and replace in {file}: {old} by {new}",
    "all {old} in {file} must be {new}",
    "do a replacement in {file}, {old} with {new}",
)
REPLACE_COUNT = (
    "replace {old} <by|with> {new} in {file} and tell me how many <times|replacements>",
    "change {old} to {new} in {file}. How many <were changed|places were there>?",
    "in {file}, replace {old} with {new} and <give me|report> the number of replacements",
    "how many {old} did you replace if you put {new} for each in {file}? Do it",
    "swap {old} for {new} in {file} and say how often that happened",
    "count the replacements when you change {old} to {new} in {file}",
)
REMOVE_TEXT = (
    "remove <every |all |the word |>{old} from {file}",
    "delete <the text |>{old} <from|in> {file}",
    "take {old} out of {file}",
    "get rid of {old} in {file}",
    "erase <every |>{old} in {file}",
    "replace {old} with nothing in {file}",
    "strip {old} from {file}",
)
EXTRACT: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("mails", ("email addresses", "e-mail addresses", "emails", "mail addresses", "e-mails"), r"[\w.+-]+@[\w-]+\.[\w.]+"),
    ("dates", ("dates", "dates (YYYY-MM-DD)", "ISO dates", "calendar dates"), r"\d{4}-\d{2}-\d{2}"),
    ("links", ("URLs", "links", "web addresses", "web links", "urls"), r"https?://\S+"),
    ("numbers", ("numbers", "all numbers", "figures", "numeric values"), r"\d+(?:\.\d+)?"),
    ("times", ("times of day", "times (HH:MM)", "clock times"), r"\d{2}:\d{2}"),
    ("prices", ("dollar amounts", "prices in dollars", "amounts in $"), r"\$\d+(?:\.\d+)?"),
)
EXTRACT_SAY = (
    "extract <all |the |>{what} from {file}",
    "which {what} <are|occur|appear> in {file}?",
    "list <all |the |>{what} in {file}",
    "{what} in {file}?",
    "find <all |the |>{what} in {file}",
    "give me <all |the |>{what} <from|in> {file}",
    "pull the {what} out of {file}",
    "what {what} does {file} contain?",
    "show me the {what} mentioned in {file}",
    "collect the {what} from {file}",
    "get the {what} that appear in {file}",
    "are there {what} in {file}? List them",
    "I need the {what} from {file}",
    "go through {file} and list its {what}",
    "{file}: all {what}",
    "what are the {what} in {file}?",
)
EXTRACT_PATTERN = (
    "extract everything that matches {pattern} from {file}",
    "find all matches of <the regex |the pattern |the regular expression |>{pattern} in {file}",
    "apply the regex {pattern} to {file} and <give me|list> the matches",
    "which parts of {file} match {pattern}?",
    "regex {pattern} on {file}, list the matches",
    "get all matches for {pattern} in {file}",
    "list what the pattern {pattern} finds in {file}",
)
REGEXES = (
    r"[A-Z]\w+",
    r"\w+ing\b",
    r"\b\w{8,}\b",
    r"\d\d",
    r"\b[A-Z]{2,}\b",
    r"\w+ed\b",
    r"^\w+",
    r"\w+\.$",
    r"\w+s\b",
    r"#+ (.*)",
    r"(\d+) ",
    r"- (.+)",
    r"\b\w{3}\b",
    r"[aeiou]\w+",
    r"\b[a-z]+er\b",
    r"(\w+):",
    r"@(\w+)",
)
FIRST_LINE = (
    "what is the first line of {file}?",
    "<show|give|read|tell> me the first line of {file}",
    "first line of {file}?",
    "read the first line <of|from> {file}",
    "how does {file} <start|begin>? <just the first line|give me the first line>",
    "what does the first line of {file} say?",
    "{file}: first line",
    "get line 1 of {file}",
    "which line does {file} begin with?",
    "what's on line 1 of {file}?",
    "print the top line of {file}",
)
LAST_LINE = (
    "what is the last line of {file}?",
    "<show|give|read|tell> me the last line of {file}",
    "last line of {file}?",
    "read the <last|final> line <of|from> {file}",
    "how does {file} end? <just the last line|give me the last line>",
    "what does the last line of {file} say?",
    "{file}: last line",
    "which line does {file} end with?",
    "get the final line from {file}",
    "what is at the very end of {file}? <one line|just the last line>",
    "print the bottom line of {file}",
)
NTH_LINE = (
    "what is <in|on> line {n} of {file}?",
    "<show|give|read> me line {n} of {file}",
    "line {n} of {file}?",
    "what does line {n} of {file} say?",
    "read line <number |>{n} from {file}",
    "{file}: line {n}",
    "get the {nth} line of {file}",
    "what's the {nth} line <of|in> {file}?",
    "print line {n} of {file}",
)
FIRST_LINES = (
    "show <me |>the first {count} lines of {file}",
    "what are the first {count} lines of {file}?",
    "first {count} lines of {file}",
    "give me the top {count} lines of {file}",
    "read the first {count} lines <of|from> {file}",
    "head of {file}, {count} lines",
    "the opening {count} lines of {file}, please",
)
LAST_LINES = (
    "show <me |>the last {count} lines of {file}",
    "what are the last {count} lines of {file}?",
    "last {count} lines of {file}",
    "give me the bottom {count} lines of {file}",
    "read the last {count} lines <of|from> {file}",
    "tail of {file}, {count} lines",
    "the final {count} lines of {file}, please",
)
OCCURRENCES = (
    "how often does {word} <occur|appear> in {file}?",
    "how many times <does|is> {word} <mentioned |>in {file}?",
    "how many times does {file} say {word}?",
    "count the occurrences of {word} in {file}",
    "number of times {word} occurs in {file}",
    "occurrences of {word} in {file}?",
    "count how often {file} contains {word}",
    "tell me how many times {word} shows up in {file}",
    "{word} in {file}: how often?",
    "how frequent is {word} in {file}?",
)
ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def counting(what: str, templates: tuple[str, ...]) -> Intent:
    """Count lines, words or characters of a file."""

    def make(desk: Desk) -> Draft:
        file = desk.file() if desk.draw.chance(0.2) else desk.text_file()
        return ask(
            desk.say(templates, file=desk.path(file.path)), f'answer(text.count(path={q(file.path)}, what="{what}"))'
        )

    return {"words": 10, "lines": 8, "chars": 2}[what], make


def _found(desk: Desk) -> tuple[str, str]:
    file = desk.file("prose", "list", "log", "prices")
    if file.kind == "log":
        return file.path, desk.rng.choice([level for level in words.LEVELS if level in file.text])
    if desk.draw.chance(0.12):
        odd = re.findall(r"\$\d+(?:\.\d+)?|[\w.]+@\w+\.\w+|\d{4}-\d\d-\d\d|- \[[ x]\]", file.text)
        if odd:
            return file.path, desk.rng.choice(odd)
    return file.path, desk.word_in(file) if desk.draw.chance(0.85) else desk.draw.one(words.TOPICS)


def search_lines(desk: Desk) -> Draft:
    """The matching lines."""
    path, word = _found(desk)
    return ask(
        desk.say(SEARCH_LINES, file=desk.path(path), word=desk.word(word)),
        f'answer([row["text"] for row in text.search(path={q(path)}, pattern={pattern(word)})])',
        ordered=True,
    )


def search_ignoring_case(desk: Desk) -> Draft:
    """The matching lines, in any casing."""
    path, word = _found(desk)
    word = desk.rng.choice((word.lower(), word.upper(), word))
    tail = desk.rng.choice(
        (", ignoring case", ", upper or lower case", " (case does not matter)", ", in any casing", ", case-insensitive")
    )
    text = desk.say(SEARCH_LINES, file=desk.path(path), word=desk.word(word)).rstrip("?. ") + tail
    return ask(
        text,
        f'answer([row["text"] for row in text.search(path={q(path)}, pattern={pattern(word)}, ignore_case=True)])',
        ordered=True,
    )


def search_numbers(desk: Desk) -> Draft:
    """The matching line numbers."""
    path, word = _found(desk)
    return ask(
        desk.say(SEARCH_NUMBERS, file=desk.path(path), word=desk.word(word)),
        f'answer([row["line"] for row in text.search(path={q(path)}, pattern={pattern(word)})])',
        ordered=True,
    )


def count_matches(desk: Desk) -> Draft:
    """How many lines match."""
    path, word = _found(desk)
    return ask(
        desk.say(COUNT_MATCHES, file=desk.path(path), word=desk.word(word)),
        f"answer(len(text.search(path={q(path)}, pattern={pattern(word)})))",
    )


def contains(desk: Desk) -> Draft:
    """Whether a text occurs."""
    path, word = _found(desk)
    return ask(
        desk.say(CONTAINS, file=desk.path(path), word=desk.word(word)),
        f"answer(bool(text.search(path={q(path)}, pattern={pattern(word)})))",
    )


def occurrences(desk: Desk) -> Draft:
    """How often a text occurs."""
    path, word = _found(desk)
    return ask(
        desk.say(OCCURRENCES, file=desk.path(path), word=desk.word(word)),
        f"answer(files.read(path={q(path)}).count({q(word)}))",
    )


def old_and_new(desk: Desk) -> tuple[str, str, str]:
    """A file, a text in it, and another text to put there."""
    file = (
        desk.file("prices")
        if desk.draw.chance(0.3) and desk.folder.kind("prices")
        else desk.file("prose", "list", "prices", "log")
    )
    prices = re.findall(r"\$\d+(?:\.\d+)?", file.text)
    if prices and desk.draw.chance(0.6):
        old = desk.rng.choice(prices)
        new = desk.rng.choice(
            (
                f"${desk.draw.number(2, 99)}",
                f"`${desk.draw.number(2, 99)}`",
                f"{desk.draw.number(2, 99)} €",
                f"EUR {desk.draw.number(2, 99)}",
            )
        )
        return file.path, old, new
    old = desk.word_in(file)
    if desk.draw.chance(0.3):
        line = desk.rng.choice([line for line in file.lines if old in line])
        parts = line.split(" ")
        start = desk.rng.randrange(len(parts))
        old = " ".join(parts[start : start + 2]).strip() or old
    new = (
        desk.odd_text()
        if desk.draw.chance(0.25)
        else desk.rng.choice(
            (desk.draw.one(words.TOPICS), desk.draw.one(words.THINGS), desk.draw.name(), desk.draw.pseudo())
        )
    )
    return file.path, old, new


def replace(desk: Desk) -> Draft:
    """Replace a text in a file."""
    path, old, new = old_and_new(desk)
    plain = old.isalnum() and new.isalnum() and desk.draw.chance(0.35)
    show = (lambda text: text) if plain else desk.value
    return action(
        desk.say(REPLACE, file=desk.path(path), old=show(old), new=show(new)),
        f"text.replace(path={q(path)}, old={q(old)}, new={q(new)})",
    )


def replace_count(desk: Desk) -> Draft:
    """Replace a text and say how often."""
    path, old, new = old_and_new(desk)
    return ask(
        desk.say(REPLACE_COUNT, file=desk.path(path), old=desk.value(old), new=desk.value(new)),
        f"answer(text.replace(path={q(path)}, old={q(old)}, new={q(new)}))",
    )


def remove_text(desk: Desk) -> Draft:
    """Remove a text from a file."""
    path, old, _ = old_and_new(desk)
    return action(
        desk.say(REMOVE_TEXT, file=desk.path(path), old=desk.value(old)),
        f'text.replace(path={q(path)}, old={q(old)}, new="")',
    )


def extract(desk: Desk) -> Draft:
    """Extract addresses, dates, links, ..."""
    _, names, regex = desk.rng.choice(EXTRACT)
    try:
        file = desk.file("prose", "list", "log", "prices", where=lambda file: re.search(regex, file.text) is not None)
    except Unsuitable:
        file = desk.text_file()
    return ask(
        desk.say(EXTRACT_SAY, file=desk.path(file.path), what=desk.rng.choice(names)),
        f"answer(text.extract(path={q(file.path)}, pattern={q(regex)}))",
        ordered=True,
    )


def extract_pattern(desk: Desk) -> Draft:
    """Extract by a regular expression that the task gives."""
    file, regex = desk.text_file(), desk.draw.one(REGEXES)
    return ask(
        desk.say(EXTRACT_PATTERN, file=desk.path(file.path), pattern=desk.value(regex)),
        f"answer(text.extract(path={q(file.path)}, pattern={q(regex)}))",
        ordered=True,
    )


def one_line(desk: Desk) -> Draft:
    """The first, the last, or the nth line."""
    file = desk.text_file()
    shown, read = desk.path(file.path), f"files.read(path={q(file.path)}).splitlines()"
    at = desk.rng.randrange(3)
    if at == 0:
        return ask(desk.say(FIRST_LINE, file=shown), f"answer({read}[0])")
    if at == 1:
        return ask(desk.say(LAST_LINE, file=shown), f"answer({read}[-1])")
    number = desk.rng.randint(2, min(8, len(file.lines)))
    return ask(desk.say(NTH_LINE, file=shown, n=desk.count(number), nth=ORDINALS[number]), f"answer({read}[{number - 1}])")


def some_lines(desk: Desk) -> Draft:
    """The first or last few lines."""
    file, number = desk.text_file(), desk.rng.randint(2, 6)
    first = desk.draw.chance(0.5)
    part = f"[:{number}]" if first else f"[-{number}:]"
    return ask(
        desk.say(FIRST_LINES if first else LAST_LINES, file=desk.path(file.path), count=desk.count(number)),
        f"answer(files.read(path={q(file.path)}).splitlines(){part})",
        ordered=True,
    )


INTENTS: tuple[Intent, ...] = (
    counting("words", COUNT_WORDS),
    counting("lines", COUNT_LINES),
    counting("chars", COUNT_CHARS),
    (6, search_lines),
    (1, search_ignoring_case),
    (2, search_numbers),
    (5, count_matches),
    (3, contains),
    (2, occurrences),
    (8, replace),
    (1, replace_count),
    (1, remove_text),
    (6, extract),
    (2, extract_pattern),
    (4, one_line),
    (2, some_lines),
)
