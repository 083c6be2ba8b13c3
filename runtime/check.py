"""`--check COMMAND`: a command of the user says whether the task was solved (exit code 0)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .events import Event, Notice

if TYPE_CHECKING:
    from .episodes.episode import Episode
    from .episodes.store import EpisodeStore

CHECK_SECONDS = 300.0
_SHOWN_BYTES = 2_000
_VARIABLE_BYTES = 100_000
"""What the answer may take in the environment: Linux allows 131,072 bytes a variable."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the command said."""

    solved: bool
    detail: str


async def checked(
    episode: Episode, command: str, workspace: Path, store: EpisodeStore, emit: Callable[[Event], None]
) -> Episode:
    """The episode with what `command` says of it, which the log keeps; a failed check is told as a notice."""
    verdict = await run_check(command, workspace, answer=episode.answer, status=episode.status, episode=episode.id)
    reward = 1.0 if verdict.solved else 0.0
    store.set_outcome(episode.id, "checked", reward, verdict.detail)
    if not verdict.solved:
        emit(Notice(episode.id, f"the check failed: {verdict.detail}"))
    return replace(episode, outcome="checked", reward=reward)


async def run_check(command: str, workspace: Path, *, answer: Any, status: str, episode: str) -> Verdict:
    """Run `command` in the workspace, the answer on its standard input and in `ATLAS_ANSWER` (text as it is, else JSON)."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    shown = text.encode("utf-8")[:_VARIABLE_BYTES].decode("utf-8", "ignore")
    environment = os.environ | {"ATLAS_ANSWER": shown, "ATLAS_STATUS": status, "ATLAS_EPISODE": episode}
    for key in ("ATLAS_API_KEY", "ATLAS_ENCODER_KEY"):
        environment.pop(key, None)
    process = await asyncio.create_subprocess_shell(
        command, cwd=workspace, env=environment, start_new_session=True, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            said, _ = await process.communicate(text.encode("utf-8"))
    except TimeoutError:
        return Verdict(False, f"the check did not end within {CHECK_SECONDS:.0f} s")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    output = said[-_SHOWN_BYTES:].decode("utf-8", "replace").strip()
    return Verdict(process.returncode == 0, f"exit code {process.returncode}" + (f": {output}" if output else ""))
