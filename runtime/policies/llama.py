"""The llama.cpp policy: any GGUF with a chat template, in this process, with its own decoding loop.

The loop exists because training needs what the high-level interface does not give: the sampled ids, their log-probability
under the raw model and under the very distribution that was sampled, and a KV cache that keeps the prompt's prefix from turn
to turn. Nothing is truncated; the only mask is the name constraint, and it is logged.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .adapter_swap import AdapterVersion, PinnedPolicy
from .base import Counting, PolicyIdentity, Profile, Proposal, Sampling
from .errors import PromptTooLong
from .file_hash import FileHash
from .llama_model import LlamaModel
from .names import NameConstraint, Names
from .sampling import Sampler, Step
from .token_conversation import TokenConversation, TokenTemplate

_MARGIN_TOKENS = 8


class LlamaPolicy:
    """A GGUF model in this process; one proposal at a time."""

    counting: Counting = "exact"

    def __init__(
        self,
        path: str | Path,
        *,
        adapter: str | Path | None = None,
        adapter_name: str | None = None,
        context_tokens: int | None = None,
        threads: int | None = None,
        thinking: bool = False,
        name: str | None = None,
    ) -> None:
        self._model = LlamaModel(Path(path).expanduser(), context_tokens=context_tokens, threads=threads)
        self._name = name or self._model.path.stem
        self._hash = FileHash(self._model.path)
        self._version = AdapterVersion()
        self._busy = asyncio.Lock()
        self._decoding = threading.RLock()
        self._constraints: dict[Names, NameConstraint] = {}
        self.context_length = self._model.context_length
        self.profile: Profile = "compact" if self._model.profile == "compact" else "full"
        try:
            self._template = TokenTemplate(self._model.chat_shape(thinking=thinking), self._model.tokenizer)
            if adapter is not None:
                self.use_adapter(adapter, name=adapter_name)
        except BaseException:
            self._model.close()
            raise

    @property
    def identity(self) -> PolicyIdentity:
        """The model file and adapter in use, by hash."""
        return self.identity_of(self._version)

    def identity_of(self, version: AdapterVersion) -> PolicyIdentity:
        """The same for another version of the adapter."""
        return PolicyIdentity(self._name, self._hash.value, version.name, version.hash, self._model.version)

    @property
    def template(self) -> TokenTemplate:
        """The delimiters as token ids; training builds its rows with the same."""
        return self._template

    def use_adapter(self, path: str | Path | None, *, name: str | None = None) -> None:
        """Answer with this LoRA adapter (GGUF) from now on, or with none; the KV cache of the old weights is dropped.

        A reply in progress and pinned policies go on with the version they began with. `name` is what is logged. Raises
        `AdapterError` for an adapter of another model, and keeps the old one then.
        """
        version = self._load(path, name)
        self._version = version
        if self._decoding.acquire(blocking=False):  # else the next reply applies it
            try:
                self._model.apply(version.loaded)
            finally:
                self._decoding.release()

    def pinned(self, *adapter: str | Path | None, name: str | None = None) -> PinnedPolicy:
        """This policy with its present adapter, or the one given (None: without), unchanged by later swaps."""
        return PinnedPolicy(self, self._load(adapter[0], name) if adapter else self._version)

    def _load(self, path: str | Path | None, name: str | None) -> AdapterVersion:
        if path is None:
            return AdapterVersion()
        file = Path(path).expanduser()
        loaded = self._model.load_adapter(file, lambda: self._hash.value)
        return AdapterVersion(name or str(path), FileHash(file), loaded)  # hashed while the next reply is computed

    def conversation(self, system: str) -> TokenConversation:
        """A new, empty conversation under this system text."""
        return TokenConversation(system, self._template)

    async def propose(
        self,
        conversation: object,
        sampling: Sampling,
        *,
        names: Names | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Proposal:
        """One reply; cancelling stops the decoding after the token in progress."""
        if not isinstance(conversation, TokenConversation):
            raise TypeError("this conversation was not made by a llama.cpp policy")
        prompt, stop, version = conversation.prompt_ids(), threading.Event(), conversation.version
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            if on_text is not None:
                loop.call_soon_threadsafe(on_text, text)

        async with self._busy:
            work = loop.run_in_executor(None, lambda: self.generate(prompt, sampling, names, tell, stop, version))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait([work])
                raise

    def generate(
        self,
        prompt: list[int],
        sampling: Sampling,
        names: Names | None = None,
        on_text: Callable[[str], None] = lambda text: None,
        stop: threading.Event | None = None,
        version: AdapterVersion | None = None,
    ) -> Proposal:
        """The same for a list of ids, in the calling thread; training's rollouts use it directly."""
        with self._decoding:
            self._model.check_open()
            self._model.apply((version or self._version).loaded)
            return self._generate(prompt, sampling, names, on_text, stop)

    def _generate(
        self,
        prompt: list[int],
        sampling: Sampling,
        names: Names | None,
        on_text: Callable[[str], None],
        stop: threading.Event | None,
    ) -> Proposal:
        started = time.perf_counter()
        room = self.context_length - len(prompt)
        if room < _MARGIN_TOKENS:
            raise PromptTooLong(
                f"the prompt has {len(prompt)} tokens, the context of {self._name} holds {self.context_length}",
                where=self._name,
                mend="lower --budget, or load the model with a larger context",
            )
        constraint = self._constraint(names) if sampling.constrain_names and names else None
        reused = self._model.read(prompt, stop)
        sampler = Sampler(sampling, constraint, self._template.shape.thinks)
        reply = _Reply(self._template, on_text)
        for count in range(min(sampling.max_tokens, room) if self._model.has_read(prompt) else 0):
            step = sampler.step(self._model.logits())
            if reply.add(step, self._model.tokenizer.piece(step.token)) or (stop is not None and stop.is_set()):
                break
            sampler.accept(self._model.tokenizer.piece(step.token))
            if count + 1 < min(sampling.max_tokens, room):
                self._model.read_one(step.token)
        return self._proposal(prompt, reply, sampler, reused, time.perf_counter() - started)

    async def aclose(self) -> None:
        """Free the model; a proposal in progress is waited for, also one that nobody else waits for any more."""
        async with self._busy:
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._decoding:  # a proposal cancelled twice has left `_busy` before its thread ended
            self._model.close()

    def _constraint(self, names: Names) -> NameConstraint:
        if names not in self._constraints:
            if len(self._constraints) > 8:
                self._constraints.clear()
            self._constraints[names] = NameConstraint(names, self._model.piece_index)
        return self._constraints[names]

    def _proposal(self, prompt: list[int], reply: _Reply, sampler: Sampler, reused: int, seconds: float) -> Proposal:
        steps = reply.steps
        marked = [position for position, step in enumerate(steps) if step.kept_mass is not None]
        settings = sampler.settings() | {
            "kept_mass": [steps[position].kept_mass for position in marked],
            "kv_type": self._model.kv_type,
            "prefix_reused": reused,
        }
        return Proposal(
            text=reply.text,
            token_ids=[step.token for step in steps],
            logprobs=[step.logprob for step in steps],
            logprobs_at_temperature=[step.logprob_at_temperature for step in steps],
            prompt_tokens=len(prompt),
            generated_tokens=len(steps),
            finish="stop" if reply.ended else "length",
            seconds=seconds,
            sampler=settings,
            constrained=marked,
        )


