"""A local solver and an aggregation that use all of the protocol: random draws, memory, scalars."""

from dataclasses import dataclass, field

import numpy as np

from lgd_lib.protocol import Message, PointAnswers
from lgd_lib.validation import as_point


@dataclass(frozen=True)
class NoisyWalk:
    """A node adds noise of its own and, from its memory, all its earlier noise; it sends one number too."""

    d: int
    interrupt_in_round: int = field(default=-1, compare=False)

    def prepare(self, problem):
        return PreparedWalk(self.d, problem.M, np.full(problem.M, 1.0), self.interrupt_in_round)


@dataclass(frozen=True, eq=False)
class PreparedWalk:
    d: int
    M: int
    local_steps: np.ndarray
    interrupt_in_round: int
    vector_bytes: int = 100
    scalar_bytes: int = 7

    def start(self, w0):
        return as_point("w0", w0, self.d)

    def memory(self):
        return {"drift": np.zeros((self.M, self.d))}

    def __call__(self, k, message, memory, active, streams):
        drift = memory["drift"].copy()
        for i in active:
            drift[i] += streams(int(i)).standard_normal(self.d)
        if k == self.interrupt_in_round:
            raise KeyboardInterrupt
        points = message.point + drift[active]
        return PointAnswers(points, {"size": np.linalg.norm(points, axis=1)}), {"drift": drift}


@dataclass(frozen=True)
class PointsOnly:
    """A solver of which only the points are known, not what they are."""

    solver: object

    def prepare(self, problem):
        return PreparedPoints(self.solver.prepare(problem))


class PreparedPoints:
    def __init__(self, inner):
        self.inner, self.local_steps = inner, inner.local_steps
        self.start, self.memory = inner.start, inner.memory
        self.vector_bytes, self.scalar_bytes = inner.vector_bytes, inner.scalar_bytes

    def __call__(self, *arguments):
        answers, memory = self.inner(*arguments)
        return PointAnswers(answers.points), memory


class Counting:
    """Averages, counts its steps, and sends two numbers down."""

    def init(self, w0):
        return {"steps": np.zeros(1)}

    def step(self, state, k, message, answers, active, p):
        mean = answers.combine(p)
        largest = float(answers.scalars["size"].max())
        return {"steps": state["steps"] + 1}, mean, Message(mean / 2, {"k": float(k), "largest": largest})
