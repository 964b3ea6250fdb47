"""The one loop: `rounds` sends a message, lets the active nodes answer, and aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.origin import origin_of
from lgd_lib.protocol import Aggregation, Answers, LocalSolver, Memory, Message, Prepared, read_only
from lgd_lib.validation import Array, as_weights

Participation = Callable[[int, int, np.random.Generator], NDArray[np.int64]]
"""(k, M, random stream of the round) to the numbers of the nodes that take part, in ascending order."""


class HasNodes(Protocol):
    """All that `rounds` reads of a problem."""

    @property
    def M(self) -> int:
        """Number of nodes."""


@dataclass(frozen=True, eq=False)
class State:
    """All that is needed to go on with a run.

    Parameters
    ----------
    k : int
        Rounds done; the next one has this number.
    seed : int
    estimate : ndarray, shape (d,)
    message : Message
        The next message to be sent.
    aggregation : dict of str to ndarray
        The server's state.
    memory : dict of str to ndarray
        The nodes' memory; the first axis is the node.
    origin : mapping of str to str
        The arguments of `rounds` in short, by which `record` knows whether a saved run is this one: from
        `origin_of`.

    Examples
    --------
    >>> w = np.array([1.0, 2.0])
    >>> State(k=3, seed=0, estimate=w, message=Message(w), aggregation={}, memory={}).k
    3
    """

    k: int
    seed: int
    estimate: Array
    message: Message
    aggregation: Memory
    memory: Memory
    origin: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        read_only(self.estimate)


@dataclass(frozen=True, eq=False)
class Round:
    """One round, after the aggregation.

    Parameters
    ----------
    k : int
        Number of the round; 0 for the first.
    w : ndarray, shape (d,)
        The server's estimate after this round, w^{k+1}.
    sent : ndarray, shape (d,)
        The point that was broadcast to make it.
    answers : Answers or None
        What came back; None when no node took part.
    active : ndarray of int, shape (m,)
        The nodes that took part.
    local_steps : ndarray, shape (m,)
        Gradient steps each of them made; infinite for exact solves.
    bytes_up, bytes_down : int
        Sent to the server, and by it, in this round.
    state : State
        Hand it to `rounds(..., state=...)` to go on from here.

    Examples
    --------
    >>> from lgd_lib import Average, ExactProjection, Node, Problem
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [2.0])], "regression")
    >>> r = next(rounds(problem, ExactProjection(), Average(), [0.0, 0.0]))
    >>> r.W, r.bytes_up
    (array([[1., 0.],
           [0., 2.]]), 32)
    """

    k: int
    w: Array
    sent: Array
    answers: Answers | None
    active: NDArray[np.int64]
    local_steps: Array
    bytes_up: int
    bytes_down: int
    state: State

    @property
    def W(self) -> Array:
        """The local models w_i^{k+1} of the active nodes, one row each, shape (m, d)."""
        return np.empty((0, self.w.size)) if self.answers is None else self.answers.points


@dataclass(eq=False)
class Rounds(Iterator[Round]):
    """What `rounds` returns: a run that stands before a round.

    Parameters
    ----------
    state : State
        From which the next round goes on.
    after : callable
        From a state to the round after it.

    Examples
    --------
    >>> from lgd_lib import Average, ExactProjection, Node, Problem
    >>> run = rounds(Problem([Node([[2.0]], [4.0])], "regression"), ExactProjection(), Average(), [0.0])
    >>> run.state.k, next(run).w, run.state.k
    (0, array([2.]), 1)
    """

    state: State
    after: Callable[[State], Round]

    def __next__(self) -> Round:
        r = self.after(self.state)
        self.state = r.state
        return r


def rounds(
    problem: HasNodes,
    local_solver: LocalSolver,
    aggregation: Aggregation,
    w0: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    participation: Participation | None = None,
    seed: int = 0,
    state: State | None = None,
) -> Rounds:
    """Run a distributed method round by round, without end.

    Each round: the server sends its message; every active node answers by `local_solver`; `aggregation`
    turns the answers into the new estimate and the next message. Local-GD is
    `rounds(problem, GradientSteps(eta, L), Average(), w0)`.

    Parameters
    ----------
    problem : Problem
        Anything with a number of nodes M that the local solver understands.
    local_solver, aggregation
        The pair that makes the method.
    w0 : array_like, shape (d,)
        The first point sent.
    weights : sequence of M positive numbers, optional
        p_i, rescaled to sum 1, in each round over the nodes that take part. Equal by default.
    participation : callable, optional
        (k, M, generator) to the nodes that take part, ascending. All by default. In a round with nobody
        the server sends its message again in the next.
    seed : int
        Node i draws from `default_rng([seed, k, i])` in round k, the server from `default_rng([seed, k, M])`.
        A continued run keeps its own seed.
    state : State, optional
        `r.state` of a `Round`, to go on after it. Pass the other arguments as before: the iterates are then
        bit-identical to those of an uninterrupted run.

    Returns
    -------
    Rounds
        An iterator of `Round`.

    Raises
    ------
    TypeError, ValueError
        At the call, before any work: by the local solver's checks, and for weights, participation, seed, w0
        or a state that do not fit: its arrays must have the names and shapes of those that the local solver
        and the aggregation begin with, but for axes that grow. From a round, if `participation` gives no
        ascending node numbers.

    Notes
    -----
    The set-up (`local_solver.prepare`) happens at the call. Cost: of a round, that of the two parts.

    Examples
    --------
    >>> from lgd_lib import Average, ExactProjection, Node, Problem
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [2.0])], "regression")
    >>> next(rounds(problem, ExactProjection(), Average(), [0.0, 0.0])).w
    array([0.5, 1. ])
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed was {seed!r}; it must be a whole number of at least 0")
    if participation is not None and not callable(participation):
        raise TypeError(f"participation was {participation!r}; it must be a function of (k, M, generator)")
    for name, part in (("problem", problem), ("local_solver", local_solver), ("aggregation", aggregation)):
        if isinstance(part, type):
            raise TypeError(
                f"{name} was the class {part.__name__}; it must be an instance, {part.__name__}(...)"
            )
    p = as_weights(weights, problem.M)
    solve = local_solver.prepare(problem)
    point = solve.start(w0)
    begin = State(0, int(seed), point, Message(point), aggregation.init(point), solve.memory())
    if state is None:
        state = begin
    _check_fits(state, begin)
    parts = {"problem": problem, "local_solver": local_solver, "aggregation": aggregation}
    parts |= {"weights": p, "participation": participation}
    state = replace(state, origin=origin_of(parts))
    return Rounds(state, partial(_round, solve, aggregation, p, participation))


