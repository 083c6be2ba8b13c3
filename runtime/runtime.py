"""`Runtime`: a policy over a toolspace, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .approval import Approval, Approve
from .asking import Asking
from .check import checked
from .episodes.codec import clean
from .episodes.episode import Episode
from .episodes.forking import copy_prefix
from .episodes.journal import Journal
from .episodes.replay import Replay
from .episodes.store import EpisodeStore, open_store
from .errors import UsageError
from .events import EpisodeFinished, Event
from .gate import Gate, InFlight
from .home import RESULTS_FOLDER, atlas_home
from .hosting import callbacks_for
from .kept import Kept
from .lanes import Lanes
from .lending import Lending
from .loop import Run
from .observed import Observed
from .options import MAX_TURNS, OUTPUT_TOKENS, Acting, RunOptions
from .pausing import Clocks
from .pictures import as_data
from .policies.pinning import pinned
from .preparing import prepare
from .prompting import Prompting, system_for
from .resending import Resending
from .resuming import as_it_was, check_identity, check_resumable, check_workspace, options_of
from .setup import HostFunction, Setup, as_recorded
from .subset import part_of
from .toolspace import CATALOGUE_FILE, Tools, checked_workspace, open_registry, toolbox_names
from .view import Loading, View
from .worked import Worked

if TYPE_CHECKING:
    from ..sandbox import Limits, Outcome
    from ..tools_registry.encoding import Encoder
    from ..tools_registry.registry import Registry
    from ..tools_registry.server import Callbacks
    from .episodes.rows import Record
    from .policies.base import Policy

T = TypeVar("T")
Emit = Callable[[Event], None]


class Runtime:
    """A policy, the tools it may use and the log of what it does.

        async with Runtime(model="nano", mcp="mcp.json", workspace=".", approve="auto") as runtime:
            episode = await runtime.run("How many words are in notes.md?")
            print(episode.status, episode.answer)

    Several runs at once are fine; each has a sandbox of its own. The model is loaded at the first run. When the block
    ends, no task, process or connection is left.
    """

    def __init__(
        self,
        model: str | Policy = "nano",
        *,
        mcp: str | Path | Sequence[str | Path] | None = None,
        workspace: str | Path = ".",
        tools: Tools = (),
        approve: Approve = "ask",
        budget: int | None = None,
        max_turns: int = MAX_TURNS,
        loading: Loading = "search",
        acting: Acting = "program",
        adapter: str | Path | None = "auto",
        seed: int = 0,
        temperature: float = 0.0,
        constrain_names: bool = True,
        output_tokens: int = OUTPUT_TOKENS,
        check: str | None = None,
        log: bool = True,
        limits: Limits | None = None,
        overlap: bool = True,
        toolbox: bool = True,
        unsafe_sandbox: bool = False,
        home: str | Path | None = None,
        store: EpisodeStore | None = None,
        remember: bool = True,
        search_encoder: str | Encoder = "none",
        now: Callable[[], datetime] | None = None,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        """`tools` are Python functions (server `app`) and MCP servers of this process, or servers by name.

        `adapter` is a LoRA file, `latest`, `none`, or `auto`: the adapter that training promoted for this model, if any.
        `overlap` lets calls of read-only tools that do not depend on each other be under way at once (`limits` says how
        many). `output_tokens` is what the output of one program may take in the prompt. `now` replaces the clock of the
        toolbox and of programs; `home` replaces `ATLAS_HOME`; `log` False keeps the episodes in memory, and a `store` of the
        caller's takes them instead of the log; `remember` False makes nothing of earlier episodes; `search_encoder` finds
        tools by meaning beside words (`minilm`, a .gguf file, `http://host:port/v1#model`, or an encoder); `on_notice` gets
        lines about what takes long.
        """
        self.options = RunOptions(
            budget=budget, max_turns=max_turns, loading=loading, acting=acting, seed=seed, temperature=temperature,
            constrain_names=constrain_names, overlap=overlap, output_tokens=output_tokens,
        )  # fmt: skip
        Approval(approve)  # a wrong value is told now
        self._model = model
        self._adapter = None if adapter in (None, "none") else adapter
        self._mcp = [Path(path) for path in _listed(mcp)]
        self.workspace = checked_workspace(Path(workspace))
        self._tools, self._toolbox, self._approve = tools, toolbox, approve
        self._check, self._log, self._limits = check, log, limits
        self._unsafe, self._now, self._on_notice = unsafe_sandbox, now, on_notice
        self._home = Path(home) if home is not None else None
        self._stack = AsyncExitStack()
        self._registry: Registry | None = None
        self._store = store
        self._policy: Policy | None = None
        self._loading_policy = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._clocks = Clocks()
        self._results = Path()
        self._search_encoder = search_encoder
        self._remembers = log and store is None and remember

    # -- the block

    async def __aenter__(self) -> Self:
        home = self._home or (atlas_home() if self._log or self._mcp else None)
        try:
            if self._store is None:
                own = open_store(home) if self._log and home is not None else EpisodeStore(None)
                self._store = self._stack.enter_context(own)
            self._results = self._results_folder(home)
            self._registry = await self._stack.enter_async_context(open_registry(
                home if self._mcp else None, self._mcp, self.workspace, toolbox=self._toolbox, tools=self._tools,
                now=self._now, on_progress=self._on_notice, callbacks=self._callbacks(), may_sign_in=True,
                encoder=self._encoder(), vectors=home / CATALOGUE_FILE if home is not None else None,
            ))  # fmt: skip
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._stack.aclose()

    def _encoder(self) -> Encoder | None:
        if not isinstance(self._search_encoder, str):
            return self._search_encoder
        from .encoders.naming import load_encoder

        return load_encoder(self._search_encoder)

    @property
    def results(self) -> Path:
        """The folder of results that were kept in files, pictures among them."""
        return self._results

    @property
    def registry(self) -> Registry:
        """The tools of this runtime."""
        return _open(self._registry)

    @property
    def store(self) -> EpisodeStore:
        """The log of episodes."""
        return _open(self._store)

    async def policy(self) -> Policy:
        """The model, loaded at the first use."""
        async with self._loading_policy:
            if self._policy is None:
                if isinstance(self._model, str):
                    from .policies.spec import load_policy

                    self._policy = await asyncio.to_thread(
                        load_policy, self._model, adapter=self._adapter, home=self._home
                    )
                    self._tell_adapter(self._policy)
                    self._stack.push_async_callback(self._policy.aclose)
                else:
                    self._policy = self._model
            return self._policy

    async def use_adapter(self, adapter: str | Path | None) -> None:
        """Swap the adapter of the live model: a file, `latest`, the name of a stored adapter, or None for the base alone.

        Runs in progress go on with the one they began with; the next ones take this. Raises `AdapterError` for an adapter
        that does not fit, and `UsageError` for a model that takes none.
        """
        from .policies.spec import swap_adapter

        await asyncio.to_thread(swap_adapter, await self.policy(), adapter, self._home)

    def _tell_adapter(self, policy: Policy) -> None:
        if self._adapter == "auto" and policy.identity.adapter and self._on_notice is not None:
            self._on_notice(f"using the adapter {policy.identity.adapter} (--adapter none runs without it)")

    # -- what it does

    async def run(
        self, task: str, *, on_event: Emit | None = None, split: str | None = None, hidden: Collection[str] = (),
        origin: str | None = None, policy: Policy | None = None, route: Mapping[str, Any] | None = None,
        spec: Mapping[str, Any] | None = None, setup: Setup | None = None,
    ) -> Episode:  # fmt: skip
        """Run a task to its end.

        `split` marks the episode (`heldout` ones are never used for training); `hidden` tools are kept out of the first
        view, so that the policy has to search for them; `origin` is the name of a generated task, by which training can
        make its world again. `policy` does the task instead of the runtime's model, as a router chose it: `route` says why,
        and `spec` by which `model_spec` and `adapter_spec` it can be loaded again; both are logged. `setup` changes how
        this run goes.
        """
        if not task.strip():
            raise UsageError("the task is empty", where="task", mend="say what is to be done")
        task = clean(task)
        policy = pinned(policy if policy is not None else await self.policy())
        setup = setup or Setup()
        options = setup.options or self.options
        await prepare(policy, options)
        settings = self._settings(policy, options, setup) | ({"origin": origin} if origin else {}) | dict(spec or {})
        settings |= {"route": dict(route)} if route else {}
        journal = Journal.begin(
            self.store, task, policy.identity, settings, counting=policy.counting, atlas=_version(),
            split=split,
        )  # fmt: skip
        return await self._watched(
            self._episode(task, policy, options, journal, on_event or _ignore, hidden=frozenset(hidden),
                          preferred=(route or {}).get("tool"), setup=setup)
        )  # fmt: skip

    async def stream(
        self, task: str | None = None, *, resume: str | None = None, in_flight: InFlight = "ask", split: str | None = None
    ) -> AsyncIterator[Event]:
        """Run a task, or go on with an episode, and yield what happens; leaving the loop early interrupts the run."""
        if (task is None) == (resume is None):
            raise UsageError("stream takes a task or resume=", where="Runtime.stream", mend="give one of them")
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        if task is not None:
            work = asyncio.create_task(self.run(task, on_event=events.put_nowait, split=split))
        else:
            work = asyncio.create_task(self.resume(resume or "latest", in_flight=in_flight, on_event=events.put_nowait))
        work.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await work
        finally:
            if not work.done():
                work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def execute(self, program: str, *, functions: Mapping[str, HostFunction] | None = None) -> Outcome:
        """Run a program with no model, as `atlas exec` does; nothing is logged. `functions` are its own besides tools."""
        from ..sandbox import Sandbox

        with EpisodeStore(None) as store:
            journal = Journal.begin(store, "", _no_policy(), {}, counting="exact", atlas=_version())
            setup = Setup(functions=functions or {})
            view = View(self.registry, "search", hosted=setup.schemas())
            kept = Kept(self._results, journal.episode)
            gate = Gate(
                view, Approval(self._approve), journal, _ignore, lanes=self._lanes(), kept=kept, functions=setup.functions
            )
            with (
                Sandbox(self._limits, unsafe=self._unsafe, overlap=self.options.overlap) as sandbox,
                self._clocks.counting(sandbox),
            ):
                gate.paused = sandbox.paused
                return await sandbox.arun(
                    program, tools=view.schemas(), call=gate, now=lambda: gate.clock(self._time), read_only=view.read_only()
                )

    async def resume(
        self, episode: str = "latest", *, in_flight: InFlight = "ask", on_event: Emit | None = None,
        policy: Policy | None = None, setup: Setup | None = None,
    ) -> Episode:  # fmt: skip
        """Go on with an episode whose run was interrupted: no call with a recorded return is sent again.

        The workspace must be that of the episode (`fork` takes another); `EpisodeError` names it.
        `in_flight` decides about a call that was in flight when the run died and is not known to be repeatable: `repeat`
        it, `report` it to the program (`ToolError` of kind `unknown_fate`), `stop` with `UnknownFate`, `ask` at the
        terminal (and stop where there is none), or a function that returns one of the first three. `policy` and `setup`
        are those that the episode was run with, where they were not the runtime's own.
        """
        record = self.store.get(episode)
        check_resumable(self.store, record)
        check_workspace(record, self.workspace)
        policy = policy or as_it_was(record, await self.policy(), self._adapter, self._home)
        await prepare(policy, options_of(record, self.options))
        check_identity(record, policy)
        journal = Journal.go_on(self.store, record.episode)
        record = self.store.get(record.episode.id)  # loading the model took its time, and nobody else writes it now
        return await self._go_on(record, policy, journal, on_event, in_flight=in_flight, setup=setup)

    async def fork(
        self, episode: str, at: int = 0, *, after_turn: int | None = None, workspace: str | Path | None = None,
        resend: bool = False, seed: int | None = None, temperature: float | None = None,
        on_event: Emit | None = None, split: str | None = None,
    ) -> Episode:  # fmt: skip
        """Another continuation of an episode from its call number `at` on, as an episode of its own (`.parent`).

        With `after_turn` it goes on after that whole turn, and the policy writes the next one. Calls up to there come from
        the journal. With `workspace`, a fresh copy of the folder as it was before the run, those of the toolbox that change
        something are made again there, and must come out the same; those of other servers are not sent again, because
        their world is no copy. `resend` makes all again in this runtime, whose servers are then all a fresh world. `seed`
        and `temperature` change the sampling of the turns that follow.
        """
        paced = {"seed": seed, "temperature": temperature}
        if workspace is not None:
            async with self._elsewhere(Path(workspace)) as other:
                return await other._forked(episode, at, after_turn, other._copied_servers(), paced, on_event, split)
        return await self._forked(episode, at, after_turn, None if resend else (), paced, on_event, split)

    # -- how

    async def _forked(
        self, episode: str, at: int, after_turn: int | None, fresh: Collection[str] | None, paced: dict[str, Any],
        on_event: Emit | None, split: str | None,
    ) -> Episode:  # fmt: skip
        """`fresh` names the servers whose world lacks what the parent did, None means all."""
        parent = self.store.get(episode)
        policy = pinned(await self.policy())
        await prepare(policy, options_of(parent, self.options))
        identifier = copy_prefix(
            self.store, parent, at, policy.identity, split or parent.episode.split, after_turn=after_turn,
            place=self._place(),
        )  # fmt: skip
        record = self.store.get(identifier)
        journal = Journal.go_on(self.store, record.episode)
        resend = Resending(self.registry, record.calls, fresh)
        return await self._go_on(record, policy, journal, on_event, resend=resend, paced=paced)

    def _copied_servers(self) -> frozenset[str]:
        """The servers whose world is the workspace, and nothing else."""
        return toolbox_names(self._tools) if self._toolbox else frozenset()

    def _elsewhere(self, workspace: Path) -> Runtime:
        """A runtime over another workspace that shares policy and log with this one."""
        other = Runtime(
            self._policy or self._model, mcp=self._mcp, workspace=workspace, tools=self._tools, approve=self._approve,
            adapter=self._adapter, check=self._check, log=self._log, limits=self._limits, toolbox=self._toolbox,
            unsafe_sandbox=self._unsafe, home=self._home, store=self.store, now=self._now, on_notice=self._on_notice,
        )  # fmt: skip
        other.options, other._remembers = self.options, self._remembers
        return other

    async def _go_on(
        self, record: Record, policy: Policy, journal: Journal, on_event: Emit | None, *,
        in_flight: InFlight = "ask", resend: Resending | None = None, paced: dict[str, Any] | None = None,
        setup: Setup | None = None,
    ) -> Episode:  # fmt: skip
        options = options_of(record, self.options)
        options = replace(options, **{name: value for name, value in (paced or {}).items() if value is not None})
        return await self._watched(self._episode(
            record.episode.task, policy, options, journal, on_event or _ignore, record=record, in_flight=in_flight,
            resend=resend, setup=setup,
        ))  # fmt: skip

    async def _episode(
        self, task: str, policy: Policy, options: RunOptions, journal: Journal, emit: Emit, *,
        record: Record | None = None, in_flight: InFlight = "ask", resend: Resending | None = None,
        hidden: frozenset[str] = frozenset(), preferred: str | None = None, setup: Setup | None = None,
    ) -> Episode:  # fmt: skip
        from ..sandbox import Sandbox

        setup = as_recorded(setup or Setup(), record)
        view = View(
            part_of(self.registry, setup.only), options.loading, hidden=hidden, preferred=preferred, hosted=setup.schemas()
        )
        if self._remembers:  # not where the log is another's: practice, evaluation
            view.observed, view.worked = Observed(self.store), Worked(self.store)
        gate = Gate(
            view, Approval(self._approve), journal, emit, replay=Replay(record), in_flight=in_flight, resend=resend,
            lanes=self._lanes(), kept=Kept(self._results, journal.episode), functions=setup.functions,
        )  # fmt: skip
        prompting = Prompting(policy, setup.system or system_for(policy, options), view, task, options.budget_tokens(policy),
                              as_data(setup.images))  # fmt: skip
        with Sandbox(
            self._limits, unsafe=self._unsafe, check=options.precheck, overlap=options.overlap
        ) as sandbox, self._clocks.counting(sandbox):
            gate.paused = sandbox.paused
            run = Run(task, policy, options, view, gate, journal, sandbox, prompting, emit, self._time, record)
            episode = await run.go()
        if self._check is not None:
            episode = await checked(episode, self._check, self.workspace, self.store, emit)
        emit(EpisodeFinished(episode.id, result=episode))
        return episode

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` as a task that the end of the block would cancel."""
        task = asyncio.current_task()
        assert task is not None  # a coroutine always runs in one
        self._running.add(task)
        try:
            return await work
        finally:
            self._running.discard(task)

    def _results_folder(self, home: Path | None) -> Path:
        """Where results are kept that are too large for programs: beside the log, or only for this block."""
        if self._log and home is not None:
            return home / RESULTS_FOLDER
        return Path(self._stack.enter_context(TemporaryDirectory(prefix="atlas-results-")))

    def _callbacks(self) -> Callbacks:
        asking, lending = Asking(self._clocks.stopped), Lending(self.policy)
        return lambda config: callbacks_for(config, asking, lending, self.workspace)

    def _lanes(self) -> Lanes:
        from ..sandbox import Limits

        limits = self._limits or Limits()
        return Lanes(limits.max_in_flight, limits.max_in_flight_per_server)

    def _time(self) -> float:
        return self._now().timestamp() if self._now else time.time()

    def _settings(self, policy: Policy, options: RunOptions, setup: Setup) -> dict[str, Any]:
        part: dict[str, Any] = {} if setup.only is None else {"only": sorted(setup.only)}
        part |= {"images": list(setup.images)} if setup.images else {}
        return options.to_json() | part | {
            "budget": options.budget_tokens(policy), "system": setup.system or system_for(policy, options),
            "model_spec": self._model if isinstance(self._model, str) else None,
            "adapter_spec": str(self._adapter) if self._adapter else None,
        } | self._place()  # fmt: skip

    def _place(self) -> dict[str, Any]:
        """What an episode works on, for whoever goes on with it."""
        files = [str(path.resolve()) for path in self._mcp]
        return {"workspace": str(self.workspace), "mcp": files, "toolbox": self._toolbox}


def _no_policy() -> Any:
    from .policies.base import PolicyIdentity

    return PolicyIdentity("none")


def _listed(mcp: str | Path | Sequence[str | Path] | None) -> Sequence[str | Path]:
    if mcp is None:
        return []
    return [mcp] if isinstance(mcp, str | Path) else mcp


def _open(part: T | None) -> T:
    if part is None:
        raise UsageError("the runtime is not open", where="Runtime", mend="use it as `async with Runtime(...) as runtime:`")
    return part


def _version() -> str:
    from .. import __version__

    return __version__


def _ignore(event: Event) -> None:
    pass
