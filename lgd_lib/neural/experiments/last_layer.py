"""Fine-tuning the last layer of a frozen network over many nodes: one function, resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lgd_lib.datasets import load_pictures
from lgd_lib.margins.separability import UndecidedError
from lgd_lib.multiclass import multiclass_margins, predict
from lgd_lib.multiclass_reference import multiclass_max_margin
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.description import Asked, Experiment
from lgd_lib.neural.experiments.scenes import SCENES, SIZES, Layer, Method, Sizes, methods, spread
from lgd_lib.neural.experiments.work import Work, work_on
from lgd_lib.neural.features import features
from lgd_lib.neural.frozen import Frozen, freeze
from lgd_lib.neural.runs import Deadline
from lgd_lib.neural.weights import efficientnet_lite0
from lgd_lib.participation import Subset
from lgd_lib.problems import Problem
from lgd_lib.recording import Metrics
from lgd_lib.runner import Round, State, rounds
from lgd_lib.validation import Array


def last_layer(
    sets: Mapping[str, Frozen],
    sizes: Sizes,
    seeds: Sequence[int],
    *,
    path: str | Path | None = None,
    seconds: float = math.inf,
    device: str = "cpu",
) -> files.Results:
    """Train the last layer of a frozen network over many nodes by all methods, and measure each round.

    Parameters
    ----------
    sets : mapping of str to Frozen
        "fashion" and "emoji"; one that is missing is left out.
    sizes : Sizes
    seeds : sequence of int
    path : str or Path, optional
        JSON file to write; if it is there, what it holds is not done again.
    seconds : float
        After which the work stops at the next point where it is saved; needs `path`.
    device : str
        Where the features were made, for the record.

    Returns
    -------
    dict
        "runs": set / scene / method / seed to columns; "references": set / seed to the margin, the held-out
        accuracy and the turning angles of the centralised answer; "finished"; "slices": where, with what and
        how long, for each slice that did something. Pictures that no layer separates are named in
        "not separable", and left out.

    Raises
    ------
    ValueError
        If `path` holds results of other sizes, seeds or features.

    Notes
    -----
    Features are taken for the same if their shape and, to 1e-4, their length are. Needs numpy, scipy and
    torch only. Cost: a minute with the sizes of `ci`, hours with those of `full`.

    Examples
    --------
    >>> last_layer({}, Sizes({}, samples=1, tests=1), [0])["finished"]
    True
    """
    results = _begun(path, sets, sizes, seeds)
    with work_on(results, path=path, seconds=seconds, device=device) as work:
        for name, frozen in sets.items():
            for seed in seeds:
                scenes = [scene for own, scene in SCENES if own == name]
                LayerRuns(work, sizes).one_set(name, frozen, seed, [*scenes, "one node"])
    return results


def _begun(
    path: str | Path | None, sets: Mapping[str, Frozen], sizes: Sizes, seeds: Sequence[int]
) -> files.Results:
    made = {name: _known_by(frozen) for name, frozen in sets.items()}
    found = files.begun("last_layer", sizes, seeds, path, {"features": made} | kept_of_layers())
    for name, features_now in made.items():
        kept = found["features"].setdefault(name, features_now)
        same = math.isclose(kept["length"], features_now["length"], rel_tol=1e-4)
        if kept["shape"] != features_now["shape"] or not same:
            raise ValueError(
                f"path {str(path)!r} holds results of other features of {name!r}; choose another"
            )
    return found


def kept_of_layers() -> dict[str, Any]:
    """Return what results hold besides the runs before any `LayerRuns` has begun.

    Returns
    -------
    dict

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> sorted(kept_of_layers())
    ['done', 'not separable', 'references']
    """
    return {"references": {}, "not separable": {}, "done": []}


def _known_by(frozen: Frozen) -> dict[str, Any]:
    """What tells features from those of other pictures or another network, but not from another device's."""
    return {"shape": list(frozen.X.shape), "length": float(np.linalg.norm(frozen.X))}


