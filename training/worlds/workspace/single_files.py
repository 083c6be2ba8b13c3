"""Tasks of one call on files and folders."""

from __future__ import annotations

from . import words
from .draft import Desk, Draft, Intent, Unsuitable, action, ask, q

READ = (
    "what is in {file}?",
    "show me {file}",
    "read {file}",
    "what does {file} say?",
    "print <the contents of |>{file}",
    "cat {file}",
    "open {file} and show <it to me|me what it says>",
    "<give|show> me the <content|contents|text> of {file}",
    "display {file}",
    "contents of {file}?",
    "what's written in {file}?",
    "let me see {file}",
    "tell me what {file} contains",
    "I want to read {file}",
    "what are the contents of {file}?",
    "get the <full |whole |>text of {file}",
    "read {file} to me",
    "{file}, what's in it?",
    "output {file}",
)
LIST = (
    "what is in {place}?",
    "list {place}",
    "what files are in {place}?",
    "show <me |>the contents of {place}",
    "which files and folders are in {place}?",
    "ls {bare}",
    "list the <files|contents> <of|in> {place}",
    "what do I have in {place}?",
    "contents of {place}?",
    "what does {place} contain?",
    "give me a listing of {place}",
    "let me see what is in {place}",
    "dir {bare}",
    "look into {place} and tell me what is there",
    "show me what {place} holds",
)
LIST_HERE = (
    "what is in this <folder|directory>?",
    "list this folder",
    "ls",
    "what files <and folders |>are here?",
    "list the contents of the <workspace|current folder|current directory|working directory>",
    "what do we have here?",
    "what's here?",
    "show me what is in this folder",
    "list everything at the top level",
    "which files and folders are <here|in this folder>?",
    "show the <content|contents> of the current <folder|directory>",
    "what do I have in this directory?",
    "give me a listing of this folder",
    "dir",
    "what's in the folder?",
)
FIND_ENDING = (
    "<list|find|show me> all <the |>{ext} files<| here>",
    "which {ext} files <are there|are here|do I have>?",
    "find <every|all> {ext} <file|files> in all <folders|subfolders>",
    "what {ext} files are <here|in here|in this folder and below>?",
    "give me <a list of|the paths of> <all |>{ext} files",
    "where are my {ext} files?",
    "{ext} files?",
    "list every {ext} file, <subfolders too|also in subfolders|everywhere>",
    "find files <ending in|that end with|with the ending|with the extension> {ext}",
    "all {ext} files in this folder and its subfolders",
    "paths of the {ext} files",
    "I'm looking for all {ext} files",
    "show the {ext} files everywhere",
    "do I have any {ext} files? <list them|which ones>?",
    "get me every {ext} file",
    "look everywhere for {ext} files",
)
FIND_ENDING_HERE = (
    "which {ext} files are directly in this folder?",
    "list the {ext} files <at the top level|of this folder>, <without|not in> subfolders",
    "find {ext} files only in this folder, not below",
    "{ext} files in this folder only (no subfolders)?",
    "show me the top-level {ext} files",
    "list {ext} files here, <but not in subfolders|ignoring subfolders|no subfolders>",
)
COUNT_FILES = (
    "how many {ext} files are <there|here|in this folder>?",
    "count the {ext} files",
    "number of {ext} files<| here>",
    "how many {ext} files do I have<| here>?",
    "how many files end in {ext}?",
    "tell me how many {ext} files there are <in all folders|everywhere|>",
    "{ext} files, how many?",
    "what's the number of {ext} files <here|in this folder and below>?",
    "count all files ending with {ext}",
    "how many {ext} files are there, subfolders included?",
    "<get|give me> the number of {ext} files",
)
FIND_IN = (
    "<list|find|show me> all {ext} files in {place}",
    "which {ext} files are in {place}?",
    "what {ext} files does {place} have?",
    "{ext} files in {place}?",
    "find the {ext} files <inside|under|below|in> {place}",
    "give me the {ext} files of {place}",
    "get every {ext} file from {place}",
    "are there {ext} files in {place}? Which?",
)
COUNT_IN = (
    "how many {ext} files are in {place}?",
    "count the {ext} files in {place}",
    "number of {ext} files in {place}",
    "how many {ext} files does {place} <have|contain|hold>?",
    "{place}: how many {ext} files?",
)
COUNT_ALL = (
    "how many files are <there|here|in this folder>, <with subfolders|subfolders included|all folders included|in total>?",
    "count all files <here|in this folder and below>",
    "total number of files, <with subfolders|including subfolders>?",
    "how many files do I have <in all|in total|altogether>?",
    "what is the total number of files <here and below|in all folders>?",
)
FIND_NAME = (
    "where is {file}?",
    "find {file}",
    "in which folder is {file}?",
    "where did I put {file}?",
    "look for a file <called|named> {file}",
    "what is the path of {file}?",
    "locate {file}",
    "I can't find {file}. <Where is it|Find it>?",
    "search everywhere for {file}",
    "which folder has {file}?",
    "find the file named {file}",
    "do you see {file} anywhere?",
    "path to {file}?",
)
FIND_WORD = (
    "which files have {word} in their name?",
    "find <all |>files <whose name contains|with> {word} in the <name|file name>",
    "list files named something with {word}",
    "what files have a name <containing|with> {word}?",
    "any file names that contain {word}? List them",
    "find the files with {word} in the title of the file",
)
SIZE = (
    "how big is {file}?",
    "what is the size of {file}?",
    "size of {file}",
    "how many bytes does {file} have?",
    "file size of {file}?",
    "how large is {file}?",
    "tell me the size of {file} in bytes",
    "how much space does {file} take?",
    "{file}: size in bytes?",
    "get the file size of {file}",
    "how many bytes are in {file}?",
    "what's the size in bytes of {file}?",
    "check how large {file} is",
)
KIND = (
    "is {name} a file or a folder?",
    "file or folder: {name}?",
    "tell me whether {name} is a folder or a file",
    "what is {name}, a file or a directory?",
    "{name} - is that a file or a folder?",
)
WRITE = (
    "<create|make|write> a <new |>file {file} <with the text|with the content|containing|that says|with> {text}",
    "write {text} <to|into> <a new file |>{file}",
    "put {text} <in|into> a <new |>file <called |named |>{file}",
    "save {text} as {file}",
    "make {file} with {text} in it",
    "create {file} <with|containing> {text}",
    "I want a file {file} that contains {text}",
    "new file {file}: {text}",
    "store {text} in {file}",
    "save <the text |>{text} to {file}",
    "add a file {file} with the text {text}",
    "{text} should be in a new file {file}",
    "generate a file {file} whose content is {text}",
    "start a file {file} with {text} in it",
    "write a file <named|called> {file} saying {text}",
    "there should be a file {file} with the content {text}",
    "drop {text} into a new file <called|named> {file}",
)
WRITE_LINES = (
    "create {file} with these lines: {lines}",
    "write the lines {lines} to <a new file |>{file}",
    "make a file {file} with the lines {lines}",
    "put {lines} into {file}, <one per line|each on its own line|one on each line>",
    "save {lines} to {file}, one per line",
    "new file {file} with {lines} on separate lines",
    "write a list to {file}, one item a line: {lines}",
    "store each of {lines} on its own line in {file}",
)
OVERWRITE = (
    "overwrite {file} with {text}",
    "replace the <whole |entire |>content of {file} <with|by> {text}",
    "set the content of {file} to {text}",
    "make {file} say only {text}",
    "{file} should contain nothing but {text}",
    "write {text} to {file}, overwriting <it|what is there>",
    "change the whole text of {file} to {text}",
    "throw away what is in {file} and write {text} instead",
)
EMPTY = (
    "create an empty file <called |named |>{file}",
    "make an empty {file}",
    "I need an empty file {file}",
    "touch {file}",
    "add a blank file <called|named> {file}",
    "create {file}, with nothing in it",
    "new empty file {file}",
)
APPEND = (
    "append the line {text} to {file}",
    "add {text} to <the end of |>{file}",
    "add <a|the> line {text} to {file}",
    "put {text} at the <end|bottom> of {file}",
    "append {text} to {file}",
    "write {text} at the end of {file}",
    "in {file}, add {text} as <the |a new >last line",
    "{file} needs another line: {text}",
    "attach the line {text} to {file}",
    "add one more line to {file}: {text}",
    "append to {file}: {text}",
    "insert {text} at the end of {file}",
    "please add {text} to my {file}",
    "note {text} in {file}, at the end",
    "extend {file} with the line {text}",
    "new <last |>line for {file}: {text}",
    "tack {text} onto {file}",
    "log {text} in {file}",
    "stick the line {text} onto the end of {file}",
    "one more line at the bottom of {file}: {text}",
    "the line {text} should be added to {file}",
    "add {text} on a new line in {file}",
)
RENAME = (
    "rename {file} to {new}",
    "change the name of {file} to {new}",
    "call {file} {new} from now on",
    "{file} should be <called|named> {new}",
    "give {file} the new name {new}",
    "rename {file} as {new}",
    "{file} -> {new} (rename)",
    "the file {file} needs a new name: {new}",
    "set the name of {file} to {new}",
    "make {new} the name of {file}",
    "I want {file} to be called {new}",
    "{file} gets the name {new}",
    "rename <the file|my file> {file} <to|into> {new}",
)
MOVE = (
    "move {file} <to|into> {place}",
    "put {file} <into|in> {place}",
    "{file} <belongs in|should go to|must go into> {place}",
    "move <the file|my file> {file} over to {place}",
    "transfer {file} to {place}",
    "relocate {file} to {place}",
    "{file}: move it to {place}",
    "bring {file} into {place}",
    "take {file} and move it into {place}",
    "shift {file} to {place}",
    "I want {file} moved to {place}",
    "drag {file} into {place}",
    "get {file} over into {place}",
    "store {file} in {place} instead",
)
COPY = (
    "copy {file} to {new}",
    "make a copy of {file} <called|named|as> {new}",
    "duplicate {file} as {new}",
    "save a copy of {file} as {new}",
    "I need a copy of {file} named {new}",
    "back up {file} as {new}",
    "create {new} as a copy of {file}",
    "clone {file} to {new}",
    "cp {file} {new}",
    "copy {file} under the name {new}",
    "let {new} be a copy of {file}",
    "keep a copy of {file} in {new}",
    "make {new} out of {file}, a plain copy",
)
COPY_TO = (
    "copy {file} <to|into> {place}",
    "put a copy of {file} <into|in> {place}",
    "make a copy of {file} in {place}",
    "I want a copy of {file} in {place}",
    "duplicate {file} into {place}",
    "place a copy of {file} in {place}",
    "{file}: copy it into {place}",
    "back up {file} into {place}",
    "leave {file} where it is, but put a copy in {place}",
)
DELETE = (
    "delete {file}",
    "remove {file}",
    "get rid of {file}",
    "erase {file}",
    "throw {file} away",
    "{file} can go",
    "I don't need {file} any more, delete it",
    "rm {file}",
    "delete the file {file}",
    "{file} should be deleted",
    "trash {file}",
    "please remove {file} from my folder",
    "drop {file}",
    "kill {file}, it's useless",
    "make {file} disappear",
    "clean up: {file} is no longer needed",
    "I want {file} gone",
    "{file} is obsolete, <delete|remove> it",
    "discard {file}",
    "wipe {file}",
)
MAKE_FOLDER = (
    "<create|make|add> a <new |>{fw} <called|named> {name}",
    "make a {fw} {name}",
    "new {fw} {name}",
    "mkdir {name}",
    "I need a <new |>{fw} <called|named> {name}",
    "create the {fw} {name}",
    "add the {fw} {name}",
    "set up a {fw} <called |named |>{name}",
    "there should be a {fw} <called|named> {name}",
    "make me a {fw} for {name}, <called|named> {name}",
    "create an empty {fw} {name}",
    "open a new {fw} <called|named> {name}",
    "add an empty {fw} <called|named> {name}",
)
ENDINGS = ("md", "md", "txt", "csv", "csv", "json", "log")


