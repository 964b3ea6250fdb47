"""Consensus ADMM with Anderson acceleration: every node mixes its own past with the server's coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.dual_methods import Consensus, ConsensusMargin
from lgd_lib.margins.nodes import PreparedShapes, margin_factors, project
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, PointAnswers, Streams
from lgd_lib.validation import Array, is_count

BUDGET = 1e3
"""All corrections together may be this many times the first residual; further rounds are plain ones."""


@dataclass(frozen=True)
class AndersonConsensusMargin:
    """The node's part of consensus ADMM with Anderson acceleration. (C8-anderson)

    t_i = g_i - sum_j c_j dg_ij (w^0 at first), x_i = Pi_i(2 w - t_i), r_i = relaxation (x_i - w),
    g_i <- t_i + r_i; the answer is g_i. The c_j are the numbers in the message, dg_ij the last changes of
    g_i, as many as there are c_j, and dr_ij those of r_i.

    Parameters
    ----------
    memory : int
        How many changes a node keeps, at most.
    relaxation : float
        In (0, 2).

    Raises
    ------
    NotSeparableError, ValueError
        As `ExactMargin`; ValueError if memory is no whole number of at least 1, relaxation is outside
        (0, 2), or, from a round, a node is absent.

    Notes
    -----
    Source: Anderson 1965 (type II, as Walker and Ni 2011), on the state of all nodes; the federated reading
    is ours. Client memory: 2 memory + 2 vectors. With its answer a node sends the products of its newest
    change dr with the ones it keeps, of r with them, and the squares of r and of the newest dg: up to
    2 memory + 2 numbers up, memory down. Goes with `AndersonConsensus`. Cost: as `ExactMargin`, and
    3 memory products of vectors.

    Examples
    --------
    >>> AndersonConsensusMargin(5)
    AndersonConsensusMargin(memory=5, relaxation=1.8)
    """

    memory: int = 10
    relaxation: float = 1.8

    def __post_init__(self) -> None:
        if not is_count(self.memory):
            raise ValueError(f"memory was {self.memory!r}; it must be a whole number of at least 1")
        ConsensusMargin(self.relaxation)

    def prepare(self, problem: Problem) -> _PreparedAnderson:
        """Decompose every node's rows; check that each node is separable."""
        return _PreparedAnderson(
            *margin_factors(problem), 8 * problem.d_sent, int(self.memory), self.relaxation
        )


