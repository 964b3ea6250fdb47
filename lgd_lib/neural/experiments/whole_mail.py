"""A whole sentence encoder that learns to tell spam, with mailing lists as nodes: sizes, methods, runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from lgd_lib import partition
from lgd_lib.aggregation import Average
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.scenes import Sizes as LayerSizes
from lgd_lib.neural.experiments.work import Work
from lgd_lib.neural.mail import Mails
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import AdamW
from lgd_lib.neural.sentences import SentenceClassifier, SentenceEncoder
from lgd_lib.runner import Round, State, rounds

cross_entropy = partial(nn.functional.cross_entropy, reduction="none")


@dataclass(frozen=True)
class Sizes:
    """How large the experiment is.

    Parameters
    ----------
    layer : scenes.Sizes
        Of the last layer; its samples and tests are numbers of mails of each kind.
    length : int
        Tokens of a mail.
    least : int
        Mails in the folder that a list must have to be a node.
    passes : int
        Over the mails, when the whole network is trained.
    batch_size : int
    lr : float
        Of AdamW.

    Examples
    --------
    >>> SIZES["full"].layer.samples
    140
    """

    layer: LayerSizes
    length: int = 48
    least: int = 50
    passes: int = 2
    batch_size: int = 16
    lr: float = 1e-4


SIZES = {
    "ci": Sizes(
        LayerSizes({"mail": (0, 1)}, samples=20, tests=20, rounds=20, exact_rounds=30, steps=(1, 100)),
        length=48,
        least=5,
        passes=2,
        batch_size=4,
        lr=1e-3,
    ),
    "full": Sizes(
        LayerSizes({"mail": (0, 1)}, samples=140, tests=100, rounds=100, exact_rounds=50, kept=30),
    ),
}
"""The sizes of the profiles: `ci` for made-up mails, `full` for the stored results."""


def whole_problem(
    train: Mails, parts: partition.Parts, encoder: SentenceEncoder, seed: int = 0, device: str = "cpu"
) -> NetworkProblem:
    """Return the problem of nodes that train the whole encoder, with a linear layer for the two kinds.

    Parameters
    ----------
    train : Mails
    parts : sequence of index arrays
        Which mails each node has.
    encoder : SentenceEncoder
        Left as it is.
    seed : int
    device : str

    Returns
    -------
    NetworkProblem

    Notes
    -----
    Cost: none before its first use.

    Examples
    --------
    >>> from lgd_lib.neural.sentences import Shape
    >>> two = Mails(np.array([[2, 5, 3], [2, 6, 3]]), np.array([0, 1]), np.array([1, 1]))
    >>> whole_problem(two, [np.arange(2)], SentenceEncoder(Shape(9, 4, 1, 2, 8, 16, 2))).M
    1
    """
    X, y = torch.as_tensor(train.ids), torch.as_tensor(train.spam)
    nodes = [Samples(X[part], y[part]) for part in parts]
    build = partial(SentenceClassifier, encoder, classes=2)
    return NetworkProblem(nodes, build, cross_entropy, seed, device)


def whole_methods(M: int, sizes: Sizes) -> dict[str, tuple[NetworkSteps, int]]:
    """Return how the whole network is trained on M nodes: local solver and rounds, the same passes for all.

    Parameters
    ----------
    M : int
    sizes : Sizes

    Returns
    -------
    dict
        "averaged": a round after each pass; "one-shot": one round of all passes; on one node "centralised".

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> {name: K for name, (_, K) in whole_methods(5, SIZES["full"]).items()}
    {'averaged': 2, 'one-shot': 1}
    """
    one = NetworkSteps(AdamW(sizes.lr), epochs=1, batch_size=sizes.batch_size)
    if M == 1:
        return {"centralised": (one, sizes.passes)}
    return {"averaged": (one, sizes.passes), "one-shot": (replace(one, epochs=sizes.passes), 1)}


@dataclass(frozen=True, eq=False)
class WholeRuns:
    """The runs of the whole network for one seed.

    Parameters
    ----------
    work : Work
        Where results are kept.
    sizes : Sizes
    encoder : SentenceEncoder
        Where all runs begin; left as it is.
    train, test : Mails
    seed : int
    device : str

    Examples
    --------
    >>> WholeRuns(work, SIZES["full"], encoder, train, test, 0, "cpu").all_runs()  # doctest: +SKIP
    """

    work: Work
    sizes: Sizes
    encoder: SentenceEncoder
    train: Mails
    test: Mails
    seed: int
    device: str

    def all_runs(self) -> None:
        """Do what is not done yet: the methods with a node for each list, and on one node with all mails.

        Notes
        -----
        Cost: `sizes.passes` passes over the mails for each of the three runs.

        Examples
        --------
        >>> WholeRuns(work, SIZES["full"], encoder, train, test, 0, "cpu").all_runs()  # doctest: +SKIP
        """
        scenes = {
            "lists": partition.by_group(self.train.lists),
            "one node": (np.arange(self.train.N),),
        }
        for scene, parts in scenes.items():
            problem = whole_problem(self.train, parts, self.encoder, self.seed, self.device)
            for method, (solver, K) in whole_methods(problem.M, self.sizes).items():
                key = f"whole / {scene} / {method} / seed {self.seed}"
                if key not in self.work.results["runs"]:
                    self._one_run(key, problem, solver, K)

    def _one_run(self, key: str, problem: NetworkProblem, solver: NetworkSteps, K: int) -> None:
        """One method, to its last round or to the end of the slice."""

        def make(state: State | None) -> Iterator[Round]:
            w0, N = problem.initial, problem.sizes
            return rounds(problem, solver, Average(), w0, weights=N, seed=self.seed, state=state)

        history = self.work.history(key, K, make, self._metrics(problem))
        self.work.keep_run(key, files.columns(history, K))

    def _metrics(self, problem: NetworkProblem) -> dict[str, Callable[[Round], float]]:
        """Held-out accuracy and mean loss; the network is asked once a round."""
        X, y = torch.as_tensor(self.test.ids), torch.as_tensor(self.test.spam)
        asked: dict[int, torch.Tensor] = {}

        def scores(r: Round) -> torch.Tensor:
            if r.k not in asked:
                asked.clear()
                asked[r.k] = torch.as_tensor(problem.outputs(r.w, X, batch_size=32))
            return asked[r.k]

        return {
            "accuracy": lambda r: float((scores(r).argmax(1) == y).double().mean()),
            "loss": lambda r: float(cross_entropy(scores(r), y).double().mean()),
        }
