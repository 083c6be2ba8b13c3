"""Reads the header of a GGUF file without llama.cpp, so that a bad file is named instead of crashing the loader.

Only the metadata is parsed (the vocabulary arrays on demand); weights are never touched. A length in the header that
points beyond the file is reported as truncation, whatever the file holds.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import BadModelFile, ModelNotFound

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
_FETCH_AGAIN = "fetch the file again, and compare its size with the one at its source"


@dataclass(frozen=True)
class LazyArray:
    """Where an array lies in the file; `GGUFHeader.array` reads it."""

    kind: int
    length: int
    offset: int


class GGUFHeader:
    """Version, tensor count and metadata of one GGUF file."""

    def __init__(self, path: Path, version: int, tensor_count: int, metadata: dict[str, object]) -> None:
        self.path = path
        self.version = version
        self.tensor_count = tensor_count
        self.metadata = metadata

    def text(self, key: str) -> str | None:
        """A string value, or None where it is missing or of another type."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """An integer value, or None where it is missing or of another type."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def array(self, key: str) -> list[object] | None:
        """The values of an array, read from the file now."""
        entry = self.metadata.get(key)
        if not isinstance(entry, LazyArray):
            return None
        with _mapped(self.path) as data:
            reader = _Reader(data, self.path, entry.offset)
            return [reader.value(entry.kind) for _ in range(entry.length)]

    def strings(self, key: str) -> list[str] | None:
        """An array of strings, or None."""
        values = self.array(key)
        return None if values is None else [str(value) for value in values]

    @property
    def architecture(self) -> str:
        """For example `qwen3`; empty where the file does not say."""
        return self.text("general.architecture") or ""


class _Reader:
    """Walks over the header; every step is checked against the end of the file."""

    def __init__(self, data: mmap.mmap, path: Path, offset: int = 0) -> None:
        self.data = data
        self.path = path
        self.offset = offset

    def take(self, count: int) -> bytes:
        end = self.offset + count
        if count < 0 or end > len(self.data):
            raise BadModelFile(
                f"{self.path} ends in the middle of its header: the file is truncated or damaged",
                where=str(self.path),
                mend=_FETCH_AGAIN,
            )
        piece = self.data[self.offset : end]
        self.offset = end
        return piece

    def scalar(self, form: str) -> int | float | bool:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        assert isinstance(value, (int, float))
        return value

    def size(self) -> int:
        return int(self.scalar("<Q"))

    def string(self) -> str:
        return self.take(self.size()).decode("utf-8", "surrogateescape")

    def value(self, kind: int) -> object:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.skip_array()
        raise BadModelFile(
            f"{self.path} has a metadata value of unknown type {kind}: the file is damaged",
            where=str(self.path),
            mend=_FETCH_AGAIN,
        )

    def skip_array(self) -> LazyArray:
        kind, length = int(self.scalar("<I")), self.size()
        array = LazyArray(kind, length, self.offset)
        if kind in _SCALARS:
            self.take(0 if length == 0 else length * struct.calcsize(_SCALARS[kind]))
        else:
            for _ in range(length):
                self._skip(kind)
        return array

    def _skip(self, kind: int) -> None:
        if kind == _STRING:
            self._advance(self.size())
        else:
            self.value(kind)

    def _advance(self, count: int) -> None:
        if count < 0 or self.offset + count > len(self.data):
            self.take(count)
        self.offset += count


class _mapped:
    """The file as read-only memory, closed at the end of the block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self.data

    def __exit__(self, *_: object) -> None:
        self.data.close()


def read_header(path: str | Path) -> GGUFHeader:
    """The header of the GGUF at `path`; a `ModelNotFound` or `BadModelFile` says what is wrong with it otherwise."""
    file = Path(path).expanduser()
    _check_magic(file)
    with _mapped(file) as data:
        reader = _Reader(data, file, 4)
        version = int(reader.scalar("<I"))
        if version not in _VERSIONS:
            raise BadModelFile(
                f"{file} is a GGUF of version {version}; versions 2 and 3 can be read",
                where=str(file),
                mend="convert the model again with a current llama.cpp",
            )
        tensor_count, entries = reader.size(), reader.size()
        return GGUFHeader(file, version, tensor_count, dict(_entries(reader, entries)))


def _entries(reader: _Reader, count: int) -> Iterator[tuple[str, object]]:
    for _ in range(count):
        key = reader.string()
        yield key, reader.value(int(reader.scalar("<I")))


def _check_magic(file: Path) -> None:
    if file.is_dir():
        raise BadModelFile(f"{file} is a folder, not a model file", where=str(file), mend="name a .gguf file in it")
    try:
        with file.open("rb") as stream:
            head = stream.read(24)
    except FileNotFoundError:
        raise ModelNotFound(
            f"no model file at {file}", where=str(file), mend="check the path, or run with --model nano"
        ) from None
    except OSError as error:
        raise BadModelFile(
            f"{file} cannot be read: {error.strerror}", where=str(file), mend="check the file's permissions"
        ) from None
    if head[:4] != b"GGUF":
        raise BadModelFile(
            f"{file} is not a GGUF model: it begins with {head[:4]!r} instead of b'GGUF'{_hint(head)}",
            where=str(file),
            mend="give a .gguf file, or convert the model with llama.cpp's convert_hf_to_gguf.py",
        )
    if len(head) < 24:
        raise BadModelFile(f"{file} is only {len(head)} bytes long: truncated", where=str(file), mend=_FETCH_AGAIN)


def _hint(head: bytes) -> str:
    """What such a file usually is."""
    if head.startswith(b"version "):
        return " (a Git LFS pointer: the file itself was not fetched)"
    if head.lstrip()[:1] == b"<":
        return " (a web page was saved instead of the model)"
    return ""
