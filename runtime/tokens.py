"""Text to token ids and back: llama.cpp's own tokenizer, and tiktoken built from a GGUF's vocabulary for counting.

Untrusted text is always encoded with `special=False`. That alone is not enough: llama.cpp still matches user-defined
tokens there, and an SPM vocabulary can merge its way to a control token, so such strings are cut before encoding and the
result is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Protocol

_CONTROL, _USER_DEFINED, _UNKNOWN = 8, 16, 1
_SENTINEL = "\n"


class Tokenizer(Protocol):
    """What conversations and training need of a tokenizer."""

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Ids of `text`; with `special` its control strings become control tokens, otherwise they never do."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens written out."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes that one token writes."""
        ...


def utf8(text: str) -> bytes:
    """UTF-8, with lone surrogates (which file names can hold) replaced."""
    return text.encode("utf-8", "replace")


def _is_special(text: str) -> bool:
    return len(text) > 1 and bool(text.strip(" \t\r\n▁"))


class SpecialCutter:
    """Cuts untrusted text inside every special string, so that no part holds a whole one."""

    def __init__(self, texts: Iterable[str]) -> None:
        wanted = sorted(filter(_is_special, texts), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, wanted))) if wanted else None

    def parts(self, text: str) -> list[str]:
        """The pieces of `text`, in order and without loss."""
        if self._pattern is None:
            return [text]
        parts, start = [], 0
        for match in self._pattern.finditer(text):
            cut = match.start() + 1
            parts.append(text[start:cut])
            start = cut
        parts.append(text[start:])
        return [part for part in parts if part]


class LlamaTokenizer:
    """The tokenizer of a loaded llama.cpp model; `model` only has to stay alive, its weights may be missing."""

    def __init__(self, vocab: Any, owner: object = None) -> None:
        import llama_cpp

        self._llama = llama_cpp
        self._handle: Any = vocab
        self._owner = owner
        self.size: int = llama_cpp.llama_vocab_n_tokens(vocab)
        self.bos: int = llama_cpp.llama_vocab_bos(vocab)
        self.eos: int = llama_cpp.llama_vocab_eos(vocab)
        self.adds_bos: bool = bool(llama_cpp.llama_vocab_get_add_bos(vocab))
        self._sentinel = self._find_sentinel()

    @property
    def _vocab(self) -> Any:
        if self._handle is None:
            raise RuntimeError("the model of this tokenizer was closed")
        return self._handle

    def close(self) -> None:
        """The model is about to be freed: any later use is an error instead of a crash."""
        self._handle = None

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Ids of `text` as it continues a prompt (no BOS, no space put in front by an SPM vocabulary)."""
        if special:
            return self._continuing(text, special=True)
        return [token for part in self._cutter.parts(text) for token in self._checked(part)]

    def encode_opening(self, text: str) -> list[int]:
        """Ids of trusted text at the very beginning of a prompt."""
        return self._raw(utf8(text), special=True)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens written out."""
        return b"".join(self.piece(token) for token in ids).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The bytes that one token writes, special tokens as their text."""
        if not 0 <= token < self.size:
            raise ValueError(f"token id {token} is outside the vocabulary of {self.size}")
        return self._pieces_cache.get(token) or self._read_piece(token)

    def is_end(self, token: int) -> bool:
        """True for tokens that end a generation by the vocabulary's own account."""
        return bool(self._llama.llama_vocab_is_eog(self._vocab, token))

    def is_control(self, token: int) -> bool:
        """True for control tokens, which no untrusted text may produce."""
        return bool(self._llama.llama_vocab_is_control(self._vocab, token))

    def token_text(self, token: int) -> str:
        """The vocabulary's own spelling of a token, such as `<s>`; empty for a token that is not there."""
        if token < 0:
            return ""
        raw = self._llama.llama_vocab_get_text(self._vocab, token)
        return raw.decode("utf-8", "replace") if raw else ""

    @cached_property
    def special_texts(self) -> list[str]:
        """Texts of control and user-defined tokens, longest first; whitespace runs are ordinary text."""
        attribute = self._llama.llama_vocab_get_attr
        wanted = _CONTROL | _USER_DEFINED | _UNKNOWN
        texts = {self.token_text(t) for t in range(self.size) if attribute(self._vocab, t) & wanted}
        return sorted((text for text in texts if _is_special(text)), key=len, reverse=True)

    @cached_property
    def _cutter(self) -> SpecialCutter:
        return SpecialCutter(self.special_texts)

    @cached_property
    def _pieces_cache(self) -> dict[int, bytes]:
        return {}

    def _checked(self, text: str) -> list[int]:
        ids = self._continuing(text, special=False)
        if not any(self.is_control(token) for token in ids):
            return ids
        if len(text) == 1:
            return [token for token in ids if not self.is_control(token)]
        middle = len(text) // 2
        return self._checked(text[:middle]) + self._checked(text[middle:])

    def _find_sentinel(self) -> list[int]:
        """Ids of a newline where the vocabulary would otherwise put a space in front; empty where it would not."""
        letter = self._raw(b"a", special=False)
        if b"".join(self.piece(token) for token in letter)[:1] != b" ":
            return []
        alone = self._raw(utf8(_SENTINEL), special=False)
        joined = self._raw(utf8(_SENTINEL + "a"), special=False)
        return alone if joined[: len(alone)] == alone else []

    def _continuing(self, text: str, *, special: bool) -> list[int]:
        if not text:
            return []
        if self._sentinel:
            ids = self._raw(utf8(_SENTINEL + text), special=special)
            if ids[: len(self._sentinel)] == self._sentinel:
                return ids[len(self._sentinel) :]
        return self._raw(utf8(text), special=special)

    def _raw(self, text: bytes, *, special: bool) -> list[int]:
        room = len(text) + 8
        while True:
            buffer = (self._llama.llama_token * room)()
            count = self._llama.llama_tokenize(self._vocab, text, len(text), buffer, room, False, special)
            if count >= 0:
                return list(buffer[:count])
            room = -count

    def _read_piece(self, token: int) -> bytes:
        import ctypes

        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self._llama.llama_token_to_piece(self._vocab, token, buffer, room, 0, True)
            if count >= 0:
                piece = buffer.raw[:count]
                self._pieces_cache[token] = piece
                return piece
            room = -count


class ByteTokenizer:
    """One id per UTF-8 byte; the scripted policy's own vocabulary. Id 256 ends a reply, ids from 257 open turns."""

    end = 256
    markers: ClassVar[dict[str, int]] = {"system": 257, "user": 258, "assistant": 259, "result": 260}
    size = 261

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The bytes of `text`; there are no control strings, whatever `special` says."""
        return list(utf8(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The bytes as text; markers write nothing."""
        return bytes(token for token in ids if token < 256).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The byte of one id."""
        return bytes([token]) if token < 256 else b""
