"""Mailing lists as nodes that learn to tell spam: the last layer of a sentence encoder, and the whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgd_lib import storage
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.description import Asked, Experiment, Option
from lgd_lib.neural.experiments.last_layer import LayerRuns, kept_of_layers
from lgd_lib.neural.experiments.whole_mail import SIZES, Sizes, WholeRuns
from lgd_lib.neural.experiments.work import work_on
from lgd_lib.neural.frozen import Frozen
from lgd_lib.neural.mail import Mails, read_mails
from lgd_lib.neural.sentences import SentenceEncoder, encode, load_encoder
from lgd_lib.validation import Array


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
    Numbers only: no text, no name and no address is kept or printed. Cost: with MiniLM some 70 minutes on one
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
            WholeRuns(work, sizes, encoder, train, test, seed, device).all_runs()
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
