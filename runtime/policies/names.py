"""Lets only existing names come out where a tool or a parameter is being written.

At such places a mask over the vocabulary is computed from the piece index; elsewhere the constraint costs next to nothing.
The mask is exact: a token is left out if and only if writing it would make `NameState.allows` false (the property test
compares the two), so the probability mass that it kept is the true one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from .name_state import CODE, Frame, NameState, judged
from .name_table import Names, NameTable
from .pieces import Groups, Mask, PieceIndex

__all__ = ["NameConstraint", "NameState", "Names"]

_REMEMBERED = 256


class NameConstraint:
    """`Names` over one vocabulary."""

    def __init__(self, names: Names, index: PieceIndex) -> None:
        self._table = NameTable(names)
        self._index = index
        servers = self._table.tools.keys()
        self._inner_dots = [token for token, words in index.inner_dots if words & servers]
        simple = [token for token, _, _ in index.simple_arguments]
        self._leaving = index.leaving(
            {*self._inner_dots, *index.inner_arguments, *simple, *index.fresh_lines, *_all(index.keyword)}
            | set(index.brackets if self._table.required else ())
        )
        self._ends = [token for token in range(index.size) if index.control[token]] if names.required else []
        self._masks: OrderedDict[tuple[object, ...], Mask | None] = OrderedDict()

    def start(self, *, thinking: bool = False) -> NameState:
        """The state before the first token of a reply."""
        return NameState(self._table, thinking=thinking)

    def mask(self, state: NameState) -> Mask | None:
        """True for the tokens that may come next; None where all may."""
        key = state.signature()
        if key not in self._masks:
            if len(self._masks) >= _REMEMBERED:
                self._masks.popitem(last=False)
            self._masks[key] = self._compute(state)
        return self._masks[key]

    def _compute(self, state: NameState) -> Mask | None:
        if state.key is not None:
            return self._key_mask(state, state.key)
        if state.mode is not CODE:
            return self._without(None, state, self._risky(state) if state.ends_unless_quoted else self._leaving)
        if state.server is not None:
            mask: Mask | None = self._tool_mask(state, state.server)
        elif state.names_argument:
            mask = self._name_mask(state)
        elif state.strict and not state.attribute:
            mask = self._argument_mask(state)
        else:
            mask = None
        mask = self._without(mask, state, self._risky(state))
        banned = self._wrong_keywords(state) + self._wrong_arguments(state) + self._wrong_tools(state)
        if banned or (state.frames and self._table.required):
            mask = self._index.everything.copy() if mask is None else mask
            mask[banned] = False
            mask[self._ends if state.frames and self._table.required else []] = False
        return mask if mask is None or mask.any() else None  # a vocabulary that cannot write the name is left alone

    def _key_mask(self, state: NameState, written: bytes) -> Mask | None:
        """Within a key in brackets: tokens that go on with one that may stand there."""
        ahead = {key[len(written) :][:1] or bytes((state.quote,)) for key in state.keys if key.startswith(written)}
        mask = self._index.empty.copy()
        for token, piece in enumerate(self._index.pieces):
            if piece[:1] in ahead and not self._index.control[token]:
                mask[token] = state.allows(piece)
        return mask if mask.any() else None

    def _tool_mask(self, state: NameState, server: bytes) -> Mask:
        """After `server.`: tokens that go on with the name of one of its tools."""
        mask = self._index.empty.copy()
        self._allow_words(mask, state, self._table.tools[server])
        return mask

    def _argument_mask(self, state: NameState) -> Mask:
        """At the first word of an argument: parameters and known names, or an expression that begins otherwise."""
        words = state.argument_words()
        if state.word[:1].isdigit():
            return self._index.everything.copy()
        if state.word:
            mask = self._index.empty.copy()
            self._allow_words(mask, state, words)
            return mask
        mask = ~self._index.argument_led
        if not state.frames:
            mask |= self._index.line_led  # outside of brackets the next line is another statement
        for word in words:
            self._allow_word(mask, state, word, self._index.whole, self._index.begun)
            self._allow_word(mask, state, word, self._index.blank_whole, self._index.blank_begun)
        return mask

    def _name_mask(self, state: NameState) -> Mask:
        """In a call that is written whole: the name of an argument, its `=`, or the bracket that ends the call."""
        index, mask = self._index, self._index.empty.copy()
        candidates = [*index.blank]
        if state.word or state.arg_word is not None:
            candidates += index.keyword.get(b"", ())
        else:
            candidates += index.closing
        groups = [index.whole, index.begun] + ([] if state.word else [index.blank_whole, index.blank_begun])
        for name in state.unused() if state.arg_word is None else ():
            rest = name[len(state.word) :] if name.startswith(state.word) else b""
            for length in range(1, len(rest) + 1):
                candidates += [token for group in groups for token in group.get(rest[:length], ())]
        for token in candidates:
            mask[token] = state.allows(index.pieces[token])
        return mask

    def _allow_words(self, mask: Mask, state: NameState, words: Iterable[bytes]) -> None:
        """Allow what continues the word in progress towards one of `words`, and what may follow a finished one."""
        for word in words:
            if not word.startswith(state.word):
                continue
            rest = word[len(state.word) :]
            if rest:
                self._allow_word(mask, state, rest, self._index.whole, self._index.begun)
            else:
                mask |= self._index.not_word_led

    def _allow_word(
        self, mask: Mask, state: NameState, word: bytes, whole: dict[bytes, list[int]], begun: dict[bytes, list[int]]
    ) -> None:
        for length in range(1, len(word) + 1):
            for token in whole.get(word[:length], ()):
                mask[token] = True
        for token in begun.get(word, ()):
            mask[token] = mask[token] or state.allows(self._index.pieces[token])

    def _without(self, mask: Mask | None, state: NameState, risky: Iterable[int]) -> Mask | None:
        for token in risky:
            if mask is not None and not mask[token]:
                continue
            if not state.allows(self._index.pieces[token]):
                mask = self._index.everything.copy() if mask is None else mask
                mask[token] = False
        return mask

    def _risky(self, state: NameState) -> set[int]:
        """Tokens that could write a name which does not exist, from inside code."""
        index = self._index
        risky = set(self._inner_dots)
        if state.server is None and not state.attribute:
            for ending in self._table.server_endings.get(state.word, ()):
                risky.update(index.dotted.get(ending, ()))
        in_call = bool(state.frames) and any(frame.tool for frame in state.frames)
        if in_call or state.calling is not None:
            risky.update(index.inner_arguments if self._table.variables is not None else index.inner_keywords)
        if self._table.required and (in_call or state.calling in self._table.required):
            risky.update(index.brackets)
        if in_call:
            risky.update(index.fresh_lines)
            unused = state.unused()
            for groups in self._keyword_groups(state):
                for word, tokens in groups.items():
                    if (state.arg_word or state.word) + word in unused:
                        risky.update(tokens)
        return risky

    def _keyword_groups(self, state: NameState) -> list[Groups]:
        """Tokens that could write the `=` of a keyword argument here, by the word that they put before it."""
        index = self._index
        if not state.frames or state.frames[-1].tool is None:
            return []
        if state.arg_word is not None:
            return [{b"": index.keyword.get(b"", [])}]
        if state.arg_first:
            return [index.keyword]
        if state.arg_start:
            return [{word: tokens for word, tokens in index.keyword.items() if word}, index.blank_keyword]
        return []

    def _wrong_keywords(self, state: NameState) -> list[int]:
        """Those of them whose word is no parameter; the lexer need not be asked."""
        if state.mode is not CODE:
            return []
        unused, written = state.unused(), state.arg_word or state.word
        return [
            token
            for groups in self._keyword_groups(state)
            for word, tokens in groups.items()
            if written + word not in unused
            for token in tokens
        ]

    def _wrong_tools(self, state: NameState) -> list[int]:
        """Tokens like `.word` that would name a tool which its server does not have."""
        if state.server is not None or state.attribute or state.beside_a_name:
            return []
        banned: list[int] = []
        for ending in self._table.server_endings.get(state.word, ()):
            server = state.word + ending
            if server not in state.bound:
                beginnings = self._table.tool_beginnings[server]
                for word, tokens in self._index.attributes.get(ending, {}).items():
                    if word not in beginnings:
                        banned += tokens
        return banned

    def _wrong_arguments(self, state: NameState) -> list[int]:
        """Tokens like `(word` and `,word` that begin an argument with an unknown name, under the strict rule."""
        if self._table.variables is None:
            return []
        ahead, here = self._parameters_ahead(state), None
        if state.frames and state.frames[-1].tool is not None and judged(state.frames):
            here = state.unused()
        own = {sign: words | state.bound for sign, words in ((b"(", ahead), (b",", here)) if words is not None}
        known = dict.fromkeys(own, self._table.known_beginnings)
        if state.named_only and here is not None:
            own[b","], known[b","] = here, frozenset()
        return [
            token
            for token, opener, word in self._index.simple_arguments
            if opener in own and word not in known[opener] and not any(name.startswith(word) for name in own[opener])
        ]

    def _parameters_ahead(self, state: NameState) -> frozenset[bytes] | None:
        """Parameters of the tool whose name has just been written, if a bracket now would call it and they are judged."""
        callee = state.calling
        if callee is None or not judged((*state.frames, Frame(callee))):
            return None
        return self._table.parameters.get(callee)


def _all(groups: dict[bytes, list[int]]) -> list[int]:
    return [token for tokens in groups.values() for token in tokens]
