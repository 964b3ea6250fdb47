"""Margins that rise together: the sweeping process that a long plain local run follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.margins.least_distance import LeastDistance, UnitRows, shortest
from lgd_lib.validation import Array

EVENTS = 50
"""Events for each row after which a sweep is given up; it has taken far fewer wherever we looked."""

TIE = 16 * float(np.finfo(float).eps)
"""Relative difference of margins below which they count as equal."""


@dataclass(frozen=True, eq=False)
class Swept:
    """The path of a point that is swept: straight between events.

    Parameters
    ----------
    levels : ndarray, shape (E + 1,)
        sigma at the start, at each event, and at the end; ascending.
    moves : ndarray, shape (E + 1, r)
        How far the point has moved at these levels.
    multipliers : ndarray, shape (n,)
        a >= 0 with moves[-1] = A^T a: how hard each row has pushed in all.

    Examples
    --------
    >>> sweep(UnitRows.of(np.array([[2.0, 0.0]])), np.array([-1.0]), 1.0).moves[-1]
    array([1., 0.])
    """

    levels: Array
    moves: Array
    multipliers: Array

    def at(self, levels: Array) -> Array:
        """Return the moves at given levels, shape (len(levels), r)."""
        return np.column_stack([np.interp(levels, self.levels, column) for column in self.moves.T])


def sweep(given: UnitRows, margins: Array, level: float) -> Swept | None:
    """Return the path of a point that {x : A x >= sigma} sweeps along while sigma rises to `level`.

    With S the rows whose margin is sigma, dx / dsigma is the shortest u with A_S u >= 1. This is steepest
    ascent of the smallest margin, with that margin as the time.

    Parameters
    ----------
    given : UnitRows
        The rows of A.
    margins : ndarray, shape (n,)
        A x at the start.
    level : float
        Where sigma ends. Nothing moves until sigma is the smallest margin.

    Returns
    -------
    Swept or None
        None where the margins of some rows cannot rise together: they are not separable.

    Raises
    ------
    ArithmeticError
        After `EVENTS` events for each row, which rounding alone could cause.

    Notes
    -----
    Source: a sweeping process (Moreau 1977); solved from event to event: a row whose margin is reached joins
    S, a row with A_j u > 1 leaves it. The speed of x rises at each event, so that no S comes twice.
    Cost: one small quadratic program and one product with A for each event.

    Examples
    --------
    >>> path = sweep(UnitRows.of(np.array([[1.0, 0.0], [0.5, 0.3]])), np.array([-1.0, -0.5]), 1.0)
    >>> path.levels, path.moves[-1].round(3)
    (array([-1.,  0.,  1.]), array([2.471, 0.882]))
    """
    sigma, m = min(float(margins.min()), level), margins.astype(float)
    tie = TIE * max(abs(sigma), abs(level))
    levels, moves = [sigma], [np.zeros(given.rows.shape[1])]
    total = np.zeros(m.size)
    active = m <= sigma + tie
    pushing = active.copy()
    for _ in range(EVENTS * m.size):
        if sigma >= level:
            return Swept(np.array(levels), np.array(moves), total)
        found = _velocity(given, active, pushing)
        if found is None:
            return None
        rates = given.norms * (given.rows @ found.u)
        step, reached = _next_event(m - sigma, rates, active, level - sigma)
        sigma = level if reached is None else sigma + step
        pushing = np.zeros(m.size, dtype=bool)
        pushing[active] = found.multipliers > 0
        m = np.where(pushing, sigma, m + step * rates)
        total[active] += step * found.multipliers
        levels.append(sigma)
        moves.append(moves[-1] + step * found.u)
        active = m <= sigma + tie
        if reached is not None:
            active[reached] = pushing[reached] = True
    raise ArithmeticError(f"margins of {m.size} rows did not rise to {level} in {EVENTS * m.size} events")


def _velocity(given: UnitRows, active: NDArray[np.bool_], guess: NDArray[np.bool_]) -> LeastDistance | None:
    """The shortest u with A_S u >= 1."""
    gram = None if given.gram is None else given.gram[np.ix_(active, active)]
    rows = UnitRows(given.rows[active], given.norms[active], gram)
    return shortest(rows, np.ones(len(rows.rows)), None if gram is None else guess[active])


def _next_event(
    slack: Array, rates: Array, active: NDArray[np.bool_], left: float
) -> tuple[float, int | None]:
    """How far sigma rises until the next row is reached, and which; or all that is left, and None."""
    falling = ~active & (rates < 1)
    times = np.full(slack.size, np.inf)
    np.divide(np.maximum(slack, 0.0), 1 - rates, out=times, where=falling)
    first = int(times.argmin())
    return (float(times[first]), first) if times[first] < left else (left, None)
