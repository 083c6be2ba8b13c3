"""Reproduces docs/studies/routing.md: routers on recorded outcomes, and the joint choice on generated ones.

    python benchmarks/routing_study.py --outcomes llmrouter-outcomes.jsonl.gz --prices llm-prices.json

Outcomes are lines of `{"question", "task", "scores": {model: score}, "split"}`, prices `{"models": {name: {"input_price",
"output_price"}}}` in USD per million tokens (LLMRouter, MIT). Nothing of them is copied into the study.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from atlas.runtime.routing.choosing import choose_count
from atlas.training.report.plots import COLOURS, lines, standalone
from atlas.training.routing.generated import Shape, generated
from atlas.training.routing.joint import joint_against_model
from atlas.training.routing.measures import interval, picked
from atlas.training.routing.recorded import Recorded, recorded
from atlas.training.routing.replay import Replay, fitted, replay_fitted
from atlas.training.routing.routers import PEERS, Fitted, beliefs, cluster, cluster_router

OUT = Path(__file__).resolve().parents[1] / "docs" / "studies"
CHARACTERS_A_TOKEN = 4.0
ANSWER_TOKENS = {
    "agentverse-logicgrid": 300, "agentverse-mgsm": 200, "arc_challenge": 10, "commongen": 60, "commonsense_qa": 10,
    "gpqa": 250, "gsm8k": 200, "human_eval": 180, "math": 350, "mbpp": 150, "mmlu": 10, "natural_qa": 30, "openbook_qa": 10,
    "trivia_qa": 20,
}  # fmt: skip
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)
FOLDS = 5
SEEDS = (0, 1, 2)
LEFT_OUT = (("mbpp", "human_eval"), ("gsm8k", "math", "agentverse-mgsm"), ("natural_qa", "trivia_qa"), ("gpqa", "mmlu"))
INTERACTIONS = (0.0, 0.3, 0.6, 0.9)


TEXT = """\
# Routing on recorded outcomes

Made by `benchmarks/routing_study.py` in one run with fixed seeds.

**Data**: {train:,} training and {test} test questions of LLMRouter (MIT), nine models, scores 0 or 1 (commongen: a share).
No question is in both halves. Everything (word weights, directions, clusters and their number, neighbours, regression) is
fitted on the training half.

**Cost is an assumption**: no token counts were recorded. Cost = question characters / {characters:g} x input price + a
stated answer length x output price (list prices, USD per million tokens). Answer lengths in tokens: {answers}.

## Accuracy alone (a = 0)

| router | accuracy | 95 % interval | ours minus this, paired | USD per 1,000 | gap to oracle | saved | AIQ | RouterArena |
|---|---|---|---|---|---|---|---|---|
{main}

Ours (`cluster`) against the best other router (`{other}`): {bar} points; the bar is a lower end above -2: **{verdict}**.
{clusters} clusters were chosen; a decision takes {milliseconds:.2f} ms of processor time after the encoding. "Saved" is the
share of the best single model's cost that is saved at the cheapest point of the curve over `a` that is as accurate as that
model on the test half. It shows what the curve offers; nobody knows that `a` beforehand. AIQ is the mean height of the
curve's non-decreasing hull between the mean costs of the cheapest and of the dearest model.

## Tighter intervals: five folds of the training half

Each question is answered by routers fitted on the other four fifths, the number of clusters chosen anew there.

| router | accuracy | ours minus this, paired |
|---|---|---|
{folds}

## By task

Accuracy, and in brackets the share of the model that got most of the task (1.00: a table by task would do the same).

{tasks}

## Cost

![accuracy over cost](routing-curve.svg)

The effect of `a` on our router: utility = (1 - a) accuracy - a cost, cost as a share of the dearest pair's in the cluster.

![effect of a](routing-a.svg)

| a | USD per 1,000 | accuracy |
|---|---|---|
{weights}

## Number of clusters

![number of clusters](routing-clusters.svg)

| K | test, three nearest | test, nearest only | held-back fifth of training | squared error, held back | above the best |
|---|---|---|---|---|---|
{counts}

The number is chosen by the squared error (three folds of the training half): the smallest within one standard error of the
best.

## Out of distribution

The test half has no task that training lacks, so groups of tasks are left out of the training half as a whole:

{outside}

## Model and tool together (generated outcomes)

{shape.families} families of tasks, {shape.models} models, {shape.tools} tools, every pair on {shape.train:,} training
and {shape.test} test questions; seeds {seeds}. `interaction` is how much of success belongs to the pair and to neither
part. "Model alone": the same router over models, each then used with its best tool over all training questions.

