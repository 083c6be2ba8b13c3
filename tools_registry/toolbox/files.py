"""The files server: looking at and changing files and folders of the workspace."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from typing import Literal

from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from .changes import append_text, copy_file, delete, make_folder, move, write_text
from .entry import Entry
from .errors import ToolboxError
from .folders import find_files, names_in
from .workspace import Workspace, shown

INSTRUCTIONS = "Files and folders of the workspace."


class FileInfo(TypedDict):
    """What `files.info` returns."""

    path: str
    kind: Literal["file", "folder"]
    size: int
    modified: str


class Files:
    """The tools of the files server."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def entries(self) -> list[Entry]:
        """The listing, in its order."""
        return [
            Entry("list", self.list_names, reads=True),
            Entry("find", self.find, reads=True),
            Entry("read", self.read, reads=True),
            Entry("write", self.write, idempotent=True, destroys=True),
            Entry("append", self.append),
            Entry("move", self.move, destroys=True),
            Entry("copy", self.copy, idempotent=True),
            Entry("delete", self.delete, destroys=True),
            Entry("make_folder", self.make_folder, idempotent=True),
            Entry("info", self.info, reads=True),
        ]

    def list_names(self, path: str = ".") -> list[str]:
        """List the names in a folder."""
        folder = self._workspace.relative(path)
        status = self._workspace.status(folder)
        if status is None:
            raise self._workspace.missing(folder, "folder")
        if not stat.S_ISDIR(status.st_mode):
            raise ToolboxError(f"not a folder: {shown(folder)}")
        return names_in(self._workspace, folder)

    def find(self, pattern: str) -> list[str]:
        """Find files by pattern, like **/*.md."""
        return find_files(self._workspace, pattern)

    def read(self, path: str) -> str:
        """Read a text file."""
        return self._workspace.read_text(path)

    def write(self, path: str, content: str) -> str:
        """Write a text file, replacing any old content."""
        return write_text(self._workspace, path, content)

    def append(self, path: str, content: str) -> str:
        """Add text to the end of a file."""
        return append_text(self._workspace, path, content)

    def move(self, source: str, target: str) -> str:
        """Move or rename a file or folder."""
        return move(self._workspace, source, target)

    def copy(self, source: str, target: str) -> str:
        """Copy a file."""
        return copy_file(self._workspace, source, target)

    def delete(self, path: str) -> str:
        """Delete a file or an empty folder."""
        return delete(self._workspace, path)

    def make_folder(self, path: str) -> str:
        """Make a folder."""
        return make_folder(self._workspace, path)

    def info(self, path: str) -> FileInfo:
        """Get kind, size in bytes and modification time."""
        path = self._workspace.relative(path)
        status = self._workspace.status(path)
        if status is None:
            raise self._workspace.missing(path)
        modified = datetime.fromtimestamp(int(status.st_mtime), UTC).isoformat()
        folder = stat.S_ISDIR(status.st_mode)
        return {
            "path": path,
            "kind": "folder" if folder else "file",
            "size": 0 if folder else status.st_size,
            "modified": modified,
        }
