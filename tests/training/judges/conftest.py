"""Examples with known truth, a tiny random GGUF, and judges that answer by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atlas.runtime.policies import LlamaPolicy, ScriptedPolicy
from atlas.training.adapters.specimens import Specimen
from atlas.training.judges.asking import question_of
from atlas.training.judges.examples import Example, world_examples
from atlas.training.judges.transcript import transcript_of


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Episodes of held-out worlds: references and ways of going wrong."""
    return list(world_examples(32, split="heldout", seed=3))


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of bytes that is quick to run."""
    shape = Specimen(layers=2, width=64, heads=2, shared_heads=1, head_width=32, feed_forward=64, context_tokens=4096)
    return shape.write(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture
def tiny(tiny_gguf: Path) -> Iterator[LlamaPolicy]:
    policy = LlamaPolicy(tiny_gguf)
    yield policy
    policy._model.close()


def judging(answer: Callable[[str, str], str]) -> ScriptedPolicy:
    """A policy that answers `answer(transcript, question)`."""

    def reply(conversation: object) -> str:
        text = conversation.messages[-1]["content"]  # type: ignore[attr-defined]
        transcript, _, question = text.rpartition("\n\n")
        return answer(transcript, question)

    return ScriptedPolicy(reply, context_length=100_000)


@pytest.fixture
def answering() -> Callable[[Callable[[str, str], str]], ScriptedPolicy]:
    return judging


@pytest.fixture
def truth(examples: list[Example]) -> Callable[[str, str], str]:
    """The right answer to every question about the examples, whatever the transcript claims about itself."""
    known = {}
    for example in examples:
        start = transcript_of(example.record).split("\nturn 1:")[0]
        for one in example.rubric.criteria:
            if one.id in example.truths:
                known[start, question_of(one.text)] = "yes" if example.truths[one.id] else "no"
    return lambda transcript, question: known.get((transcript.split("\nturn 1:")[0], question), "no")