@dataclass(frozen=True, eq=False)
class LayerRuns:
    """Runs of the last layer, part of an experiment.

    Parameters
    ----------
    work : Work
        Its results hold what `kept_of_layers` names.
    sizes : Sizes

    Examples
    --------
    >>> LayerRuns(work, SIZES["ci"]).one_set("emoji", frozen, 0, ["vendors"])  # doctest: +SKIP
    """

    work: Work
    sizes: Sizes

    def one_set(self, name: str, frozen: Frozen, seed: int, scenes: Sequence[str]) -> None:
        """Do all methods in all scenes of one set of features and one seed.

        Parameters
        ----------
        name : str
        frozen : Frozen
        seed : int
        scenes : sequence of str
            As for `spread`.
        """
        key = f"{name} / seed {seed}"
        open_ = [
            scene for scene in scenes if f"{name} / {scene} / seed {seed}" not in self.work.results["done"]
        ]
        if not open_ or key in self.work.results["not separable"]:
            return
        self.work.begin()
        layer = Layer.of(frozen, seed)
        goal = self._reference(key, layer)
        if goal is None:
            return
        for scene in open_:
            problem = layer.problem(spread(scene, layer, self.sizes.clients, seed))
            metrics = layer.metrics(problem, goal)
            for method, parts in methods(problem, self.sizes).items():
                run = f"{name} / {scene} / {method} / seed {seed}"
                if run not in self.work.results["runs"]:
                    self._one_run(run, problem, parts, metrics, seed)
            self.work.results["done"].append(f"{name} / {scene} / seed {seed}")
            self.work.keep()

    def _reference(self, key: str, layer: Layer) -> Array | None:
        """The certified centralised answer, or None, with a note, where nothing separates the pictures."""
        try:
            found = multiclass_max_margin(layer.problem(spread("one node", layer, 1, 0)))
        except UndecidedError as error:
            self.work.results["not separable"][key] = str(error)
            return None
        size = found.certificate.scale
        self.work.results["references"][key] = {
            "margin": 1 / size,
            "relative error": found.certificate.error_bound / size,
            "accuracy": float((predict(layer.X_test, found.w) == layer.y_test).mean()),
            "turning": np.sort(layer.turning_angles(found.w)).round(4).tolist(),
        }
        return found.w

    def _one_run(self, key: str, problem: Problem, method: Method, metrics: Metrics, seed: int) -> None:
        """One method, to its last round or to the end of the slice."""
        solver, aggregation, projects, K = method
        _, scene, name, _ = key.split(" / ")
        held = multiclass_margins(problem) if projects else problem
        some = Subset(10) if scene == "10 of 100" else None
        # Nodes that are absent do not say their margin: what is told is no lower bound then.
        bounds = ("upper",) if some else ("lower", "upper")
        told = {bound: _bound(bound) for bound in bounds} if name == "bundle" else {}

        def make(state: State | None) -> Iterator[Round]:
            w0 = np.zeros(problem.size)
            return rounds(held, solver, aggregation, w0, participation=some, seed=seed, state=state)

        history = self.work.history(key, K, make, {**metrics, **told})
        self.work.keep_run(key, files.columns(history, self.sizes.kept))


def _bound(name: str) -> Callable[[Round], float]:
    """What the bundle knows of the largest margin, from below or above."""
    return lambda r: float(r.state.aggregation[name])


def pictures_of(
    sizes: Sizes, seeds: Sequence[int], device: str = "cpu", cache: str | Path | None = None
) -> dict[str, Frozen]:
    """Return the frozen features of all sets of pictures that the sizes name.

    Parameters
    ----------
    sizes : Sizes
    seeds : sequence of int
    device : str
    cache : str or Path, optional
        Folder that keeps features.

    Returns
    -------
    dict of str to Frozen

    Notes
    -----
    Cost: 7 ms a picture on one core, once.

    Examples
    --------
    >>> pictures_of(SIZES["ci"], [0])  # doctest: +SKIP
    """
    extract = partial(features, efficientnet_lite0(), device=device, cache=cache)
    return {
        name: freeze(load_pictures(name), extract, classes, sizes.samples, sizes.tests, seeds)
        for name, classes in sizes.classes.items()
    }


def _run(asked: Asked) -> files.Results:
    begun = Deadline(asked.seconds)
    sets = pictures_of(asked.sizes, asked.seeds, asked.device, asked.cache)
    left = asked.seconds - begun.elapsed
    return last_layer(sets, asked.sizes, asked.seeds, path=asked.path, seconds=left, device=asked.device)


LAST_LAYER = Experiment(
    "last_layer", "The last layer of a frozen network, by all methods of the book.", SIZES, _run
)
"""Needs the two packages of requirements-weights.txt."""
