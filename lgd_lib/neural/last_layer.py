"""Fine-tuning the last layer of a frozen network over many nodes: one function, resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lgd_lib.history import History
from lgd_lib.margins.separability import UndecidedError
from lgd_lib.multiclass import multiclass_margins, predict
from lgd_lib.multiclass_reference import multiclass_max_margin
from lgd_lib.neural import results as files
from lgd_lib.neural.frozen import Frozen
from lgd_lib.neural.runs import Deadline, OutOfTimeError, run_to
from lgd_lib.neural.scenes import SCENES, Layer, Method, Sizes, methods, spread
from lgd_lib.participation import Subset
from lgd_lib.problems import Problem
from lgd_lib.recording import Metrics
from lgd_lib.runner import Round, State, rounds
from lgd_lib.validation import Array

EXPERIMENT = "last_layer"


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
    if path is None and seconds != math.inf:
        raise ValueError(f"seconds was {seconds}; without a path there is nothing to go on from")
    results = _begun(path, sets, sizes, seeds)
    with _folder(path) as folder:
        where = None if path is None else Path(path)
        work = _Work(results, sizes, where, folder, Deadline(seconds), files.about(device))
        try:
            for name, frozen in sets.items():
                for seed in seeds:
                    work.one_set(name, frozen, seed)
            results["finished"] = True
        except OutOfTimeError:
            pass
        work.keep()
    return results


def _begun(
    path: str | Path | None, sets: Mapping[str, Frozen], sizes: Sizes, seeds: Sequence[int]
) -> files.Results:
    asked = {"sizes": files.as_kept(sizes), "seeds": list(seeds)}
    made = {name: _known_by(frozen) for name, frozen in sets.items()}
    if path is None or not Path(path).exists():
        new: files.Results = {"experiment": EXPERIMENT, "finished": False} | asked
        new |= {"features": made, "references": {}, "not separable": {}}
        return new | {"runs": {}, "done": [], "slices": []}
    found = files.read(path, EXPERIMENT)
    if {key: found.get(key) for key in asked} != asked:
        raise ValueError(f"path {str(path)!r} holds results of other sizes or seeds; choose another path")
    for name, own in made.items():
        kept = found["features"].setdefault(name, own)
        if kept["shape"] != own["shape"] or not math.isclose(kept["length"], own["length"], rel_tol=1e-4):
            raise ValueError(
                f"path {str(path)!r} holds results of other features of {name!r}; choose another"
            )
    return found | {"finished": False}


def _known_by(frozen: Frozen) -> dict[str, Any]:
    """What tells features from those of other pictures or another network, but not from another device's."""
    return {"shape": list(frozen.X.shape), "length": float(np.linalg.norm(frozen.X))}


@contextmanager
def _folder(path: str | Path | None) -> Iterator[Path]:
    """Where unfinished runs are saved: beside the results, or for this process only."""
    if path is None:
        with TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = Path(path).with_name(f"{Path(path).name}.runs")
    if not Path(path).exists():  # what is saved there belongs to results that are gone
        rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not any(folder.iterdir()):
        folder.rmdir()


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done, and where the rest goes."""

    results: files.Results
    sizes: Sizes
    path: Path | None
    folder: Path
    deadline: Deadline
    about: dict[str, Any]

    def __post_init__(self) -> None:
        self.keep()

    def keep(self) -> None:
        """Write the results, with the time that this slice has taken so far."""
        self.about["seconds"] = round(self.deadline.elapsed, 1)
        if self.path is not None:
            files.write(self.path, self.results)

    def one_set(self, name: str, frozen: Frozen, seed: int) -> None:
        """All scenes of one set of pictures and one seed."""
        key = f"{name} / seed {seed}"
        scenes = [scene for own, scene in SCENES if own == name] + ["one node"]
        open_ = [scene for scene in scenes if f"{name} / {scene} / seed {seed}" not in self.results["done"]]
        if not open_ or key in self.results["not separable"]:
            return
        if not any(known is self.about for known in self.results["slices"]):  # it does something
            self.results["slices"].append(self.about)
        layer = Layer.of(frozen, seed)
        goal = self.reference(key, layer)
        if goal is None:
            return
        for scene in open_:
            problem = layer.problem(spread(scene, layer, self.sizes.clients, seed))
            metrics = layer.metrics(problem, goal)
            for method, parts in methods(problem, self.sizes).items():
                run = f"{name} / {scene} / {method} / seed {seed}"
                if run not in self.results["runs"]:
                    self.one_run(run, problem, parts, metrics, seed)
            self.results["done"].append(f"{name} / {scene} / seed {seed}")
            self.keep()

    def reference(self, key: str, layer: Layer) -> Array | None:
        """The certified centralised answer, or None, with a note, where nothing separates the pictures."""
        try:
            found = multiclass_max_margin(layer.problem(spread("one node", layer, 1, 0)))
        except UndecidedError as error:
            self.results["not separable"][key] = str(error)
            return None
        size = found.certificate.scale
        self.results["references"][key] = {
            "margin": 1 / size,
            "relative error": found.certificate.error_bound / size,
            "accuracy": float((predict(layer.X_test, found.w) == layer.y_test).mean()),
            "turning": np.sort(layer.turning_angles(found.w)).round(4).tolist(),
        }
        return found.w

    def one_run(self, key: str, problem: Problem, method: Method, metrics: Metrics, seed: int) -> None:
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

        where = self.folder / f"{key.replace(' / ', '-').replace(' ', '_')}.npz"
        history = run_to(K, make, {**metrics, **told}, where, self.deadline)
        self.results["runs"][key] = _columns(history, self.sizes.kept)
        self.keep()
        if self.deadline.passed:
            raise OutOfTimeError


def _bound(name: str) -> Callable[[Round], float]:
    """What the bundle knows of the largest margin, from below or above."""
    return lambda r: float(r.state.aggregation[name])


def _columns(history: History, kept: int) -> dict[str, list[float | None]]:
    """Some of the rounds, the first and the last among them; None for what is infinite."""
    K = len(history)
    some = np.unique(np.geomspace(1, K, kept).round().astype(int)) - 1
    columns = {clock: history.clock(clock)[some] for clock in ("rounds", "megabytes", "gradients")}
    own = ("k", "bytes_up", "bytes_down", "gradients")
    columns |= {name: history[name][some] for name in history.columns if name not in own}
    return {
        name: [float(f"{value:.8g}") if math.isfinite(value) else None for value in column]
        for name, column in columns.items()
    }
