"""The nano policy: rows, shared prefixes, pretraining that can be stopped, and the GGUF it becomes."""

from __future__ import annotations

import ast
import dataclasses
import json
import random
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from atlas.runtime.prompt import first_message
from atlas.tools_registry.stubs import stub
from atlas.tools_registry.tool import Tool
from atlas.training.nano import tokenizer as tokens
from atlas.training.nano.config import RECIPES, ModelConfig
from atlas.training.nano.corpus import world_text
from atlas.training.nano.drills import drills
from atlas.training.nano.export import export
from atlas.training.nano.lexicon import held_out_words, name_words, without, words_of, world_words
from atlas.training.nano.model import Nano, Tree, pack
from atlas.training.nano.muon import orthogonalise
from atlas.training.nano.pretrain import Trainer, load_model, pretrain
from atlas.training.nano.rows import branch_ids, prefix_ids, server_index, world_trees
from atlas.training.nano.start import StartError, load_weights, tokenizer_of
from atlas.training.worlds.composed import composed_world

TINY = ModelConfig(vocabulary=800, width=32, layers=2, heads=2, key_value_heads=1, head_width=16, feed_forward=64)


@pytest.fixture(scope="module")
def learned() -> Tokenizer:
    texts = [world_text(composed_world(seed, "practice", tasks=6)) for seed in range(4)]
    return tokens.train_tokenizer(texts, vocabulary=TINY.vocabulary)


@pytest.fixture(scope="module")
def folder(learned: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("nano")
    tokens.save(learned, place)
    (place / "lexicon.txt").write_text("gasket\nlantern\nmeadow\npebble\nthimble\nwalnut\n" * 40)
    return place


def some_tree(seed: int) -> Tree:
    rng = random.Random(seed)
    branches = [[rng.randrange(10, 700) for _ in range(rng.randrange(3, 30))] for _ in range(6)]
    targets = [[place % 2 == 0 for place in range(len(branch))] for branch in branches]
    return Tree([rng.randrange(10, 700) for _ in range(40)], branches, targets)


def test_a_branch_of_a_tree_gets_the_logits_that_it_gets_alone() -> None:
    torch.manual_seed(1)
    model, tree = Nano(TINY), some_tree(1)
    together = pack([some_tree(2), tree])
    logits = model.logits(together)
    for number, (branch, targets) in enumerate(zip(tree.branches, tree.targets, strict=True)):
        alone = model.logits(pack([Tree(tree.prefix, [branch], [targets])]))
        torch.testing.assert_close(logits[together.branch_of_row == 6 + number], alone, atol=2e-5, rtol=0)


def test_gradients_of_a_tree_are_the_sum_of_those_of_its_branches() -> None:
    torch.manual_seed(1)
    model, tree = Nano(TINY), some_tree(3)

    def gradient(trees: list[Tree]) -> torch.Tensor:
        model.zero_grad()
        for one in trees:
            batch = pack([one])
            F.cross_entropy(model.logits(batch), batch.labels, reduction="sum").backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])

    apart = [Tree(tree.prefix, [b], [t]) for b, t in zip(tree.branches, tree.targets, strict=True)]
    whole, parts = gradient([tree]), gradient(apart)
    assert float((whole - parts).abs().max() / parts.abs().max()) < 1e-5


def test_loss_falls_on_programs_and_their_end_marks_only(learned: Tokenizer) -> None:
    ids, mask = branch_ids(learned, "count the books", ["print(1)", "answer(2)"], ["1"])
    spoken = learned.decode([one for one, wanted in zip(ids, mask, strict=True) if wanted], skip_special_tokens=False)
    assert spoken == "print(1)<|end|>answer(2)<|end|>"


def test_rows_hold_the_very_text_that_the_runtime_writes(learned: Tokenizer) -> None:
    world = composed_world(7, "practice", tasks=1, families=["single"])
    lines = [stub(tool) for tool in world.tools[:5]]
    view = first_message(server_index(world.tools), lines, "")
    ids = prefix_ids(learned, view.removesuffix("task: ")) + branch_ids(learned, world.tasks[0].text, [], [])[0]
    text = learned.decode(ids, skip_special_tokens=False)
    assert first_message(server_index(world.tools), lines, world.tasks[0].text) + "<|end|>" in text


def test_a_view_holds_what_its_tasks_need_and_nothing_that_they_hide(learned: Tokenizer) -> None:
    world = composed_world(11, "practice", tasks=12)
    trees = world_trees(world, learned, random.Random(1), stubs=(6, 10))
    views = [learned.decode(tree.prefix) for tree in trees]
    assert sum(len(tree.branches) for tree in trees) == len(world.tasks)
    for task in world.tasks:
        for name in set(task.needed) - set(task.hidden):
            assert any(f"def {name}(" in view for view in views)


def test_a_word_has_the_same_pieces_whatever_stands_before_it(learned: Tokenizer) -> None:
    def pieces(text: str) -> str:
        return "|".join(learned.encode(text).tokens).replace(tokens.SPACE, "").strip("|")

    for word in ("zorvik", "clients", "invoice"):
        bare = pieces(word)
        assert pieces(f" {word}") == bare
        assert bare in pieces(f"find_{word}(") and bare in pieces(f'"{word}"')


