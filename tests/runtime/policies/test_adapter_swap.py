"""Adapters of a live model: a swap drops the cache, an episode keeps its version, and what fits no more is named."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime import Runtime
from atlas.runtime.adapters import chosen_adapter, latest_adapter, stored_adapters
from atlas.runtime.errors import EpisodeError
from atlas.runtime.policies import AdapterError, LlamaPolicy, ModelError, Proposal, Sampling, load_policy
from atlas.runtime.policies.base import PolicyIdentity
from atlas.runtime.policies.file_hash import FileHash
from atlas.runtime.policies.pinning import pinned
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.training.adapters.random_adapter import write_random_adapter

from .tiny import write_adapter, write_tiny

SAMPLED = Sampling(temperature=1.0, seed=5, max_tokens=12, constrain_names=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny.gguf", profile="compact", context=2_048)


@pytest.fixture
def adapters(model: Path, tmp_path: Path) -> list[Path]:
    return [write_random_adapter(tmp_path / f"{seed}.gguf", model, seed=seed, scale=0.3) for seed in range(2)]


@pytest.fixture
def policy(model: Path) -> Iterator[LlamaPolicy]:
    loaded = LlamaPolicy(model)
    yield loaded
    asyncio.run(loaded.aclose())


def asked(policy: Any) -> Any:
    conversation = policy.conversation("system")
    conversation.add_user("task: how many words are there in this file?")
    return conversation


def reply(policy: Any, conversation: Any = None) -> Proposal:
    async def run() -> Proposal:
        async with asyncio.timeout(60):
            return await policy.propose(conversation or asked(policy), SAMPLED)

    return asyncio.run(run())


def fresh(model: Path, adapter: Path | None) -> Proposal:
    started = LlamaPolicy(model, adapter=adapter)
    try:
        return reply(started)
    finally:
        asyncio.run(started.aclose())


def test_after_a_swap_the_reply_is_that_of_a_fresh_start(model: Path, adapters: list[Path], policy: LlamaPolicy):
    wanted = {path: fresh(model, path) for path in [None, *adapters]}
    assert len({tuple(one.logprobs or ()) for one in wanted.values()}) == 3
    for path in [None, *adapters, None, adapters[0]]:
        policy.use_adapter(path)
        found = reply(policy)
        assert (found.token_ids, found.logprobs) == (wanted[path].token_ids, wanted[path].logprobs)
        assert found.sampler["prefix_reused"] == 0
        assert policy.identity.adapter_hash == (FileHash(path).value if path else None)


def test_an_episode_keeps_the_version_that_it_began_with(model: Path, adapters: list[Path], policy: LlamaPolicy):
    wanted = {path: fresh(model, path) for path in [None, *adapters]}
    views = []
    for path in [None, *adapters]:
        policy.use_adapter(path)
        view = pinned(policy)
        views.append((path, view, asked(view)))
    for path, view, conversation in [*views, *reversed(views)]:
        found = reply(view, conversation)
        assert found.token_ids == wanted[path].token_ids
        assert found.logprobs == pytest.approx(wanted[path].logprobs, abs=1e-4)  # a kept prefix moves the last digits
        assert view.identity.adapter_hash == (FileHash(path).value if path else None)
    assert reply(policy).token_ids == wanted[adapters[1]].token_ids  # the policy itself answers as it is now


def test_a_swap_in_the_middle_of_a_reply_waits_for_the_next_one(adapters: list[Path], policy: LlamaPolicy, model: Path):
    before, after = fresh(model, None), fresh(model, adapters[0])
    begun, swapped = threading.Event(), threading.Event()
    prompt = asked(policy).prompt_ids()
    found: list[Proposal] = []

    def tell(text: str) -> None:
        begun.set()
        assert swapped.wait(60)  # the rest of the reply comes after the swap

    work = threading.Thread(target=lambda: found.append(policy.generate(prompt, SAMPLED, on_text=tell)))
    work.start()
    try:
        assert begun.wait(60)
        policy.use_adapter(adapters[0])
    finally:
        swapped.set()
        work.join(60)
    assert found[0].logprobs == before.logprobs and reply(policy).logprobs == after.logprobs


def test_versions_that_nobody_holds_are_freed(adapters: list[Path], policy: LlamaPolicy):
    loaded = policy._model.adapters
    for number in range(20):
        policy.use_adapter(adapters[number % 2])
    gc.collect()
    assert len(loaded._retired) <= 1
    view = policy.pinned()
    policy.use_adapter(None)
    gc.collect()
    assert view.identity.adapter == str(adapters[1]) and reply(view).token_ids
    del view
    gc.collect()
    policy.use_adapter(adapters[0])
    assert not loaded._retired


def test_an_adapter_of_other_weights_is_refused_and_the_old_one_stays(tmp_path: Path, adapters: list[Path], policy: Any):
    other = write_tiny(tmp_path / "other.gguf", profile="compact", seed=9)
    foreign = write_random_adapter(tmp_path / "foreign.gguf", other)
    policy.use_adapter(adapters[0])
    with pytest.raises(AdapterError, match=r"another base model than tiny\.gguf") as caught:
        policy.use_adapter(foreign)
    assert str(foreign) in caught.value.where and "--adapter none" in caught.value.mend
    assert policy.identity.adapter == str(adapters[0])


def test_policies_without_adapters_say_so(adapters: list[Path]):
    scripted = ScriptedPolicy(["answer(1)"])
    assert pinned(scripted) is scripted

    async def go() -> None:
        async with Runtime(scripted, log=False) as runtime:
            await runtime.use_adapter(adapters[0])

    with pytest.raises(AdapterError, match="takes no adapter"):
        asyncio.run(go())


def stored(home: Path, name: str, gguf: Path, model: Path, *, promoted: float | None = None) -> Path:
    """An adapter as training leaves it in the state folder."""
    folder = home / "adapters" / name
    folder.mkdir(parents=True)
    shutil.copy(gguf, folder / "adapter.gguf")
    promotion = None if promoted is None else {"promoted": True, "at": promoted, "by": "evaluation"}
    card = {"run": name, "created": 1.0, "model": model.stem, "base_hash": FileHash(model).value, "promotion": promotion}
    (folder / "adapter.json").write_text(json.dumps(card), encoding="utf-8")
    return folder / "adapter.gguf"


def test_latest_is_what_was_promoted_last_for_these_weights(tmp_path: Path, model: Path, adapters: list[Path]):
    home, other = tmp_path / "home", write_tiny(tmp_path / "other.gguf", seed=3)

    def chosen(choice: str, of: Path = model) -> tuple[Path | None, str | None]:
        return chosen_adapter(choice, lambda: home, lambda: FileHash(of).value, of.stem)

    assert chosen("auto") == (None, None) == chosen("none")
    with pytest.raises(AdapterError, match="no adapter yet"):
        chosen("latest")
    first = stored(home, "first", adapters[0], model, promoted=10.0)
    second = stored(home, "second", adapters[1], model, promoted=20.0)
    stored(home, "worse", adapters[0], model)
    stored(home, "elsewhere", adapters[0], other, promoted=30.0)
    broken = stored(home, "broken", adapters[0], model, promoted=40.0)
    (broken.parent / "adapter.json").write_text("{", encoding="utf-8")
    assert chosen("latest") == chosen("auto") == (second, "second")
    assert chosen("first") == (first, "first") and chosen(str(first.parent))[0] == first
    second.unlink()
    assert chosen("latest") == (first, "first")
    assert latest_adapter(home) is not None and len(stored_adapters(home)) == 5
    third = write_tiny(tmp_path / "third.gguf", seed=4)
    assert chosen("auto", third) == (None, None)
    with pytest.raises(AdapterError, match=r"no promoted adapter was trained on third .*elsewhere") as caught:
        chosen("latest", third)
    assert "--adapter none" in caught.value.mend
    with pytest.raises(AdapterError, match="no adapter sec"):
        chosen("sec")


def test_a_run_takes_the_promoted_adapter_and_resumes_with_its_own(
    tmp_path: Path, model: Path, adapters: list[Path], atlas_home: str
):
    home = Path(atlas_home)
    stored(home, "first", adapters[0], model, promoted=10.0)
    notices: list[str] = []

    def runtime(adapter: str | None = "auto") -> Runtime:
        return Runtime(
            str(model), workspace=tmp_path, adapter=adapter, max_turns=1, budget=1_000, on_notice=notices.append
        )

    async def go() -> list[Any]:
        async with runtime() as one:
            begun = await one.run("a task")
            await one.use_adapter(None)
            bare = await one.run("a task")
            await one.use_adapter(adapters[1])
            other = await one.run("a task")
            identity: PolicyIdentity = (await one.policy()).identity
        async with runtime("none") as two:
            none = await two.run("a task")
        return [begun, bare, other, none, identity]

    begun, bare, other, none, identity = asyncio.run(go())
    assert (begun.adapter, bare.adapter, other.adapter, none.adapter) == ("first", None, str(adapters[1]), None)
    assert identity.adapter_hash == FileHash(adapters[1]).value
    assert any("using the adapter first" in line for line in notices)


def test_an_interrupted_episode_goes_on_with_the_adapter_it_began_with(
    tmp_path: Path, model: Path, adapters: list[Path], atlas_home: str
):
    home = Path(atlas_home)
    stored(home, "first", adapters[0], model, promoted=10.0)

    async def go(adapter: str, resume: str | None = None) -> Any:
        async with Runtime(str(model), workspace=tmp_path, adapter=adapter, max_turns=1, budget=1_000) as runtime:
            if resume:
                return await runtime.resume(resume)
            work = asyncio.create_task(runtime.run("a task", on_event=lambda event: work.cancel()))
            await asyncio.wait([work])
            return runtime.store.list(limit=1)[0].id

    episode = asyncio.run(go("auto"))
    stored(home, "second", adapters[1], model, promoted=20.0)
    with pytest.raises(EpisodeError, match="another adapter"):
        asyncio.run(go("second", episode))
    assert asyncio.run(go("auto", episode)).adapter == "first"


def test_an_adapter_is_known_by_its_bytes_not_by_its_path(tmp_path: Path, model: Path, adapters: list[Path], policy: Any):
    path = tmp_path / "serving.gguf"
    hashes = []
    for one in adapters:  # training replaces the file for each version
        draft = shutil.copy(one, tmp_path / "draft.gguf")
        Path(draft).replace(path)
        policy.use_adapter(path)
        hashes.append(policy.pinned())
    assert [view.identity.adapter_hash for view in hashes] == [FileHash(one).value for one in adapters]


def test_a_closed_policy_takes_no_adapter(model: Path, adapters: list[Path]):
    loaded = LlamaPolicy(model, adapter=adapters[0])
    asyncio.run(loaded.aclose())
    with pytest.raises(ModelError, match="was closed"):
        loaded.use_adapter(adapters[1])
    loaded.use_adapter(None)


def test_adapters_from_other_programs_need_no_card(model: Path, tmp_path: Path):
    foreign = write_adapter(tmp_path / "made-elsewhere.gguf")
    loaded = load_policy(str(model), adapter=foreign)
    assert loaded.identity.adapter == str(foreign)
    asyncio.run(loaded.aclose())
