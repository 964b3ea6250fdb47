"""A small network that predicts the next character, and how well it does for each user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from lgd_lib.character_counts import CharacterScores
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.users import Users


class CharacterNetwork(nn.Module):
    """An embedding, causal convolutions, and scores for each next character.

    h_1 = relu(conv_1(embedding)), h_l = h_{l-1} + relu(conv_l(h_{l-1})), scores = V h + b. Position t sees
    the characters up to t and no later one.

    Parameters
    ----------
    characters : int
        Size of the alphabet.
    width : int
        Channels of the convolutions.
    embedding : int
        Numbers for a character.
    kernels, dilations : sequence of int
        Of each convolution.

    Raises
    ------
    ValueError
        If kernels and dilations are not as many, or there are none.

    Notes
    -----
    No layer draws at random or mixes samples, so clients can be stacked. It sees 1 + sum (kernel - 1)
    dilation characters: 45 by default. Cost: about two operations a parameter and character forward, four
    more backward.

    Examples
    --------
    >>> network = CharacterNetwork(76)
    >>> network(torch.zeros(2, 80, dtype=torch.uint8)).shape
    torch.Size([2, 80, 76])
    >>> sum(p.numel() for p in network.parameters())
    80748
    """

    def __init__(
        self,
        characters: int,
        width: int = 96,
        embedding: int = 32,
        kernels: Sequence[int] = (5, 3, 3),
        dilations: Sequence[int] = (1, 5, 15),
    ) -> None:
        super().__init__()
        if len(kernels) != len(dilations) or not kernels:
            raise ValueError(f"kernels was {kernels} and dilations was {dilations}; they must be as many")
        self.embedding = nn.Embedding(characters, embedding)
        sources = [embedding, *[width] * (len(kernels) - 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(source, width, kernel, dilation=dilation)
            for source, kernel, dilation in zip(sources, kernels, dilations, strict=True)
        )
        self.past = [(k - 1) * d for k, d in zip(kernels, dilations, strict=True)]
        self.scores = nn.Linear(width, characters)

    def forward(self, text: Tensor) -> Tensor:
        """Return scores of shape (n, length, characters) for positions of shape (n, length)."""
        h = self.embedding(text.long()).transpose(1, 2)
        for i, (convolution, past) in enumerate(zip(self.convolutions, self.past, strict=True)):
            step = functional.relu(convolution(functional.pad(h, (past, 0))))
            h = h + step if i else step
        scores: Tensor = self.scores(h.transpose(1, 2))
        return scores


def next_character_loss(scores: Tensor, y: Tensor) -> Tensor:
    """Return -ln p of each target, in nats: a loss for `NetworkProblem`.

    Parameters
    ----------
    scores : Tensor, shape (n, length, characters)
    y : Tensor of positions, shape (n, length) or (n,)
        With one target a sample, as in LEAF's files, the scores after the last character count.

    Returns
    -------
    Tensor, shape of y

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> next_character_loss(torch.zeros(1, 3, 4), torch.tensor([2], dtype=torch.uint8))
    tensor([1.3863])
    """
    if y.ndim == 1:
        scores = scores[:, -1]
    flat = scores.reshape(-1, scores.shape[-1])
    return functional.cross_entropy(flat, y.long().reshape(-1), reduction="none").reshape(y.shape)


def samples(users: Users) -> list[Samples]:
    """Return what the users train on, as nodes of a `NetworkProblem`.

    Parameters
    ----------
    users : Users

    Returns
    -------
    list of M Samples
        Text stays in bytes.

    Notes
    -----
    Cost: none; the arrays are shared where torch can.

    Examples
    --------
    >>> one = (np.zeros((3, 5), np.uint8),)
    >>> samples(Users(("ann",), (), one, one, one, one, "ab"))[0].N
    3
    """
    return [Samples(torch.tensor(X), torch.tensor(y)) for X, y in zip(users.X, users.y, strict=True)]


def character_scores(problem: NetworkProblem, w: ArrayLike, users: Users) -> CharacterScores:
    """Return how well the network with the parameters w predicts each user's held-out characters.

    Parameters
    ----------
    problem : NetworkProblem
        With a network that gives scores of shape (n, length, characters).
    w : array_like, shape (d,)
    users : Users

    Returns
    -------
    CharacterScores

    Raises
    ------
    ValueError
        If no user has a held-out sample.

    Notes
    -----
    All positions of a window count, also its first ones, which see few characters. Cost: one pass forward
    over all held-out samples.

    Examples
    --------
    >>> character_scores(problem, w, users).loss  # doctest: +SKIP
    1.9
    """
    counts = np.array([y.size for y in users.y_test])
    if not counts.sum():
        raise ValueError("users have no held-out samples")
    X, y = (torch.as_tensor(np.concatenate(held_out)) for held_out in (users.X_test, users.y_test))
    module, device = problem.module(w), torch.device(problem.device)
    losses, right = [], []
    with torch.no_grad():
        for rows, targets in zip(torch.split(X, 128), torch.split(y, 128), strict=True):
            scores = module(rows.to(device)).cpu()
            losses.append(next_character_loss(scores, targets).reshape(-1))
            best = (scores if targets.ndim == 2 else scores[:, -1]).argmax(-1)
            right.append((best == targets).reshape(-1))
    ends = np.cumsum(counts)[:-1]
    parts = [np.split(torch.cat(found).double().numpy(), ends) for found in (losses, right)]
    means = [np.array([own.mean() if own.size else np.nan for own in part]) for part in parts]
    return CharacterScores(means[0], means[1], counts)
