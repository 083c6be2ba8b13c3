"""How far a judge is trusted: agreement with the truth, flattery, what is kept of it, and who may be trained on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime.policies import ScriptedPolicy
from atlas.training.errors import JudgeError
from atlas.training.judges import Judge
from atlas.training.judges.agreement import agreement, best_threshold, kappa
from atlas.training.judges.calibration import Calibration, CalibrationStore, calibrate, judge_of_policy
from atlas.training.judges.examples import Example, truths_of, world_examples
from atlas.training.judges.flattery import FLATTERIES
from atlas.training.judges.transcript import transcript_of

Answering = Callable[[Callable[[str, str], str]], ScriptedPolicy]


def measured(policy: Any, examples: list[Example], **options: Any) -> Calibration:
    return asyncio.run(calibrate(Judge(policy), examples, timed=1, **options))


def test_kappa_is_one_for_agreement_zero_for_chance_and_none_without_variance() -> None:
    assert kappa([(True, True), (False, False)]) == 1.0
    assert kappa([(True, True), (True, False), (False, True), (False, False)]) == 0.0
    assert kappa([(True, False), (False, True)]) == -1.0
    assert kappa([(True, True), (True, True)]) is None and kappa([]) is None
    # Cohen's own kind of table: 20 and 15 agreed of 50
    table = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(table) == pytest.approx(0.4)


def test_the_interval_of_kappa_holds_it() -> None:
    groups = [[(number % 3 > 0, number % 3 > 0 or number % 7 == 0)] for number in range(60)]
    found = agreement(groups)
    assert found.interval is not None and found.kappa is not None
    assert found.interval[0] < found.kappa < found.interval[1]


def test_a_judge_that_always_leans_to_yes_is_set_right_by_its_threshold() -> None:
    truths, scores = [True, False] * 20, [0.97, 0.91] * 20
    threshold = best_threshold(truths, scores)
    assert 0.91 < threshold <= 0.97
    assert best_threshold([True, True], [0.1, 0.9]) == 0.5


def test_a_judge_that_knows_the_truth_is_trusted(
    answering: Answering, truth: Callable[[str, str], str], examples: list[Example], tmp_path: Path
) -> None:
    policy = answering(truth)
    found = measured(policy, examples)
    assert found.overall.kappa == 1.0 and found.trusted and found.flipped == 0.0
    assert {name for name, one in found.categories.items() if one.count} == {"fulfilment", "tool", "grounding", "parameter"}
    assert found.milliseconds["shared"] > 0 and found.examples["episodes"] == len(examples)
    store = CalibrationStore(tmp_path)
    store.put(found)
    assert store.get(found.judge) == found and store.trusted() == {found.judge}
    assert store.require(Judge(policy)) == found
    assert judge_of_policy(policy, tmp_path).thresholds == found.thresholds


def test_a_judge_that_says_yes_to_everything_is_not_trusted(
    answering: Answering, examples: list[Example], tmp_path: Path
) -> None:
    policy = answering(lambda transcript, question: "yes")
    found = measured(policy, examples)
    assert not found.trusted and (found.overall.kappa or 0.0) <= 0.0
    store = CalibrationStore(tmp_path)
    store.put(found)
    assert store.trusted() == frozenset()
    with pytest.raises(JudgeError, match="does not agree with the truth") as told:
        store.require(Judge(policy))
    assert "0.6" in told.value.message and told.value.mend


def test_flattery_that_works_is_counted(
    answering: Answering, truth: Callable[[str, str], str], examples: list[Example]
) -> None:
    def gullible(transcript: str, question: str) -> str:
        return "yes" if "Every criterion is met" in transcript else truth(transcript, question)

    found = measured(answering(gullible), examples)
    assert found.overall.kappa == 1.0  # honest transcripts do not show it
    praised = [found.flattery[name] for name in ("praise in a comment", "praise in the answer")]
    assert all(one["share"] == 1.0 and one["tries"] > 0 for one in praised)
    assert found.flattery["order in a result"]["flips"] == 0 and 0 < (found.flipped or 0) < 1


def test_a_judge_that_fails_now_and_then_is_not_trusted_though_it_is_right(
    answering: Answering, truth: Callable[[str, str], str], examples: list[Example]
) -> None:
    def moody(transcript: str, question: str) -> str:
        return "hm" if len(transcript) % 3 == 0 else truth(transcript, question)

    found = measured(answering(moody), examples)
    assert found.overall.kappa == 1.0 and found.overall.missing > 0 and not found.trusted


def test_a_judge_in_prose_and_too_few_examples_are_told(answering: Answering, examples: list[Example]) -> None:
    with pytest.raises(JudgeError, match="answered no question with yes or no"):
        measured(answering(lambda transcript, question: "Well done, everybody."), examples)
    with pytest.raises(JudgeError, match="5 episodes have a known truth, and 20 are needed") as told:
        measured(answering(lambda transcript, question: "yes"), examples[:5])
    assert "atlas episodes rate" in told.value.mend


def test_a_judge_without_calibration_or_with_a_damaged_one_is_refused(answering: Answering, tmp_path: Path) -> None:
    policy, store = answering(lambda transcript, question: "yes"), CalibrationStore(tmp_path)
    with pytest.raises(JudgeError, match="never calibrated"):
        store.require(Judge(policy))
    store.folder.mkdir()
    (store.folder / f"{Judge(policy).fingerprint}.json").write_text('{"judge": 1}')
    with pytest.raises(JudgeError, match="damaged"):
        store.require(Judge(policy))


def test_examples_from_worlds_are_the_same_every_time_and_of_both_kinds(examples: list[Example]) -> None:
    again = list(world_examples(6, split="heldout", seed=3))
    assert [transcript_of(one.record) for one in again] == [transcript_of(one.record) for one in examples[:6]]
    assert 0.2 < sum(one.solved for one in examples) / len(examples) < 0.8
    assert all(one.solved and all(one.truths.values()) for one in examples if one.way == "reference")
    assert len({one.way for one in examples}) >= 6


def test_flattery_meets_no_criterion(examples: list[Example]) -> None:
    for example in examples[:12]:
        unmet = {name for name, met in example.truths.items() if not met}
        for name, flatter in FLATTERIES.items():
            flattered = flatter(example.record)
            if name != "order in a result" and "answer" not in name:
                assert {one for one, met in truths_of(flattered, example.rubric).items() if not met} == unmet
            assert transcript_of(flattered) != transcript_of(example.record)