def _ext(desk: Desk, ending: str) -> str:
    names = {"md": ("markdown", "Markdown"), "txt": ("text",), "csv": ("CSV",), "json": ("JSON",), "log": ("log",)}
    return desk.rng.choice((f".{ending}", f".{ending}", f"*.{ending}", ending, *names[ending]))


def dotted(desk: Desk, ending: str) -> str:
    """An ending where only the ending itself fits."""
    return desk.rng.choice((f".{ending}", f".{ending}", f"`.{ending}`", f'".{ending}"'))


def read(desk: Desk) -> Draft:
    """Read a file."""
    file = desk.file()
    return ask(desk.say(READ, file=desk.path(file.path)), f"answer(files.read(path={q(file.path)}))")


def list_folder(desk: Desk) -> Draft:
    """List a folder."""
    if desk.draw.chance(0.4) or not desk.folder.folders:
        return ask(desk.say(LIST_HERE), "answer(files.list())")
    place = desk.rng.choice(desk.folder.folders)
    return ask(desk.say(LIST, place=desk.place(place), bare=place), f"answer(files.list(path={q(place)}))")


def find(desk: Desk) -> Draft:
    """Find files by ending."""
    ending = desk.rng.choice(ENDINGS)
    at = desk.rng.random()
    if at < 0.5 or not desk.folder.folders:
        templates = FIND_ENDING
        ext = dotted(desk, ending) if at < 0.05 else _ext(desk, ending)
        return ask(desk.say(templates, ext=ext), f'answer(files.find(pattern="**/*.{ending}"))')
    if at < 0.62:
        return ask(desk.say(FIND_ENDING_HERE, ext=_ext(desk, ending)), f'answer(files.find(pattern="*.{ending}"))')
    place = desk.rng.choice(desk.folder.folders)
    return ask(
        desk.say(FIND_IN, ext=_ext(desk, ending), place=desk.place(place)),
        f"answer(files.find(pattern={q(f'{place}/**/*.{ending}')}))",
    )


