"""What every token of a vocabulary writes, grouped so that the name constraint finds the few that matter at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

_WORD = rb"[A-Za-z0-9_\x80-\xff]"
_LEAD = re.compile(rb"([ \t\r\n\f]*)(" + _WORD + rb"*)(.*)", re.DOTALL)
_KEYWORD = re.compile(rb"[ \t\r\n\f]*=(?!=)")
_INNER_DOT = re.compile(rb"(?:^|[^A-Za-z0-9_\x80-\xff])(" + _WORD + rb"+)\.(?=.)", re.DOTALL)
_INNER_ARGUMENT = re.compile(rb"[(,][ \t\r\n\f]*" + _WORD)
_INNER_KEYWORD = re.compile(rb"[(,][ \t\r\n\f]*" + _WORD + rb"+[ \t\r\n\f]*=(?!=)")
_SIMPLE_ARGUMENT = re.compile(rb"[ \t]*([(,])[ \t]*([A-Za-z_\x80-\xff]" + _WORD + rb"*)")
_ATTRIBUTE = re.compile(rb"\." + _WORD + rb"+")
_FRESH_LINE = re.compile(rb"\n[ \t\r\n\f]*" + _WORD)
_BRACKET = re.compile(rb"[(,)\]}]")
_LEAVES = re.compile(rb"['\"\n>]")

Mask = npt.NDArray[np.bool_]
Groups = dict[bytes, list[int]]


class PieceIndex:
    """Groups of token ids by the identifier with which their text begins, and by risky content."""

    def __init__(self, pieces: Sequence[bytes], control: Iterable[int] = ()) -> None:
        self.pieces = list(pieces)
        self.size = len(self.pieces)
        self.control = np.zeros(self.size, dtype=np.bool_)
        self.control[list(control)] = True
        self.whole: Groups = {}
        """Pieces that are one identifier run."""
        self.begun: Groups = {}
        """Pieces that begin with an identifier run and go on with something else."""
        self.blank_whole: Groups = {}
        """The same after leading blanks."""
        self.blank_begun: Groups = {}
        self.dotted: Groups = {}
        """Pieces that begin with a run, then a dot, a word and more; under `b""` those that begin with the dot."""
        self.attributes: dict[bytes, Groups] = {}
        """Those of them that end with the word after the dot: by the run, then by that word."""
        self.keyword: Groups = {}
        """Pieces that begin with a run (or nothing) and then `=`."""
        self.blank_keyword: Groups = {}
        self.inner_dots: list[tuple[int, frozenset[bytes]]] = []
        """Pieces with `word.` and more somewhere inside, with those words."""
        self.simple_arguments: list[tuple[int, bytes, bytes]] = []
        """Pieces that are `(` or `,` and a word: token, sign, word."""
        self.inner_arguments: list[int] = []
        """Other pieces in which an argument begins."""
        self.inner_keywords: list[int] = []
        self.fresh_lines: list[int] = []
        """Pieces with a newline and a word after it, which matter where a comment stands among arguments."""
        self.brackets: list[int] = []
        """Pieces with a bracket or comma after which a call may be incomplete."""
        self.blank: list[int] = []
        """Pieces of blanks only."""
        self.closing: list[int] = []
        """Pieces that begin with `)`, perhaps after blanks."""
        self.not_word_led = np.ones(self.size, dtype=np.bool_)
        """False for pieces that begin with an identifier character."""
        self.argument_led = np.zeros(self.size, dtype=np.bool_)
        """True for pieces that begin with a word, perhaps after blanks."""
        self.line_led = np.zeros(self.size, dtype=np.bool_)
        """True for those of them with a newline among the blanks."""
        for token, piece in enumerate(self.pieces):
            if piece and not self.control[token]:
                self._add(token, piece)
        self.everything = np.ones(self.size, dtype=np.bool_)
        self.nothing = np.zeros(self.size, dtype=np.bool_)
        self.empty = np.array([not piece for piece in self.pieces], dtype=np.bool_) & ~self.control

    def leaving(self, tokens: Collection[int]) -> list[int]:
        """Those of `tokens` that can end a string, a comment or a thought."""
        return [token for token in tokens if _LEAVES.search(self.pieces[token])]

    def _add(self, token: int, piece: bytes) -> None:
        lead = _LEAD.match(piece)
        assert lead is not None
        blanks, word, rest = lead.groups()
        if word:
            self.not_word_led[token] = bool(blanks)
            self.argument_led[token] = not word[:1].isdigit()
            self.line_led[token] = b"\n" in blanks
            groups = (self.blank_begun, self.blank_whole) if blanks else (self.begun, self.whole)
            groups[not rest].setdefault(word, []).append(token)
        if rest[:1] == b"." and len(rest) > 1 and not blanks:
            if _ATTRIBUTE.fullmatch(rest):
                self.attributes.setdefault(word, {}).setdefault(rest[1:], []).append(token)
            else:
                self.dotted.setdefault(word, []).append(token)
        if b"=" in piece and (_KEYWORD.match(rest) if word else _KEYWORD.match(piece)):
            (self.blank_keyword if blanks and word else self.keyword).setdefault(word, []).append(token)
        if not word:
            if not rest:
                self.blank.append(token)
            elif rest[:1] == b")":
                self.closing.append(token)
        if _BRACKET.search(piece):
            self.brackets.append(token)
        self._add_inner(token, piece)

    def _add_inner(self, token: int, piece: bytes) -> None:
        words = frozenset(_INNER_DOT.findall(piece)) if b"." in piece else frozenset()
        if words:
            self.inner_dots.append((token, words))
        if b"\n" in piece and _FRESH_LINE.search(piece):
            self.fresh_lines.append(token)
        if (b"(" in piece or b"," in piece) and _INNER_ARGUMENT.search(piece):
            self._add_argument(token, piece)

    def _add_argument(self, token: int, piece: bytes) -> None:
        simple = _SIMPLE_ARGUMENT.fullmatch(piece)
        if simple is not None:
            self.simple_arguments.append((token, simple.group(1), simple.group(2)))
            return
        self.inner_arguments.append(token)
        if _INNER_KEYWORD.search(piece):
            self.inner_keywords.append(token)
