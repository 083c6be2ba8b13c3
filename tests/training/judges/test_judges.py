"""Judges: one criterion a call over a shared transcript, in process and over HTTP; failed verdicts are missing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime.policies import HttpPolicy, LlamaPolicy, ScriptedPolicy
from atlas.training.errors import JudgeError
from atlas.training.judges import Judge, VerdictCache
from atlas.training.judges.asking import SYSTEM, MarginAsker, by_words, question_of
from atlas.training.judges.examples import Example
from atlas.training.judges.flattery import FLATTERIES
from atlas.training.judges.judge import GENERIC, check_judge, parse_scores
from atlas.training.judges.transcript import ROOMS, fitting, transcript_of
from atlas.training.rubrics import CATEGORIES, PAPER_COUNTS, Rubric, RubricCriterion, plain_rubric

Answering = Callable[[Callable[[str, str], str]], ScriptedPolicy]
QUESTIONS = [question_of(text) for text in ("Calls a.b", "The answer is right", "Changes nothing besides what was asked")]


def run(judge: Judge, example: Example, rubric: Rubric | None = None) -> dict[str, float | None]:
    rubric = rubric or example.rubric
    return asyncio.run(judge.verdicts(example.record, rubric, rubric.criteria))


# -- in process


def test_sharing_the_transcript_changes_no_verdict(tiny: LlamaPolicy, examples: list[Example]) -> None:
    transcript = transcript_of(examples[0].record)
    shared = asyncio.run(MarginAsker(tiny).ask(transcript, QUESTIONS))
    alone = asyncio.run(MarginAsker(tiny, share=False).ask(transcript, QUESTIONS))
    assert [one.how for one in shared] == ["margin"] * 3
    for left, right in zip(shared, alone, strict=True):
        assert left.score is not None and right.score is not None and abs(left.score - right.score) < 1e-3
    assert len({one.score for one in shared}) == 3  # the criterion is read, not only the transcript


def test_more_questions_than_sequences_and_long_ones_are_all_answered(tiny: LlamaPolicy) -> None:
    transcript = "task:\n| " + "count the words " * 10
    many = [question_of(f"Calls tool number {number} " + "with care " * (40 * (number % 5 == 4))) for number in range(20)]
    shared = [one.score for one in asyncio.run(MarginAsker(tiny).ask(transcript, many))]
    alone = [one.score for one in asyncio.run(MarginAsker(tiny, share=False).ask(transcript, many[::5]))]
    assert None not in shared
    assert all(abs((left or 0) - (right or 0)) < 1e-3 for left, right in zip(shared[::5], alone, strict=True))


def test_a_policy_answers_the_same_after_it_has_judged(tiny: LlamaPolicy, examples: list[Example]) -> None:
    from atlas.runtime.policies import Sampling

    prompt = tiny.conversation("system")
    prompt.add_user("a task")
    before = tiny.generate(prompt.prompt_ids(), Sampling(max_tokens=8))
    asyncio.run(MarginAsker(tiny).ask(transcript_of(examples[1].record), QUESTIONS))
    again = tiny.generate(prompt.prompt_ids(), Sampling(max_tokens=8))
    assert (before.token_ids, before.logprobs) == (again.token_ids, again.logprobs)


def test_no_transcript_can_open_a_turn_or_pose_as_the_criterion(tiny: LlamaPolicy, examples: list[Example]) -> None:
    control = {token for token in range(tiny.template.tokenizer.size) if tiny.template.tokenizer.is_control(token)}

    def turns(record: Any) -> list[int]:
        ids = MarginAsker(tiny)._prompt(transcript_of(record), QUESTIONS[0])
        return [token for token in ids if token in control]

    plain = turns(examples[0].record)
    for flatter in FLATTERIES.values():
        record = flatter(examples[0].record)
        assert turns(record) == plain
        lines = transcript_of(record).splitlines()
        assert not any(line.startswith(("criterion:", "yes", "no", "<|", "system", "Note")) for line in lines)


def test_a_transcript_is_shortened_until_it_fits(examples: list[Example]) -> None:
    record = examples[0].record
    long = dataclasses.replace(record, turns=[dataclasses.replace(record.turns[0], output="x" * 9_000 + "\nlast line")])
    sizes = [len(transcript_of(long, room)) for room in ROOMS]
    assert sizes == sorted(sizes, reverse=True)
    assert fitting(long, lambda text: len(text) <= sizes[2]) == transcript_of(long, ROOMS[2])
    assert "last line" in transcript_of(long) and fitting(long, lambda text: False) is None


def test_a_transcript_that_does_not_fit_at_all_is_a_missing_verdict(tiny_gguf: Path, examples: list[Example]) -> None:
    small = LlamaPolicy(tiny_gguf, context_tokens=256)
    judge = Judge(small)
    assert set(run(judge, examples[0]).values()) == {None} and judge.use.failed == judge.use.asked > 0
    small._model.close()


# -- in words


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("yes", 1.0), ("No.", 0.0), ("  YES, it does", 1.0), ("<think>no no</think>yes", 1.0), ("**No**", 0.0),
        ("I think it is fine", None), ("", None), ("yesterday it was", None), ("nothing", None), ("1", None),
    ],
)  # fmt: skip
def test_only_a_yes_or_no_is_a_verdict(reply: str, score: float | None) -> None:
    assert by_words(reply).score == score


def test_a_judge_that_answers_in_prose_is_missing_and_never_a_zero(answering: Answering, examples: list[Example]) -> None:
    judge = Judge(answering(lambda transcript, question: "That depends."))
    assert set(run(judge, examples[0]).values()) == {None}
    assert judge.use.failed == len(examples[0].rubric.criteria)


def test_only_criteria_that_no_program_can_score_are_asked(answering: Answering, examples: list[Example]) -> None:
    asked: list[str] = []
    judge = Judge(answering(lambda transcript, question: asked.append(question) or "yes"))
    found = asyncio.run(judge.verdicts(examples[0].record, plain_rubric("x")))
    assert set(found.values()) == {1.0} and len(asked) == len(found) == 3
    assert asked[0] == question_of("The answer or the change is what was asked for")


def test_a_calibrated_threshold_moves_the_scores_to_one_half(examples: list[Example], tiny: LlamaPolicy) -> None:
    plain = run(Judge(tiny), examples[0])
    name = next(one.id for one in examples[0].rubric.criteria if one.category == "tool")
    moved = run(Judge(tiny, thresholds={"tool": plain[name] or 0.5}), examples[0])
    assert moved[name] == pytest.approx(0.5, abs=1e-4)
    assert moved["fulfilment-1"] == pytest.approx(plain["fulfilment-1"], abs=1e-4)


# -- the cache


def test_verdicts_are_asked_for_once_and_failed_ones_again(
    answering: Answering, examples: list[Example], tmp_path: Path
) -> None:
    path, asked = tmp_path / "judges" / "verdicts.db", []

    def answer(transcript: str, question: str) -> str:
        asked.append(question)
        return "hm" if len(asked) == 1 else "yes"

    policy = answering(answer)
    with VerdictCache(path) as cache:
        first = run(Judge(policy, cache=cache), examples[0])
    with VerdictCache(path) as cache:
        judge = Judge(policy, cache=cache)
        again = run(judge, examples[0])
        assert len(cache) == len(first) == judge.use.cached + 1
    assert list(first.values()).count(None) == 1 and None not in again.values()
    assert len(asked) == len(first) + 1 and path.stat().st_mode & 0o777 == 0o600


def test_another_judge_transcript_or_criterion_is_another_verdict(tiny: LlamaPolicy, examples: list[Example]) -> None:
    with VerdictCache(None) as cache:
        for example in examples[:2]:
            run(Judge(tiny, cache=cache), example)
        asked = sum(len(example.rubric.criteria) for example in examples[:2])
        assert len(cache) == asked
        run(Judge(tiny, "generic", cache=cache), examples[0])
        assert len(cache) > asked
    assert Judge(tiny).fingerprint != Judge(tiny, "paper").fingerprint


def test_a_damaged_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "verdicts.db").write_text("nonsense " * 1000)
    with pytest.raises(JudgeError, match="cache of verdicts") as told:
        VerdictCache(tmp_path / "verdicts.db")
    assert told.value.mend


# -- the paper's form, and without a rubric


def twelve() -> Rubric:
    listed = [
        RubricCriterion(f"{name}-{n}", name, f"{name} demand {n}", n) for name in CATEGORIES
        for n in range(1, PAPER_COUNTS[name] + 1)
    ]  # fmt: skip
    return Rubric("a task", tuple(listed))


def test_the_papers_form_asks_once_for_all_twelve(examples: list[Example]) -> None:
    scores = [round(number / 12, 2) for number in range(12)]
    policy = ScriptedPolicy([f"<EVAL_SCORES>{scores}</EVAL_SCORES>"], context_length=100_000)
    with VerdictCache(None) as cache:
        judge = Judge(policy, "paper", cache)
        assert list(run(judge, examples[0], twelve()).values()) == scores
        assert list(run(judge, examples[0], twelve()).values()) == scores  # the script has one reply: the cache answered


@pytest.mark.parametrize(
    "reply",
    [
        "<EVAL_SCORES>[1, 1, 1]</EVAL_SCORES>",
        f"<EVAL_SCORES>{[2.0] * 12}</EVAL_SCORES>",
        "all good",
        "[" + "true," * 11 + "true]",
    ],
)
def test_anything_but_twelve_numbers_from_zero_to_one_is_missing(reply: str, examples: list[Example]) -> None:
    judge = Judge(ScriptedPolicy([reply], context_length=100_000), "paper")
    assert set(run(judge, examples[0], twelve()).values()) == {None}


def test_scores_are_read_with_and_without_tags() -> None:
    assert parse_scores("<think>[0]</think>0.5, 1", 2) == [0.5, 1.0]
    assert parse_scores("scores: [0, 1.0]", 2) == [0.0, 1.0] and parse_scores("[0, NaN]", 2) is None


def test_generic_judging_asks_four_questions_without_a_rubric(answering: Answering, examples: list[Example]) -> None:
    asked: list[str] = []
    judge = Judge(answering(lambda transcript, question: asked.append(question) or "no"), "generic")
    assert asyncio.run(judge.dimensions(examples[0].record)) == dict.fromkeys(CATEGORIES, 0.0)
    assert asked == [question_of(text) for text in GENERIC.values()]


def test_a_judge_that_can_never_work_is_refused(answering: Answering) -> None:
    with pytest.raises(JudgeError, match="holds no transcript"):
        check_judge(ScriptedPolicy([], context_length=100), "criterion")
    with pytest.raises(JudgeError, match="no form"):
        check_judge(ScriptedPolicy([]), "best")  # type: ignore[arg-type]


# -- over HTTP


@contextmanager
def endpoint(answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say(200, {"data": [{"id": "m", "max_model_len": 8192}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self.path.endswith("/chat/completions"):  # it cannot count tokens
                return self.say(404, {})
            bodies.append(body)
            self.say(*answer(body))

        def say(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1#m", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def completion(text: str, top: dict[str, float] | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"message": {"content": text}, "finish_reason": "stop"}
    if top is not None:
        listed = [{"token": token, "logprob": value} for token, value in top.items()]
        choice["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": listed}]}
    return {"choices": [choice]}


def over_http(spec: str, example: Example) -> dict[str, float | None]:
    async def go() -> dict[str, float | None]:
        policy = HttpPolicy(spec)
        try:
            async with asyncio.timeout(60):
                return await Judge(policy).verdicts(example.record, example.rubric, example.rubric.criteria[:3])
        finally:
            await policy.aclose()

    return asyncio.run(go())


def test_an_endpoint_judges_by_the_alternatives_to_its_first_token(examples: list[Example]) -> None:
    top = {"Yes": -1.0, " no": -2.0, "No": -2.0, "Maybe": -0.5}
    with endpoint(lambda body: (200, completion("Maybe", top))) as (spec, bodies):
        found = over_http(spec, examples[0])
    assert all(score == pytest.approx(1 / (1 + 2.718281828**-0.30685), abs=1e-3) for score in found.values())
    assert len(bodies) == 3 and all(body["top_logprobs"] == 20 and body["temperature"] == 0 for body in bodies)
    assert all(body["messages"][0]["content"] == SYSTEM for body in bodies)


def test_an_endpoint_without_logprobs_judges_in_words(examples: list[Example]) -> None:
    def answer(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "top_logprobs" in body:
            return 400, {"error": {"message": "logprobs are not supported"}}
        return 200, completion("no" if f"criterion: {first}" in body["messages"][-1]["content"] else "It is hard to say")

    first = examples[0].rubric.criteria[0].text

    with endpoint(answer) as (spec, bodies):
        found = list(over_http(spec, examples[0]).values())
    assert len(bodies) == 6 and found == [0.0, None, None]


def test_control_strings_in_a_transcript_are_broken_up_over_http(examples: list[Example]) -> None:
    flattered = dataclasses.replace(examples[0], record=FLATTERIES["turns in the output"](examples[0].record))
    with endpoint(lambda body: (200, completion("no"))) as (spec, bodies):
        over_http(spec, flattered)
    assert "<|im_start|>" not in json.dumps(bodies) and "<|assistant|>" not in json.dumps(bodies)
