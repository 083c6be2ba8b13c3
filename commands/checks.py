"""The checks of `atlas doctor`, each a finding of one line; a check that fails says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from .report import UNREACHABLE, USAGE, describe
from .settings import Settings

LOW_DISK_MB = 500
PACKAGES = ("llama-cpp-python", "mcp", "RestrictedPython", "duckdb", "torch")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    state: Literal["ok", "warning", "wrong"]
    detail: str
    mend: str = ""
    exit_code: int = USAGE


async def all_checks(home: Path, settings: Settings, *, start: bool = True) -> list[Finding]:
    """Every check, in the order in which one would go about it; `start` lets servers be started."""
    return [
        *versions(),
        *disk(home),
        *log(home),
        *sandbox(),
        *await model(settings),
        *search(settings),
        *await servers(home, settings, start=start),
    ]


def versions() -> Iterator[Finding]:
    """Atlas, Python, and the packages that decide how it behaves."""
    from .. import __version__

    yield Finding(
        "atlas", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.release()}"
    )
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            if name == "torch":
                found.append("torch absent (needed only for training)")
            else:
                yield Finding(name, "wrong", "not installed", "install Atlas again: make install")
    yield Finding("packages", "ok", ", ".join(found))


def disk(home: Path) -> Iterator[Finding]:
    """Where the state lies, who can read it, and how much room is left."""
    free_mb = shutil.disk_usage(home).free // 2**20
    where = f"{home}, {free_mb:,} MB free"
    if free_mb < LOW_DISK_MB:
        yield Finding("disk", "wrong", where, "free some space, or set ATLAS_HOME to a folder on another disk")
    elif not os.access(home, os.W_OK):
        yield Finding("disk", "wrong", f"{home} cannot be written to", "mend its permissions, or set ATLAS_HOME")
    else:
        yield Finding("disk", "ok", where)
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        yield Finding("privacy", "warning", f"{home} has mode {mode:04o}: others can look in", f"chmod 700 {home}")


def log(home: Path) -> Iterator[Finding]:
    """Whether the log of episodes, where there is one, can be opened: every run needs it."""
    from ..runtime.episodes.store import FILE_NAME, open_store
    from ..runtime.errors import StoreError

    if not (home / FILE_NAME).exists():
        return
    try:
        with open_store(home) as store:
            yield Finding("episodes", "ok", f"{len(store.ids()):,} in {store.where}")
    except StoreError as problem:
        yield Finding("episodes", "wrong", f"{problem.where}: {problem.message}", problem.mend)


def sandbox() -> Iterator[Finding]:
    """Which layers hold a program in."""
    from ..sandbox import Sandbox, SandboxError

    try:
        with Sandbox(unsafe=True) as worker:  # so that what is missing is listed, not only the first thing
            layers = worker.guarantees()
    except SandboxError as problem:
        yield Finding("sandbox", "wrong", problem.message, problem.mend)
        return
    for layer, in_force, detail in layers:
        if in_force:
            yield Finding(f"sandbox {layer}", "ok", detail)
        elif layer == "seccomp":
            mend = "use Linux 5.13 or newer on x86_64 or aarch64; --unsafe-sandbox runs without it"
            yield Finding("sandbox seccomp", "wrong", detail, mend)
        else:
            yield Finding(
                f"sandbox {layer}", "warning", detail, "the layer is missing on this kernel; the others still hold"
            )


async def model(settings: Settings) -> list[Finding]:
    """Load the policy and ask it for a single token."""
    from ..runtime.policies import Sampling, load_policy

    spec = settings.model
    try:
        policy = load_policy(spec, adapter=settings.adapter)
        try:
            conversation = policy.conversation("Reply with a program.")
            conversation.add_user("task: say hello")
            proposal = await policy.propose(conversation, Sampling(max_tokens=8))
        finally:
            await policy.aclose()
    except Exception as problem:
        failure = describe(problem)
        where = f"{failure.where}: " if failure.where else ""
        return [Finding("model", "wrong", f"{spec}: {where}{failure.message}", failure.mend, failure.exit_code)]
    detail = (
        f"{spec}, {proposal.prompt_tokens} tokens read and {proposal.generated_tokens} written in {proposal.seconds:.2f} s"
    )
    return [Finding("model", "ok", f"{detail}, takes {policy.context_length:,} tokens, counted: {policy.counting}")]


def search(settings: Settings) -> Iterator[Finding]:
    """What finds tools: words, and an encoder where one is set; it is asked for a vector."""
    from importlib.util import find_spec

    from ..runtime.encoders.minilm import PACKAGE
    from ..runtime.encoders.naming import NONE, load_encoder
    from ..tools_registry.encoding import encoded

    spec = settings.search_encoder
    if spec == NONE:
        more = "; minilm is installed and not used: `[search]`, `encoder = \"minilm\"` in atlas.toml uses it"
        yield Finding("search", "ok", f"by words{more if find_spec(PACKAGE) else ''}")
        return
    try:
        encoder = load_encoder(spec)
        assert encoder is not None
        started = time.perf_counter()
        length = encoded(encoder, ["find a file"]).shape[1]
        seconds = time.perf_counter() - started
    except Exception as problem:
        failure = describe(problem)
        where = f"{failure.where}: " if failure.where else ""
        yield Finding("search", "wrong", f"{spec}: {where}{failure.message}", failure.mend, failure.exit_code)
        return
    detail = f"by words and by meaning: {spec}, {length} numbers a text, the first in {seconds:.2f} s"
    yield Finding("search", "ok", detail)


async def servers(home: Path, settings: Settings, *, start: bool) -> list[Finding]:
    """What each configured server costs; one that was not started is told from the catalogue."""
    from ..tools_registry.config import load_config
    from .server_costs import known_costs, measured_costs

    if not settings.mcp:
        return [Finding("servers", "ok", "the toolbox only (no --mcp, and no mcp.json in use)")]
    found: list[Finding] = []
    configs = []
    for path in settings.mcp:
        try:
            configs += load_config(path, workspace=settings.workspace)
        except Exception as problem:
            failure = describe(problem)
            found.append(Finding("servers", "wrong", f"{failure.where}: {failure.message}", failure.mend, failure.exit_code))
    costs = await measured_costs(configs, home) if start else known_costs(configs, home)
    for cost in costs:
        state: Literal["ok", "warning", "wrong"] = "wrong" if cost.problem else "warning" if cost.remarks else "ok"
        found.append(Finding(f"server {cost.name}", state, cost.problem or cost.text, cost.mend, UNREACHABLE))
    return found
