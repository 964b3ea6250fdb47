"""Mailing lists as nodes that learn to tell spam: the last layer of a sentence encoder, and the whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lgd_lib import partition, storage
from lgd_lib.aggregation import Average
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.description import Asked, Experiment, Option
from lgd_lib.neural.experiments.last_layer import LayerRuns, kept_of_layers
from lgd_lib.neural.experiments.scenes import Sizes as LayerSizes
from lgd_lib.neural.experiments.work import Work, work_on
from lgd_lib.neural.frozen import Frozen
from lgd_lib.neural.mail import Mails, read_mails
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import AdamW
from lgd_lib.neural.sentences import SentenceClassifier, SentenceEncoder, encode, load_encoder
from lgd_lib.runner import Round, State, rounds
from lgd_lib.validation import Array

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


def mail(
    mails: Mails,
    encoder: SentenceEncoder,
    sizes: Sizes,
    seeds: Sequence[int],
    *,
    path: str | Path | None = None,
    seconds: float = math.inf,
    device: str = "cpu",
    cache: str | Path | None = None,
) -> files.Results:
    """Learn to tell spam with mailing lists as nodes: the last layer by all methods, and the whole network.

    Parameters
    ----------
    mails : Mails
        Those on no list are left out.
    encoder : SentenceEncoder
    sizes : Sizes
    seeds : sequence of int
    path : str or Path, optional
        JSON file to write; if it is there, what it holds is not done again.
    seconds : float
        After which the work stops at the next point where it is saved; needs `path`.
    device : str
    cache : str or Path, optional
        Folder that keeps vectors of mails. There is no text in it, but vectors tell something of a text: keep
        it as private as the mails.

    Returns
    -------
    dict
        "runs" and "references" as for `last_layer`, with "mail / lists / ..." for the last layer; and
        "whole / lists / ..." for the whole network, with the held-out accuracy and loss of each round.
        "nodes": seed to the lists' numbers of mails of both kinds, list 1 first; "lists" that are there.

    Raises
    ------
    ValueError
        If there are too few mails, or `path` holds results of other sizes, seeds or mails.

    Notes
    -----
    Numbers only: no text, no name and no address is kept or printed. Cost: with MiniLM some 30 minutes on one
    core at full size, most of it for the whole network.

    Examples
    --------
    >>> mail(mails, encoder, SIZES["full"], range(5))  # doctest: +SKIP
    """
    on_lists = mails.take(np.flatnonzero(mails.lists > 0))
    splits = {seed: _chosen(on_lists, sizes, seed) for seed in seeds}
    needed = np.unique(np.concatenate([rows for pair in splits.values() for rows in pair]))
    some = on_lists.take(needed)
    places = {seed: tuple(np.searchsorted(needed, rows) for rows in pair) for seed, pair in splits.items()}
    X = _vectors(encoder, some.ids, cache, device)
    frozen = Frozen(X, some.spam, some.lists, {s: (pair[0], pair[1]) for s, pair in places.items()})
    results = _begun(frozen, sizes, seeds, path) | {"lists": int(on_lists.lists.max())}
    with work_on(results, path=path, seconds=seconds, device=device) as work:
        for seed in seeds:
            train, test = (some.take(rows) for rows in frozen.splits[seed])
            results["nodes"][str(seed)] = [
                np.bincount(train.spam[train.lists == number], minlength=2).tolist()
                for number in range(1, results["lists"] + 1)
            ]
            LayerRuns(work, sizes.layer).one_set("mail", frozen, seed, ["lists", "one node"])
            _Whole(work, sizes, encoder, train, test, seed, device).all_runs()
    return results


def _begun(frozen: Frozen, sizes: Sizes, seeds: Sequence[int], path: str | Path | None) -> files.Results:
    """What is done, if it was with the same vectors: a sum with changing signs tells them from others."""
    wave = float(np.linalg.norm(np.cos(np.arange(len(frozen.X))) @ frozen.X))
    own = kept_of_layers() | {"vectors": [*frozen.X.shape, wave], "nodes": {}, "lists": 0}
    found = files.begun("mail", sizes, seeds, path, own)
    *shape, kept = found["vectors"]
    if shape != [*frozen.X.shape] or not math.isclose(kept, wave, rel_tol=1e-3):
        raise ValueError(f"path {str(path)!r} holds results of other mails, or of another encoder")
    return found


def _chosen(mails: Mails, sizes: Sizes, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Mails to train and to test on, as many of each kind."""
    rng, train, test = np.random.default_rng(seed), [], []
    samples, tests = sizes.layer.samples, sizes.layer.tests
    for kind, name in enumerate(("other mail", "spam")):
        there = rng.permutation(np.flatnonzero(mails.spam == kind))
        if there.size < samples + tests:
            raise ValueError(
                f"samples was {samples} and tests {tests}; of {name} on lists there are {there.size} mails"
            )
        train.append(there[:samples])
        test.append(there[samples : samples + tests])
    return np.concatenate(train), np.concatenate(test)