class _Reply:
    """The reply as it grows: its steps, its text so far, and when it ends."""

    def __init__(self, template: TokenTemplate, on_text: Callable[[str], None]) -> None:
        self._template = template
        self._on_text = on_text
        self._stop = (template.stop_text or "").encode()
        self._shown = 0
        self._starts: list[int] = []
        self._bytes = bytearray()
        self.steps: list[Step] = []
        self.ended = False

    def add(self, step: Step, piece: bytes) -> bool:
        """Take one token; True when the reply is complete."""
        self.steps.append(step)
        if self._template.is_end(step.token) or step.token in self._template.openers:
            self.ended = True
            self._show(final=True)
            return True
        self._starts.append(len(self._bytes))
        self._bytes += piece
        if self._stop and (found := self._bytes.find(self._stop)) >= 0:
            self._cut(found)
            return True
        self._show()
        return False

    @property
    def text(self) -> str:
        """The reply without its end."""
        return self._bytes.decode("utf-8", "replace")

    def _cut(self, at: int) -> None:
        """Drop the tokens that began to write the next turn; the template writes that delimiter itself."""
        keep = sum(1 for start in self._starts if start < at)
        self.steps = self.steps[:keep]
        del self._bytes[at:]
        self.ended = True
        self._show(final=True)

    def _show(self, *, final: bool = False) -> None:
        """Pass on what is complete: no half character, and nothing that may turn out to be the stop text."""
        end = len(self._bytes) if final else max(self._shown, len(self._bytes) - max(len(self._stop) - 1, 0))
        fresh = bytes(self._bytes[self._shown : end])
        if not final:
            while fresh and _half_character(fresh):
                fresh = fresh[:-1]
        if fresh:
            self._shown += len(fresh)
            self._on_text(fresh.decode("utf-8", "replace"))


def _half_character(data: bytes) -> bool:
    """True where `data` ends inside a UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return False
        if byte >= 0xC0:
            return back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
    return False
