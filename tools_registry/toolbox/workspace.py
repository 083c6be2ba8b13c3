"""The one folder that the toolbox may touch: every path is opened beneath it, whatever links say.

Where the kernel has `openat2`, paths are resolved with `RESOLVE_BENEATH`, so that links are followed as long as they
stay inside. Elsewhere every component is opened on its own, without following links.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from weakref import WeakValueDictionary

from .beneath import open_beneath
from .errors import ToolboxError

READ_LIMIT_BYTES = 4 * 1024 * 1024
_PATH_LIMIT_CHARS = 4096
_WRITING: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
_WRITING_GUARD = threading.Lock()


class Workspace:
    """Opens, lists and changes files beneath one folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(os.path.abspath(root))
        with _WRITING_GUARD:
            self.writing = _WRITING.setdefault(os.path.realpath(self.root), threading.Lock())
            """Held by each tool that changes files; one for all that work on this folder in this process."""

    def relative(self, path: str) -> str:
        """`path` as a normal relative posix path (`.` for the workspace itself); raises if it leads outside."""
        if not isinstance(path, str) or not path.strip():
            raise ToolboxError("the path is empty; use '.' for the workspace itself")
        if "\0" in path or len(path) > _PATH_LIMIT_CHARS:
            raise ToolboxError(f"not a usable path: {shown(path)} (a NUL character, or too long)")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ToolboxError(f"not a usable path: {shown(path)} (not valid Unicode)") from None
        parts: list[str] = []
        for part in PurePosixPath(self._inner(path)).parts:
            if part != "..":
                parts.append(part)
            elif parts:
                parts.pop()
            else:
                raise outside(path)
        return "/".join(parts) or "."

    def _inner(self, path: str) -> str:
        if not path.startswith("/"):
            return path
        asked = Path(os.path.normpath(path))
        for root in (self.root, Path(os.path.realpath(self.root))):
            if asked.is_relative_to(root):
                return asked.relative_to(root).as_posix()
        raise outside(path)

    @contextmanager
    def opened(self, path: str, flags: int, mode: int = 0o666) -> Iterator[int]:
        """A descriptor of `path`, a normal relative path; errors of the system become `ToolboxError`."""
        with self.explained(path):
            descriptor = self._open(path, flags, mode)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, path: str, flags: int, mode: int = 0) -> int:
        root = self._open_root()
        try:
            return open_beneath(root, path, flags | os.O_CLOEXEC, mode)
        finally:
            os.close(root)

    def _open_root(self) -> int:
        try:
            return os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            why = os.strerror(problem.errno or 0)
            raise ToolboxError(f"the workspace cannot be opened: {self.root} ({why})", "not_found") from problem

    @contextmanager
    def explained(self, path: str, what: str = "file") -> Iterator[None]:
        """Turn what the system says about `path` into words."""
        try:
            yield
        except OSError as problem:
            raise self.explanation(path, what, problem) from problem

    def explanation(self, path: str, what: str, problem: OSError) -> ToolboxError:
        """The error that says in words what the system said about `path`."""
        code = problem.errno
        if code in (errno.ENOENT, errno.ENOTDIR):
            return self.missing(path, what)
        if code == errno.EXDEV:
            return outside(path)
        if code == errno.ELOOP:
            return ToolboxError(f"a link that is not followed: {shown(path)}", "denied")
        if code == errno.ENAMETOOLONG:
            return ToolboxError(f"the name is too long: {shown(path)}")
        if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return ToolboxError(f"no space left for {shown(path)}; it was not changed ({os.strerror(code)})", "failed")
        if code == errno.EISDIR:
            return ToolboxError(f"not a file: {shown(path)} (it is a folder)")
        if code in (errno.EACCES, errno.EPERM, errno.EROFS):
            return ToolboxError(f"no permission for {shown(path)} ({os.strerror(code)})", "denied")
        return ToolboxError(f"{shown(path)}: {problem.strerror or problem}", "failed")

    def missing(self, path: str, what: str = "file") -> ToolboxError:
        """The error for a path that is not there, with the nearest one that is."""
        from .nearest import nearest_path

        near = nearest_path(self, path)
        hint = f" (did you mean {near}?)" if near else ""
        return ToolboxError(f"no such {what}: {shown(path)}{hint}", "not_found")

    def status(self, path: str) -> os.stat_result | None:
        """What is at a normal relative path, links inside followed; None where nothing is."""
        try:
            descriptor = self._open(path, _LOOK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise self.explanation(path, "file", problem) from problem
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def is_folder(self, path: str) -> bool:
        """True where a normal relative path is a folder."""
        status = self.status(path)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def read_bytes(self, path: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The content of a regular file, at most `limit_bytes`."""
        path = self.relative(path)
        with self.opened(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as descriptor:
            size = check_regular(descriptor, path).st_size
            if size > limit_bytes:
                raise too_large(path, size, limit_bytes)
            with self.explained(path):
                content = _read_all(descriptor, limit_bytes + 1)
        if len(content) > limit_bytes:
            raise too_large(path, len(content), limit_bytes)
        return content

    def read_text(self, path: str, limit_bytes: int = READ_LIMIT_BYTES) -> str:
        """The text of a UTF-8 file, without its byte order mark."""
        content = self.read_bytes(path, limit_bytes)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ToolboxError(f"not a text file: {shown(path)} (it is not UTF-8)") from None
        if "\0" in text:
            raise ToolboxError(f"not a text file: {shown(path)} (it is binary)")
        return text


_LOOK = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)


def shown(path: str) -> str:
    """A path as an error message may show it: one line, not too long, valid Unicode."""
    line = "".join(letter if letter.isprintable() else "?" for letter in path)
    return line if len(line) <= 120 else line[:117] + "..."


def outside(path: str) -> ToolboxError:
    """The error for a path that leads out of the workspace."""
    return ToolboxError(f"outside the workspace: {shown(path)}", "denied")


def too_large(path: str, size: int, limit_bytes: int) -> ToolboxError:
    """The error for a file over the limit, with what to do instead."""
    return ToolboxError(
        f"too large: {shown(path)} has {size:,} bytes, at most {limit_bytes:,} can be read; "
        "use text.count, text.search or tables.sql"
    )


def check_regular(descriptor: int, path: str) -> os.stat_result:
    """Refuse folders, pipes, sockets and devices."""
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise ToolboxError(f"not a file: {shown(path)} (it is a folder)")
    if not stat.S_ISREG(status.st_mode):
        raise ToolboxError(f"not a regular file: {shown(path)} (a pipe, socket or device)", "denied")
    return status


def _read_all(descriptor: int, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    left = limit_bytes
    while left > 0 and (chunk := os.read(descriptor, min(left, 1 << 20))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