def _vectors(
    encoder: SentenceEncoder, ids: NDArray[np.int64], cache: str | Path | None, device: str
) -> Array:
    """The mails' vectors, from the cache if they are there."""
    if cache is None:
        return encode(encoder, ids, device=device)
    weights = hashlib.sha256()
    for value in encoder.state_dict().values():
        weights.update(value.cpu().numpy().tobytes())
    parts = [weights.hexdigest(), hashlib.sha256(ids.tobytes()).hexdigest(), list(ids.shape), device]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    where = Path(cache) / f"mail-{key[:32]}.npz"
    try:
        arrays, note = storage.read(where)
        if note["key"] == key:
            return np.asarray(arrays["vectors"])
    except (FileNotFoundError, ValueError, KeyError):
        pass
    found = encode(encoder, ids, device=device)
    storage.write(where, {"vectors": found}, {"key": key})
    return found


@dataclass(frozen=True, eq=False)
class _Whole:
    """The runs of the whole network for one seed."""

    work: Work
    sizes: Sizes
    encoder: SentenceEncoder
    train: Mails
    test: Mails
    seed: int
    device: str

    def all_runs(self) -> None:
        """Do what is not done yet."""
        scenes = {
            "lists": partition.by_group(self.train.lists),
            "one node": (np.arange(self.train.N),),
        }
        for scene, parts in scenes.items():
            problem = whole_problem(self.train, parts, self.encoder, self.seed, self.device)
            for method, (solver, K) in whole_methods(problem.M, self.sizes).items():
                key = f"whole / {scene} / {method} / seed {self.seed}"
                if key not in self.work.results["runs"]:
                    self.one_run(key, problem, solver, K)

    def one_run(self, key: str, problem: NetworkProblem, solver: NetworkSteps, K: int) -> None:
        """One method, to its last round or to the end of the slice."""

        def make(state: State | None) -> Iterator[Round]:
            w0, N = problem.initial, problem.sizes
            return rounds(problem, solver, Average(), w0, weights=N, seed=self.seed, state=state)

        history = self.work.history(key, K, make, self.metrics(problem))
        self.work.keep_run(key, files.columns(history, K))

    def metrics(self, problem: NetworkProblem) -> dict[str, Callable[[Round], float]]:
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


def _run(asked: Asked) -> files.Results:
    encoder, pieces, _ = load_encoder(asked.options["encoder"])
    mails = read_mails(asked.options["mail"], pieces, asked.sizes.length, asked.sizes.least)
    return mail(
        mails,
        encoder,
        asked.sizes,
        asked.seeds,
        path=asked.path,
        seconds=asked.seconds,
        device=asked.device,
        cache=asked.cache,
    )


MAIL = Experiment(
    "mail",
    "Mailing lists as nodes, and a sentence encoder; both from local folders.",
    SIZES,
    _run,
    (
        Option("mail", "folder with sub-folders of mails, such as spam-1 and ham-1", Path, required=True),
        Option("encoder", "folder with config.json, vocab.txt and model.safetensors", Path, required=True),
    ),
)
"""Needs no other package."""
