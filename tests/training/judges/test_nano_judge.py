"""The small judge learns from the very prompts it will read, on its verdict alone."""

from __future__ import annotations

import random

from atlas.runtime.policies import LlamaPolicy
from atlas.runtime.policies.spec import load_policy
from atlas.training.judges.asking import MarginAsker, question_of, yes_no
from atlas.training.judges.examples import Example
from atlas.training.judges.nano_judge import JudgeRecipe, balanced, batches, generic_truths, judge_rows
from atlas.training.judges.spoiling import WAYS, written
from atlas.training.judges.transcript import transcript_of
from atlas.training.rows.row import check


def test_the_rows_of_a_judge_are_the_prompts_it_reads(tiny: LlamaPolicy, examples: list[Example]) -> None:
    asker, example = MarginAsker(tiny), examples[0]
    read = {
        tuple(asker._prompt(transcript_of(example.record), question_of(one.text))): example.truths[one.id]
        for one in example.rubric.criteria
    }
    rng = random.Random(0)
    rows = next(rows for _ in range(20) if (rows := judge_rows(tiny.template, example, rng, max_tokens=4_000)) and
                tuple(rows[0].ids[:-1]) in read)  # fmt: skip
    words = yes_no(tiny.template)
    for row in rows:
        check(row)
        assert sum(row.loss_mask) == 1 and row.loss_mask[-1] and row.ce_weight[-1] == 1.0
        if tuple(row.ids[:-1]) in read:
            assert row.ids[-1] in (words.yes if read[tuple(row.ids[:-1])] else words.no)
    assert len(rows) >= len(read)


def test_nano_says_yes_and_no_with_whole_tokens(examples: list[Example]) -> None:
    policy = load_policy("nano")
    assert isinstance(policy, LlamaPolicy)
    words = yes_no(policy.template)
    pieces = {policy.template.tokenizer.piece(token).strip().lower() for token in words.yes}
    assert pieces == {b"yes"} and words.no
    rows = judge_rows(policy.template, examples[0], random.Random(1))
    assert rows and all(len(row.ids) <= 1_601 for row in rows)
    policy._model.close()


def test_yes_and_no_weigh_the_same_in_each_category(tiny: LlamaPolicy, examples: list[Example]) -> None:
    rng = random.Random(2)
    rows = balanced([row for example in examples[:16] for row in judge_rows(tiny.template, example, rng, max_tokens=4_000)])
    assert all(0.3 <= row.ce_weight[-1] <= 3.0 for row in rows)
    sums: dict[tuple[str, int], float] = {}
    for row in rows:
        sums[row.sampler["category"], row.ids[-1]] = sums.get((row.sampler["category"], row.ids[-1]), 0) + row.ce_weight[-1]
    verdicts = sorted({verdict for _, verdict in sums})
    assert len(verdicts) == 2
    assert abs(sums["fulfilment", verdicts[0]] - sums["fulfilment", verdicts[1]]) < 0.05 * sums["fulfilment", verdicts[0]]


def test_every_example_is_read_once_an_epoch(tiny: LlamaPolicy, examples: list[Example]) -> None:
    groups = [judge_rows(tiny.template, example, random.Random(3), max_tokens=4_000) for example in examples[:7]]
    recipe = JudgeRecipe(epochs=2, step_episodes=3)
    steps = list(batches(groups, recipe))
    assert len(steps) == 6 and sum(map(len, steps)) == 2 * sum(map(len, groups))
    assert [row.rollout for row in steps[0]] == [row.rollout for row in next(batches(groups, recipe))]


def test_the_generic_questions_have_a_truth_too(examples: list[Example]) -> None:
    for example in examples:
        found = generic_truths(example)
        assert found["fulfilment"] == example.solved
        if example.way == "reference":
            assert all(found.values())


def test_a_spoiled_program_is_written_as_policies_write(examples: list[Example]) -> None:
    import ast

    assert len(WAYS) == 10
    source = "x = {'a': \"it's\"}\nanswer(f\"{x['a']} 'b'\")"
    text = written(ast.parse(source))
    assert '"a"' in text and ast.dump(ast.parse(text)) == ast.dump(ast.parse(source))
    for example in examples:
        for turn in example.record.turns:
            assert "='" not in (turn.program or "").replace("='\"", "")
