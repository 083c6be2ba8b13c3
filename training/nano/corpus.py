"""The texts that nano's vocabulary is made from, and the lexicon for renaming: no held-out word is in either."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..worlds.base import Split, World
from .config import Recipe
from .lexicon import held_out_words, lexicon, renamer, without, world_words
from .rows import server_index
from .tokenizer import corpus_files

WORLDS = 160


def vocabulary_texts(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Texts for the tokenizer (worlds, a part of them renamed, and the wide corpus) and the words of the lexicon."""
    practice = list(sample_worlds("practice", WORLDS))
    held_out = held_out_words(world_words(practice), world_words(sample_worlds("heldout", WORLDS)))
    wide = [without(text, held_out) for text in corpus_files()]
    words = lexicon(wide, held_out)
    rng = random.Random(recipe.seed)
    texts = []
    for number, world in enumerate(practice):
        rewrite = renamer(world, words, rng) if number % 3 == 0 and not world.files else str
        texts.append(rewrite(without(world_text(world), held_out)))
    return texts * 2 + wide, words


def sample_worlds(split: Split, count: int) -> Iterator[World]:
    """Worlds of both kinds in turn, from seeds of their own."""
    from ..worlds.composed import composed_world
    from ..worlds.workspace import workspace_world

    for seed in range(count):
        make = workspace_world if seed % 2 else composed_world
        yield make(900_000_000 + seed, split, tasks=16)


def world_text(world: World) -> str:
    """Everything a policy could read or write in a world."""
    from ...runtime.prompt import first_message
    from ...tools_registry.stubs import prompt_stub

    head = first_message(server_index(world.tools), [prompt_stub(tool) for tool in world.tools], "")
    tasks = "\n".join("\n".join((task.text, *task.programs)) for task in world.tasks)
    files = "\n".join(f"{path}\n{content}" for path, content in world.files.items())
    return "\n".join((head, tasks, files))
