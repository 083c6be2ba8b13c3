"""Follows a reply byte by byte and knows where a tool or parameter name is being written.

This is a small error-tolerant lexer, not a parser: it only has to know strings, comments, brackets with the tool that each
belongs to, and names. Strings (also f-strings), comments, prose and thinking are opaque: nothing is constrained there.
A server name that the reply binds to a value of its own (`text = files.read(...)`) is free from then on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .name_table import KEYWORDS, NameTable

CODE, COMMENT, STRING, THINKING = "code", "comment", "string", "thinking"

_IDENTIFIER = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") | frozenset(range(0x80, 0x100))
_BLANK = frozenset(b" \t\r\f")
_NEWLINE, _QUOTES, _OPEN, _CLOSE = 0x0A, frozenset(b"'\""), frozenset(b"([{"), frozenset(b")]}")
_BINDERS = {b"for": b"in", b"as": b"", b"import": b"\n", b"def": b":", b"lambda": b":", b"class": b":"}
_TAIL_BYTES = 12
_BEFORE_OPERANDS = frozenset(
    (b"in", b"if", b"elif", b"while", b"return", b"not", b"and", b"or", b"is", b"else", b"await", b"assert", b"raise")
)
_SUBSCRIPT = re.compile(rb"(?:[)\]]|(?<![\w\x80-\xff])(?!(?:" + b"|".join(KEYWORDS) + rb")\[)[\w\x80-\xff]+)\[[\"']\Z")
_WORD = re.compile(rb"[\w\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Frame:
    """An open bracket: the tool whose arguments it holds, and the keyword arguments already given."""

    tool: bytes | None = None
    used: frozenset[bytes] = frozenset()


def judged(frames: Sequence[Frame]) -> bool:
    """True where the first word of an argument must be known already: not beside a name that is bound further on.

    `answer([f(x) for x in xs])` binds `x` behind its use. Tools of servers are called by keywords there, too.
    """
    return not frames or b"." in (frames[-1].tool or b"") or all(frame.tool is not None for frame in frames)


class NameState:
    """The lexer after some reply. `feed` returns False where the piece wrote a name that does not exist."""

    __slots__ = (
        "arg_first",
        "arg_start",
        "arg_word",
        "attribute",
        "awaited",
        "binding",
        "bound",
        "callee",
        "escaped",
        "frames",
        "key",
        "keys",
        "mode",
        "opening",
        "previous",
        "quote",
        "ready",
        "run",
        "server",
        "simple",
        "table",
        "tail",
        "targets",
        "triple",
        "word",
        "written",
    )

    awaited: bool
    """True where the value of a named argument must come."""
    key: bytes | None
    """What is written so far of a key in brackets; None elsewhere."""
    keys: frozenset[bytes]
    """What it may become."""

    ready: bool
    """True where an operand must come: its first word, if the next piece begins with it, is a known name."""

    def __init__(self, table: NameTable, *, thinking: bool = False) -> None:
        self.table = table
        self.mode = THINKING if thinking else CODE
        self.quote, self.triple, self.run, self.opening, self.escaped = 0, False, 0, False, False
        self.tail = self.written = b""
        self.key, self.keys = None, frozenset()
        self.frames: tuple[Frame, ...] = ()
        self.bound: frozenset[bytes] = frozenset()
        self._new_line()

    def copy(self) -> NameState:
        """An independent state at the same place."""
        other = NameState.__new__(NameState)
        for name in NameState.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def allows(self, piece: bytes) -> bool:
        """True where writing `piece` next keeps every name an existing one."""
        return self.copy().feed(piece)

    @property
    def strict(self) -> bool:
        """True where the word being written must be a parameter or a known name."""
        return (
            self.table.variables is not None
            and judged(self.frames)
            and (self.arg_start or self.arg_first or self.ready)
        )

    @property
    def calling(self) -> bytes | None:
        """The tool or function whose name has just been written, if a bracket now would call it."""
        if self.server is not None:
            return self.server + b"." + self.word
        if self.callee is None and not self.attribute and self.is_function(self.word):
            return self.word
        return self.callee

    def is_function(self, word: bytes) -> bool:
        """True for a function of the run that the reply has not bound to a value of its own."""
        return word in self.table.functions and word not in self.bound

    @property
    def beside_a_name(self) -> bool:
        """True where a name stands right before the word being written, which makes the line prose."""
        return bool(self.previous) and self.previous not in KEYWORDS

    @property
    def ends_unless_quoted(self) -> bool:
        """True after `""`: an empty string has ended unless a third quote follows."""
        return self.mode is STRING and self.opening and self.run == 2

    def argument_words(self) -> frozenset[bytes]:
        """What the first word of the argument being written may be, under the strict rule."""
        return self.unused() if self.named_only else self.unused() | self.bound | self.table.known

    @property
    def named_only(self) -> bool:
        """True where an argument of a server's tool has been given by name, so that the next ones must be, too."""
        by_name = bool(self.frames) and bool(self.frames[-1].used) and b"." in (self.frames[-1].tool or b"")
        return by_name or self.whole_call

    @property
    def whole_call(self) -> bool:
        """True directly within the brackets of a call that must be written whole."""
        return bool(self.frames) and self.frames[-1].tool in self.table.required

    @property
    def names_argument(self) -> bool:
        """True where such a call takes the name of an argument, or the `=` behind it, and nothing else."""
        place = self.arg_start or self.arg_first or self.arg_word is not None
        return place and self.whole_call and not self.attribute

    @property
    def complete(self) -> bool:
        """True where nothing that the innermost call needs is missing."""
        return not self.whole_call or self.table.required[self.frames[-1].tool or b""] <= self.frames[-1].used

    def unused(self) -> frozenset[bytes]:
        """Parameters of the innermost tool call that were not given yet."""
        frame = self.frames[-1] if self.frames else Frame()
        return frozenset() if frame.tool is None else self.table.parameters[frame.tool] - frame.used

    def signature(self) -> tuple[object, ...]:
        """Everything that decides what may come next; equal signatures share a mask."""
        if self.mode is not CODE:
            return (
                self.mode,
                self.quote,
                self.triple,
                self.run,
                self.opening,
                self.escaped,
                self.frames,
                self.arg_start,
                self.binding,
                self.tail if self.mode is THINKING else b"",
                self._bound_key(),
                self.key,
                self.keys,
            )
        return (
            self.word,
            self.attribute,
            self.server,
            self.callee,
            self.frames,
            self.arg_start,
            self.arg_first,
            self.arg_word,
            self.awaited,
            self.previous,
            self.ready,
            self.simple and self.targets,
            self._bound_key(),
            self.binding,
            self.tail[-7:],
        )

    def feed(self, piece: bytes) -> bool:
        """Go on with `piece`; False where a name in it does not exist (the state goes on all the same)."""
        good, index, end = True, 0, len(piece)
        begun = self.key is not None
        self._take_place()
        while index < end:
            byte = piece[index]
            if self.mode is CODE:
                if byte in _IDENTIFIER:
                    good &= self._letter(byte)
                else:
                    good &= self._end_word(byte)
                    if self.mode is CODE:
                        following = piece[index + 1] if index + 1 < end else -1
                        good &= self._sign(byte, following, self.tail + piece[: index + 1])
                        index += byte == 0x3D and following == 0x3D
                    elif byte == _NEWLINE:
                        self._start_line()
            elif self.mode is STRING:
                good &= self._in_key(byte, begun)
                index -= self._in_string(byte)
            elif self.mode is COMMENT:
                if byte == _NEWLINE:
                    self._start_line()
            elif byte == 0x3E and (self.tail + piece[: index + 1]).endswith(b"</think>"):
                self._start_line()
            index += 1
        self.tail = (self.tail + piece)[-_TAIL_BYTES:]
        self.written += piece
        if self.key is not None and not begun:
            self.keys = (self.table.keys or frozenset()) | frozenset(_WORD.findall(self.written))
        return good and self._unfinished()

    def _take_place(self) -> None:
        """The place of an operand, opened by an earlier piece: a word that begins in the same piece is not judged."""
        if self.ready and self.mode is CODE:
            self.ready, self.arg_start = False, True

    def _bound_key(self) -> frozenset[bytes]:
        return self.bound if self.table.variables is not None else frozenset(self.bound & self.table.tools.keys())

    def _unfinished(self) -> bool:
        """True where the word in progress can still become an existing name."""
        if self.mode is not CODE:
            return self.key is None or any(key.startswith(self.key) for key in self.keys)
        if self.server is not None:
            return self.word in self.table.tool_beginnings[self.server]
        if self.strict and self.word and (self.whole_call or not 0x30 <= self.word[0] <= 0x39):
            own = self.unused() if self.named_only else self.unused() | self.bound
            known = not self.named_only and self.word in self.table.known_beginnings
            return known or any(name.startswith(self.word) for name in own)
        return True

    def _new_line(self) -> None:
        self.word, self.attribute = b"", False
        self.server: bytes | None = None
        self.callee: bytes | None = None
        self.arg_start = self.arg_first = False
        self.arg_word: bytes | None = None
        self.previous = b""
        self.ready = self.awaited = False
        self.targets: tuple[bytes, ...] = ()
        self.simple = True
        self.binding: bytes | None = None

    def _start_line(self) -> None:
        """A newline: inside brackets the argument goes on, outside a statement begins."""
        if self.mode is THINKING or not self.frames:
            self.frames = ()
            self._new_line()
        self.mode = CODE
        self.previous = b""

    def _opaque_line(self) -> None:
        """The rest of the line is no program text."""
        self.frames = ()
        self._new_line()
        self.mode = COMMENT

    def _letter(self, byte: int) -> bool:
        good = True
        if not self.word:
            good = self.arg_word is None or not self.whole_call
            self.arg_first = self.arg_start and not self.attribute
            self.arg_start = self.ready = self.awaited = False
            self.arg_word = self.callee = None
        self.word += bytes((byte,))
        return good

    def _end_word(self, byte: int) -> bool:
        """A word ends before `byte`; False where it had to be an existing name and is not."""
        word, self.word = self.word, b""
        if self.server is not None:
            server, self.server, self.attribute = self.server, None, False
            self.callee = server + b"." + word
            self.previous = word
            if word in self.table.tools[server]:
                return True
            self.callee = None
            return False
        if not word:
            self.attribute = False
            return True
        first, self.arg_first = self.arg_first, False
        if self.attribute:
            self.attribute, self.previous = False, word
            return True
        good = self._check_argument(word) if first else True
        if self.beside_a_name and word not in KEYWORDS and byte not in _QUOTES:
            self._opaque_line()  # two names side by side: this line is prose
            return good
        self._note_word(word, byte)
        if first:
            self.arg_word = word
        self.ready = word in _BEFORE_OPERANDS and not self.frames
        if self.is_function(word):
            self.callee = word
        if byte == 0x2E and word in self.table.tools and word not in self.bound:
            self.server = word
        return good

    def _check_argument(self, word: bytes) -> bool:
        if self.table.variables is None or not judged(self.frames):
            return True
        return (not self.whole_call and 0x30 <= word[0] <= 0x39) or word in self.argument_words()

    def _note_word(self, word: bytes, byte: int) -> None:
        """Remember what binds names: assignment targets, loop variables, imports, parameters."""
        self.previous = word
        if self.binding is not None:
            if word == self.binding:
                self.binding = None
            else:
                self.bound |= {word}
                if self.binding == b"":
                    self.binding = None
        elif word in _BINDERS:
            self.binding = _BINDERS[word]
        if self.simple and not self.frames and word not in KEYWORDS:
            self.targets += (word,)

    def _sign(self, byte: int, following: int, seen: bytes) -> bool:
        """A character outside names, strings and comments."""
        if byte in _BLANK:
            return True
        if byte == _NEWLINE:
            self._start_line()
            return True
        good = self._fits(byte, following)
        self.awaited = byte == 0x3D and self.arg_word is not None and self.whole_call
        good &= self._equals(following) if byte == 0x3D else True
        self.ready = byte == 0x3D and following != 0x3D and not self.frames
        dotted = self.server
        self.previous = b""
        callee, self.callee = self.callee, None
        self.arg_word = None
        if byte == 0x2E:
            self.attribute, self.arg_start, self.simple = True, False, False
            self.server = dotted
            return good
        if byte in _OPEN:
            tool = callee if byte == 0x28 else None
            self.frames += (Frame(tool),)
            self.arg_start = tool is not None
        elif byte in _CLOSE:
            self.frames = self.frames[:-1]
            self.arg_start = False
        elif byte == 0x2C:
            self.arg_start = bool(self.frames) and self.frames[-1].tool is not None
            return good
        else:
            self._other(byte, seen)
        self.simple = False
        return good

    def _fits(self, byte: int, following: int) -> bool:
        """Whether the character can stand here in a call that must be written whole."""
        if not self.whole_call:
            return True
        if self.arg_word is not None:
            return byte == 0x3D and following != 0x3D
        if byte == 0x29:
            return self.complete and not self.awaited
        if byte == 0x2C:
            return not self.arg_start and not self.awaited
        return not self.arg_start and byte not in _CLOSE

    def _other(self, byte: int, seen: bytes) -> None:
        self.arg_start = False
        if byte == 0x3A:
            self.binding = None
            if self.simple and not self.frames:
                self.bound |= frozenset(self.targets)
        elif byte == 0x23:
            self.mode = COMMENT
        elif byte in _QUOTES:
            self.mode, self.quote = STRING, byte
            self.key = b"" if self.table.keys is not None and _SUBSCRIPT.search(seen) else None
            self.triple, self.run, self.opening, self.escaped = False, 1, True, False
        elif byte == 0x60:
            self._opaque_line()
        elif byte == 0x3E and seen.endswith(b"<think>"):
            self.mode = THINKING

    def _equals(self, following: int) -> bool:
        if following == 0x3D:
            return True
        if self.frames:
            frame, word = self.frames[-1], self.arg_word
            if frame.tool is None or word is None:
                return True
            good = word in self.unused()
            self.frames = (*self.frames[:-1], Frame(frame.tool, frame.used | {word}))
            return good
        if self.simple:
            self.bound |= frozenset(self.targets)
        return True

    def _in_key(self, byte: int, begun: bool) -> bool:
        """One byte of a string that may be a key; False where one ends that does not exist.

        A key that begins and goes on in one piece is not judged.
        """
        if self.key is None:
            return True
        if not begun:
            self.key, self.keys = None, frozenset()
            return True
        if byte != self.quote and byte != _NEWLINE:
            self.key += bytes((byte,))
            return True
        known, self.key, self.keys = byte == self.quote and self.key in self.keys, None, frozenset()
        return known

    def _in_string(self, byte: int) -> int:
        """One byte of a string; returns 1 where the byte is to be read again as code."""
        if self.opening:
            if byte == self.quote:
                self.run += 1
                if self.run == 3:
                    self.triple, self.opening, self.run = True, False, 0
                return 0
            self.opening = False
            if self.run == 2:  # an empty string
                self.mode = CODE
                return 1
            self.run = 0
        if self.escaped:
            self.escaped = False
        elif byte == 0x5C:
            self.escaped, self.run = True, 0
        elif byte == self.quote:
            self.run += 1
            if not self.triple or self.run == 3:
                self.mode, self.run = CODE, 0
        elif byte == _NEWLINE and not self.triple:
            self._start_line()
        else:
            self.run = 0
        return 0
