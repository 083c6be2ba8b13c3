"""One optimiser step on agent rollouts, Atlas against TRL's GRPOTrainer and SFTTrainer: tokens a second and peak memory.

The same random Qwen3, LoRA, rollouts, threads and precision in one run, every contestant in a process of its own. A rollout
has a prompt that the group shares, replies that carry loss, and results that do not. Generation is not part of it: TRL is
handed the rollouts where it would generate. Memory is what a step adds at its peak to the process with the model loaded.
Processor time is the clock to read where the machine does other work as well.

    .venv/bin/python benchmarks/training.py                    # on the processor, minutes
    .venv/bin/python benchmarks/training.py --device cuda
    .venv/bin/python benchmarks/training.py --hidden 256 --layers 4 --steps 1 --threads 1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

PROMPT, REPLY, RESULT = 600, 80, 150
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK, ALPHA = 16, 32
ROOT = Path(__file__).resolve().parents[1]


def rollouts(count: int, turns: int, vocabulary: int) -> list[dict[str, list[int]]]:
    """Token ids and which of them were sampled."""
    draw = random.Random(0)

    def some(size: int) -> list[int]:
        return [draw.randrange(10, vocabulary) for _ in range(size)]

    prompt, made = some(PROMPT), []
    for _ in range(count):
        ids, mask = list(prompt), [0] * PROMPT
        for turn in range(turns):
            ids += some(REPLY) + (some(RESULT) if turn + 1 < turns else [])
            mask += [1] * REPLY + ([0] * RESULT if turn + 1 < turns else [])
        made.append({"ids": ids, "mask": mask})
    return made


class Meter:
    """Wall and processor seconds of each step, and the memory that steps add to a loaded model."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.wall: list[float] = []
        self.processor: list[float] = []
        self.loaded = 0.0

    def ready(self) -> None:
        """The model is loaded: memory counts from here."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
            self.loaded = torch.cuda.memory_allocated() / 2**20
            torch.cuda.reset_peak_memory_stats()
            return
        Path("/proc/self/clear_refs").write_text("5")
        self.loaded = self._status("VmRSS")

    def begin(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def end(self) -> None:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
        self.wall.append(time.perf_counter() - self._wall)
        self.processor.append(time.process_time() - self._processor)

    def report(self, tokens: int, **more: Any) -> None:
        """The last line of a contestant; the first step is a warm-up."""
        if self.device == "cuda":
            import torch

            peak = torch.cuda.max_memory_allocated() / 2**20
        else:
            peak = self._status("VmHWM")
        values = {"wall": self.wall[1:], "processor": self.processor[1:], "tokens": tokens, "memory": peak - self.loaded}
        print(json.dumps(values | more))

    @staticmethod
    def _status(name: str) -> float:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        return 0.0


def loaded(options: argparse.Namespace) -> Any:
    """The random model that all contestants train."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    return AutoModelForCausalLM.from_pretrained(options.folder, dtype=dtype).to(options.device)


