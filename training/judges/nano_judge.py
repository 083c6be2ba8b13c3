"""The small judge: an adapter on the policy's own base that says yes or no, learned from what worlds know to be true.

A row is the very prompt that a judge reads, and the one token of its verdict; loss falls on that token alone. Rows of one
transcript share it as their prefix, so the trainer computes it once, as judging does.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import JudgeError
from ..rows import Row
from ..rubrics import CATEGORIES, Category
from .asking import SYSTEM, question_of, yes_no
from .examples import Example, world_examples
from .flattery import FLATTERIES, TRAINED
from .judge import GENERIC
from .transcript import fitting

if TYPE_CHECKING:
    from ...runtime.policies.token_conversation import TokenTemplate

FLATTERED_SHARE = 0.25
"""Of the examples: read with a transcript that asks for a good mark, and the same truth."""
GENERIC_SHARE = 0.3
"""Of the examples: also asked the four generic questions."""
_WEIGHT_BOUNDS = (0.3, 3.0)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class JudgeRecipe:
    """How a judge is trained."""

    episodes: int = 1_000
    """Made from worlds, of the practice split."""
    epochs: int = 1
    step_episodes: int = 4
    learning_rate: float = 2e-3
    rank: int = 16
    alpha: float = 32.0
    max_tokens: int = 1_600
    """Of a prompt: longer transcripts are shortened."""
    seed: int = 0
    device: str = "cpu"


def judge_rows(template: TokenTemplate, example: Example, rng: random.Random, *, max_tokens: int = 1_600) -> list[Row]:
    """The rows of one example: a question for each criterion whose truth is known. None where it does not fit."""
    questions = _questions(example, rng)
    if not questions:
        return []
    record = FLATTERIES[rng.choice(list(TRAINED))](example.record) if rng.random() < FLATTERED_SHARE else example.record
    longest = max((text for text, _, _ in questions), key=len)
    transcript = fitting(record, lambda text: len(_prompt(template, text, longest)) <= max_tokens)
    if transcript is None:
        return []
    words = yes_no(template)
    verdict = {True: _word(template, "yes", words.yes), False: _word(template, "no", words.no)}
    return [
        _row(_prompt(template, transcript, text), verdict[truth], f"{example.record.episode.id}#{number}", category)
        for number, (text, truth, category) in enumerate(questions)
    ]


def _questions(example: Example, rng: random.Random) -> list[tuple[str, bool, Category]]:
    found = [
        (question_of(one.text), example.truths[one.id], one.category)
        for one in example.rubric.criteria
        if one.id in example.truths
    ]
    if rng.random() < GENERIC_SHARE:
        found += [(question_of(GENERIC[name]), truth, name) for name, truth in generic_truths(example).items()]
    rng.shuffle(found)
    return found


def generic_truths(example: Example) -> dict[Category, bool]:
    """What the four generic questions come to: all criteria of the category met, and the task solved for fulfilment."""
    found: dict[Category, bool] = {"fulfilment": example.solved}
    for name in CATEGORIES[1:]:
        own = [example.truths[one.id] for one in example.rubric.of(name) if one.id in example.truths]
        if own:
            found[name] = all(own)
    return found


def _prompt(template: TokenTemplate, transcript: str, question: str) -> list[int]:
    from ...runtime.policies.token_conversation import TokenConversation
    from .asking import prompt_of

    return prompt_of(TokenConversation(SYSTEM, template), transcript, question)


def _word(template: TokenTemplate, word: str, allowed: Sequence[int]) -> int:
    """The token with which a reply begins that word; the plain spelling where it counts."""
    plain = template.tokenizer.encode(word)[:1]
    if plain and plain[0] in allowed:
        return plain[0]
    if not allowed:
        raise JudgeError(
            "this vocabulary has no token that begins only one of yes and no", where="judge", mend="take another base model"
        )
    return allowed[0]


def _row(prompt: list[int], verdict: int, name: str, category: Category) -> Row:
    ids = [*prompt, verdict]
    before = [0.0] * len(prompt)
    unknown = [math.nan] * len(ids)
    return Row(
        ids=ids, loss_mask=[*([False] * len(prompt)), True], turn=[*([-1] * len(prompt)), 1], ce_weight=[*before, 1.0],
        rl_weight=[0.0] * len(ids), advantage=[0.0] * len(ids), value=[0.0] * len(ids), behaviour_logprob=unknown,
        raw_logprob=unknown, constrained=[1.0] * len(ids), sampler={"category": category}, rollout=name, task="judge",
    )  # fmt: skip


def balanced(rows: Sequence[Row]) -> list[Row]:
    """Rows weighted so that in each category yes and no weigh the same: a judge must not learn how often each is true."""
    counts = Counter((row.sampler["category"], row.ids[-1]) for row in rows)
    totals = Counter(row.sampler["category"] for row in rows)
    low, high = _WEIGHT_BOUNDS
    weighted = []
    for row in rows:
        category = row.sampler["category"]
        weight = min(high, max(low, totals[category] / (2 * counts[category, row.ids[-1]])))
        weighted.append(replace(row, ce_weight=[*row.ce_weight[:-1], weight]))
    return weighted


def training_rows(template: TokenTemplate, recipe: JudgeRecipe, *, progress: Progress | None = None) -> list[list[Row]]:
    """The rows of all examples of a recipe, balanced, an inner list for each transcript."""
    rng = random.Random(f"nano judge/{recipe.seed}")
    groups: list[list[Row]] = []
    for number, example in enumerate(world_examples(recipe.episodes, split="practice", seed=recipe.seed + 1), 1):
        rows = judge_rows(template, example, rng, max_tokens=recipe.max_tokens)
        if rows:
            groups.append([replace(row, rollout=f"judge-{number}-{place}") for place, row in enumerate(rows)])
        if progress is not None:
            progress("examples", number, recipe.episodes)
    flat = iter(balanced([row for rows in groups for row in rows]))
    return [[next(flat) for _ in rows] for rows in groups]


def batches(groups: Sequence[list[Row]], recipe: JudgeRecipe) -> Iterator[list[Row]]:
    """The rows of each optimiser step, the examples shuffled anew in every epoch."""
    rng = random.Random(f"nano judge steps/{recipe.seed}")
    for _ in range(recipe.epochs):
        order = list(groups)
        rng.shuffle(order)
        for start in range(0, len(order), recipe.step_episodes):
            yield [row for rows in order[start : start + recipe.step_episodes] for row in rows]


def train_judge(
    base: str, folder: Path, recipe: JudgeRecipe | None = None, *, progress: Progress | None = None
) -> tuple[Path, dict[str, Any]]:
    """Train a judge adapter on a base model and save it in `folder`; returns the GGUF and figures of the training.

    Raises `TrainingError`; nothing half-written is left in `folder` then.
    """
    import tempfile

    from ...runtime.policies.llama import LlamaPolicy
    from ...runtime.policies.spec import resolve
    from ..adapters import save_adapter
    from ..base import LoraSettings, load_base, with_lora
    from ..learn import LearnSettings, Trainer

    recipe = recipe or JudgeRecipe()
    path, _ = resolve(base, quiet=True)
    groups = training_rows(LlamaPolicy(path).template, recipe, progress=progress)
    if not groups:
        raise JudgeError("no example fits the context", where=base, mend="raise max_tokens")
    loaded = load_base(base, device=recipe.device)
    model = with_lora(loaded, LoraSettings(rank=recipe.rank, alpha=recipe.alpha), seed=recipe.seed)
    steps = math.ceil(len(groups) / recipe.step_episodes) * recipe.epochs
    settings = LearnSettings(
        seed=recipe.seed, learning_rate=recipe.learning_rate, steps=steps, warmup_steps=min(10, steps // 4), decay=True
    )
    losses = []
    with tempfile.TemporaryDirectory(prefix="atlas-judge-") as scratch:
        trainer = Trainer(model, settings, Path(scratch), device=recipe.device)
        for number, rows in enumerate(batches(groups, recipe), 1):
            losses.append(trainer.step(rows).loss)
            if progress is not None:
                progress("steps", number, steps)
        check = [row.ids for rows in groups[:2] for row in rows[:1]]
        saved = save_adapter(model, loaded, folder, run=folder.name, settings={"judge": recipe.episodes}, check=check)
    tail = max(1, len(losses) // 10)
    figures = {
        "episodes": len(groups), "rows": sum(map(len, groups)), "steps": len(losses),
        "first_loss": round(sum(losses[:tail]) / tail, 4), "last_loss": round(sum(losses[-tail:]) / tail, 4),
    }  # fmt: skip
    return saved, figures