| interaction | together | model alone | gain, points (95 % interval), for each seed | oracle |
|---|---|---|---|---|
{joint}
"""


def rows(outcomes: Path, prices: Path) -> Iterator[dict[str, Any]]:
    """One row for each question and model, priced by the stated assumption."""
    cost = json.loads(prices.read_text(encoding="utf-8"))["models"]
    with gzip.open(outcomes, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            prompt, answer = len(row["question"]) / CHARACTERS_A_TOKEN, ANSWER_TOKENS[row["task"]]
            for model, score in row["scores"].items():
                usd = (prompt * cost[model]["input_price"] + answer * cost[model]["output_price"]) / 1e6
                yield {key: row[key] for key in ("question", "task", "split")} | {
                    "model": model,
                    "score": score,
                    "cost": usd,
                }


def main() -> None:
    """Everything, in order; each part says what it does on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--prices", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    data = recorded(rows(chosen.outcomes, chosen.prices))
    halves = fitted(data)
    say("routers on the test half")
    main_run = replay_fitted(halves)
    say("cross-validation within the training half")
    folds = cross_validated(data)
    say("numbers of clusters")
    counted = by_count(halves)
    say("outcomes out of distribution")
    outside = left_out(data)
    say("generated pairs")
    joint = generated_joint()
    plots(chosen.out, main_run, counted)
    text = study(main_run, halves, folds, counted, outside, joint)
    (chosen.out / "routing.md").write_text(text, encoding="utf-8")


def say(line: str) -> None:
    """Progress, on stderr."""
    import sys

    print(f"routing study: {line}", file=sys.stderr, flush=True)


def cross_validated(data: Recorded) -> dict[str, np.ndarray]:
    """Scores of every router on each question of the training half, fitted on the other four fifths."""
    train = data.part(data.train)
    fold = np.random.default_rng(11).integers(0, FOLDS, len(train.questions))
    scores = {name: np.full(len(fold), np.nan) for name in (*PEERS, "cluster")}
    for one in range(FOLDS):
        halves = fitted(replace(train, train=fold != one))
        for name, make in (PEERS | {"cluster": cluster}).items():
            scores[name][fold == one] = picked(halves.test, make(halves).choices(0.0, halves.test.scores)).scores
    return scores


def by_count(halves: Fitted) -> list[tuple[int, float, float, float]]:
    """For each number of clusters: accuracy on the test half, soft and hard, and on a held-back part of training."""
    inner = np.random.default_rng(5).random(len(halves.train.questions)) < 0.2
    part = Fitted(
        halves.train.part(~inner), halves.train.part(inner), halves.train_vectors[~inner], halves.train_vectors[inner]
    )
    found = []
    for count in COUNTS:
        router = cluster_router(halves, count)
        soft = accuracy(halves, beliefs(router, halves))
        hard = accuracy(halves, beliefs(router, halves, nearest=1))
        found.append((count, soft, hard, accuracy(part, cluster(part, count))))
    return found


def accuracy(halves: Fitted, believed: Any) -> float:
    """Mean score at cost weight 0."""
    return picked(halves.test, believed.choices(0.0, halves.test.scores)).accuracy


def left_out(data: Recorded) -> list[tuple[str, int, dict[str, float]]]:
    """Each group of tasks left out of training as a whole: accuracy of the routers there."""
    found = []
    every = data.part(data.train)
    for group in LEFT_OUT:
        away = np.isin(every.tasks, group)
        halves = fitted(replace(every, train=~away))
        scores = {
            name: accuracy(halves, make(halves)) for name, make in (PEERS | {"cluster": cluster}).items()
        }  # fmt: skip
        found.append((", ".join(group), int(away.sum()), scores))
    return found


def generated_joint() -> list[tuple[float, list[dict[str, Any]]]]:
    """Joint choice against the model alone, for each share of interaction and seed."""
    found = []
    for share in INTERACTIONS:
        drawn = [fitted(recorded(generated(Shape(interaction=share), seed=seed))) for seed in SEEDS]
        found.append((share, [joint_against_model(halves).to_json() for halves in drawn]))
    return found


def plots(out: Path, run: Replay, counted: Sequence[tuple[int, float, float, float]]) -> None:
    """The three plots of the study."""
    draw(out / "routing-curve.svg", {
        name: [(usd, accuracy) for _, usd, accuracy in sorted(points, key=lambda one: one[1])]
        for name, points in run.curves.items() if name != "best_single"
    }, "USD for 1,000 questions; accuracy upwards")  # fmt: skip
    weights = [(weight, usd, accuracy) for weight, usd, accuracy in run.curves["cluster"]]
    spent = max(usd for _, usd, _ in weights)
    draw(out / "routing-a.svg", {
        "accuracy": [(weight, accuracy) for weight, _, accuracy in weights],
        f"cost, as a share of {spent:.3f} USD for 1,000": [(weight, usd / spent) for weight, usd, _ in weights],
    }, "cost weight a")  # fmt: skip
    draw(out / "routing-clusters.svg", {
        "three nearest clusters, weighted": [(np.log2(count), soft) for count, soft, _, _ in counted],
        "nearest cluster only": [(np.log2(count), hard) for count, _, hard, _ in counted],
        "held-back part of the training half": [(np.log2(count), part) for count, _, _, part in counted],
    }, "log2 of the number of clusters; accuracy upwards")  # fmt: skip


