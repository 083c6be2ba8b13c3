"""Opening a path beneath a folder so that neither `..` nor a link can lead out of it."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys

_SYS_OPENAT2 = 437  # the same on every architecture that Python runs on, alpha aside
_RESOLVE_NO_MAGICLINKS, _RESOLVE_BENEATH = 0x02, 0x08
_TRIES = 64  # the kernel answers EAGAIN while something beneath the folder is being renamed


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_beneath(folder: int, path: str, flags: int, mode: int = 0o666) -> int:
    """Open the relative `path` beneath the open `folder`. Raises `OSError` (EXDEV or ELOOP where it leads out)."""
    if has_openat2():
        return _openat2(folder, path, flags, mode)
    return walk_beneath(folder, path, flags, mode)


def has_openat2() -> bool:
    """True where the kernel resolves paths beneath a folder itself."""
    global _available
    if _available is None:
        _available = _probe()
    return _available


_available: bool | None = None


def _probe() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(_openat2(folder, ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, 0))
    except OSError:
        return False  # an old kernel, or a filter that refuses the call
    finally:
        os.close(folder)
    return True


def _openat2(folder: int, path: str, flags: int, mode: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    how = _OpenHow(flags, mode if flags & os.O_CREAT else 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    name = os.fsencode(path)
    for _ in range(_TRIES):
        descriptor = libc.syscall(_SYS_OPENAT2, folder, name, ctypes.byref(how), ctypes.sizeof(how))
        if descriptor >= 0:
            return int(descriptor)
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


def walk_beneath(folder: int, path: str, flags: int, mode: int = 0o666) -> int:
    """Open `path` one component after the other, never through a link. `..` is refused."""
    parts = [part for part in path.split("/") if part not in ("", ".")] or ["."]
    if ".." in parts:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    current = os.dup(folder)
    try:
        for part in parts[:-1]:
            step = _open_part(current, part, os.O_RDONLY | os.O_DIRECTORY, 0)
            os.close(current)
            current = step
        return _open_part(current, parts[-1], flags, mode)
    finally:
        os.close(current)


def _open_part(folder: int, part: str, flags: int, mode: int) -> int:
    try:
        descriptor = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    except NotADirectoryError:  # what O_NOFOLLOW with O_DIRECTORY says of a link, too
        if _is_link(folder, part):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part) from None
        raise
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):  # O_PATH opens the link itself
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
    return descriptor


def _is_link(folder: int, part: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