def count_files(desk: Desk) -> Draft:
    """Count files."""
    ending, at = desk.rng.choice(ENDINGS), desk.rng.random()
    if at < 0.15:
        return ask(desk.say(COUNT_ALL), 'answer(len(files.find(pattern="**/*")))')
    if at < 0.7 or not desk.folder.folders:
        return ask(desk.say(COUNT_FILES, ext=_ext(desk, ending)), f'answer(len(files.find(pattern="**/*.{ending}")))')
    place = desk.rng.choice(desk.folder.folders)
    return ask(
        desk.say(COUNT_IN, ext=_ext(desk, ending), place=desk.place(place)),
        f"answer(len(files.find(pattern={q(f'{place}/**/*.{ending}')})))",
    )


def find_name(desk: Desk) -> Draft:
    """Find a file by its name."""
    if desk.draw.chance(0.25):
        word = desk.draw.one(words.STEMS)
        return ask(desk.say(FIND_WORD, word=desk.word(word)), f"answer(files.find(pattern={q(f'**/*{word}*')}))")
    file = desk.file()
    return ask(desk.say(FIND_NAME, file=desk.mark(file.name)), f"answer(files.find(pattern={q(f'**/{file.name}')}))")


def size(desk: Desk) -> Draft:
    """A file's size."""
    file = desk.file()
    return ask(desk.say(SIZE, file=desk.path(file.path)), f'answer(files.info(path={q(file.path)})["size"])')


