"""Millions of gradient steps: some of them exact, the others by the differential equation they follow."""

from __future__ import annotations

import math

import numpy as np

from lgd_lib.descent.margin_descent import ONE, SLOPES, descend
from lgd_lib.validation import Array

LONG = 10_000
"""Steps in a round from which the integrator is used."""
FIRST_SWITCH = 1_000
"""Exact steps before the integrator takes over for the first time."""
AGREEMENT = 1e-10
"""Largest relative difference of two integrations, from different switches, at which one is accepted."""
EVALUATIONS = 3_000
"""Evaluations after which an integration is given up: the equation is stiff."""
SWITCHES = 8
"""Integrations tried; the last takes over after 2^7 times as many exact steps as the first."""
MOST_EXACT = 10**8
"""Largest number of steps that are taken one by one when the integrator is not accepted."""


def descend_long(G: Array, m0: Array, h: Array, L: int, loss: str) -> tuple[Array, Array, Array]:
    """Return what `descend` does for large L, and an estimate of its relative error.

    s exact steps, then the equation that gradient descent follows to third order in its step,
    da/dt = p + (h/2) q * Gp + h^2 (r * (Gp)^2 / 12 + q * G(q * Gp) / 3), p = -loss'(m), q = -dp/dm,
    r = d^2p/dm^2, from t = h s to t = h L. This is done for s = 1,000, 2,000, 4,000, ..., `SWITCHES` times
    at most, until two answers agree to `AGREEMENT`, each node's difference measured by the norm of its model.

    Parameters
    ----------
    G, m0, h, L, loss
        As for `descend`.

    Returns
    -------
    a, margins : ndarray, shape (m, n)
    estimate : ndarray, shape (m,)
        The relative difference of the last two answers; 0 where all steps were exact.

    Raises
    ------
    ArithmeticError
        If they never agree and L is above `MOST_EXACT`.

    Notes
    -----
    If none agree, or an integration costs more than `EVALUATIONS`, all steps are exact. What the equation
    leaves out is of relative size 1 / (s^2 L) on separable data, so the difference overstates the error of
    the later answer about threefold; the integrations also use different tolerances. Where data do not
    separate, p does not fade and the equation is soon too stiff: then all steps are exact.
    Source: the modified equation is standard (Hairer, Lubich and Wanner 2006). Cost: some
    thousand exact steps and some thousand products with the Gram matrices, whatever L is.

    Examples
    --------
    >>> a, m, estimate = descend_long(np.ones((1, 1, 1)), np.zeros((1, 1)), np.ones(1), 10**6, "exponential")
    >>> bool(abs(m[0, 0] - np.log(1e6)) < 1e-4 and estimate[0] < 1e-10)
    True
    """
    s, before = FIRST_SWITCH, None
    a, m = descend(G, m0, h, s, loss)
    for tolerance in (1e-12, *[1e-13] * (SWITCHES - 1)):
        if not np.isfinite(m).all() or s >= L:
            break
        found = _integrated(G, m0, h, s, L, loss, a, tolerance)
        if found is None:
            break
        if before is not None:
            estimate = _difference(G, before, found)
            if (estimate <= AGREEMENT).all():
                return found, m0 + np.matmul(G, found[..., None])[..., 0], estimate
        further = min(2 * s, L)
        a, m = descend(G, m0, h, further - s, loss, begun=a)
        s, before = further, found
    if L > MOST_EXACT and np.isfinite(m).all():
        raise ArithmeticError(
            f"L was {L}; so many steps cannot be integrated to a relative accuracy of {AGREEMENT:.0e} here; "
            f"L must be at most {MOST_EXACT:,}, which are then taken one by one"
        )
    a, m = descend(G, m0, h, L - s, loss, begun=a)
    return a, m, np.zeros(len(a))


def _integrated(
    G: Array, m0: Array, h: Array, s: int, L: int, loss: str, a: Array, tolerance: float
) -> Array | None:
    """The solution at step L from a at step s, in the logarithm of the step; None where it is stiff."""
    from scipy.integrate import DOP853

    def change(log_step: float, flat: Array) -> Array:
        moved = _change(G, m0, h[:, None], loss, flat.reshape(a.shape))
        return np.asarray(math.exp(log_step) * moved.reshape(-1))

    smallest = np.repeat(tolerance * np.abs(a).max(axis=1), a.shape[1]) + np.finfo(float).tiny
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        solver = DOP853(
            change, math.log(s), a.reshape(-1), math.log(L), rtol=tolerance, atol=smallest, first_step=0.01
        )
        while solver.status == "running" and solver.nfev < EVALUATIONS:
            solver.step()
    if solver.status != "finished":
        return None
    return np.asarray(solver.y, dtype=np.float64).reshape(a.shape)


def _change(G: Array, m0: Array, h: Array, loss: str, a: Array) -> Array:
    """h da/dt of the modified equation."""
    m, p = m0 + np.matmul(G, a[..., None])[..., 0], np.empty_like(m0)
    SLOPES[loss](m, p, ONE)
    q = p * (1 - p) if loss == "logistic" else p
    r = q * (1 - 2 * p) if loss == "logistic" else p
    g = np.matmul(G, p[..., None])[..., 0]
    bent = np.matmul(G, (q * g)[..., None])[..., 0]
    return np.asarray(h * (p + h / 2 * q * g + h**2 * (r * g**2 / 12 + q * bent / 3)))


def _difference(G: Array, before: Array, found: Array) -> Array:
    """||Z^T (a - b)|| / ||Z^T b|| of each node."""
    gap = found - before
    squares = [(a * np.matmul(G, a[..., None])[..., 0]).sum(axis=1) for a in (gap, found)]
    return np.asarray(np.sqrt(np.maximum(squares[0], 0.0) / np.maximum(squares[1], np.finfo(float).tiny)))
