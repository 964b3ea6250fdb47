"""Small networks, nodes for them, and their training as it is usually written: the plain twin."""

import copy
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lgd_lib.neural.networks import NetworkProblem, Samples

cross_entropy = partial(functional.cross_entropy, reduction="none")

TRIALS = 2 * 3
"""Calls of the loss before a run: two networks are built, each tried on two samples together and alone."""


def mlp():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def dropped():
    return nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 3)).double()


def normalised():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)).double()


def pictures():
    layers = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)
    return nn.Sequential(*layers).double()


SIZES = (5, 8, 3)


def nodes(sizes=SIZES, shape=(4,), shift=0.0, seed=0):
    """Gaussian inputs, at node i moved by i times `shift`, and classes 0 to 2."""
    rng = np.random.default_rng(seed)
    drawn = [
        (rng.standard_normal((N, *shape)) + i * shift, rng.integers(3, size=N)) for i, N in enumerate(sizes)
    ]
    return [Samples(X, y) for X, y in drawn]


def problem(build=mlp, seed=1, **given):
    shape = (1, 4, 4) if build is pictures else (4,)
    return NetworkProblem(nodes(shape=shape, **given), build, cross_entropy, seed=seed)


def plain_batches(N, batch_size, L, stream):
    """L batches; a fresh permutation for each pass, whose last batch may be smaller."""
    found = []
    while len(found) < L:
        if batch_size >= N:
            found.append(np.arange(N))
            continue
        order = stream.permutation(N)
        found += [order[j : j + batch_size] for j in range(0, N, batch_size)]
    return found[:L]


def plain_rounds(problem, optimiser, K, L, batch_size=10**9, seed=0, weights=None, actives=None, train=False):
    """deepcopy, an optimiser of torch, state_dict: the averaged state of each round, and the local models."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(problem.seed)
        server = problem.build()
    for k in range(K):
        active = range(problem.M) if actives is None else actives[k]
        share = np.array([1.0 if weights is None else weights[i] for i in active])
        share /= share.sum()
        models = []
        for i in active:
            model, node = copy.deepcopy(server).train(train), problem.nodes[i]
            rule, stream = optimiser(model.parameters()), np.random.default_rng([seed, k, i])
            for rows in plain_batches(node.N, batch_size, L[i], stream):
                rule.zero_grad()
                functional.cross_entropy(model(node.X[rows]), node.y[rows]).backward()
                rule.step()
            models.append(model.state_dict())
        mean = {n: sum(p * m[n] for p, m in zip(share, models, strict=True)) for n in models[0]}
        server.load_state_dict(mean)
        yield mean, models


def flat(state):
    """Parameters of a state_dict as one vector, without what a normalisation layer counts."""
    return np.concatenate(
        [
            t.detach().numpy().ravel()
            for name, t in state.items()
            if "running" not in name and "num_" not in name
        ]
    )


def running(state):
    """The running statistics of a state_dict as one vector."""
    return np.concatenate([t.numpy().ravel() for name, t in state.items() if "running" in name])