def _check_fits(state: State, begin: State) -> None:
    """Whether a state is one of the same kind as that before the first round."""
    given, needed = state.message.point.shape, begin.message.point.shape
    if given != needed:
        raise ValueError(f"state holds a point of shape {given}; this problem needs {needed}")
    for part, whose in (("memory", "local solver"), ("aggregation", "aggregation")):
        kept, own = getattr(state, part), getattr(begin, part)
        if set(kept) != set(own):
            names = [", ".join(map(repr, sorted(arrays))) or "nothing" for arrays in (kept, own)]
            raise ValueError(f"state.{part} holds {names[0]}; this {whose} needs {names[1]}")
        for name, array in own.items():
            given, needed = np.shape(kept[name]), np.shape(array)
            if len(given) != len(needed) or any(n not in (0, m) for m, n in zip(given, needed, strict=True)):
                raise ValueError(
                    f"state.{part}[{name!r}] has shape {given}; this problem and {whose} begin with {needed}"
                )


def _round(
    solve: Prepared, aggregation: Aggregation, p: Array, participation: Participation | None, state: State
) -> Round:
    k, message, M = state.k, state.message, p.size
    active = np.arange(M)
    if participation is not None:
        active = _checked(participation(k, M, np.random.default_rng([state.seed, k, M])), M)
        p = p[active] / p[active].sum()
    answers, memory, server = None, state.memory, state.aggregation
    estimate, following = state.estimate, message
    if active.size:
        answers, memory = solve(k, message, memory, active, partial(_stream, state.seed, k))
        server, estimate, following = aggregation.step(server, k, message, answers, active, p)
    state = State(k + 1, state.seed, estimate, following, server, memory, state.origin)
    down = solve.vector_bytes + solve.scalar_bytes * len(message.scalars)
    up = solve.vector_bytes + solve.scalar_bytes * (len(answers.scalars) if answers else 0)
    m = int(active.size)
    steps = solve.local_steps[active]
    return Round(k, estimate, message.point, answers, active, steps, m * up, m * down, state)


def _stream(seed: int, k: int, i: int) -> np.random.Generator:
    return np.random.default_rng([seed, k, i])


def _checked(active: Any, M: int) -> NDArray[np.int64]:
    given = np.asarray(active)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"participation gave entries of dtype {given.dtype}; it must give node numbers")
    nodes = given.astype(np.int64)
    if nodes.ndim != 1 or (np.diff(nodes) <= 0).any() or (nodes.size and not 0 <= nodes[0] <= nodes[-1] < M):
        raise ValueError(
            f"participation gave {nodes.tolist()}; it must give ascending node numbers below M = {M}"
        )
    return nodes
