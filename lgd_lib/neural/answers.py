"""Answers of networks that are trained when they are averaged: two models in memory, however many nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgd_lib.protocol import NotProjections
from lgd_lib.validation import Array


class AnswersGoneError(RuntimeError):
    """The answers were averaged one by one and not kept."""


class TrainedAnswers(NotProjections):
    """Answers that are computed once, when they are first asked for.

    Parameters
    ----------
    train : callable
        To an iterator of tensors of shape (c, n): the answers of the next c active nodes. It may use the same
        memory for all of them.
    keep : bool
        Whether to keep the answers after they have been averaged.

    Raises
    ------
    AnswersGoneError
        From `points` and from a second `combine` with other weights, if the answers were not kept.

    Notes
    -----
    Training happens once in any case. Without `keep`, memory does not grow with the number of nodes.
    Cost: that of the training.

    Examples
    --------
    >>> answers = TrainedAnswers(lambda: iter([torch.tensor([[0.0, 4.0], [2.0, 0.0]])]))
    >>> answers.combine(np.array([0.25, 0.75]))
    array([1.5, 1. ], dtype=float32)
    """

    def __init__(self, train: Callable[[], Iterator[Tensor]], keep: bool = False) -> None:
        self._train: Callable[[], Iterator[Tensor]] | None = train
        self._keep = keep
        self._points: NDArray[Any] | None = None
        self._combined: tuple[Array, NDArray[Any]] | None = None

    @property
    def scalars(self) -> Mapping[str, Array]:
        """None."""
        return {}

    @property
    def points(self) -> NDArray[Any]:
        """The answers, one row for each active node, shape (m, n); they are kept from now on."""
        if self._points is None:
            self._points = np.concatenate([rows.cpu().numpy().copy() for rows in self._rows()])
        return self._points

    def combine(self, p: Array) -> NDArray[Any]:
        """sum_i p_i w_i, one node after the other."""
        if self._combined is not None and np.array_equal(self._combined[0], p):
            return self._combined[1]
        rows: Iterator[Tensor]
        if self._keep or self._points is not None:
            rows = iter(torch.tensor(self.points)[:, None])
        else:
            rows = self._rows()
        total: Tensor | None = None
        shares = iter(np.asarray(p, dtype=np.float64).tolist())
        for part in rows:
            for row in part:
                share = next(shares)
                total = share * row if total is None else total.add_(row, alpha=share)
        if total is None:
            raise ValueError("p was empty; an average needs one node or more")
        self._combined = np.array(p), total.cpu().numpy()
        return self._combined[1]

    def _rows(self) -> Iterator[Tensor]:
        train, self._train = self._train, None
        if train is None:
            raise AnswersGoneError(
                "the answers of this round were averaged one by one and not kept; to look at them, take "
                "NetworkSteps(..., keep_answers=True)"
            )
        return train()
