"""Changing the workspace: write, append, move, copy, delete, make folders.

A file is written beside its place and renamed into it, so that a full disk leaves the old content as it was.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import ToolboxError
from .workspace import READ_LIMIT_BYTES, Workspace, check_regular, shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_COPY_LIMIT_BYTES = 256 * 1024 * 1024


def write_text(workspace: Workspace, path: str, content: str, limit_bytes: int = READ_LIMIT_BYTES) -> str:
    """Replace or make a text file, with its missing folders; returns its path."""
    return write_bytes(workspace, path, encoded(content, limit_bytes))


def encoded(content: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
    """Text as UTF-8 bytes. Raises `ToolboxError` for lone surrogates and for more than can be read back."""
    try:
        data = content.encode()
    except UnicodeEncodeError:
        raise ToolboxError("the content holds half a surrogate pair, which is not valid text") from None
    if len(data) > limit_bytes:
        raise ToolboxError(f"the content has {len(data):,} bytes, at most {limit_bytes:,} can be written at once")
    return data


def write_bytes(workspace: Workspace, path: str, data: bytes) -> str:
    """Replace or make a file at once: the old content stays until the new one is complete."""
    place = _file_place(workspace, path)
    with _parent(workspace, place, make=True) as (folder, name):
        _put(workspace, folder, name, data, place)
    return place


def _file_place(workspace: Workspace, path: str) -> str:
    """Where a file is to be written: the normal path, behind a link inside the workspace if there is one."""
    place = workspace.relative(path)
    if path.rstrip() != path.rstrip().rstrip("/") or place == ".":
        raise ToolboxError(f"not a file: {shown(path)} (it names a folder)")
    status = workspace.status(place)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise ToolboxError(f"not a file: {shown(place)} (it is a folder)")
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise ToolboxError(f"not a regular file: {shown(place)} (a pipe, socket or device)", "denied")
    return place


def _put(workspace: Workspace, folder: int, name: str, data: bytes, place: str) -> None:
    with workspace.explained(place):
        old = _link_free_status(folder, name)
        if old is not None and stat.S_ISLNK(old.st_mode):
            raise ToolboxError(f"a link: {shown(place)}; write to the file it leads to", "denied")
        beside = f".atlas-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(beside, flags, 0o666, dir_fd=folder)
        try:
            try:
                _write_all(descriptor, data)
                if old is not None:
                    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            finally:
                os.close(descriptor)
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def append_text(workspace: Workspace, path: str, content: str) -> str:
    """Add text to a file, which is made where it is missing; a full disk leaves it as it was."""
    data = encoded(content)
    place = _file_place(workspace, path)
    with _parent(workspace, place, make=True):
        pass
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    with workspace.opened(place, flags) as descriptor, workspace.explained(place):
        size = check_regular(descriptor, place).st_size
        try:
            _write_all(descriptor, data)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    return place


def make_folder(workspace: Workspace, path: str) -> str:
    """Make a folder and its missing parents; one that is there already is fine."""
    place = workspace.relative(path)
    made = ""
    for part in place.split("/"):
        made = f"{made}/{part}" if made else part
        status = workspace.status(made)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise ToolboxError(f"not a folder: {shown(made)} (it is a file)", "exists")
        if status is None:
            with (
                _parent(workspace, made) as (folder, name),
                workspace.explained(made),
                suppress(FileExistsError),
            ):
                os.mkdir(name, dir_fd=folder)
    return place


def move(workspace: Workspace, source: str, target: str) -> str:
    """Move a file or folder; never over something that is there. Returns the new path."""
    old = workspace.relative(source)
    _own_status(workspace, old)
    new = _target(workspace, old, target)
    if new == old:
        return new
    if new.startswith(f"{old}/"):
        raise ToolboxError(f"cannot move {shown(old)} into itself: {shown(new)}")
    with _parent(workspace, old) as (old_folder, old_name), _parent(workspace, new, make=True) as (folder, name):
        if _link_free_status(folder, name) is not None:
            raise _already_there(new)
        try:
            os.rename(old_name, name, src_dir_fd=old_folder, dst_dir_fd=folder)
        except OSError as problem:
            raise _unmoved(workspace, new, problem) from problem
    return new


def _already_there(place: str) -> ToolboxError:
    return ToolboxError(f"already there: {shown(place)}; delete it first or choose another name", "exists")


def _unmoved(workspace: Workspace, place: str, problem: OSError) -> ToolboxError:
    if problem.errno == errno.EXDEV:
        return ToolboxError(f"{shown(place)} is on another disk; copy the file and delete the old one", "failed")
    return workspace.explanation(place, "file", problem)


def copy_file(workspace: Workspace, source: str, target: str) -> str:
    """Copy a file; never over one with other content. Returns the new path."""
    old = workspace.relative(source)
    data = workspace.read_bytes(old, _COPY_LIMIT_BYTES)
    new = _target(workspace, old, target)
    status = workspace.status(new)
    if status is None:
        return write_bytes(workspace, new, data)
    same_size = stat.S_ISREG(status.st_mode) and status.st_size == len(data)
    if same_size and workspace.read_bytes(new, _COPY_LIMIT_BYTES) == data:
        return new
    raise _already_there(new)


def delete(workspace: Workspace, path: str) -> str:
    """Remove a file, a link or an empty folder; returns its path."""
    place = workspace.relative(path)
    status = _own_status(workspace, place)
    with _parent(workspace, place) as (folder, name), workspace.explained(place):
        try:
            if stat.S_ISDIR(status.st_mode):
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        except OSError as problem:
            if problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise ToolboxError(f"the folder is not empty: {shown(place)}; delete what is in it first") from None
            raise
    return place


def _own_status(workspace: Workspace, place: str) -> os.stat_result:
    """The status of what is at a path itself, a link not followed; raises where nothing is."""
    with _parent(workspace, place) as (folder, name), workspace.explained(place):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _target(workspace: Workspace, source: str, target: str) -> str:
    """Where a moved or copied file goes: into an existing folder, or one written with a slash, under its own name."""
    place = workspace.relative(target)
    if not _ends_as_folder(target) and not workspace.is_folder(place):
        return place
    name = source.rsplit("/", 1)[-1]
    return name if place == "." else f"{place}/{name}"


def _ends_as_folder(path: str) -> bool:
    return path.rstrip().endswith("/")


def _link_free_status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextmanager
def _parent(workspace: Workspace, place: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder that holds `place`, and the name in it."""
    if place == ".":
        raise ToolboxError("that is the workspace itself; name something in it")
    folder, _, name = place.rpartition("/")
    if make and folder:
        make_folder(workspace, folder)
    if folder and not workspace.is_folder(folder):
        if workspace.status(folder) is None:
            raise workspace.missing(place)
        raise ToolboxError(f"not a folder: {shown(folder)}")
    with workspace.opened(folder or ".", _FOLDER) as descriptor:
        yield descriptor, name
