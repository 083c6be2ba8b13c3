"""Adds and removes servers in a configuration file: everything else in it stays as it is, comments and spacing included.

The file is changed as text, at the place where the entry stands, and not written anew from what was understood of it. The
result is read again before it replaces the file: where it does not say exactly what it should, nothing is written.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import parse_text, read_entries, read_text
from .errors import ConfigError

_KEYS = ("mcpServers", "servers", "mcp_servers")
_NEW = '{\n  "mcpServers": {}\n}\n'
_GAP = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
_BARE = re.compile(r"[^\s,:\[\]{}\"'/]+")
_DEPTH = 64


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of an object: where it begins and ends in the text, its value, and the comma after it (-1: none)."""

    name: str
    start: int
    value: int
    end: int
    comma: int


def add_server(path: Path, name: str, entry: Mapping[str, Any], *, replace: bool = False) -> None:
    """Put a server into the file, which is made (mode 0600) where it is missing.

    Raises `ConfigError` for a name that is taken (unless `replace`), and for a file that cannot be read or changed.
    """
    before = read_text(path) if path.exists() else _NEW
    known = read_entries(path) if path.exists() else {}
    if name in known and not replace:
        raise ConfigError(
            f"there is a server {name!r} already", where=str(path), mend="choose another name, or --replace it"
        )
    text = _without(path, before, name) if name in known else before
    _write(path, before, _with(path, text, name, entry), {**known, name: dict(entry)})


def remove_server(path: Path, name: str) -> None:
    """Take a server out of the file. Raises `ConfigError` where it is not there."""
    known = read_entries(path)
    if name not in known:
        named = ", ".join(known) or "none"
        raise ConfigError(f"there is no server {name!r}", where=str(path), mend=f"servers of this file: {named}")
    before = read_text(path)
    _write(path, before, _without(path, before, name), {one: entry for one, entry in known.items() if one != name})


def _with(path: Path, text: str, name: str, entry: Mapping[str, Any]) -> str:
    opening, members, closing = _servers(path, text)
    indent = _indent(text, members[0].start if members else opening, deeper=not members)
    said = json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", f"\n{indent}")
    line = f"{json.dumps(name, ensure_ascii=False)}: {said}"
    if not members:
        rest = text[opening + 1 : closing].rstrip()
        outer = _indent(text, opening, deeper=False)
        return f"{text[: opening + 1]}{rest}\n{indent}{line}\n{outer}{text[closing:]}"
    last = members[-1]
    comma = "" if last.comma >= 0 else ","
    at = last.comma + 1 if last.comma >= 0 else last.end
    return f"{text[:at]}{comma}\n{indent}{line}{',' if last.comma >= 0 else ''}{text[at:]}"


def _without(path: Path, text: str, name: str) -> str:
    _, members, _ = _servers(path, text)
    place = max(number for number, member in enumerate(members) if member.name == name)
    member = members[place]
    if member.comma >= 0:
        start, end = member.start, member.comma + 1
    else:  # the last one: the comma before it goes as well
        start, end = (members[place - 1].comma if place else member.start), member.end
    if member.comma >= 0:
        line = text.rfind("\n", 0, start) + 1
        if not text[line:start].strip():
            start = max(0, line - 1)
    return text[:start] + text[end:]


def _servers(path: Path, text: str) -> tuple[int, list[_Member], int]:
    """Where the object of servers opens, what stands in it, and where it closes."""
    try:
        opening = _GAP.match(text).end()  # type: ignore[union-attr]
        opening, members, closing = _object(text, opening)
        for member in members:
            if member.name == "mcp" and not any(one.name in _KEYS for one in members) and text[member.value] == "{":
                opening, members, closing = _object(text, member.value)
                break
        found = next((member for key in _KEYS for member in members if member.name == key), None)
        return _object(text, found.value) if found else (opening, members, closing)
    except (ValueError, IndexError):
        raise _not_ours(path) from None


def _object(text: str, at: int) -> tuple[int, list[_Member], int]:
    if text[at] != "{":
        raise ValueError(at)
    members: list[_Member] = []
    place = _gap(text, at + 1)
    while text[place] != "}":
        start = place
        name, place = _word(text, place)
        place = _gap(text, place)
        if text[place] != ":":
            raise ValueError(place)
        value = _gap(text, place + 1)
        end = _value(text, value, 0)
        place = _gap(text, end)
        comma = place if text[place] == "," else -1
        members.append(_Member(name, start, value, end, comma))
        if comma < 0 and text[place] != "}":
            raise ValueError(place)
        place = _gap(text, place + 1) if comma >= 0 else place
    return at, members, place


def _value(text: str, at: int, depth: int) -> int:
    """Where a value ends."""
    if text[at] not in "{[":
        return _word(text, at)[1]
    if depth > _DEPTH:
        raise ValueError(at)
    place = _gap(text, at + 1)
    while text[place] not in "}]":
        place = place + 1 if text[place] in ",:" else _value(text, place, depth + 1)
        place = _gap(text, place)
    return place + 1


def _word(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at) or _BARE.match(text, at)
    if found is None:
        raise ValueError(at)
    said = found.group()
    if said[0] == '"':
        with suppress(ValueError):
            return str(json.loads(said)), found.end()
    return said.strip("'"), found.end()


def _gap(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at


def _indent(text: str, at: int, *, deeper: bool) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    blank = line[: len(line) - len(line.lstrip())]
    return blank + "  " if deeper else blank


def _write(path: Path, before: str, text: str, wanted: Mapping[str, Any]) -> None:
    """Replace the file at once, with its mode, if what is to be written says what is wanted and nobody wrote meanwhile."""
    real = path.resolve()
    if real.suffix == ".toml" or _said(path, text) != dict(wanted):
        raise _not_ours(path)
    mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o600
    draft = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        if (read_text(path) if real.exists() else _NEW) != before:
            raise ConfigError("somebody else is changing the file", where=str(path), mend="try again")
        draft.replace(real)
    except OSError as problem:
        what = f"cannot be written: {problem.strerror}"
        raise ConfigError(what, where=str(path), mend="mend its permissions, or name another file") from None
    finally:
        draft.unlink(missing_ok=True)


def _said(path: Path, text: str) -> Any:
    try:
        return parse_text(path, text)
    except ConfigError:
        return None


def _not_ours(path: Path) -> ConfigError:
    return ConfigError("this file cannot be changed safely", where=str(path), mend="edit it by hand")