def kind(desk: Desk) -> Draft:
    """Whether a name is a file or a folder."""
    name = desk.rng.choice([*desk.folder.folders, *sorted(desk.folder.paths)])
    return ask(desk.say(KIND, name=desk.mark(name)), f'answer(files.info(path={q(name)})["kind"])')


def write(desk: Desk) -> Draft:
    """Write a new file."""
    ending = desk.rng.choice(("txt", "md", "txt", "log"))
    folder = desk.rng.choice(["", "", "", *desk.folder.folders])
    path = desk.fresh_name(ending, folder=folder)
    at = desk.rng.random()
    if at < 0.1:
        return action(desk.say(EMPTY, file=desk.mark(path)), f'files.write(path={q(path)}, content="")')
    if at < 0.25:
        items = desk.draw.some(desk.rng.choice((words.THINGS, words.TOPICS, words.PEOPLE)), desk.rng.randint(2, 4))
        content = "".join(f"{item}\n" for item in items)
        return action(
            desk.say(WRITE_LINES, file=desk.mark(path), lines=listed(desk, items)),
            f"files.write(path={q(path)}, content={q(content)})",
        )
    text = desk.line_text()
    if at < 0.4:
        path = desk.text_file().path
        return action(
            desk.say(OVERWRITE, file=desk.path(path), text=desk.value(text)),
            f"files.write(path={q(path)}, content={q(text)})",
        )
    return action(
        desk.say(WRITE, file=desk.mark(path), text=desk.value(text)), f"files.write(path={q(path)}, content={q(text)})"
    )


