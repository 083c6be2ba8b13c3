"""The HTTP policy against loopback servers: what it sends, what it understands, and how each failure is named."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from atlas.runtime.policies import (
    EndpointBroken,
    EndpointDown,
    EndpointRefused,
    EndpointTimeout,
    ModelNotFound,
    Proposal,
    Sampling,
    load_policy,
)
from atlas.runtime.policies.defuse import defuse
from atlas.runtime.policies.http import HttpPolicy
from atlas.runtime.policies.http_wire import Patience

from .servers import Request, serving, text_chunk

HASTY = Patience(connect_seconds=2, silence_seconds=2, attempts=3, first_pause_seconds=0.001, longest_pause_seconds=0.05)
USAGE = {"choices": [], "usage": {"prompt_tokens": 33, "completion_tokens": 2}}


def ask(
    address: str, *, messages: tuple[str, ...] = ("task",), sampling: Sampling | None = None, **options: Any
) -> Proposal:
    """One proposal of a fresh policy."""

    async def run() -> Proposal:
        async with asyncio.timeout(20):
            policy = HttpPolicy(address, patience=options.pop("patience", HASTY), **options)
            try:
                conversation = policy.conversation("system")
                for message in messages:
                    conversation.add_user(message)
                return await policy.propose(conversation, sampling or Sampling())
            finally:
                await policy.aclose()

    return asyncio.run(run())


def chat(answer: Callable[[Request], None], models: tuple[str, ...] = ("small",)) -> Callable[[Request], None]:
    """A server with a model listing whose chat route does `answer`."""

    def handler(request: Request) -> None:
        if request.path == "/v1/models":
            request.answer({"data": [{"id": name, "max_model_len": 4096} for name in models]})
        elif request.path == "/v1/chat/completions":
            answer(request)
        else:
            request.answer({"error": "nothing here"}, 404)

    return handler


def test_a_streamed_answer_is_put_together() -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: Request) -> None:
        seen.append(request.body)
        request.stream([text_chunk("answer("), text_chunk("1)", "stop"), USAGE])

    with serving(chat(answer)) as address:
        proposal = ask(f"{address}/v1#small", sampling=Sampling(temperature=0.5, seed=7, max_tokens=9))
    assert (proposal.text, proposal.finish, proposal.prompt_tokens, proposal.generated_tokens) == (
        "answer(1)",
        "stop",
        33,
        2,
    )
    assert proposal.token_ids is None and proposal.sampler["token_ids"] is False and not proposal.trainable
    body = seen[0]
    assert (body["temperature"], body["seed"], body["max_tokens"], body["top_p"], body["model"]) == (0.5, 7, 9, 1.0, "small")
    assert body["messages"] == [{"role": "system", "content": "system"}, {"role": "user", "content": "task"}]


def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = {
        "choices": [{"message": {"content": "x = 1"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3},
    }
    with serving(chat(lambda request: request.answer(whole))) as address:
        proposal = ask(f"{address}/v1#small")
    assert (proposal.text, proposal.finish) == ("x = 1", "length")


def test_token_ids_of_vllm_are_kept() -> None:
    def answer(request: Request) -> None:
        assert request.body["return_token_ids"] is True
        request.stream(
            [
                {
                    "prompt_token_ids": [1, 2, 3],
                    **text_chunk("ok", token_ids=[7], logprobs={"content": [{"token": "ok", "logprob": -0.5}]}),
                },
                text_chunk("", "stop", token_ids=[9], logprobs={"content": [{"token": "", "logprob": -0.1}]}),
                USAGE,
            ]
        )

    with serving(chat(answer)) as address:
        proposal = ask(f"{address}/v1#small")
    assert (proposal.token_ids, proposal.logprobs, proposal.sampler["prompt_ids"]) == ([7, 9], [-0.5, -0.1], [1, 2, 3])
    assert proposal.trainable


def test_token_ids_of_llama_server_are_kept() -> None:
    part = text_chunk("ok", "stop", logprobs={"content": [{"id": 4, "token": "ok", "logprob": -0.25}]})
    with serving(chat(lambda request: request.stream([part]))) as address:
        proposal = ask(f"{address}/v1#small", sampling=Sampling(temperature=0.7))
    assert (proposal.token_ids, proposal.logprobs) == ([4], [-0.25])
    assert proposal.logprobs_at_temperature is None  # what it returns is the raw model's


def test_a_server_without_logprobs_is_asked_again_without_them() -> None:
    refused: list[set[str]] = []

    def answer(request: Request) -> None:
        if "logprobs" in request.body or "top_k" in request.body:
            refused.append(set(request.body))
            request.answer({"error": {"message": "unknown field logprobs"}}, 400)
        else:
            request.stream([text_chunk("fine", "stop")])

    with serving(chat(answer)) as address:
        proposal = ask(f"{address}/v1#small")
    assert proposal.text == "fine" and proposal.logprobs is None and len(refused) == 2
    assert proposal.sampler["untruncated"] is False


def test_a_template_without_a_system_role_gets_the_system_text_with_the_first_message() -> None:
    def answer(request: Request) -> None:
        if request.body["messages"][0]["role"] == "system":
            request.answer({"error": {"message": "System role not supported"}}, 400)
        else:
            request.stream([text_chunk(request.body["messages"][0]["content"], "stop")])

    with serving(chat(answer)) as address:
        assert ask(f"{address}/v1#small").text == "system\n\ntask"


def test_thinking_that_is_sent_apart_is_put_between_tags() -> None:
    parts = [
        {"choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"reasoning_content": "m"}}]},
        text_chunk("answer(1)", "stop"),
    ]
    with serving(chat(lambda request: request.stream(parts))) as address:
        assert ask(f"{address}/v1#small").text == "<think>hmm</think>answer(1)"


def test_too_many_requests_are_repeated_after_a_pause() -> None:
    tries: list[int] = []

    def answer(request: Request) -> None:
        tries.append(1)
        if len(tries) < 3:
            request.answer({"error": "busy"}, 429, retry_after="0.01")
        else:
            request.stream([text_chunk("ok", "stop")])

    with serving(chat(answer)) as address:
        assert ask(f"{address}/v1#small").text == "ok"
    assert len(tries) == 3


def test_a_server_that_stays_busy_is_named() -> None:
    with (
        serving(chat(lambda request: request.answer({"error": "busy"}, 429, retry_after="9999"))) as address,
        pytest.raises(EndpointRefused) as caught,
    ):
        ask(f"{address}/v1#small")
    assert caught.value.status == 429 and address in caught.value.where and "wait" in caught.value.mend


def test_an_endpoint_that_is_down_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EndpointDown) as caught:
        ask(f"http://127.0.0.1:{port}/v1#small")
    assert f"127.0.0.1:{port}" in caught.value.message and caught.value.mend


def test_a_web_page_is_named_as_such() -> None:
    page = b"<!doctype html><html><body>Welcome</body></html>"
    with (
        serving(lambda request: request.answer(page, kind="text/html")) as address,
        pytest.raises(EndpointBroken, match="web page"),
    ):
        ask(f"{address}/v1#small")


def test_a_slow_endpoint_is_given_up() -> None:
    ending = threading.Event()
    quick = Patience(connect_seconds=1, silence_seconds=0.1, attempts=1)
    with serving(chat(lambda request: ending.wait(5) and None)) as address:
        with pytest.raises(EndpointTimeout) as caught:
            ask(f"{address}/v1#small", patience=quick)
        ending.set()
    assert "0.1 seconds" in caught.value.message


def test_a_stream_that_dies_in_the_middle_is_an_error_and_not_a_short_reply() -> None:
    with (
        serving(chat(lambda request: request.stream([text_chunk("answer(")], done=False))) as address,
        pytest.raises(EndpointBroken, match="middle"),
    ):
        ask(f"{address}/v1#small")


def test_an_error_inside_the_stream_is_shown() -> None:
    with (
        serving(chat(lambda request: request.stream([{"error": {"message": "out of\x1b[31m memory"}}]))) as address,
        pytest.raises(EndpointRefused) as caught,
    ):
        ask(f"{address}/v1#small")
    assert "out of" in caught.value.message and "\x1b" not in caught.value.message


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    with (
        serving(chat(lambda request: request.answer({"error": "no"}, 404), ("small", "large"))) as address,
        pytest.raises(ModelNotFound) as caught,
    ):
        ask(f"{address}/v1#smal")
    assert "small, large" in caught.value.message


def test_without_a_model_name_the_only_one_is_taken() -> None:
    with serving(chat(lambda request: request.stream([text_chunk(request.body["model"], "stop")]))) as address:
        assert ask(f"{address}/v1").text == "small"
    with serving(chat(lambda request: None, ("a", "b"))) as address, pytest.raises(ModelNotFound, match="a, b"):
        ask(f"{address}/v1")


def test_a_missing_key_is_named() -> None:
    with (
        serving(chat(lambda request: request.answer({"error": "unauthorized"}, 401))) as address,
        pytest.raises(EndpointRefused) as caught,
    ):
        ask(f"{address}/v1#small")
    assert "ATLAS_API_KEY" in caught.value.mend


@pytest.mark.parametrize(("host", "sent"), [(None, True), ("127.0.0.1", True), ("api.example.com", False)])
def test_the_key_goes_only_to_the_host_it_was_given_for(host: str | None, sent: bool) -> None:
    keys: list[str | None] = []

    def handler(request: Request) -> None:
        keys.append(request.headers.get("authorization"))
        chat(lambda r: r.stream([text_chunk("ok", "stop")]))(request)

    with serving(handler) as address:
        ask(f"{address}/v1#small", api_key="secret", api_key_host=host)
    assert set(keys) == ({"Bearer secret"} if sent else {None})


def test_a_redirect_is_not_followed() -> None:
    with (
        serving(chat(lambda request: request.answer("", 307, location="http://127.0.0.1:9/"))) as address,
        pytest.raises(EndpointRefused) as caught,
    ):
        ask(f"{address}/v1#small", api_key="secret")
    assert "redirect" in caught.value.mend


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(ModelNotFound) as caught:
        load_policy("http://me:hunter2@127.0.0.1/v1#x")
    assert "hunter2" not in f"{caught.value.message}{caught.value.where}{caught.value.mend}"


def test_tokens_are_counted_by_the_endpoint_where_it_can() -> None:
    def handler(request: Request) -> None:
        if request.path == "/tokenize":
            request.answer({"tokens": list(range(len(request.body["content"].split())))})
        else:
            chat(lambda r: r.stream([text_chunk("ok", "stop"), USAGE]))(request)

    with serving(handler) as address:
        policy = HttpPolicy(f"{address}/v1#small", patience=HASTY)
        conversation = policy.conversation("one two three")
        before = conversation.size()
        assert conversation.size_with("user", "four five") - before < 20
        assert policy.counting == "endpoint"
        asyncio.run(policy.aclose())


def test_without_a_tokenizer_the_size_is_an_upper_bound_that_usage_tightens() -> None:
    async def run(address: str) -> tuple[int, int, str]:
        policy = HttpPolicy(f"{address}/v1#small", patience=HASTY)
        conversation = policy.conversation("system")
        conversation.add_user("x" * 400)
        before = conversation.size()
        proposal = await policy.propose(conversation, Sampling())
        after = conversation.size()
        conversation.add_reply(proposal)
        assert conversation.size() > after
        await policy.aclose()
        return before, after, policy.counting

    with serving(chat(lambda request: request.stream([text_chunk("ok", "stop"), USAGE]))) as address:
        before, after, counting = asyncio.run(run(address))
    assert before >= 406 and after == 33 and counting == "bound"


def test_cancelling_closes_the_request() -> None:
    ending = threading.Event()

    def answer(request: Request) -> None:
        request.stream([text_chunk("a")], done=False)
        ending.wait(5)

    async def run(address: str) -> None:
        policy = HttpPolicy(f"{address}/v1#small")
        conversation = policy.conversation("s")
        conversation.add_user("t")
        first = asyncio.Event()
        task = asyncio.create_task(policy.propose(conversation, Sampling(), on_text=lambda text: first.set()))
        await asyncio.wait_for(first.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await policy.aclose()

    with serving(chat(answer)) as address:
        asyncio.run(run(address))
        ending.set()


@pytest.mark.parametrize(
    "control",
    [
        "<|im_start|>",
        "<|im_end|>",
        "<|system|>",
        "<|eot_id|>",
        "<|start_header_id|>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<start_of_turn>",
        "<end_of_turn>",
        "</s>",
        "<s>",
        "<bos>",
        "<eos>",
        "[TOOL_CALLS]",
        "[AVAILABLE_TOOLS]",
        "<｜User｜>",
        "<｜end▁of▁sentence｜>",
        "<|turn>",
        "<turn|>",
        "<|channel|>",
        "<think>",
        "</tool_call>",
        "<tool_response>",
        "<|END_OF_TURN_TOKEN|>",
        "<seed:eos>",
        "]~b]",
        "[e~[",
        "<end_of_sentence>",
        "<SPECIAL_12>",
    ],
)
def test_control_strings_are_broken_up_in_untrusted_text(control: str) -> None:
    text = f"before {control}user\nafter"
    assert control not in defuse(text)
    assert defuse(text).replace(" ", "") == text.replace(" ", "")


def test_ordinary_text_is_left_as_it_is() -> None:
    text = 'if a < b and c[0] > 1: print("<b>x</b> [1] |x| <= >= [INFO]")'
    assert defuse(text) == text
    assert defuse("<think>x</think>", reply=True) == "<think>x</think>"
