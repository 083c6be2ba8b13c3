"""What a runtime answers when a server asks something: questions to the person, text of the policy, the workspace folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .asking import Asking
from .lending import Lending

if TYPE_CHECKING:
    from ..tools_registry.config import ServerConfig


def callbacks_for(config: ServerConfig, asking: Asking, lending: Lending, workspace: Path) -> Mapping[str, Any]:
    """What the SDK's client is to call for one server. What is left out is not offered to the server at all.

    The policy is lent to servers with `"sampling": true` only; the workspace is told to processes of this machine only.
    """

    async def elicit(context: Any, params: Any) -> Any:
        return await asking.answer(config.name, params)

    async def sample(context: Any, params: Any) -> Any:
        return await lending.answer(config.name, params)

    async def roots(context: Any) -> Any:
        from mcp_types import ListRootsResult, Root

        return ListRootsResult(roots=[Root.model_validate({"uri": workspace.resolve().as_uri(), "name": workspace.name})])

    given: dict[str, Any] = {"elicitation_callback": elicit}
    if config.sampling:
        given["sampling_callback"] = sample
    if config.transport == "stdio":
        given["list_roots_callback"] = roots
    return given