def make_model(options: argparse.Namespace, folder: str) -> int:
    """A Qwen3 of the wanted size with random weights, and a tokenizer for TRL; returns its parameters."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=options.vocabulary, hidden_size=options.hidden, intermediate_size=3 * options.hidden, head_dim=64,
        num_hidden_layers=options.layers, num_attention_heads=options.hidden // 64, max_position_embeddings=4096,
        num_key_value_heads=max(1, options.hidden // 128), tie_word_embeddings=True, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)
    model.save_pretrained(folder)
    words = Tokenizer(WordLevel({f"t{number}": number for number in range(options.vocabulary)}, unk_token="t2"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="t0", eos_token="t1")  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())


def atlas(options: argparse.Namespace, meter: Meter) -> None:
    """Atlas: one `Trainer.step` over all rollouts."""
    import warnings

    import peft

    from atlas.training.learn import LearnSettings, Trainer
    from atlas.training.rows import Row

    warnings.simplefilter("ignore")
    model = peft.get_peft_model(loaded(options), peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    supervised, rows = options.contestant == "atlas-sft", []
    for number, made in enumerate(rollouts(options.rollouts, options.turns, options.vocabulary)):
        weight, none = [float(flag) for flag in made["mask"]], [0.0] * len(made["ids"])
        advantage = [flag * (1.0 if number % 2 else -1.0) for flag in weight]
        rows.append(Row(
            ids=made["ids"], loss_mask=[bool(flag) for flag in made["mask"]], turn=[flag - 1 for flag in made["mask"]],
            ce_weight=weight if supervised else none, rl_weight=none if supervised else weight, advantage=advantage,
            value=none,
            behaviour_logprob=[-10.4] * len(none), raw_logprob=none, constrained=[1.0] * len(none), rollout=str(number),
            sampler={"temperature": 1.0}, exact_sampling=True,
        ))  # fmt: skip
    settings = LearnSettings(
        share_prefixes=not options.separate, gradient_checkpointing=options.checkpointing, block_tokens=options.block,
        precision="bfloat16" if options.device == "cuda" else "float32",
    )  # fmt: skip
    trainer = Trainer(model, settings, options.out, device=options.device)
    meter.ready()
    for _ in range(options.steps + 1):
        meter.begin()
        metrics = trainer.step(rows)
        meter.end()
    meter.report(sum(len(row.ids) for row in rows), computed=metrics.computed_tokens)


def trl(options: argparse.Namespace, meter: Meter) -> None:
    """TRL's own trainers at their defaults, except for what is common to all."""
    import warnings

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    warnings.simplefilter("ignore")
    made = rollouts(options.rollouts, options.turns, options.vocabulary)
    common: dict[str, Any] = {
        "output_dir": options.out, "max_steps": options.steps + 1, "per_device_train_batch_size": len(made),
        "gradient_accumulation_steps": 1, "learning_rate": 1e-4, "lr_scheduler_type": "constant", "report_to": "none",
        "save_strategy": "no", "logging_steps": 10_000, "disable_tqdm": True, "bf16": options.device == "cuda",
        "use_cpu": options.device == "cpu", "dataloader_pin_memory": False, "max_grad_norm": 1.0,
    }  # fmt: skip
    if not options.defaults:
        common["gradient_checkpointing"] = options.checkpointing
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, task_type="CAUSAL_LM")
    tokenizer = AutoTokenizer.from_pretrained(options.folder)

    class Timer(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            meter.begin()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            meter.end()

    class Handed(GRPOTrainer):  # type: ignore[misc, unused-ignore]
        def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:  # where it would generate and score
            ids = torch.tensor([one["ids"] for one in made], device=self.accelerator.device)
            mask = torch.tensor([one["mask"] for one in made], device=self.accelerator.device)
            signs = torch.tensor([1.0 if number % 2 else -1.0 for number in range(len(made))])
            return {
                "prompt_ids": ids[:, :PROMPT], "prompt_mask": torch.ones_like(ids[:, :PROMPT]),
                "completion_ids": ids[:, PROMPT:], "completion_mask": torch.ones_like(ids[:, PROMPT:]),
                "tool_mask": mask[:, PROMPT:], "advantages": signs.to(ids.device), "num_items_in_batch": mask.sum(),
                "sampling_per_token_logps": torch.full_like(ids[:, PROMPT:], -10, dtype=torch.float32),
            }  # fmt: skip

    if options.contestant == "trl-grpo":
        group = {"num_generations": len(made)}
        if len(made) == 1:  # a group of one is refused; a step still gets the one rollout
            group = {"num_generations": 2, "generation_batch_size": 2}
        trainer: Any = Handed(
            model=loaded(options), reward_funcs=lambda completions, **_: [0.0] * len(completions), peft_config=lora,
            train_dataset=Dataset.from_list([{"prompt": "t3"}] * 64), processing_class=tokenizer,
            args=GRPOConfig(**common | group, beta=0.0), callbacks=[Timer()],
        )  # fmt: skip
    else:
        rows = [{"input_ids": one["ids"], "completion_mask": one["mask"]} for one in made]
        trainer = SFTTrainer(
            model=loaded(options), peft_config=lora, processing_class=tokenizer, callbacks=[Timer()],
            train_dataset=Dataset.from_list(rows * (options.steps + 2)),
            args=SFTConfig(**common, max_length=4096, completion_only_loss=True),
        )  # fmt: skip
    meter.ready()
    trainer.train()
    meter.report(sum(len(one["ids"]) for one in made))


def peer_python() -> Path:
    """Python of an environment with TRL, made on first use; torch, transformers and peft are those of Atlas."""
    folder = ROOT / ".venv" / "peers" / "trl"
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        print("installing TRL into an environment of its own ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        where = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        (Path(where) / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run([python, "-m", "pip", "install", "-q", "trl", "datasets"], check=True)
        (folder / "done").touch()
    return python


def contest(options: argparse.Namespace, contestant: str, *more: str, count: int, turns: int) -> dict[str, Any]:
    """What one contestant measured in a process of its own."""
    python = str(peer_python()) if contestant.startswith("trl") else sys.executable
    with tempfile.TemporaryDirectory() as out:
        arguments = [
            python, __file__, "--contestant", contestant, "--rollouts", count, "--turns", turns, "--folder", options.folder,
            "--out", out, "--threads", options.threads, "--steps", options.steps, "--device", options.device,
            "--vocabulary", options.vocabulary, "--block", options.block, *more,
        ]  # fmt: skip
        environment = os.environ | {
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": str(options.threads),
            "HF_HUB_OFFLINE": "1",
        }
        done = subprocess.run(
            [str(word) for word in arguments], capture_output=True, text=True, env=environment, check=False
        )
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message", "text": done.stderr}
    values: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return values


def report(options: argparse.Namespace, title: str, count: int, turns: int) -> None:
    """One table: a workload and its contestants."""
    print(f"\n### {title}\n\n| trainer | tokens/s | times TRL | by processor time | times TRL | peak MB | share of TRL's |")
    print("|---|---|---|---|---|---|---|")
    for kind, mine in (("trl-grpo", "atlas-grpo"), ("trl-sft", "atlas-sft")):
        base: dict[str, Any] = {}
        lines = [(kind, f"TRL {kind[4:].upper()}, its defaults", ["--defaults"]), (mine, f"Atlas, {kind[4:].upper()}", [])]
        if count > 1:
            lines.append((mine, f"Atlas, {kind[4:].upper()}, nothing shared", ["--separate"]))
        if kind == "trl-grpo":
            lines.append((mine, "Atlas, GRPO, gradient checkpointing", ["--checkpointing"]))
            lines.insert(1, (kind, "TRL GRPO, no gradient checkpointing", []))
        for contestant, name, more in lines:
            found = contest(options, contestant, *more, count=count, turns=turns)
            if "failed" in found:
                print(f"| {name} | failed: {found['failed']} | | | | | |", flush=True)
                if options.verbose:
                    print(found["text"])
                continue
            base = base or found
            speed, processor = (found["tokens"] / min(found[clock]) for clock in ("wall", "processor"))
            times, of_processor = (min(base[clock]) / min(found[clock]) for clock in ("wall", "processor"))
            share = found["memory"] / base["memory"]
            figures = (
                f"{speed:.0f} | {times:.2f} | {processor:.0f} | {of_processor:.2f} | {found['memory']:.0f} | {share:.2f}"
            )
            print(f"| {name} | {figures} |", flush=True)


def main() -> None:
    """Parent: make the model and run all contestants. Child: be one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"hidden": 512, "layers": 8, "vocabulary": 32_768, "steps": 2, "block": 1024, "rollouts": 8, "turns": 4}
    for name, value in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", choices=["group", "single"])
    for flag in ("defaults", "separate", "checkpointing", "verbose"):
        parser.add_argument(f"--{flag}", action="store_true")
    for hidden in ("contestant", "folder", "out"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        (trl if options.contestant.startswith("trl") else atlas)(options, Meter(options.device))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.folder = folder
        size = make_model(options, folder)
        print(
            f"# Training step\n\nQwen3 with random weights, {size / 1e6:.1f} M parameters, vocabulary {options.vocabulary},"
        )
        print(
            f"LoRA rank {RANK} on all linear layers, {options.device}, {options.threads} threads, best of {options.steps};"
        )
        print(f"load of the machine {os.getloadavg()[0]:.1f}")
        if options.only != "single":
            report(options, f"{options.rollouts} rollouts of {options.turns} turns", options.rollouts, options.turns)
        if options.only != "group":
            report(options, "one rollout of one turn", 1, 1)


if __name__ == "__main__":
    main()
