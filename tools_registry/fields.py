"""What no process, request or clock can be given: each function says what is wrong with a text, or "" where nothing is."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_MOST_BYTES = 1_000_000
LONGEST = 1e12
"""The largest `timeout`: in milliseconds, more than thirty years. A clock takes neither NaN nor infinity."""


def wrong_text(text: str) -> str:
    """For a part of a command line, an environment or a path."""
    if "\0" in text:
        return "holds a NUL character"
    return "" if text == shown(text) else "holds half a character (a lone surrogate)"


def shown(text: str) -> str:
    """Text in which half characters are escapes, so that any message can hold it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def wrong_variable(name: str) -> str:
    """For the name of an environment variable."""
    return wrong_text(name) or ("" if name and "=" not in name else "is no name of a variable")


def wrong_header(name: str, value: str) -> str:
    """For an HTTP header; its value is not quoted, for it may be a secret."""
    if not _HEADER_NAME.fullmatch(name):
        return "is no name of a header"
    return "" if _HEADER_VALUE.fullmatch(value) else "holds characters that a header cannot: only printable ASCII goes there"


def wrong_url(url: str) -> str:
    """For an HTTP address."""
    if not url.lower().startswith(("http://", "https://")):
        return f"must begin with http:// or https://, not {url[:40]!r}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError as problem:
        return f"is no address: {problem}"
    if not host or not url.isprintable() or " " in parts.netloc:
        return "is no address: it has no host" if not host else "is no address: it holds a space or a control character"
    return ""


def read_small_file(path: Path) -> str:
    """The text of a plain file of bounded size. Raises `OSError` or `ValueError` (also for what is no UTF-8)."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, a device has no end
        raise ValueError("it is no plain file")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES / 1e6:g} MB")
    return data.decode("utf-8")
