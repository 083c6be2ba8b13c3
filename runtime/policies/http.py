"""The HTTP policy: any OpenAI-compatible endpoint, given as `http://host:port/v1#model-name`.

Token ids and log-probabilities are taken wherever the server returns them (vLLM, llama-server). Where it does not, the
proposal says so (`token_ids` is None, `sampler["token_ids"]` is False) and training by reinforcement leaves the episode out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from ..conversation import Conversation, Role
from .base import Counting, PolicyIdentity, Proposal, Sampling
from .defuse import defuse
from .errors import EndpointRefused, ModelNotFound
from .http_count import OPENING_TOKENS, EndpointCounter, bound
from .http_wire import Patience, Wire
from .name_table import Names

DEFAULT_CONTEXT_TOKENS = 8192
PICTURE_TOKENS = 1_600
"""What a picture is counted as before the endpoint reports the size of a prompt."""
_CALL_ID = "atlas0001"
_LISTED_MODELS = 8
# What is left out, one after the other, when a server refuses a request that asks for it.
_EXTRAS: tuple[dict[str, Any], ...] = (
    {"logprobs": True, "top_logprobs": 1, "return_token_ids": True, "return_tokens": True, "top_k": 0, "min_p": 0.0},
    {"logprobs": True, "top_logprobs": 1},
    {},
)


@dataclass
class _Answer:
    """A streamed answer as it is put together."""

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    logprob_ids: list[int] = field(default_factory=list)
    prompt_ids: list[int] | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    finish: str = ""
    thinking: bool = False

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one part; returns its text."""
        self._add_usage(chunk)
        ids = chunk.get("prompt_token_ids")
        if isinstance(ids, list):
            self.prompt_ids = [int(token) for token in ids]
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        choice = choices[0]
        self.finish = choice.get("finish_reason") or self.finish
        self._add_tokens(choice)
        delta = choice.get("delta") or choice.get("message") or {}
        text = self._tagged(str(delta.get("reasoning_content") or ""), str(delta.get("content") or ""))
        self.text += text
        return text

    def _tagged(self, thought: str, said: str) -> str:
        """Thinking that a server sends apart is put between tags, as models write it."""
        text = ""
        if thought:
            text = thought if self.thinking else f"<think>{thought}"
            self.thinking = True
        if said and self.thinking:
            text += "</think>"
            self.thinking = False
        return text + said

    def _add_usage(self, chunk: dict[str, Any]) -> None:
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.prompt_tokens = usage.get("prompt_tokens", self.prompt_tokens)
            self.generated_tokens = usage.get("completion_tokens", self.generated_tokens)

    def _add_tokens(self, choice: dict[str, Any]) -> None:
        ids = choice.get("token_ids")
        if isinstance(ids, list):
            self.token_ids += [int(token) for token in ids]
        logprobs = choice.get("logprobs")
        entries = logprobs.get("content") if isinstance(logprobs, dict) else None
        for entry in entries or []:
            if isinstance(entry, dict) and isinstance(entry.get("logprob"), int | float):
                self.logprobs.append(float(entry["logprob"]))
                if isinstance(entry.get("id"), int):  # llama-server
                    self.logprob_ids.append(entry["id"])

    def tokens(self) -> tuple[list[int] | None, list[float] | None]:
        """Ids and log-probabilities, each only if complete and of the same length."""
        ids = self.token_ids or self.logprob_ids or None
        values = self.logprobs or None
        if ids is not None and values is not None and len(ids) != len(values):
            ids = None
        return ids, values


class HttpConversation(Conversation):
    """Messages for an endpoint; its token ids are known to the server alone."""

    def __init__(self, system: str, policy: HttpPolicy) -> None:
        super().__init__(system)
        self._policy = policy
        self._reported = 0
        self._reported_messages = 0
        self._pictures: tuple[str, ...] = ()

    def attach(self, pictures: Sequence[str]) -> None:
        """Put pictures (as `data:` addresses) beside the first user message."""
        self._pictures = tuple(pictures)

    @property
    def pictures(self) -> tuple[str, ...]:
        """What was attached."""
        return self._pictures

    def size(self) -> int:
        """Tokens of the prompt if the policy were asked now: reported, counted, or an upper bound."""
        return self._size([message["content"] for message in self.messages])

    def size_with(self, role: Role, text: str) -> int:
        """The same with this message added."""
        return self._size([*(message["content"] for message in self.messages), text])

    def note_usage(self, prompt_tokens: int) -> None:
        """The endpoint reported the exact size of the prompt as it stands."""
        self._reported, self._reported_messages = prompt_tokens, len(self.messages)

    def _size(self, texts: list[str]) -> int:
        known = self._reported or OPENING_TOKENS + PICTURE_TOKENS * len(self._pictures)
        return known + bound(texts[self._reported_messages :], self._policy.count)

    def _add(self, role: Role, text: str) -> None:
        """The messages are all there is."""

    def _add_reply(self, proposal: Proposal) -> None:
        """The messages are all there is."""