@dataclass(frozen=True, eq=False)
class _PreparedAnderson(PreparedShapes):
    """`AndersonConsensusMargin` for one problem."""

    kept: int
    relaxation: float

    def memory(self) -> Memory:
        """g_i, r_i and their changes, newest last, shapes (M, d) and (M, 0, d); whether there is a g_i."""
        M, d = len(self.shapes), self.shapes[0].Vt.shape[1]
        changes = {"dg": np.zeros((M, 0, d)), "dr": np.zeros((M, 0, d))}
        return {"g": np.zeros((M, d)), "r": np.zeros((M, d)), "has": np.zeros(M)} | changes

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Mix, project the reflected point, and tell how the residual has changed."""
        if active.size < len(self.shapes):
            raise ValueError(
                f"participation left out nodes in round {k}; Anderson acceleration needs all of them"
            )
        w, c = message.point, np.array(list(message.scalars.values()))
        dg, dr = (memory[name][:, memory[name].shape[1] - c.size :] for name in ("dg", "dr"))
        started = bool(memory["has"].all())
        t = memory["g"] - np.einsum("j,mjd->md", c, dg) if started else np.tile(w, (active.size, 1))
        r = self.relaxation * np.array([self._answer(i, w, t[i]) - w for i in active])
        g, scalars = t + r, {"r_r": (r * r).sum(axis=1)}
        if started:
            dg = np.concatenate([dg, (g - memory["g"])[:, None]], axis=1)[:, -self.kept :]
            dr = np.concatenate([dr, (r - memory["r"])[:, None]], axis=1)[:, -self.kept :]
            scalars["dg_dg"] = (dg[:, -1] ** 2).sum(axis=1)
            for j in range(dr.shape[1]):
                scalars[f"dr_dr{j}"] = (dr[:, -1] * dr[:, j]).sum(axis=1)
                scalars[f"r_dr{j}"] = (r * dr[:, j]).sum(axis=1)
        new = {"g": g, "r": r, "has": np.ones(active.size), "dg": dg, "dr": dr}
        return PointAnswers(g, scalars), new

    def _answer(self, i: int, w: Array, t: Array) -> Array:
        """Pi_i(2 w - t)."""
        shapes, centre = self.shapes[i], 2 * w - t
        return centre + project(shapes, shapes.Vt @ centre, int(i)).u @ shapes.Vt


@dataclass(frozen=True)
class AndersonConsensus:
    """The server of consensus ADMM with Anderson acceleration. (C8-anderson)

    c = argmin sum_i || r_i - sum_j c_j dr_ij ||^2, w = v - sum_j c_j dv_j with v the point that `Consensus`
    would send, dv_j its last changes. It sends w and c.

    Parameters
    ----------
    rho : float
        Penalty, as `Consensus`.

    Raises
    ------
    ValueError
        If rho is not positive and finite.

    Notes
    -----
    Source: as `AndersonConsensusMargin`; the safeguard is ours. With c = 0 a round is one of plain consensus
    ADMM. So it is where the sum of all corrections so far, each bounded by sum_j abs(c_j) ||dg_j||, would
    exceed `BUDGET` times the first residual: hence the limit is that of consensus ADMM, the point of the
    intersection nearest to w^0. A residual twice the one before forgets the past. All nodes in every round,
    equal weights. Server memory: memory + 2 vectors. Cost: as `Average`, and memory^3 operations.

    Examples
    --------
    >>> AndersonConsensus()
    AndersonConsensus(rho=0.3)
    """

    rho: float = 0.3

    def __post_init__(self) -> None:
        Consensus(self.rho)

    def init(self, w0: Array) -> Memory:
        """The anchor, the last plain point, and no past."""
        past = {"dv": np.empty((0, w0.size)), "gram": np.empty((0, 0)), "dg": np.empty(0)}
        numbers = {"first": np.array(math.inf), "last": np.array(math.inf), "spent": np.array(0.0)}
        return {"anchor": w0, "v": w0} | past | numbers

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Find the coefficients and mix; the new point is both the estimate and the next message."""
        told = {name: float(np.sum(values)) for name, values in answers.scalars.items()}
        v = Consensus(self.rho).step({"anchor": state["anchor"]}, k, message, answers, active, p)[1]
        residual, n = math.sqrt(told["r_r"]), (len(told) - 2) // 2
        new = {"anchor": state["anchor"], "v": v, "last": np.array(residual), "spent": state["spent"]}
        if n <= 0:
            past = {name: state[name] for name in ("dv", "gram", "dg")}
            return new | past | {"first": np.array(residual)}, v, Message(v)
        past = _grown(state, len(message.scalars), n, v, told)
        c = _coefficients(past["gram"], np.array([told[f"r_dr{j}"] for j in range(n)]))
        size = float(np.abs(c) @ past["dg"])
        if residual > 2 * state["last"]:
            c = c[:0]
        elif state["spent"] + size > BUDGET * state["first"]:
            c = 0 * c
        else:
            new["spent"] = state["spent"] + size
        w = v - c @ past["dv"][n - c.size :]
        return new | past | {"first": state["first"]}, w, Message(w, {f"c{j}": x for j, x in enumerate(c)})


def _grown(state: Memory, sent: int, n: int, v: Array, told: dict[str, float]) -> Memory:
    """The past that the nodes have kept, with the newest change: the last n of it."""
    cut = len(state["dv"]) - sent
    fresh = np.array([told[f"dr_dr{j}"] for j in range(n)])
    gram = np.zeros((n, n))
    old = state["gram"][cut:, cut:][-(n - 1) :, -(n - 1) :] if n > 1 else np.empty((0, 0))
    gram[: n - 1, : n - 1], gram[-1], gram[:, -1] = old, fresh, fresh
    dv = np.concatenate([state["dv"][cut:], [v - state["v"]]])[-n:]
    dg = np.append(state["dg"][cut:], math.sqrt(told["dg_dg"]))[-n:]
    return {"dv": dv, "gram": gram, "dg": dg}


def _coefficients(gram: Array, products: Array) -> Array:
    """The least-squares solution of smallest size, from normal equations with scaled columns."""
    scale = np.sqrt(np.diag(gram))
    scale = np.where(scale > 0, scale, 1.0)
    lam, V = np.linalg.eigh(gram / np.outer(scale, scale))
    kept = lam > 1e-14 * lam[-1]
    inverse = np.where(kept, 1 / np.where(kept, lam, 1.0), 0.0)
    return np.asarray((V * inverse) @ (V.T @ (products / scale)) / scale)