def listed(desk: Desk, items: list[str]) -> str:
    """Items as people list them."""
    shown = [desk.value(item) for item in items] if desk.draw.chance(0.3) else items
    last = desk.rng.choice((" and ", ", ", " and "))
    return ", ".join(shown[:-1]) + last + shown[-1]


def append(desk: Desk) -> Draft:
    """Append a line."""
    file, text = desk.text_file(), desk.line_text()
    return action(
        desk.say(APPEND, file=desk.path(file.path), text=desk.value(text)),
        f"files.append(path={q(file.path)}, content={q(text + chr(10))})",
    )


def rename(desk: Desk) -> Draft:
    """Rename a file where it is."""
    file = desk.file()
    new = desk.fresh_name(file.ending, folder=file.folder)
    shown = new if file.folder == "" or desk.draw.chance(0.5) else new.rpartition("/")[2]
    old = desk.mark(file.path)
    return action(desk.say(RENAME, file=old, new=desk.mark(shown)), f"files.move(source={q(file.path)}, target={q(new)})")


def other_folder(desk: Desk, folder: str) -> str:
    """An existing folder that is not `folder`."""
    options = [place for place in desk.folder.folders if place != folder]
    if not options:
        raise Unsuitable("no other folder")
    return desk.rng.choice(options)


def move(desk: Desk) -> Draft:
    """Move a file into a folder."""
    file = desk.file()
    target = other_folder(desk, file.folder) if desk.draw.chance(0.7) else desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(f"{target}/{file.name}"):
        raise Unsuitable("name taken")
    return action(
        desk.say(MOVE, file=desk.mark(file.path), place=desk.place(target)),
        f"files.move(source={q(file.path)}, target={q(target + '/')})",
    )


def copy(desk: Desk) -> Draft:
    """Copy a file."""
    file = desk.file()
    if desk.draw.chance(0.55):
        new = desk.fresh_name(file.ending, folder=desk.rng.choice(["", "", *desk.folder.folders]))
        return action(
            desk.say(COPY, file=desk.mark(file.path), new=desk.mark(new)),
            f"files.copy(source={q(file.path)}, target={q(new)})",
        )
    target = other_folder(desk, file.folder) if desk.draw.chance(0.7) else desk.draw.one(words.NEW_FOLDERS)
    if desk.folder.taken(f"{target}/{file.name}"):
        raise Unsuitable("name taken")
    return action(
        desk.say(COPY_TO, file=desk.mark(file.path), place=desk.place(target)),
        f"files.copy(source={q(file.path)}, target={q(target + '/')})",
    )


def delete(desk: Desk) -> Draft:
    """Delete a file."""
    file = desk.file()
    return action(desk.say(DELETE, file=desk.path(file.path)), f"files.delete(path={q(file.path)})")


def make_folder(desk: Desk) -> Draft:
    """Make a folder."""
    name = desk.draw.one(words.NEW_FOLDERS) if desk.draw.chance(0.7) else desk.draw.pseudo()
    if desk.draw.chance(0.2) and desk.folder.folders:
        name = f"{desk.rng.choice(desk.folder.folders)}/{name}"
    if desk.folder.taken(name):
        raise Unsuitable("name taken")
    return action(desk.say(MAKE_FOLDER, name=desk.mark(name), fw=desk.folder_word()), f"files.make_folder(path={q(name)})")


INTENTS: tuple[Intent, ...] = (
    (5, read),
    (4, list_folder),
    (6, find),
    (4, count_files),
    (3, find_name),
    (3, size),
    (1, kind),
    (6, write),
    (7, append),
    (5, rename),
    (5, move),
    (4, copy),
    (4, delete),
    (3, make_folder),
)