class HttpPolicy:
    """A model behind an OpenAI-compatible endpoint."""

    def __init__(
        self,
        spec: str,
        *,
        api_key: str | None = None,
        api_key_host: str | None = None,
        context_tokens: int | None = None,
        profile: Literal["compact", "full"] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._base, self._model = split_address(spec)
        host = urlsplit(self._base).netloc
        self._withheld = (
            api_key is not None and api_key_host is not None and api_key_host not in (host, urlsplit(self._base).hostname)
        )
        headers = {"Authorization": f"Bearer {api_key}"} if api_key and not self._withheld else {}
        self._wire = Wire(self._base, headers, patience or Patience())
        self._counter = EndpointCounter(self._base, lambda: self._model, headers)
        self._context_known = context_tokens is not None
        self._known_profile = profile
        self._probed = False
        self._extras = 0
        self._result_role: Literal["tool", "user"] = "tool" if self.profile == "compact" else "user"
        self._merge_system = False
        self.context_length = context_tokens or DEFAULT_CONTEXT_TOKENS

    @property
    def identity(self) -> PolicyIdentity:
        """Endpoint and model name; the weights behind them are not known."""
        return PolicyIdentity(f"{self._base}#{self._model}", version="http")

    @property
    def counting(self) -> Counting:
        """`endpoint` once the server has counted tokens, else `bound`."""
        return "endpoint" if self._counter.available else "bound"

    @property
    def profile(self) -> Literal["compact", "full"]:
        """`compact` for a nano model that is served by name, else `full`."""
        if self._known_profile is not None:
            return self._known_profile
        return "compact" if PurePosixPath(self._model).stem.lower() in ("nano", "atlas-nano") else "full"

    def count(self, text: str) -> int | None:
        """Tokens of a text, or None where the endpoint cannot tell."""
        return self._counter.count(text)

    def conversation(self, system: str) -> HttpConversation:
        """A new, empty conversation under this system text."""
        return HttpConversation(system, self)

    async def propose(
        self,
        conversation: Conversation,
        sampling: Sampling,
        *,
        names: Names | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Proposal:
        """One reply; names cannot be constrained over HTTP."""
        if not isinstance(conversation, HttpConversation):
            raise TypeError("this conversation was not made by an HTTP policy")
        started = time.perf_counter()
        await self.prepare()
        answer = await self._ask(conversation, sampling, on_text)
        if answer.prompt_tokens:
            conversation.note_usage(answer.prompt_tokens)
        return self._proposal(answer, conversation, sampling, time.perf_counter() - started)

    async def prepare(self, tokens: int | None = None) -> None:
        """Find out the context and how the endpoint counts; a prompt can be planned only then.

        `tokens` is what the user wants prompt and reply to take together: it counts where no context is known. Raises
        `EndpointError` for an endpoint that does not answer, and `ModelNotFound`.
        """
        await self._probe()
        if tokens is not None and not self._context_known:
            self.context_length = max(self.context_length, tokens)
        if not self._counter.tried:
            await asyncio.to_thread(self._counter.count, "a")

    async def aclose(self) -> None:
        """Close the connections."""
        self._counter.close()
        await self._wire.aclose()

    async def _ask(
        self, conversation: HttpConversation, sampling: Sampling, on_text: Callable[[str], None] | None
    ) -> _Answer:
        """Ask, leaving out what this server refuses."""
        while True:
            answer = _Answer()
            try:
                async for chunk in self._wire.chunks("/chat/completions", self._body(conversation, sampling)):
                    text = answer.add(chunk)
                    if text and on_text is not None:
                        on_text(text)
                return answer
            except EndpointRefused as refusal:
                if answer.text or not self._adapt(refusal):
                    raise await self._explained(refusal) from None

    def _adapt(self, refusal: EndpointRefused) -> bool:
        """Change the form of the request after a refusal; False where there is nothing left to change."""
        message = refusal.message.lower()
        if refusal.status not in (400, 422, 500, 501):
            return False
        if self._extras + 1 < len(_EXTRAS):
            self._extras += 1
        elif self._result_role == "tool":
            self._result_role = "user"
        elif not self._merge_system and ("system" in message or "role" in message):
            self._merge_system = True
        else:
            return False
        return True

    async def _explained(self, refusal: EndpointRefused) -> Exception:
        if refusal.status == 404:
            names = await self._models()
            if names and self._model not in names:
                return ModelNotFound(
                    f"{self._base} has no model {self._model!r}; it has {_listed(names)}",
                    where=self._base,
                    mend=f"give {self._base}#{names[0]}",
                )
        if refusal.status in (401, 403) and self._withheld:
            refusal.mend = "the key was given for another host and was not sent; give one for this host"
        return refusal

    def _body(self, conversation: HttpConversation, sampling: Sampling) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": self._messages(conversation),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": 1.0,
            "seed": sampling.seed,
            "max_tokens": sampling.max_tokens,
            **_EXTRAS[self._extras],
        }

    def _messages(self, conversation: HttpConversation) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [self._message(message) for message in conversation.messages]
        if self._merge_system and len(messages) > 1:
            system, first = messages[0], messages[1]
            messages[:2] = [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}]
        if conversation.pictures:
            asked = next(message for message in messages if message["role"] == "user")
            shown = [{"type": "image_url", "image_url": {"url": one}} for one in conversation.pictures]
            asked["content"] = [{"type": "text", "text": asked["content"]}, *shown]
        return messages

    def _message(self, message: dict[str, str]) -> dict[str, str]:
        role, content = message["role"], message["content"]
        content = defuse(content, reply=role == "assistant")
        if role != "tool":
            return {"role": role, "content": content}
        if self._result_role == "user":
            return {"role": "user", "content": content}
        return {"role": "tool", "tool_call_id": _CALL_ID, "content": content}

    async def _probe(self) -> None:
        """Once: the model's name where none was given, and its context length where the server tells."""
        if self._probed:
            return
        listing = await self._wire.get("/models")
        entries = listing.get("data") if isinstance(listing, dict) else None
        models = [entry for entry in entries or [] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        if not self._model:
            self._model = self._only_model([entry["id"] for entry in models])
        entry = next((entry for entry in models if entry["id"] == self._model), None)
        reported = None if entry is None or self._context_known else _context_of(entry)
        if reported is not None:
            self.context_length, self._context_known = reported, True
        self._probed = True

    async def _models(self) -> list[str]:
        listing = await self._wire.get("/models")
        entries = listing.get("data") if isinstance(listing, dict) else None
        return [entry["id"] for entry in entries or [] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    def _only_model(self, names: list[str]) -> str:
        if len(names) == 1:
            return names[0]
        what = f"it has {_listed(names)}" if names else "and it lists none"
        raise ModelNotFound(
            f"{self._base} was given without a model name; {what}",
            where=self._base,
            mend=f"give {self._base}#{names[0] if names else 'model-name'}",
        )

    def _proposal(self, answer: _Answer, conversation: HttpConversation, sampling: Sampling, seconds: float) -> Proposal:
        ids, logprobs = answer.tokens()
        exact = sampling.temperature in (0.0, 1.0) and self._extras == 0
        text = answer.text
        sampler: dict[str, object] = {
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "greedy": sampling.temperature == 0,
            "top_p": 1.0,
            "max_tokens": sampling.max_tokens,
            "constrain_names": False,
            "token_ids": ids is not None,
            "untruncated": self._extras == 0,
        }
        if answer.prompt_ids is not None:
            sampler["prompt_ids"] = answer.prompt_ids
        return Proposal(
            text=text,
            token_ids=ids,
            logprobs=logprobs,
            logprobs_at_temperature=logprobs if exact else None,
            prompt_tokens=answer.prompt_tokens or conversation.size(),
            generated_tokens=answer.generated_tokens or (len(ids) if ids else len(text.encode("utf-8", "replace"))),
            finish="length" if answer.finish == "length" else "stop",
            seconds=seconds,
            sampler=sampler,
        )


def split_address(spec: str) -> tuple[str, str]:
    """The base URL (without user or password) and the model name of `http://host:port/v1#model`."""
    parts = urlsplit(spec)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelNotFound(
            f"{spec!r} is not the address of an endpoint", where=spec, mend="give http://host:port/v1#model-name"
        )
    if parts.username or parts.password:
        raise ModelNotFound(
            f"the address of {parts.hostname} holds a password", where=parts.hostname, mend="give the key in ATLAS_API_KEY"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), unquote(parts.fragment)


def _context_of(entry: dict[str, Any]) -> int | None:
    """Context length in a model listing: vLLM's, llama-server's."""
    meta = entry.get("meta") if isinstance(entry.get("meta"), dict) else {}
    for value in (
        entry.get("max_model_len"),
        (meta or {}).get("n_ctx"),
        (meta or {}).get("n_ctx_train"),
        entry.get("context_length"),
    ):
        if isinstance(value, int) and value > 0:
            return value
    return None


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_LISTED_MODELS])
    return shown + (f" and {len(names) - _LISTED_MODELS} more" if len(names) > _LISTED_MODELS else "")
