"""A character model trained by speaking roles, some of them a round: one function, resumable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lgd_lib.aggregation import Average
from lgd_lib.leaf import load_leaf
from lgd_lib.neural import results as files
from lgd_lib.neural.characters import character_scores
from lgd_lib.neural.experiments.description import Asked, Experiment, Option
from lgd_lib.neural.experiments.speaking import (
    COLUMNS,
    SIZES,
    Judge,
    Method,
    Sizes,
    baselines,
    methods,
    problem_of,
)
from lgd_lib.neural.experiments.work import Work, work_on
from lgd_lib.roles import load_roles, windows
from lgd_lib.runner import Round, State, rounds
from lgd_lib.users import Users


def drawn(everyone: Users, sizes: Sizes, seed: int) -> Users:
    """Return the users that take part with a seed, drawn without replacement, in their order.

    Parameters
    ----------
    everyone : Users
    sizes : Sizes
    seed : int

    Returns
    -------
    Users

    Raises
    ------
    ValueError
        If there are fewer than are asked for.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> drawn(everyone, SIZES["full"], seed=0).M  # doctest: +SKIP
    100
    """
    if sizes.users > everyone.M:
        raise ValueError(f"everyone holds {everyone.M} users; sizes ask for {sizes.users}")
    rng = np.random.default_rng(seed)
    return everyone.take(np.sort(rng.choice(everyone.M, sizes.users, replace=False)))


def users(
    everyone: Users,
    sizes: Sizes,
    seeds: Sequence[int],
    *,
    path: str | Path | None = None,
    seconds: float = math.inf,
    device: str = "cpu",
) -> files.Results:
    """Train a character model over users of whom some take part in a round, by all methods.

    Parameters
    ----------
    everyone : Users
        All users there are; each seed draws its own.
    sizes : Sizes
    seeds : sequence of int
    path : str or Path, optional
        JSON file to write; if it is there, what it holds is not done again.
    seconds : float
        After which the work stops at the next point where it is saved; needs `path`.
    device : str

    Returns
    -------
    dict
        "runs": method / seed to columns (three clocks; held-out loss in nats, accuracy, and quantiles of the
        users' losses; the angle between two users' moves, in degrees) and "users", each user's loss at the
        end, with "own", that of its own model, for the one-shot average. "baselines": seed to what counting
        attains. "parameters": of the network. "finished"; "slices".

    Raises
    ------
    ValueError
        Before any work: if `path` holds results of other sizes, seeds or users, there are fewer users than
        take part, they hold no text, or one has nothing held out.

    Notes
    -----
    An average weighs the active users by their samples. Cost: ten seconds with the sizes of `ci`, half an
    hour of one core with those of `full` and five seeds.

    Examples
    --------
    >>> users(windows(load_roles("shakespeare")), SIZES["ci"], [0])["finished"]  # doctest: +SKIP
    True
    """
    known = {"users": everyone.M, "samples": int(everyone.sizes.sum()), "alphabet": everyone.alphabet}
    results = files.begun("users", sizes, seeds, path, {"data": known, "parameters": 0, "baselines": {}})
    if results["data"] != known:
        raise ValueError(f"path {str(path)!r} holds results of other users; choose another path")
    for i, y in enumerate(everyone.y_test):
        if not len(y):
            raise ValueError(
                f"user {everyone.names[i]!r} has nothing held out to be judged by; of LEAF's files this "
                "needs a folder with train/ and test/, in which each user has samples in both"
            )
    takes_part = {seed: drawn(everyone, sizes, seed) for seed in seeds}
    problems = {seed: problem_of(some, sizes, seed, device) for seed, some in takes_part.items()}
    with work_on(results, path=path, seconds=seconds, device=device) as work:
        for seed, some in takes_part.items():
            problem = problems[seed]
            results["parameters"] = int(problem.initial.size)
            results["baselines"][f"seed {seed}"] = baselines(some)
            for name, method in methods(problem, sizes).items():
                key = f"{name} / seed {seed}"
                if key not in results["runs"]:
                    work.keep_run(key, one_run(work, key, method, some, sizes, seed))
    return results


def one_run(work: Work, key: str, method: Method, some: Users, sizes: Sizes, seed: int) -> dict[str, Any]:
    """Return the columns of one run, and each user's loss at its end.

    Parameters
    ----------
    work : Work
    key : str
    method : Method
    some : Users
    sizes : Sizes
    seed : int

    Returns
    -------
    dict

    Notes
    -----
    Cost: that of the run.

    Examples
    --------
    >>> one_run(work, "L=1 / seed 0", method, some, sizes, 0)  # doctest: +SKIP
    """
    judge = Judge(method.problem, some, method.K, sizes.kept)
    last: dict[int, Any] = {}

    def measured(column: int) -> Callable[[Round], float]:
        def metric(r: Round) -> float:
            if r.k not in last:
                last.clear()
                last[r.k] = judge(r)
            return float(last[r.k][column])

        return metric

    def make(state: State | None) -> Iterator[Round]:
        problem, some_of = method.problem, method.participation
        weights, w0 = problem.sizes, problem.initial
        return rounds(
            problem,
            method.solver,
            Average(),
            w0,
            weights=weights,
            participation=some_of,
            seed=seed,
            state=state,
        )

    metrics: dict[str, Callable[[Round], Any]] = {name: measured(i) for i, name in enumerate(COLUMNS)}
    if method.participation is None and method.problem.M > 1:
        metrics["own"] = judge.own
    history = work.history(key, method.K, make, metrics)
    found: dict[str, Any] = {}
    if "own" in metrics:
        found["own"] = history["own"][-1].tolist()
        history = replace(history, columns={k: c for k, c in history.columns.items() if k != "own"})
    if history.state is not None:
        ends = character_scores(method.problem, history.state.estimate, some).losses
        found["users"] = [float(f"{loss:.8g}") for loss in ends]
    return files.columns(history, sizes.kept) | found


def _run(asked: Asked) -> files.Results:
    sizes, leaf = asked.sizes, asked.options["leaf"]
    if leaf is None:
        everyone = windows(load_roles("shakespeare"), sizes.length, sizes.held_out)
    else:
        everyone = load_leaf(leaf)
    return users(everyone, sizes, asked.seeds, path=asked.path, seconds=asked.seconds, device=asked.device)


USERS = Experiment(
    "users",
    "A character model by speaking role, some of many roles in a round.",
    SIZES,
    _run,
    (Option("leaf", "folder with train/ and test/ of LEAF's JSON, in place of the committed text", Path),),
)
"""Needs no package besides torch."""
