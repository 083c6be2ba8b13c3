"""The parity table: trainer against llama.cpp on logged episodes, for every family and precision or for one model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...runtime.home import atlas_home
from ..base.lora import LoraSettings, quiet_peft, with_lora
from ..base.policy import BasePolicy, load_base
from ..errors import ParityError
from .agreement import Differences, Served, compare, trainer_logprobs, weight_type
from .gguf_export import write_gguf_adapter
from .specimens import PRECISIONS, Precision, Specimen, dequantised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...runtime.episodes.store import EpisodeStore

Family = Literal["llama", "qwen2", "qwen3"]
FAMILIES: tuple[Family, ...] = ("llama", "qwen2", "qwen3")
_TASKS = ("How many words are in notes.md?", "Move every .txt file into the folder old.", "What time is it in Oslo?")
_COLUMNS = (
    "model", "weights", "adapter", "mean", "largest", "k3", "mean, default KV", "mean, trainer on the original weights",
    "mean, llama.cpp on dequantised weights", "tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One model, with or without an adapter; the differences of the trainer (on dequantised weights) from llama.cpp."""

    model: str
    weights: str
    adapted: bool
    exact: Differences
    """F32 KV cache, prefix reuse off."""
    default: Differences
    """llama.cpp's default KV cache (F16)."""
    original: Differences | None = None
    """The trainer on the weights before they were quantised."""
    floor: Differences | None = None
    """llama.cpp itself on the dequantised weights: what the served quantisation leaves."""

    def cells(self) -> list[str]:
        """The line in the columns of the table."""
        return [
            self.model, self.weights, "yes" if self.adapted else "no", f"{self.exact.mean:.2g}",
            f"{self.exact.maximum:.2g}", f"{self.exact.k3:.2g}", f"{self.default.mean:.2g}",
            f"{self.original.mean:.2g}" if self.original else "", f"{self.floor.mean:.2g}" if self.floor else "",
            str(self.exact.tokens),
        ]  # fmt: skip


def of_families(episodes: int = 4) -> None:
    """Print the table for tiny random Llama, Qwen2 and Qwen3 models in four precisions."""
    _print_row(_COLUMNS)
    _print_row(["---"] * len(_COLUMNS))
    with tempfile.TemporaryDirectory(prefix="atlas-parity-") as scratch:
        for family in FAMILIES:
            for line in family_lines(family, Path(scratch) / family, episodes):
                _print_row(line.cells())


def of_model(spec: str, adapter: Path | None, episodes: int) -> None:
    """Print the same for one model, on its own logged episodes."""
    base = load_base(spec)
    if base.gguf is None:
        raise ParityError(f"{spec} is no GGUF, so llama.cpp does not serve it", where=spec, mend="give the GGUF")
    sequences = logged_ids(base, episodes)
    _print_row(_COLUMNS)
    _print_row(["---"] * len(_COLUMNS))
    with tempfile.TemporaryDirectory(prefix="atlas-parity-") as scratch:
        if adapter is None:
            model, gguf = random_adapter(base), Path(scratch) / "adapter.gguf"
            write_gguf_adapter(model, base, gguf, run="parity")
        else:
            model, gguf = saved_adapter(base, adapter), adapter / "adapter.gguf"
        for adapted in (False, True):
            used = gguf if adapted else None
            with _adapter(model, adapted):
                exact, default = (differences(model, base.gguf, used, sequences, kv) for kv in ("f32", "f16"))
            _print_row(Line(spec, weight_type(base.gguf), adapted, exact, default).cells())


