"""Finding tools by meaning: the tools of a space as vectors, made lazily, and how near queries are to each of them.

Only texts that were never encoded are; those are told to the cache in batches, so that an interrupted start is gone on with.
Whatever goes wrong, searching goes on by words: the trouble is said once, and the encoder is asked again after a while.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import numpy as np

from .encoding import Encoder, Vectors, encoded
from .errors import EncoderError
from .tool import Tool
from .vectors import VectorCache, text_key
from .words import plain

Notify = Callable[[str], None]
BATCH = 128
"""Texts that are encoded, and kept, at once."""
ASKED_AGAIN_SECONDS = 60.0
"""So long an encoder that failed is left alone."""
_DESCRIPTION_CHARS = 300
_WORTH_SAYING = 200
"""Fewer new texts are encoded without a word."""


def tool_text(tool: Tool) -> str:
    """What is encoded of a tool: its server's name, its own, and the beginning of its description."""
    server = plain(tool.server_name or tool.server)
    return f"{server}: {plain(tool.tool_name or tool.name)}. {tool.description[:_DESCRIPTION_CHARS]}"


class Meaning:
    """The tools of one space as an encoder sees them; `tools` are asked for only where their vectors are not kept."""

    def __init__(
        self,
        encoder: Encoder,
        tools: Callable[[], Iterable[Tool]],
        size: int,
        *,
        key: str = "",
        cache: VectorCache | None = None,
        notify: Notify | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` names the space in the cache: equal keys, equal tools."""
        self._encoder, self._tools, self._size, self._key = encoder, tools, size, key
        self._cache = cache or VectorCache(None)
        self._notify = notify or (lambda line: None)
        self._clock = clock
        self._vectors: Vectors | None = None
        self._told = ""
        self._failed_at: float | None = None
        self._stopped = threading.Event()
        self._making = threading.Lock()

    def near(self, queries: Sequence[str]) -> Vectors | None:
        """How near each query (a row) is to each tool, from -1 to 1; None where the encoder cannot say."""
        return self._trying(lambda: self._near(queries))

    def prepare(self) -> None:
        """Make the vectors now; takes minutes for thousands of tools that were never encoded. `stop` ends it early."""
        self._trying(self._ready)

    async def prepared(self) -> None:
        """`prepare` without holding up anything else; who gives up waiting ends it."""
        work = asyncio.create_task(asyncio.to_thread(self.prepare))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stop()
            await work
            raise

    def stop(self) -> None:
        """Make no more vectors; what was made is kept."""
        self._stopped.set()

    def _trying(self, work: Callable[[], Vectors | None]) -> Vectors | None:
        if not self._size or (self._failed_at is not None and self._clock() - self._failed_at < ASKED_AGAIN_SECONDS):
            return None
        try:
            try:
                return work()
            except _OtherSize:  # another model under the same name: what was kept is of no use
                self._vectors = None
                with suppress(OSError, sqlite3.Error):
                    self._cache.forget(self._encoder.identity)
                return work()
        except Exception as problem:  # an encoder comes from outside: nothing that it does ends a search
            self._fail(problem)
            return None

    def _fail(self, problem: Exception) -> None:
        if self._stopped.is_set():
            return
        self._failed_at = self._clock()
        place = getattr(problem, "where", "")
        told = f"{place}: {problem}" if place else f"{type(problem).__name__}: {problem}"
        if told != self._told:
            self._told = told
            self._notify(f"tools are searched by words only: {told}")

    def _near(self, queries: Sequence[str]) -> Vectors | None:
        vectors = self._ready()
        return None if vectors is None else self._encoded(queries, vectors.shape[1]) @ vectors.T

    def _encoded(self, texts: Sequence[str], dimensions: int | None) -> Vectors:
        found = encoded(self._encoder, texts)
        if dimensions is not None and found.shape[1] != dimensions:
            raise _OtherSize(
                f"its vectors cannot be used: {found.shape[1]} numbers each, {dimensions} before",
                where=self._encoder.identity, mend="name one model",
            )  # fmt: skip
        return found

    def _ready(self) -> Vectors | None:
        """The vectors of all tools; None where `stop` came first."""
        with self._making:
            identity = self._encoder.identity
            if self._vectors is None and self._key:
                with suppress(OSError, sqlite3.Error):
                    self._vectors = self._cache.space(identity, self._key, self._size)
            if self._vectors is None:
                self._vectors = made = self._made(identity)
                if made is not None and self._key:
                    with suppress(OSError, sqlite3.Error):
                        self._cache.keep_space(identity, self._key, made)
            return self._vectors

    def _made(self, identity: str) -> Vectors | None:
        texts = [tool_text(tool) for tool in self._tools()]
        keys = [text_key(text) for text in texts]
        known: dict[bytes, Vectors] = {}
        with suppress(OSError, sqlite3.Error):
            known = self._cache.known(identity, [*dict.fromkeys(keys)])
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if len(new) >= _WORTH_SAYING:
            self._notify(f"encoding {len(new):,} tools for the search; this is done once")
        by_length = sorted(new, key=lambda key: len(new[key]))  # texts of one length make full batches
        for first in range(0, len(by_length), BATCH):
            if self._stopped.is_set():
                return None
            some = by_length[first : first + BATCH]
            dimensions = len(next(iter(known.values()))) if known else None
            made = dict(zip(some, self._encoded([new[key] for key in some], dimensions), strict=True))
            with suppress(OSError, sqlite3.Error):
                self._cache.keep(identity, made)
            known |= made
        return np.stack([known[key] for key in keys])


class _OtherSize(EncoderError):
    """The encoder's vectors are not as long as those of before."""