def draw(file: Path, series: Mapping[str, Sequence[tuple[float, float]]], label: str) -> None:
    """One plot as a file of its own, with its legend inside."""
    svg, _, _ = lines(series, label=label).partition("<p class")
    marks = "".join(
        f'<text x="60" y="{24 + 14 * at}" style="fill:{colour}">{name}</text>'
        for at, (colour, name) in enumerate(zip(COLOURS, series, strict=False))
    )
    file.write_text(standalone(svg, marks), encoding="utf-8")


def points(pair: Sequence[float]) -> str:
    """An interval in points."""
    return f"{100 * pair[0]:+.1f} to {100 * pair[1]:+.1f}"


def study(
    run: Replay, halves: Fitted, folds: Mapping[str, np.ndarray], counted: Sequence[tuple[int, float, float, float]],
    outside: Sequence[tuple[str, int, dict[str, float]]], joint: Sequence[tuple[float, list[dict[str, Any]]]],
) -> str:  # fmt: skip
    """The study as Markdown."""
    found = run.to_json()
    routers, other = found["routers"], found["best_other"]
    bar, shape = routers[other]["ours_minus_this"], Shape()
    _, tried = choose_count(halves.train_vectors, halves.train.observed())
    errors = {item.count: item for item in tried}
    return TEXT.format(
        train=len(halves.train.questions), test=len(halves.test.questions), characters=CHARACTERS_A_TOKEN,
        answers=", ".join(f"{task} {count}" for task, count in ANSWER_TOKENS.items()),
        main="\n".join(main_row(name, one) for name, one in routers.items()),
        other=other, bar=points(bar), verdict="met" if bar[0] > -0.02 else "missed", clusters=found["clusters"],
        milliseconds=found["milliseconds"],
        folds="\n".join(fold_row(name, scores, folds["cluster"]) for name, scores in folds.items()),
        tasks="\n".join(by_task_table(routers)),
        weights="\n".join(f"| {weight:g} | {usd:.4f} | {score:.1%} |" for weight, usd, score in run.curves["cluster"]),
        counts="\n".join(count_row(one, errors) for one in counted),
        outside="\n".join(outside_rows(outside)), shape=shape, seeds=", ".join(map(str, SEEDS)),
        joint="\n".join(joint_row(share, one) for share, one in joint),
    )  # fmt: skip


def outside_rows(outside: Sequence[tuple[str, int, dict[str, float]]]) -> Iterator[str]:
    """The groups of tasks that were left out."""
    names = list(outside[0][2])
    yield "| left out | n | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names)
    for group, count, scores in outside:
        yield f"| {group} | {count} | " + " | ".join(f"{one:.1%}" for one in scores.values()) + " |"


def main_row(name: str, one: Mapping[str, Any]) -> str:
    """A router in the main table."""
    low, high = one["interval"]
    saved, aiq = one.get("saved_at_equal_accuracy"), one.get("aiq")
    return (
        f"| {name} | {one['accuracy']:.1%} | {low:.1%} to {high:.1%} | {points(one['ours_minus_this'])} | "
        f"{one['per_thousand']:.4f} | "
        f"{100 * one['gap']:.1f} | {'-' if saved is None else f'{saved:.0%}'} | {'-' if aiq is None else f'{aiq:.3f}'} | "
        f"{one['arena']:.3f} |"
    )


def fold_row(name: str, scores: np.ndarray, ours: np.ndarray) -> str:
    """A router under cross-validation."""
    return f"| {name} | {scores.mean():.2%} | {points(interval(ours - scores))} |"


def by_task_table(routers: Mapping[str, Any]) -> Iterator[str]:
    """Accuracy and dominant share by task."""
    names = ("best_single", "knn", "avengers_pro", "cluster", "task_oracle", "oracle")
    yield "| task | n | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names)
    for task, figures in routers["cluster"]["tasks"].items():
        cells = []
        for name in names:
            one = routers[name]["tasks"][task]
            shown = f"{one['accuracy']:.2f}"
            cells.append(shown if one["dominant"] is None or name == "oracle" else f"{shown} ({one['dominant']:.2f})")
        yield f"| {task} | {figures['n']} | " + " | ".join(cells) + " |"


def count_row(one: tuple[int, float, float, float], tried: Mapping[int, Any]) -> str:
    """A number of clusters."""
    count, soft, hard, part = one
    item = tried.get(count)
    error = f"{item.error:.5f} | {item.worse:+.5f} +- {item.margin:.5f}" if item else "- | -"
    return f"| {count} | {soft:.1%} | {hard:.1%} | {part:.1%} | {error} |"


def joint_row(share: float, found: Sequence[Mapping[str, Any]]) -> str:
    """A share of interaction over the seeds."""
    together, alone, oracle = (np.mean([one[key] for one in found]) for key in ("together", "model_alone", "oracle"))
    gains = "; ".join(f"{100 * one['gain']:+.1f} ({points(one['gain_interval'])})" for one in found)
    return f"| {share:g} | {together:.1%} | {alone:.1%} | {gains} | {oracle:.1%} |"


if __name__ == "__main__":
    main()
