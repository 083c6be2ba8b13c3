"""Regular expressions over the text of one file."""

from __future__ import annotations

import re
import warnings

_RESULT_LIMIT_CHARS = 4 * 1024 * 1024


def warm() -> None:
    """Nothing is needed that takes time to load."""
    re.compile("")


def search(text: str, pattern: str, ignore_case: bool) -> list[list[int | str]]:
    """Number and text of every line in which the pattern is found."""
    regex = _compiled(pattern, re.IGNORECASE if ignore_case else 0)
    found: list[list[int | str]] = []
    chars = 0
    for number, line in enumerate(_lines(text), 1):
        if regex.search(line):
            found.append([number, line])
            chars += len(line) + 20
            _check_size(chars)
    return found


def extract(text: str, pattern: str) -> list[str]:
    """Every match in the text, or its first group where the pattern has one; `^` and `$` stand for line ends."""
    regex = _compiled(pattern, re.MULTILINE)
    group = 1 if regex.groups else 0
    found: list[str] = []
    chars = 0
    for match in regex.finditer(text):
        found.append(match[group] or "")
        chars += len(found[-1]) + 10
        _check_size(chars)
    return found


def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean something else in a later Python
            return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as problem:
        raise ValueError(f"not a valid regex: {pattern[:80]!r} ({problem})") from None


def _lines(text: str) -> list[str]:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def _check_size(chars: int) -> None:
    if chars > _RESULT_LIMIT_CHARS:
        raise ValueError("the matches are larger than 4 MB; use a narrower pattern")
