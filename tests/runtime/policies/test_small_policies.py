"""The scripted policy, models from repositories, tiktoken counting, and the endpoint of a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from atlas.runtime.policies import (
    BadModelFile,
    DownloadError,
    ModelError,
    ModelNotFound,
    Proposal,
    Sampling,
    ScriptedPolicy,
    load_policy,
)
from atlas.runtime.policies.hub import download
from atlas.runtime.policies.llama_model import load_tokenizer
from atlas.runtime.policies.tiktoken_count import TiktokenTokenizer

from ...ports import reserved_port
from ...waiting import ended, until
from .servers import Request, serving
from .tiny import small_vocabulary, write_tiny


def test_the_scripted_policy_gives_its_replies_in_order_with_ids() -> None:
    async def run() -> None:
        policy = ScriptedPolicy(["x = 1", "answer(é)"])
        conversation = policy.conversation("system")
        conversation.add_user("task")
        first = await policy.propose(conversation, Sampling())
        before = conversation.prompt_ids()
        assert first.prompt_tokens == len(before) == conversation.size()
        assert first.token_ids == [*b"x = 1", 256] and first.trainable
        conversation.add_reply(first)
        expected = conversation.size_with("result", "é")
        conversation.add_result("é")
        assert conversation.size() == expected and conversation.prompt_ids()[: len(before)] == before
        shown: list[str] = []
        second = await policy.propose(conversation, Sampling(max_tokens=6), on_text=shown.append)
        assert (second.text, second.finish, shown) == ("answer", "length", ["answer"])
        with pytest.raises(ModelError, match="only 2"):
            await policy.propose(conversation, Sampling())

    asyncio.run(run())


def test_a_script_may_be_a_function_of_the_conversation() -> None:
    policy = ScriptedPolicy(lambda conversation: conversation.messages[-1]["content"].upper())
    conversation = policy.conversation("s")
    conversation.add_user("hi")
    assert asyncio.run(policy.propose(conversation, Sampling())).text == "HI"


def test_messages_out_of_order_are_refused() -> None:
    conversation = ScriptedPolicy(["a"]).conversation("s")
    with pytest.raises(ValueError, match="user message"):
        conversation.add_result("r")
    with pytest.raises(ValueError, match="message before"):
        conversation.add_reply(Proposal("x"))


def repository(files: dict[str, bytes], status: int = 200) -> Callable[[Request], None]:
    """A server that speaks as much of the Hugging Face API as a download needs."""

    def handler(request: Request) -> None:
        path = request.path.split("?")[0]
        if status != 200:
            code = "GatedRepo" if status == 403 else "RepoNotFound"
            request.answer({"error": "no"}, status, x_error_code=code)
        elif "/tree/" in path:
            request.answer([{"type": "file", "path": name, "size": len(data), "oid": "0"} for name, data in files.items()])
        elif path.startswith("/api/models/"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            request.answer(
                {
                    "id": "me/tiny",
                    "modelId": "me/tiny",
                    "sha": "a" * 40,
                    "siblings": siblings,
                    "private": False,
                    "gated": False,
                    "disabled": False,
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
            )
        elif path.removeprefix("/me/tiny/resolve/main/") in files:
            data = files[path.removeprefix("/me/tiny/resolve/main/")]
            request.answer(data, kind="application/octet-stream", etag='"e1"', x_repo_commit="a" * 40)
        else:
            request.answer({"error": "Entry not found"}, 404, x_error_code="EntryNotFound", x_repo_commit="a" * 40)

    return handler


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own: the constant was read when huggingface_hub was imported."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "hub"


def test_a_model_comes_from_a_repository_once(
    hub_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_tiny(tmp_path / "tiny.gguf").read_bytes()
    with serving(repository({"tiny.gguf": data, "README.md": b"x"})) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        policy = load_policy("hf:me/tiny")
        assert policy.identity.model == "hf:me/tiny"
        asyncio.run(policy.aclose())
        path = download("hf:me/tiny:tiny.gguf")
        assert path.read_bytes() == data and hub_home in path.parents
    assert download("hf:me/tiny:tiny.gguf", quiet=True) == path  # without the server, from the cache
    assert download("hf:me/tiny", quiet=True) == path
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("files", "spec", "reason"),
    [
        ({"README.md": b"x"}, "hf:me/tiny", "no GGUF"),
        ({"a-q4.gguf": b"x", "a-q8.gguf": b"x"}, "hf:me/tiny", "a-q4.gguf, a-q8.gguf"),
        ({"a.gguf": b"x"}, "hf:me/tiny:b.gguf", "no file 'b.gguf'"),
    ],
)
def test_a_repository_without_the_one_file_is_named(
    files: dict[str, bytes], spec: str, reason: str, hub_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(repository(files)) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(ModelNotFound, match=reason) as caught:
            download(spec)
    assert caught.value.where == spec and caught.value.mend


@pytest.mark.parametrize(("status", "kind", "reason"), [(401, ModelNotFound, "no public"), (403, DownloadError, "gated")])
def test_a_closed_repository_is_named(
    status: int, kind: type[ModelError], reason: str, hub_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(repository({}, status)) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(kind, match=reason):
            download("hf:me/tiny")


def test_a_hub_that_is_down_is_named(hub_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)  # it waits half a minute between its own attempts
    with reserved_port() as nobody, pytest.raises(DownloadError) as caught:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{nobody}")
        download("hf:me/tiny:tiny.gguf")
    assert caught.value.mend
    with pytest.raises(ModelNotFound, match="form"):
        download("hf:nonsense")


def test_tiktoken_encodes_as_llama_cpp_for_a_vocabulary_of_ours(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf")
    tokenizer, own = TiktokenTokenizer.from_gguf(path), load_tokenizer(path)
    for text in ("for path in files.find(path)", "<|user|>x<|end|>", "ans  \n\n é 12345 'll 日本", " ", ""):
        assert tokenizer.encode(text) == own.encode(text)
        assert tokenizer.count(text) == len(own.encode(text)) and tokenizer.decode(tokenizer.encode(text)) == text


def test_a_vocabulary_that_tiktoken_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="splitting"):
        TiktokenTokenizer.from_gguf(write_tiny(tmp_path / "odd.gguf", pre="falcon"))
    tokens, types, merges = small_vocabulary()
    with pytest.raises(BadModelFile, match="byte"):
        tokens[65] = "odd"
        TiktokenTokenizer.from_gguf(write_tiny(tmp_path / "bytes.gguf", vocabulary=(tokens, types, merges)))


@pytest.fixture(scope="module")
def unused_port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, unused_port: int) -> Iterator[str]:
    """The OpenAI-compatible server of llama-cpp-python with a tiny model."""
    pytest.importorskip("starlette_context")
    path = write_tiny(tmp_path_factory.mktemp("served") / "tiny.gguf", context=512)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "llama_cpp.server",
        "--model",
        str(path),
        "--model_alias",
        "tiny",
        "--port",
        str(unused_port),
        "--n_threads",
        "1",
        "--n_threads_batch",
        "1",
        "--n_ctx",
        "512",
        "--logits_all",
        "true",
        "--verbose",
        "false",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (
        ended(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)) as process,
        httpx.Client(trust_env=False) as client,
    ):

        def answers() -> bool:
            assert process.poll() is None, "the server of llama-cpp-python did not start"
            with contextlib.suppress(httpx.HTTPError):
                return client.get(f"http://127.0.0.1:{unused_port}/v1/models").status_code == 200
            return False

        until(answers)  # a server of someone else, which has no other sign of being ready
        yield f"http://127.0.0.1:{unused_port}/v1#tiny"


def test_the_server_of_llama_cpp_python_answers_three_turns(server: str) -> None:
    async def run() -> None:
        async with asyncio.timeout(60):
            policy = load_policy(server)
            conversation = policy.conversation("system")
            conversation.add_user("task <|end|>")
            for turn in range(3):
                size = conversation.size()
                parts: list[str] = []
                proposal = await policy.propose(
                    conversation, Sampling(temperature=0.7, seed=turn, max_tokens=8), on_text=parts.append
                )
                assert "".join(parts) == proposal.text and proposal.token_ids is None and not proposal.trainable
                assert proposal.prompt_tokens <= size
                conversation.add_reply(proposal)
                conversation.add_result("result")
            assert policy.counting == "endpoint"
            await policy.aclose()

    asyncio.run(run())


def test_an_unknown_model_of_that_server_is_still_answered_or_named(server: str) -> None:
    async def run() -> None:
        policy = load_policy(server.replace("#tiny", "#other"))
        conversation = policy.conversation("s")
        conversation.add_user("u")
        try:
            await policy.propose(conversation, Sampling(max_tokens=2))
        except ModelError as error:
            assert "127.0.0.1" in error.message
        finally:
            await policy.aclose()

    asyncio.run(run())
