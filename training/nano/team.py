"""Several processes, one core each, that share the gradients of every step: faster than threads that wait for each other."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class Team:
    """One process's membership: `rank` 0 leads. A team of one does nothing."""

    def __init__(self, rank: int = 0, size: int = 1, meeting: Path | None = None) -> None:
        self.rank, self.size = rank, size
        self._followers: list[BaseProcess] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._before = _cores(), torch.get_num_threads()
        if size > 1:
            cores = sorted(_cores())
            _settle({cores[rank % len(cores)]} if cores else set(), 1)
            dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)

    @classmethod
    def lead(cls, size: int, follow: Callable[..., None], *arguments: Any) -> Team:
        """Start the other members, each calling `follow(team, *arguments)`, and lead them.

        Raises `RuntimeError` when one of them ends before it has joined: the others would wait for it for ever.
        """
        if size == 1:
            return cls()
        folder = tempfile.TemporaryDirectory(prefix="atlas-team-")
        meeting = Path(folder.name) / "meeting"
        followers: list[BaseProcess] = []
        try:
            for rank in range(1, size):
                followers.append(_started(rank, size, meeting, follow, arguments))
            team = cls(0, size, meeting)
        except BaseException:
            _end(followers)
            folder.cleanup()
            raise
        team._followers, team._folder = followers, folder
        return team

    def told(self, *values: float) -> list[float]:
        """The leader's values, for everyone."""
        heard = torch.tensor(values, dtype=torch.float64)
        if self.size > 1:
            dist.broadcast(heard, 0)
        return [float(value) for value in heard]

    def share_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace every gradient by its mean over the team."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        means = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def close(self) -> None:
        """Leave; the leader ends whoever is left."""
        if self.size > 1:
            dist.destroy_process_group()
            _settle(*self._before)
        _end(self._followers)
        if self._folder is not None:
            self._folder.cleanup()


def _cores() -> set[int]:
    """Where this process may run; empty where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _settle(cores: set[int], threads: int) -> None:
    torch.set_num_threads(threads)
    if cores:
        os.sched_setaffinity(0, cores)


def _started(rank: int, size: int, meeting: Path, follow: Callable[..., None], arguments: tuple[Any, ...]) -> BaseProcess:
    """A follower that has come as far as joining."""
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_join, args=(told, rank, size, meeting, follow, arguments))
    process.start()
    told.close()
    try:
        heard.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"worker {rank} of {size} ended before it began; its error is above") from None
    return process


def _end(followers: Iterable[BaseProcess]) -> None:
    for process in followers:
        process.terminate()
        process.join()


def _join(
    told: Connection, rank: int, size: int, meeting: Path, follow: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    told.send(rank)
    told.close()
    follow(Team(rank, size, meeting), *arguments)
