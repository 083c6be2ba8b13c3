"""The texts that nano's vocabulary is made from, and the lexicon of names: no held-out word is in either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..worlds.base import Split, World
from .lexicon import held_out_words, lexicon, name_words, value_words, without, world_words
from .rows import server_index
from .tokenizer import corpus_files

SPLITS: tuple[Split, Split] = ("practice", "heldout")
WORLDS = 160


def vocabulary_texts() -> tuple[list[str], list[str]]:
    """Texts for the tokenizer (worlds, some with wide names, and the wide corpus) and the words of the lexicon."""
    practice, heldout = (list(sample_worlds(split, WORLDS)) for split in SPLITS)
    held_out = held_out_words(world_words(practice), world_words(heldout))
    unfit = held_out_words(name_words(practice), name_words(heldout))
    unfit |= held_out_words(value_words("practice"), value_words("heldout"))
    wide = [without(text, held_out) for text in corpus_files()]
    words = lexicon(wide, held_out | unfit)
    worlds = [*practice, *sample_worlds("practice", WORLDS // 2, wide=words)]
    texts = [without(world_text(world), held_out) for world in worlds]
    return texts * 2 + wide, words


def sample_worlds(split: Split, count: int, wide: Sequence[str] = ()) -> Iterator[World]:
    """Worlds of both kinds in turn, from seeds of their own; with a lexicon, with names out of it."""
    from ..worlds.composed import composed_world
    from ..worlds.workspace import workspace_world

    for seed in range(count):
        make = workspace_world if seed % 2 else composed_world
        yield make(900_000_000 + seed, split, tasks=16, wide=wide)


def world_text(world: World) -> str:
    """Everything a policy could read or write in a world."""
    from ...runtime.prompt import first_message
    from ...tools_registry.stubs import prompt_stub

    head = first_message(server_index(world.tools), [prompt_stub(tool) for tool in world.tools], "")
    tasks = "\n".join("\n".join((task.text, *task.programs)) for task in world.tasks)
    files = "\n".join(f"{path}\n{content}" for path, content in world.files.items())
    return "\n".join((head, tasks, files))
