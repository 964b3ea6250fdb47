"""The best parameters of the server's step for a known spectrum, and the rates they give."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.aggregation import HeavyBall, OuterNesterov, ServerStep
from lgd_lib.validation import as_real


def best_server_step(spectrum: ArrayLike) -> tuple[ServerStep, float]:
    """Return the server step with the best rate, and that rate: (kappa - 1) / (kappa + 1).

    beta = 2 / (l_min + l_max), kappa = l_max / l_min. (R6-server-step)

    Parameters
    ----------
    spectrum : array_like
        Nonzero eigenvalues of the averaged projector, from `averaged_projector_spectrum`.

    Returns
    -------
    (ServerStep, float)

    Raises
    ------
    ValueError
        If the spectrum is empty or has an eigenvalue that is not positive.

    Notes
    -----
    Source: standard (Richardson). Cost: none.

    Examples
    --------
    >>> best_server_step([0.25, 0.75])
    (ServerStep(beta=2.0), 0.5)
    """
    low, high = _edges(spectrum)
    return ServerStep(2 / (low + high)), (high - low) / (high + low)


def best_heavy_ball(spectrum: ArrayLike) -> tuple[HeavyBall, float]:
    """Return the heavy ball with the best asymptotic rate, and it: (sqrt kappa - 1) / (sqrt kappa + 1).

    beta = 4 / (sqrt l_min + sqrt l_max)^2, momentum = ((sqrt kappa - 1) / (sqrt kappa + 1))^2.
    (R6-heavy-ball)

    Parameters
    ----------
    spectrum : array_like
        As for `best_server_step`.

    Returns
    -------
    (HeavyBall, float)

    Raises
    ------
    ValueError
        As `best_server_step`.

    Notes
    -----
    Source: standard (Polyak). The error may grow before it falls. Cost: none.

    Examples
    --------
    >>> best_heavy_ball([0.25, 2.25])
    (HeavyBall(beta=1.0, momentum=0.25), 0.5)
    """
    low, high = np.sqrt(_edges(spectrum))
    rate = float((high - low) / (high + low))
    return HeavyBall(float(4 / (low + high) ** 2), rate**2), rate


def best_nesterov(spectrum: ArrayLike) -> tuple[OuterNesterov, float]:
    """Return Nesterov's outer step with the best asymptotic rate, and it: 1 - 2 / sqrt(3 kappa + 1).

    lr = 4 / (3 l_max + l_min), momentum = (sqrt(3 kappa + 1) - 2) / (sqrt(3 kappa + 1) + 2). (R6-nesterov)

    Parameters
    ----------
    spectrum : array_like
        As for `best_server_step`.

    Returns
    -------
    (OuterNesterov, float)

    Raises
    ------
    ValueError
        As `best_server_step`.

    Notes
    -----
    Source: standard (Lessard, Recht and Packard 2016). Cost: none.

    Examples
    --------
    >>> outer, rate = best_nesterov([0.2, 1.0])
    >>> round(outer.lr, 12), round(outer.momentum, 12), round(rate, 12)
    (1.25, 0.333333333333, 0.5)
    """
    low, high = _edges(spectrum)
    root = float(np.sqrt(3 * high / low + 1))
    return OuterNesterov(4 / (3 * high + low), (root - 2) / (root + 2)), 1 - 2 / root


def _edges(spectrum: ArrayLike) -> tuple[float, float]:
    values = as_real("spectrum", spectrum, ndim=1)
    if values.size == 0 or values.min() <= 0:
        raise ValueError(f"spectrum was {values.tolist()}; it must hold positive eigenvalues")
    return float(values.min()), float(values.max())
