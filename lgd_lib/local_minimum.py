"""Newton's method in the log domain for the regularised local problem of one node."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from lgd_lib.losses import ExponentialLoss, LogisticLoss, exponential, logistic
from lgd_lib.margins.least_distance import least_distance
from lgd_lib.validation import Array

LOSSES: dict[str, ExponentialLoss | LogisticLoss] = {"exponential": exponential, "logistic": logistic}
ACCEPTED = 1e-8
"""Largest relative residual of an answer that is returned at all."""
ROUNDING = 1e-15
"""Relative residual below which no further step is made."""
STEPS = 300
"""Newton steps at most."""


@dataclass(frozen=True, eq=False)
class LocalMinimiser:
    """The minimiser of one regularised local problem, in coordinates of the node's rows.

    Parameters
    ----------
    move : ndarray, shape (r,)
        From the centre to the minimiser: A^T multipliers.
    multipliers : ndarray, shape (N,)
        a_j = -loss'(m_j) / (N lambda), m the margins at the minimiser.
    residual : float
        max_j abs(F_j) / (1 + abs(t) + ||z_j|| ||w||): the point is the exact minimiser after its margins
        m_j are shifted by F_j.
    steps : int
        Newton steps made.

    Examples
    --------
    >>> LocalMinimiser(np.ones(1), np.ones(1), 0.0, 3).steps
    3
    """

    move: Array
    multipliers: Array
    residual: float
    steps: int


def minimise(A: Array, centre: Array, t: float, loss: str) -> LocalMinimiser:
    """Minimise e^t sum_j loss(A_j x) + ||x - centre||^2 / 2 over x, for t as large as 1e6.

    With a = e^t (-loss')(m), the answer is x = centre + A^T a and must have the margins m = A x. The unknowns
    are nu = t - m. For the exponential loss a = e^nu; for the logistic loss ln a = nu - ln(1 + e^(nu - t)).
    Newton's method solves F(nu) = A centre + A A^T a - t + nu = 0. Kept beside x, nu has all its digits where
    t - A x would have lost them.

    Parameters
    ----------
    A : ndarray, shape (N, r)
        The node's rows z_j = y_j x_j, in coordinates of their span.
    centre : ndarray, shape (r,)
        The model that was sent, in the same coordinates.
    t : float
        ln(1 / (N lambda)).
    loss : {"exponential", "logistic"}

    Returns
    -------
    LocalMinimiser
        With the least residual that was found; it may be above `ACCEPTED`.

    Notes
    -----
    Source: Newton's method, standard; the log-domain form is ours. Each step is the Newton step of the convex
    function above and is shortened until that function falls. Its matrix I + A^T diag(a) A is factored from
    the rows sqrt(a_j) z_j, never formed; where the constraints bind these have comparable lengths, however
    different those of the z_j are. The start is the best of three: the centre, and two points made from the
    projection on {A x >= t}.
    Cost: one `least_distance`, then a QR decomposition of an (N + r, r) matrix for each step.

    Examples
    --------
    >>> one = minimise(np.array([[1.0]]), np.zeros(1), 1.0, "exponential")
    >>> one.move  # m = a and m = t - ln(a): Lambert's W(e) = 1
    array([1.])
    """
    norms = np.sqrt(np.einsum("ij,ij->i", A, A))
    x = _start(A, centre, t, loss)
    nu = t - A @ x
    best = LocalMinimiser(np.zeros(len(centre)), np.zeros(len(A)), math.inf, 0)
    stalled = 0
    for step in range(STEPS):
        a, c = _multipliers(nu, t, loss)
        move = a @ A
        made = centre + move
        F = A @ made - t + nu
        residual = float((np.abs(F) / (1 + abs(t) + norms * np.linalg.norm(made))).max())
        stalled = 0 if residual < best.residual / 2 else stalled + 1
        if residual < best.residual:
            best = LocalMinimiser(move, a, residual, step)
        if residual <= ROUNDING or (best.residual <= ACCEPTED and stalled >= 3):
            break
        way = _newton(A, a * c, made - x)
        rise = -(A @ way)
        share = _share(nu, t, a, c, rise, way, loss)
        if share == 0 or not np.isfinite(way).all():
            break
        x, nu = x + share * way, nu + share * rise
    return best


def _multipliers(nu: Array, t: float, loss: str) -> tuple[Array, Array]:
    """The a of both losses, and c = d ln a / d nu."""
    excess = np.logaddexp(0.0, nu - t) if loss == "logistic" else np.zeros_like(nu)
    return np.exp(nu - excess), np.exp(-excess)


def _newton(A: Array, weights: Array, away: Array) -> Array:
    """The way d with (I + A^T W A) d = away."""
    stacked = np.vstack([np.sqrt(weights)[:, None] * A, np.eye(A.shape[1])])
    R = np.linalg.qr(stacked, mode="r")
    half = solve_triangular(R, away, trans="T", check_finite=False)
    return np.asarray(solve_triangular(R, half, check_finite=False))


def _share(nu: Array, t: float, a: Array, c: Array, rise: Array, way: Array, loss: str) -> float:
    """The share of a Newton step after which the convex function is lower; 0 where there is none."""
    square = float(way @ way)
    slope = -(float((a * c) @ rise**2) + square)
    slack = 1e-13 * float(a @ np.abs(rise))
    share = 1.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(60):
            bends = a * (_growth(nu - t, share * rise, loss) - share * rise)
            change = float(np.where(a > 0, bends, np.exp(nu + share * rise)).sum())  # zero: it underflowed
            if change + share * slope + share**2 * square / 2 <= 1e-4 * share * slope + slack:
                return share
            share /= 2
    return 0.0


def _growth(n: Array, rise: Array, loss: str) -> Array:
    """By how much each sample's loss grows when n = nu - t rises, in units of its slope."""
    plain = np.expm1(rise)
    if loss == "exponential":
        return plain
    q = np.exp(n - np.logaddexp(0.0, n))
    near = np.log1p(q * np.where(np.abs(rise) < 0.5, plain, 0.0)) / q
    far = (np.logaddexp(0.0, n + rise) - np.logaddexp(0.0, n)) / q
    return np.where(np.maximum(n, n + rise) < -36, plain, np.where(np.abs(rise) < 0.5, near, far))


def _start(A: Array, centre: Array, t: float, loss: str) -> Array:
    """The best of three points to start Newton's method from."""
    level = max(t, 1.0)
    points = [centre]
    found = least_distance(A, 1 - A @ (centre / level))
    if found is not None:
        nearest = centre + level * found.u
        points.append(nearest * max(level - math.log1p(level), 1.0) / level)
        carries = found.multipliers > 0
        guess = t - A @ nearest
        guess[carries] = np.log(level * found.multipliers[carries])
        a, c = _multipliers(np.minimum(guess, 600.0), t, loss)
        made = centre + a @ A
        points.append(made - _newton(A, a * c, (a * c * (A @ made - t + guess)) @ A))
    with np.errstate(over="ignore"):
        values = [
            float(np.exp(t + LOSSES[loss].log_loss(A @ x)).sum() + (x - centre) @ (x - centre) / 2)
            for x in points
        ]
    return points[int(np.argmin(values))]
