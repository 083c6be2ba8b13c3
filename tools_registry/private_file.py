"""The one way a database file of ours comes to be."""

from __future__ import annotations

import os
from contextlib import suppress


def create_private(path: str | os.PathLike[str]) -> None:
    """Create an empty file that only its owner may read; one that exists is left alone, and is not even opened.

    Closing any descriptor of a file lets go of every lock that this process holds on it (POSIX), those of an open SQLite
    connection too; another process may then remove the write-ahead log under that connection ("disk I/O error").

    Raises:
        OSError: the folder is missing or may not be written.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