def family_lines(
    family: Family, folder: Path, episodes: int = 4, precisions: Sequence[Precision] = PRECISIONS, **size: Any
) -> Iterator[Line]:
    """The lines of one family; its episodes are logged by its F32 model in the real runtime."""
    folder.mkdir(parents=True)
    paths = {one: Specimen(family, one, **size).write(folder / f"{one}.gguf") for one in {"F32", *precisions}}
    sequences = asyncio.run(practised_ids(paths["F32"], folder / "home", episodes))
    plain = load_base(paths["F32"])
    for precision in precisions:
        path, base = paths[precision], load_base(paths[precision])
        model, gguf = random_adapter(base), folder / f"{precision}-adapter.gguf"
        write_gguf_adapter(model, base, gguf, run="parity")
        quantised = precision not in ("F32", "F16")
        f32 = dequantised(path, folder / f"{precision}-f32.gguf") if quantised else None
        original = random_adapter(plain) if quantised else None
        for adapted in (False, True):
            used = gguf if adapted else None
            served = {kv: served_logprobs(path, used, sequences, kv) for kv in ("f32", "f16")}
            with _adapter(model, adapted):
                mine = trainer_logprobs(model, sequences)
            line = Line(family, precision, adapted, compare(mine, served["f32"]), compare(mine, served["f16"]))
            if f32 is not None and original is not None:
                with _adapter(original, adapted):
                    before = compare(trainer_logprobs(original, sequences), served["f32"])
                left = compare(served_logprobs(f32, used, sequences, "f32"), served["f32"])
                line = Line(family, precision, adapted, line.exact, line.default, before, left)
            yield line
        if original is not None:
            original.unload()


def random_adapter(base: BasePolicy, *, rank: int = 8, seed: int = 1, scale: float = 0.02) -> Any:
    """The base with an adapter whose second half is random too (a fresh one is zero and changes nothing)."""
    import torch

    model = with_lora(base, LoraSettings(rank=rank), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "lora_B" in name:
                values.copy_(scale * torch.randn(values.shape, generator=generator))
    return model


def saved_adapter(base: BasePolicy, folder: Path) -> Any:
    """The base with a saved adapter, from its peft form."""
    import peft

    try:
        with quiet_peft():
            return peft.PeftModel.from_pretrained(base.model, folder / "peft")
    except (OSError, ValueError) as error:
        raise ParityError(
            f"{folder} holds no adapter that can be loaded: {str(error).splitlines()[0]}", where=str(folder),
            mend="give the folder of an adapter, as `atlas adapters list --json` shows it",
        ) from None  # fmt: skip


def differences(model: Any, gguf: Path, adapter: Path | None, sequences: Sequence[Sequence[int]], kv: Any) -> Differences:
    """The trainer as it is now against llama.cpp."""
    return compare(trainer_logprobs(model, sequences), served_logprobs(gguf, adapter, sequences, kv))


def served_logprobs(gguf: Path, adapter: Path | None, sequences: Sequence[Sequence[int]], kv: Any) -> list[Any]:
    """What llama.cpp says, in a context of its own."""
    served = Served(gguf, tokens=max(map(len, sequences)), kv=kv)
    try:
        served.use(adapter)
        return served.logprobs(sequences)
    finally:
        served.close()


async def practised_ids(path: Path, home: Path, episodes: int) -> list[list[int]]:
    """Token ids of episodes that this model runs now, in an empty workspace."""
    from ...runtime import Runtime

    workspace = home / "workspace"
    workspace.mkdir(parents=True)
    async with Runtime(
        str(path), workspace=workspace, approve="never", home=home, max_turns=2, temperature=1.0, budget=600
    ) as runtime:
        runtime_store = runtime.store
        for number in range(episodes):
            await runtime.run(_TASKS[number % len(_TASKS)])
        return ids_of(runtime_store, episodes)


def logged_ids(base: BasePolicy, episodes: int) -> list[list[int]]:
    """Token ids of the newest episodes of this very model in the log."""
    from ...runtime.episodes import open_store

    with open_store(atlas_home()) as store:
        found = ids_of(store, episodes, base.base_hash)
    if not found:
        raise ParityError(
            f"no episode of {base.source} is in the log", where=str(atlas_home()),
            mend=f"run one: atlas run --model {base.source} ...",
        )  # fmt: skip
    return found


def ids_of(store: EpisodeStore, limit: int, base_hash: str | None = None) -> list[list[int]]:
    """The rows of the newest episodes (of one base model) as ids."""
    from ..errors import RowError
    from ..rows import rows_of

    found: list[list[int]] = []
    for row in store.list(limit=max(limit, 1_000)):
        if base_hash is not None and row.base_hash != base_hash:
            continue
        try:
            found += [one.ids for one in rows_of(store.get(row.id))]
        except RowError:
            continue
        if len(found) >= limit:
            break
    return found[:limit]


@contextmanager
def _adapter(model: Any, active: bool) -> Iterator[None]:
    if active:
        yield
    else:
        with model.disable_adapter():
            yield


def _print_row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)
