"""A tiktoken encoding built from a GGUF's own BPE vocabulary: counting and encoding without loading the model.

tiktoken's named encodings are downloads and are never touched. The encoding is compared with llama.cpp before its first use;
a vocabulary for which the two differ is refused, and the caller takes llama.cpp's tokenizer instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..tokens import SpecialCutter
from .errors import BadModelFile
from .gguf_file import GGUFHeader, read_header
from .llama_model import load_tokenizer

_SPECIAL_TYPES = (2, 3, 4)  # unknown, control, user-defined
# Which splitting expression each `tokenizer.ggml.pre` stands for.
_WORDS = r"\s+(?!\S)|\s+"
_GPT2 = rf"'(?:[sdmt]|ll|ve|re)| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|{_WORDS}"


def _modern(digits: str) -> str:
    return (
        rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|{_WORDS}"
    )


_SPLITS = {
    "gpt-2": _GPT2,
    "default": _GPT2,
    "qwen2": _modern(r"\p{N}"),
    "llama-bpe": _modern(r"\p{N}{1,3}"),
    "llama3": _modern(r"\p{N}{1,3}"),
}
_PROBE = (
    'for path in files.find(pattern="**/*.md"):\n    counts[path] = text.count(path=path)  # 12345 words\n\n'
    "I'll SEE: don't stop.\tTabs  and   spaces \r\n\r\n naïve café Ünïcödé 日本語テキスト 😀 x²+y³=z⁴ {'a': [1, 2.5e-3]}  \n"
)


class TiktokenTokenizer:
    """Encodes as llama.cpp does for the BPE vocabulary of one GGUF; special tokens are plain text here."""

    def __init__(self, encoding: Any, ids: Sequence[int], pieces: dict[int, bytes], cutter: SpecialCutter) -> None:
        self._encoding = encoding
        self._ids = ids
        self._pieces = pieces
        self.cutter = cutter

    @classmethod
    def from_gguf(cls, path: str | Path, *, check: bool = True) -> TiktokenTokenizer:
        """Build it; `BadModelFile` where the vocabulary is not BPE of a known kind or differs from llama.cpp's."""
        header = read_header(path)
        tokenizer = cls(*_build(header))
        if check:
            _compare(tokenizer, header)
        return tokenizer

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Ids of ordinary text; control strings are never parsed."""
        if special:
            raise ValueError("this tokenizer knows no special tokens; use the model's own")
        parts = self.cutter.parts(text)
        return [self._ids[rank] for part in parts for rank in self._encoding.encode_ordinary(part)]

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        return sum(len(self._encoding.encode_ordinary(part)) for part in self.cutter.parts(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        return b"".join(self.piece(token) for token in ids).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The bytes of one token."""
        return self._pieces[token]


def _build(header: GGUFHeader) -> tuple[Any, list[int], dict[int, bytes], SpecialCutter]:
    """The encoding over merge ranks, the id of each rank, and the bytes of each id."""
    import tiktoken

    split = _SPLITS.get(header.text("tokenizer.ggml.pre") or "default")
    tokens, merges = header.strings("tokenizer.ggml.tokens"), header.strings("tokenizer.ggml.merges")
    if header.text("tokenizer.ggml.model") != "gpt2" or split is None or not tokens or not merges:
        raise _refusal(header, "its vocabulary is not BPE with a known splitting rule")
    by_text = {token: number for number, token in enumerate(tokens)}
    ranks: dict[bytes, int] = {}
    ids: list[int] = []
    for text in [*_BYTES, *(merge.replace(" ", "", 1) for merge in merges)]:
        piece, number = _bytes_of(text), by_text.get(text)
        if piece is None or number is None:
            if text in _BYTES:
                raise _refusal(header, "its vocabulary lacks a byte")
            continue
        if piece not in ranks:
            ranks[piece] = len(ids)
            ids.append(number)
    pieces = {number: piece for number, token in enumerate(tokens) if (piece := _bytes_of(token)) is not None}
    encoding = tiktoken.Encoding(str(header.path), pat_str=split, mergeable_ranks=ranks, special_tokens={})
    types = header.array("tokenizer.ggml.token_type") or []
    special = (token for token, kind in zip(tokens, types, strict=False) if kind in _SPECIAL_TYPES)
    return encoding, ids, pieces, SpecialCutter(special)


def _compare(tokenizer: TiktokenTokenizer, header: GGUFHeader) -> None:
    own = load_tokenizer(header.path)
    tokenizer.cutter = SpecialCutter(own.special_texts)  # llama.cpp takes some tokens for special that the file does not
    if tokenizer.encode(_PROBE) != own.encode(_PROBE):
        raise _refusal(header, "tiktoken splits it differently from llama.cpp")


def _refusal(header: GGUFHeader, reason: str) -> BadModelFile:
    return BadModelFile(
        f"{header.path} cannot be counted with tiktoken: {reason}",
        where=str(header.path),
        mend="use load_tokenizer, which is llama.cpp's own",
    )


def _byte_characters() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTES = _byte_characters()


def _bytes_of(token: str) -> bytes | None:
    try:
        return bytes(_BYTES[character] for character in token)
    except KeyError:
        return None
