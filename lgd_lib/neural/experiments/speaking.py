"""What the experiment on users compares: sizes, methods, and what is measured in a round."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lgd_lib.character_counts import CharacterScores, counted
from lgd_lib.neural.characters import CharacterNetwork, character_scores, next_character_loss, samples
from lgd_lib.neural.drift import angle_between_moves
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import SGD
from lgd_lib.neural.runs import kept_rounds
from lgd_lib.participation import Subset
from lgd_lib.runner import Participation, Round
from lgd_lib.users import Users
from lgd_lib.validation import Array

QUANTILES = (0.1, 0.5, 0.9)
COLUMNS = ("loss", "accuracy", "low", "middle", "high", "angle")


@dataclass(frozen=True)
class Sizes:
    """How large the experiment is.

    Parameters
    ----------
    users : int
        Drawn from all by the seed.
    active : int
        Of them in a round.
    width : int
        Channels of the network.
    total : int
        Local steps of a run, all users together.
    steps : tuple of int
        Local steps L of a user in a round; `active` L divides the total.
    batch_size : int
        Samples of a step.
    lr : float
        Step size of all runs.
    length : int
        Characters of a window.
    held_out : float
        Share of each role's text.
    kept : int
        Rounds that are measured, evenly spread in the logarithm.

    Examples
    --------
    >>> SIZES["full"].total // (SIZES["full"].active * 100)
    5
    """

    users: int
    active: int
    width: int
    total: int
    steps: tuple[int, ...] = (1, 10, 100)
    batch_size: int = 8
    lr: float = 0.5
    length: int = 80
    held_out: float = 0.2
    kept: int = 20


SIZES = {
    "ci": Sizes(users=100, active=10, width=24, total=400, steps=(1, 10), kept=6),
    "full": Sizes(users=100, active=10, width=96, total=5000),
}
"""The sizes of the profiles: `ci` for a book that is built in minutes, `full` for the stored results."""


@dataclass(frozen=True)
class Method:
    """One way to train, and for how long.

    Parameters
    ----------
    problem : NetworkProblem
    solver : NetworkSteps
    K : int
        Rounds.
    participation : callable or None

    Examples
    --------
    >>> Method(problem, NetworkSteps(SGD(0.5), L=1), 500, Subset(10))  # doctest: +SKIP
    """

    problem: NetworkProblem
    solver: NetworkSteps
    K: int
    participation: Participation | None = None


def problem_of(users: Users, sizes: Sizes, seed: int, device: str = "cpu") -> NetworkProblem:
    """Return the users as nodes that train one network.

    Parameters
    ----------
    users : Users
        With an alphabet.
    sizes : Sizes
    seed : int
        Of the network's first weights.
    device : str

    Returns
    -------
    NetworkProblem

    Raises
    ------
    ValueError
        If the users hold no text.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> problem_of(users, SIZES["full"], seed=0).initial.size  # doctest: +SKIP
    80748
    """
    if not users.alphabet:
        raise ValueError("users hold no text; this experiment predicts characters")
    build = partial(CharacterNetwork, len(users.alphabet), sizes.width)
    return NetworkProblem(samples(users), build, next_character_loss, seed, device)


def methods(problem: NetworkProblem, sizes: Sizes) -> dict[str, Method]:
    """Return the methods compared; all take about the same number of local steps, to the last round begun.

    Parameters
    ----------
    problem : NetworkProblem
        Of all users.
    sizes : Sizes

    Returns
    -------
    dict
        "L=10": each active user takes 10 steps; "own-work": one pass over its own text; "one-shot": all users
        take an equal share of the total alone, and are averaged once; "centralised": one node holds all.

    Notes
    -----
    Source: Local-SGD and federated averaging, standard. Cost: none.

    Examples
    --------
    >>> list(methods(problem, SIZES["full"]))  # doctest: +SKIP
    ['centralised', 'L=1', 'L=10', 'L=100', 'own-work', 'one-shot']
    """
    solver = NetworkSteps(SGD(sizes.lr), L=1, batch_size=sizes.batch_size, keep_answers=True, together=1)
    some, M = Subset(sizes.active), problem.M
    passes = float(np.ceil(problem.sizes / sizes.batch_size).mean())
    pooled = replace(problem, nodes=(Samples(problem.pooled.X, problem.pooled.y),))
    often = math.gcd(10, sizes.total)
    found = {"centralised": Method(pooled, replace(solver, L=often), sizes.total // often)}
    for L in sizes.steps:
        K = max(1, sizes.total // (sizes.active * L))
        found[f"L={L}"] = Method(problem, replace(solver, L=L), K, some)
    K = max(1, round(sizes.total / (sizes.active * passes)))
    found["own-work"] = Method(problem, replace(solver, L=None, epochs=1), K, some)
    found["one-shot"] = Method(problem, replace(solver, L=max(1, sizes.total // M)), 1)
    return found


def baselines(users: Users) -> dict[str, dict[str, float]]:
    """Return what counting characters attains on the held-out text.

    Parameters
    ----------
    users : Users

    Returns
    -------
    dict
        "unigram" and "bigram" to loss (nats), accuracy, and quantiles of the users' losses.

    Notes
    -----
    Cost: a pass over the text.

    Examples
    --------
    >>> baselines(users)["bigram"]["loss"]  # doctest: +SKIP
    2.4
    """
    return {
        name: dict(zip(COLUMNS, summary(counted(users, before)), strict=False))
        for name, before in (("unigram", 0), ("bigram", 1))
    }


def summary(scores: CharacterScores) -> list[float]:
    """Return loss, accuracy and quantiles of the users' losses, to eight digits.

    Parameters
    ----------
    scores : CharacterScores

    Returns
    -------
    list of float
        In the order of `COLUMNS`, without the angle.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> summary(CharacterScores(np.ones(2), np.zeros(2), np.ones(2, int)))
    [1.0, 0.0, 1.0, 1.0, 1.0]
    """
    found = [scores.loss, scores.accuracy, *scores.quantiles(QUANTILES)]
    return [float(f"{value:.8g}") for value in found]


@dataclass(frozen=True, eq=False)
class Judge:
    """What is measured in some rounds of a run; NaN in the others.

    Parameters
    ----------
    problem : NetworkProblem
    users : Users
        Whose held-out text counts.
    K : int
        Rounds of the run.
    kept : int
        Of which so many are measured.

    Examples
    --------
    >>> Judge(problem, users, K=500, kept=20)  # doctest: +SKIP
    """

    problem: NetworkProblem
    users: Users
    K: int
    kept: int

    def __call__(self, r: Round) -> Array:
        """Return `COLUMNS` of a round: the angle, in degrees, is between the moves of two active users."""
        if r.k not in kept_rounds(self.K, self.kept):
            return np.full(len(COLUMNS), np.nan)
        found = summary(character_scores(self.problem, r.w, self.users))
        return np.array([*found, angle_between_moves(r, self.problem.initial.size)])

    def own(self, r: Round) -> list[float]:
        """Return each active user's own model's loss on that user's held-out text.

        Parameters
        ----------
        r : Round
            With its answers kept.

        Returns
        -------
        list of m float
        """
        alone = (self.users.take([int(i)]) for i in r.active)
        scores = (character_scores(self.problem, w, one) for w, one in zip(r.W, alone, strict=True))
        return [float(f"{own.loss:.8g}") for own in scores]
