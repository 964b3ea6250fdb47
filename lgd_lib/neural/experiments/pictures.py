"""Fine-tuning a whole network on pictures over many nodes: one function, resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from lgd_lib.aggregation import Average
from lgd_lib.datasets import load_pictures
from lgd_lib.history import History
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.albums import Album, album_of
from lgd_lib.neural.experiments.description import Asked, Experiment
from lgd_lib.neural.experiments.picture_runs import (
    COLUMNS,
    SIZES,
    Judge,
    Sizes,
    line_of,
    methods,
    pictures_seen,
)
from lgd_lib.neural.experiments.work import Work, work_on
from lgd_lib.neural.fine_tuning import lite0_builder
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.neural.weights import efficientnet_lite0
from lgd_lib.runner import Round, State, rounds

cross_entropy = partial(nn.functional.cross_entropy, reduction="none")
BATCHNORM = {"pretrained": "frozen", "random": "averaged"}
"""Statistics that were learnt are kept; from random weights there are none to keep."""


def pictures(
    albums: Mapping[int, Album],
    builders: Mapping[str, Callable[[], nn.Module]],
    sizes: Sizes,
    *,
    path: str | Path | None = None,
    seconds: float = math.inf,
    device: str = "cpu",
) -> files.Results:
    """Train a whole network over many nodes by all methods, from all starts, and measure some rounds.

    Parameters
    ----------
    albums : mapping of int to Album
        Seed to its pictures.
    builders : mapping of str to callable
        Start to what builds the network; one that is missing is left out.
    sizes : Sizes
    path : str or Path, optional
        JSON file to write; if it is there, what it holds is not done again.
    seconds : float
        After which the work stops at the next point where it is saved; needs `path`.
    device : str

    Returns
    -------
    dict
        "runs": scene / start / method / seed to columns, and "line", what lies between two local models
        after the last round; "nodes": scene / seed to the nodes' numbers of pictures; "travels": start to
        how many numbers a message holds; "finished"; "slices".

    Raises
    ------
    ValueError
        If `path` holds results of other sizes or seeds.

    Notes
    -----
    Nodes are averaged with weights in proportion to their pictures. Cost: with EfficientNet-Lite0 half a
    minute a run at full size on one core, and there are 120.

    Examples
    --------
    >>> pictures({}, {}, SIZES["ci"])["finished"]
    True
    """
    results = files.begun("pictures", sizes, list(albums), path, {"nodes": {}, "travels": {}})
    with work_on(results, path=path, seconds=seconds, device=device) as work:
        for seed, album in albums.items():
            for start, build in builders.items():
                for scene in ("one node", *sizes.scenes[start]):
                    nodes = album.spread(scene, sizes.clients, seed)
                    problem = NetworkProblem(nodes, build, cross_entropy, seed, device)
                    _Scene(work, sizes, album, problem, f"{scene} / {start}", seed).all_runs()
    return results


@dataclass(frozen=True, eq=False)
class _Scene:
    """The runs of all methods on one problem."""

    work: Work
    sizes: Sizes
    album: Album
    problem: NetworkProblem
    name: str
    seed: int

    def all_runs(self) -> None:
        """Do what is not done yet."""
        scene, start = self.name.split(" / ")
        batchnorm = BATCHNORM.get(start, "frozen")
        for method, (solver, K) in methods(self.problem.M, start, batchnorm, self.sizes).items():
            key = f"{self.name} / {method} / seed {self.seed}"
            if key not in self.work.results["runs"]:
                self.work.results["nodes"][f"{scene} / seed {self.seed}"] = self.problem.sizes.tolist()
                self.one_run(key, start, solver, K)

    def one_run(self, key: str, start: str, solver: NetworkSteps, K: int) -> None:
        """One method, to its last round or to the end of the slice."""
        problem, prepared = self.problem, solver.prepare(self.problem)
        self.work.results["travels"][start] = prepared.travels
        seen = [
            pictures_seen(int(N), int(b), int(L))
            for N, b, L in zip(problem.sizes, prepared.batch, prepared.L, strict=True)
        ]
        # A line for the fewest rounds and, of the others, for the largest number of local steps.
        drawn = key.split(" / ")[2] in ("one-shot", f"sgd L={max(self.sizes.steps)}")
        points = self.sizes.points if drawn else 0
        sizes = self.sizes
        judge = Judge(problem, self.album, sizes.judged, K, sizes.kept, points, sum(seen))

        def make(state: State | None) -> Iterator[Round]:
            return rounds(
                problem,
                solver,
                Average(),
                problem.initial,
                weights=problem.sizes,
                seed=self.seed,
                state=state,
            )

        history = self.work.history(key, K, make, {"measured": judge})
        measured = history["measured"]
        table = {name: history[name] for name in ("k", "bytes_up", "bytes_down", "gradients")}
        table |= {name: measured[:, j] for j, name in enumerate(COLUMNS)}
        run: dict[str, object] = dict(files.columns(History(table), self.sizes.kept))
        if points:
            run["line"] = line_of(measured[-1], points)
        self.work.keep_run(key, run)


def _run(asked: Asked) -> files.Results:
    sizes, backbone, emoji = asked.sizes, efficientnet_lite0(), load_pictures("emoji")
    choice = sizes.classes, sizes.samples, sizes.tests
    return pictures(
        {seed: album_of(emoji, *choice, seed) for seed in asked.seeds},
        {start: lite0_builder(backbone, start, len(sizes.classes)) for start in sizes.scenes},
        sizes,
        path=asked.path,
        seconds=asked.seconds,
        device=asked.device,
    )


PICTURES = Experiment("pictures", "A whole network, fine-tuned on pictures of four vendors.", SIZES, _run)
"""Needs the two packages of requirements-weights.txt."""