def test_drills_say_only_what_names_one_tool_of_the_view() -> None:
    world, rng = composed_world(5, "practice", tasks=1), random.Random(3)
    view = list(world.tools[:6])
    same = [Tool("other", view[0].name, view[0].description, {}), *view]
    for text, program in drills(same, ["walnut", "kettle"], rng, 200):
        ast.parse(program)
        if program.startswith((f"answer({view[0].full_name}(", "answer(other.")):
            assert view[0].full_name in text or f"other.{view[0].name}" in text


def test_no_held_out_word_reaches_the_vocabulary() -> None:
    practice = [composed_world(seed, "practice", tasks=6) for seed in range(6)]
    heldout = [composed_world(seed, "heldout", tasks=6) for seed in range(6)]
    held_out = held_out_words(world_words(practice), world_words(heldout))
    assert held_out
    left = without(" ".join(held_out) + " and some_" + sorted(held_out)[0], held_out)
    assert not held_out & set(words_of(left))


def test_names_that_only_held_out_worlds_use_are_found_even_where_practice_says_the_word() -> None:
    practice = composed_world(1, "practice", tasks=1)
    spoken = dataclasses.replace(practice, tools=(Tool("crm", "find", "Find what is called so.", {}),))
    named = dataclasses.replace(practice, tools=(Tool("crm", "called", "", {}),))
    assert held_out_words(name_words([spoken]), name_words([named])) == {"called"}


def test_muon_makes_the_singular_values_of_an_update_about_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(48, 96)))
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.5


def test_a_run_that_was_stopped_goes_on_where_it_was(folder: Path) -> None:
    recipe = dataclasses.replace(RECIPES["smoke"], tokens=24_000, step_tokens=2_000, toolbox_share=0.0, tasks_a_world=6)
    pretrain(TINY, recipe, folder, minutes=0.0)
    first = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    pretrain(TINY, recipe, folder)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1)) and len(rows) > first["step"]
    assert rows[-1]["tokens"] >= recipe.tokens
    assert json.loads((folder / "config.json").read_text())["recipe"]["seed"] == recipe.seed


def test_learning_lowers_the_loss_on_one_batch() -> None:
    trainer = Trainer(TINY, RECIPES["smoke"])
    batch = pack([some_tree(4)])
    losses = []
    for _ in range(12):
        losses.append(trainer.step(batch)["loss"])
        trainer.progress.step += 1
    assert losses[-1] < losses[0] - 1


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    trainer = Trainer(TINY, RECIPES["smoke"])
    with torch.no_grad():
        trainer.model.norm.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError):
        trainer.step(pack([some_tree(5)]))


def test_the_exported_gguf_tokenises_and_predicts_as_the_model_does(learned: Tokenizer, tmp_path: Path) -> None:
    torch.manual_seed(3)
    tokens.save(learned, tmp_path)
    model = Nano(TINY).eval()
    export(model, tmp_path, tmp_path / "tiny.gguf", precision="f32")
    llm = llama_cpp.Llama(str(tmp_path / "tiny.gguf"), n_ctx=256, logits_all=True, verbose=False, type_k=0, type_v=0)
    text = 'def crm.find_clients(city: str) -> list[str]  # "Zoë" 12,5\ntask: go <|end|>'
    ids = learned.encode(text).ids
    assert llm.tokenize(text.encode(), add_bos=False, special=False) == ids
    llm.eval(ids)
    batch = pack([Tree(ids[:5], [ids[5:]], [[True] * (len(ids) - 5)])])
    ours = model.logits(batch).detach().numpy()
    assert np.abs(np.array(llm.scores[4 : len(ids) - 1]) - ours).max() < 1e-3
    assert llm.metadata["atlas.profile"] == "compact" and "<|assistant|>" in llm.metadata["tokenizer.chat_template"]
    llm.close()


def test_a_checkpoint_gives_back_the_model(folder: Path) -> None:
    if not (folder / "checkpoint.pt").exists():
        recipe = dataclasses.replace(RECIPES["smoke"], tokens=2_000, step_tokens=2_000, toolbox_share=0.0, tasks_a_world=4)
        pretrain(TINY, recipe, folder, minutes=0.0)
    assert load_model(folder).config == TINY


def test_a_run_can_begin_with_the_weights_of_a_gguf(learned: Tokenizer, tmp_path: Path) -> None:
    torch.manual_seed(4)
    tokens.save(learned, tmp_path)
    model, path = Nano(TINY), tmp_path / "tiny.gguf"
    export(model, tmp_path, path, precision="f32")
    again, place = Nano(TINY), tmp_path / "again"
    load_weights(again, path)
    tokenizer_of(path, place)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))
    text = 'answer(crm.find_clients(city="Zoë 12"))'
    assert tokens.load(place).encode(text).ids == learned.encode(text).ids


def test_a_gguf_of_another_shape_is_refused(learned: Tokenizer, tmp_path: Path) -> None:
    tokens.save(learned, tmp_path)
    export(Nano(TINY), tmp_path, tmp_path / "tiny.gguf")
    with pytest.raises(StartError):
        load_weights(Nano(dataclasses.replace(TINY, width=64)), tmp_path / "tiny.gguf")
