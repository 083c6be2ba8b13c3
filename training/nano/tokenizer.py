"""Nano's tokenizer: byte-level BPE whose pieces of a word do not depend on what stands before it.

A policy that copies names it has never seen from a stub into a call must find the same tokens in both places. So words
are split from punctuation and digits (llama.cpp's `starcoder` pre-tokenizer), and a space joins a following word only
as the very last merge, and only for frequent words: `clients`, ` clients`, `find_clients(` all hold the piece `clients`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL_TOKENS = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|result|>", "<|end|>")
END_OF_TEXT, SYSTEM, USER, ASSISTANT, RESULT, END = SPECIAL_TOKENS
LLAMA_PRE_TOKENIZER = "starcoder"
SPACE = "\u0120"  # how byte-level BPE writes a space

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + ('result' if message['role'] == 'tool' else message['role']) + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Sequence[str], *, vocabulary: int, spaced_share: float = 0.2) -> Tokenizer:
    """Learn a tokenizer of `vocabulary` tokens; `spaced_share` of them are frequent words with a space before."""
    spaced = int(vocabulary * spaced_share)
    plain = _train_without_spaces(texts, vocabulary - spaced - len(SPECIAL_TOKENS))
    state = json.loads(plain.to_str())["model"]
    tokens = list(state["vocab"])
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in state["merges"]]
    known = set(tokens)
    for word in _frequent_after_space(plain, texts, known)[:spaced]:
        merges.append((SPACE, word))
        tokens.append(SPACE + word)
    return build(tokens, merges)


def build(tokens: Sequence[str], merges: Sequence[tuple[str, ...]]) -> Tokenizer:
    """A tokenizer from its tokens (without the special ones, which come first) and merges in order of rank."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL_TOKENS, *tokens])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[(left, right) for left, right in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the tokenizer into `folder` as `tokenizer.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def load(folder: Path) -> Tokenizer:
    """Read the tokenizer of `folder`."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def tokens_and_merges(tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """All tokens in order of id, and the merges as llama.cpp wants them."""
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return tokens, [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def _train_without_spaces(texts: Iterable[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.Split(Regex(r" (?=\p{L})"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=16,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _frequent_after_space(tokenizer: Tokenizer, texts: Iterable[str], known: set[str]) -> list[str]:
    """First pieces of words that follow a space, most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(re.findall(r" ([^\W\d_]+)", text))
    pieces: Counter[str] = Counter()
    for word, count in counts.items():
        tokens = tokenizer.encode(word).tokens
        if tokens and tokens[0] in known:
            pieces[tokens[0]] += count
    return [piece for piece, _ in pieces.most_common()]


def corpus_files() -> Iterator[str]:
    """Python source and prose that every installation has: the standard library and a few libraries of ours."""
    import json as standard
    from importlib.util import find_spec

    roots = [Path(standard.__file__).parent.parent]
    for name in ("mcp", "pydantic", "huggingface_hub", "typer", "httpx", "duckdb", "starlette", "rich", "jinja2"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            roots.append(Path(spec.origin).parent)
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).parts
            if not {"site-packages", "test", "tests", "idlelib", "lib2to3", "encodings", "pydoc_data"} & set(parts):
                yield path.read_text(encoding="utf-8", errors="ignore")
