"""The policy lent to a server (sampling): only to servers that the user enabled it for, under a budget.

A request sees nothing of any episode: no tools, no prompt, no results, only what the server sends. Its text is untrusted and
is tokenised like that of a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .policies.base import Policy

REQUESTS = 20
"""What one server may ask in one runtime, ..."""
TOKENS = 8_192
"""... and the tokens of prompt and reply together that this may take."""
REPLY_TOKENS = 1_024
_SYSTEM = "You answer a program. Reply to the text that follows, and to nothing else."


class Lending:
    """Answers the sampling requests of servers with the policy of a runtime."""

    def __init__(self, policy: Callable[[], Awaitable[Policy]]) -> None:
        self._policy = policy
        self._asked: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._one = asyncio.Lock()

    async def answer(self, server: str, params: Any) -> Any:
        """The SDK's `CreateMessageResult`, or `ErrorData` where there is none."""
        from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, ErrorData

        text = _text(params)
        if text is None:
            return ErrorData(code=INVALID_PARAMS, message="only text messages without tools are answered")
        async with self._one:
            if self._asked.get(server, 0) >= REQUESTS or self._used.get(server, 0) >= TOKENS:
                return ErrorData(code=INTERNAL_ERROR, message="the sampling budget of this server is used up")
            self._asked[server] = self._asked.get(server, 0) + 1
            try:
                return await self._reply(server, params, text)
            except Exception as problem:  # whatever the model does, the server's call must end
                return ErrorData(code=INTERNAL_ERROR, message=f"the model failed: {type(problem).__name__}")

    async def _reply(self, server: str, params: Any, text: str) -> Any:
        from mcp_types import INVALID_PARAMS, CreateMessageResult, ErrorData, TextContent

        from .policies.base import Sampling

        policy = await self._policy()
        conversation = policy.conversation(_SYSTEM)
        size = conversation.size_with("user", text)
        left = TOKENS - self._used.get(server, 0) - size
        room = min(int(params.max_tokens), REPLY_TOKENS, left, policy.context_length - size - 1)
        if room < 1:
            return ErrorData(code=INVALID_PARAMS, message=f"the messages take {size} tokens, more than there is room for")
        conversation.add_user(text)
        sampling = Sampling(temperature=params.temperature or 0.0, seed=0, max_tokens=room, constrain_names=False)
        proposal = await policy.propose(conversation, sampling)
        self._used[server] = self._used.get(server, 0) + size + proposal.generated_tokens
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text=proposal.text), model=policy.identity.model,
            stop_reason="maxTokens" if proposal.finish == "length" else "endTurn",
        )  # fmt: skip


def _text(params: Any) -> str | None:
    """All messages as one text; None where one is no text, or tools are asked for."""
    if params.tools:
        return None
    parts = [str(params.system_prompt)] if params.system_prompt else []
    for message in params.messages:
        blocks = message.content if isinstance(message.content, list) else [message.content]
        if any(block.type != "text" for block in blocks):
            return None
        said = "\n".join(block.text for block in blocks)
        parts.append(said if len(params.messages) == 1 else f"{message.role}: {said}")
    return "\n\n".join(parts)
