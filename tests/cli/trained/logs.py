"""Logs of episodes by a tiny random model, with the log-probabilities that it gives its replies, and rated outcomes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atlas.runtime.episodes import EpisodeStore, open_store
from atlas.runtime.episodes.journal import Journal, Prompt
from atlas.runtime.policies import PolicyIdentity, Proposal
from atlas.runtime.policies.file_hash import FileHash
from atlas.runtime.policies.llama_model import load_tokenizer
from atlas.training.adapters.agreement import Served
from atlas.training.adapters.specimens import Specimen

SAMPLER = {"temperature": 1.0, "greedy": False, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
SIZES = {"layers": 2, "width": 32, "heads": 2, "shared_heads": 1, "head_width": 16, "feed_forward": 32}


def tiny_model(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    """A random model that is read and trained in a moment."""
    return Specimen(**SIZES | {"context_tokens": 1024} | changes).write(folder / f"{name}.gguf")


class Log:
    """Writes to the log of a state folder what a model did."""

    def __init__(self, home: str | Path, model: Path) -> None:
        self.home, self.model = Path(home), model
        self.identity = PolicyIdentity(model.stem, FileHash(model).value)
        self._tokenizer = load_tokenizer(model)

    def fill(self, outcomes: Sequence[float | None], *, turns: int = 2, **settings: Any) -> list[str]:
        """One episode an outcome (None: nobody rated it); returns their ids."""
        served = Served(self.model, tokens=1024)
        try:
            with open_store(self.home) as store:
                return [self._episode(store, served, number, one, turns, settings) for number, one in enumerate(outcomes)]
        finally:
            served.close()

    def change(self, column: str, value: Any, table: str = "turns") -> None:
        """Damage the log."""
        with open_store(self.home) as store, store.transaction() as connection:
            connection.execute(f"UPDATE {table} SET {column} = ?", (value,))

    def _episode(
        self, store: EpisodeStore, served: Served, number: int, outcome: float | None, turns: int, settings: dict[str, Any]
    ) -> str:
        task = f"How many words are in file {number // 4}?"
        journal = Journal.begin(store, task, self.identity, settings, counting="exact", atlas="0")
        ids: list[int] = []
        for turn in range(1, turns + 1):
            added = self._tokenizer.encode(task if turn == 1 else f"result {turn}\n")
            words = random.Random(f"{number}/{turn}").choices("abcdefgh", k=6)
            text = f"answer(kept{turns - 1})" if turn == turns else f"kept{turn} = '{''.join(words)}'"
            reply = self._tokenizer.encode(text)
            read = len(ids) + len(added)
            ids += [*added, *reply]
            values = served.logprobs([ids])[0][-len(reply) :].tolist()
            prompt = Prompt("user" if turn == 1 else "result", task, added, turn == 1, read, ())
            proposal = Proposal(text, reply, values, values, read, len(reply), sampler=SAMPLER)
            journal.turn(turn, prompt, proposal, text, "bare", None)
            with store.transaction() as connection:
                connection.execute(
                    "UPDATE turns SET status = 'ok', answered = ? WHERE episode = ? AND turn = ?",
                    (turn == turns, journal.episode, turn),
                )
        journal.finish("answered", number, seconds=0.1, error=None, notes=[])
        if outcome is not None:
            store.set_outcome(journal.episode, "rated", outcome)
        return journal.episode
