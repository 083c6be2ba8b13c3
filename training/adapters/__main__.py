"""`python -m atlas.training.adapters`: how closely trainer and llama.cpp agree, as a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Print the table for tiny random models of every family, or for one model."""
    from ..errors import TrainingError
    from .table import of_families, of_model

    parser = argparse.ArgumentParser(
        prog="python -m atlas.training.adapters",
        description="Compare the log-probabilities of the trainer with those of llama.cpp, token by token.",
    )
    parser.add_argument("--model", help="one model (nano, a .gguf, hf:...) instead of tiny random ones of every family")
    parser.add_argument("--adapter", type=Path, help="a saved adapter's folder, instead of a random adapter")
    parser.add_argument("--episodes", type=int, default=4, help="logged episodes to compare on")
    options = parser.parse_args()
    print("a minute of computing for each family on two idle cores" if options.model is None else "", file=sys.stderr)
    try:
        if options.model is None:
            of_families(options.episodes)
        else:
            of_model(options.model, options.adapter, options.episodes)
    except TrainingError as error:
        sys.exit(f"{error.where}: {error.message}\n{error.mend}")


if __name__ == "__main__":
    main()
