"""One entry for all selectors that look at a single episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from ..errors import SelectorError
from .asked import AskedSelector
from .data_flow import data_flow
from .selected import SHARE, Selected
from .simple import all_turns, random_turns

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record
    from ...runtime.policies.base import Policy
    from ..practice.tasks import PracticeTask
    from .counterfactual import Counterfactual

SelectorKind = Literal["model", "counterfactual", "random", "all", "data_flow"]
KINDS: tuple[str, ...] = get_args(SelectorKind)


async def select(
    record: Record,
    *,
    kind: SelectorKind,
    share: float = SHARE,
    seed: int = 0,
    policy: Policy | None = None,
    counterfactual: Counterfactual | None = None,
    task: PracticeTask | None = None,
    solved: bool = True,
) -> Selected:
    """The turns of an episode that carry loss. Raises `SelectorError` where the selector cannot say."""
    if not 0 < share <= 1:
        raise SelectorError(f"the share is {share!r}", where="--share", mend="give a number above 0, at most 1")
    if kind == "all":
        return all_turns(record)
    if kind == "random":
        return random_turns(record, share=share, seed=seed)
    if kind == "data_flow":
        return data_flow(record, share=share)
    if kind == "model":
        if policy is None:
            raise SelectorError("no model to ask", where="--selector model", mend="name one as --selector-model")
        return await AskedSelector(policy, share=share, seed=seed).select(record)
    if counterfactual is None:
        raise SelectorError("nothing to fork with", where="--selector counterfactual", mend="give Counterfactual(...)")
    return (await counterfactual.select(record, task, solved))[0]
