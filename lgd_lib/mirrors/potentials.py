"""Potentials of mirror flows: the coordinates in which a method moves, and the divergence it keeps small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.validation import Array


class Potential(Protocol):
    """A separable, strictly convex psi on R^d whose gradient takes every value."""

    @property
    def bend(self) -> float:
        """b such that the slope changes by a factor of at most exp(b h) while s changes by h."""

    def mirror(self, w: Array) -> Array:
        """s = grad psi(w), entry by entry."""

    def inverse(self, s: Array) -> Array:
        """w = grad psi*(s), the inverse of `mirror`."""

    def slope(self, s: Array) -> Array:
        """c = d w / d s > 0, entry by entry."""

    def conjugate(self, s: Array) -> float:
        """psi*(s)."""


@dataclass(frozen=True)
class Euclidean:
    """psi(w) = ||w||^2 / 2: mirror coordinates are the weights themselves.

    Notes
    -----
    Source: standard; gradient descent on a linear model. Cost: none.

    Examples
    --------
    >>> divergence(Euclidean(), np.array([3.0, 4.0]), np.zeros(2))
    12.5
    """

    @property
    def bend(self) -> float:
        """0: the slope does not change."""
        return 0.0

    def mirror(self, w: Array) -> Array:
        """s = w."""
        return w

    def inverse(self, s: Array) -> Array:
        """w = s."""
        return s

    def slope(self, s: Array) -> Array:
        """1."""
        return np.ones_like(s)

    def conjugate(self, s: Array) -> float:
        """||s||^2 / 2."""
        return float(s @ s) / 2


@dataclass(frozen=True, eq=False)
class Hyperbolic:
    """The potential of the diagonal network w = u*u - v*v with u*v = scale. (N2-mirror)

    psi(w) = sum_j w_j arcsinh(w_j / (2 a_j)) - sqrt(w_j^2 + 4 a_j^2), so s = arcsinh(w / (2 a)) = ln(u / v)
    and w = 2 a sinh(s). For large a it is Euclidean, for small a like the sum of the absolute values.

    Parameters
    ----------
    scale : float or array_like, shape (d,)
        a = u*v, positive.

    Raises
    ------
    ValueError
        If a scale is not positive and finite.

    Notes
    -----
    Source: standard (Woodworth et al. 2020). Cost: one function of each entry.

    Examples
    --------
    >>> potential = Hyperbolic(0.5)
    >>> potential.inverse(potential.mirror(np.array([-2.0, 3.0])))
    array([-2.,  3.])
    """

    scale: ArrayLike

    def __post_init__(self) -> None:
        a = np.asarray(self.scale, dtype=np.float64)
        if a.ndim > 1 or not (np.isfinite(a) & (a > 0)).all():
            raise ValueError(
                f"scale was {self.scale!r}; it must be one positive number, or one for each weight"
            )
        object.__setattr__(self, "scale", a)

    @property
    def bend(self) -> float:
        """1: cosh changes by a factor of at most exp(h) over an interval of length h."""
        return 1.0

    def mirror(self, w: Array) -> Array:
        """s = arcsinh(w / (2 a))."""
        return np.asarray(np.arcsinh(w / (2 * np.asarray(self.scale))))

    def inverse(self, s: Array) -> Array:
        """w = 2 a sinh(s)."""
        return np.asarray(2 * np.asarray(self.scale) * np.sinh(s))

    def slope(self, s: Array) -> Array:
        """2 a cosh(s) = sqrt(w^2 + 4 a^2) = u*u + v*v."""
        return np.asarray(2 * np.asarray(self.scale) * np.cosh(s))

    def conjugate(self, s: Array) -> float:
        """sum_j 2 a_j cosh(s_j)."""
        return float(self.slope(s).sum())


def divergence(potential: Potential, x: Array, w: Array) -> float:
    """Return the Bregman divergence D(x, w) = psi(x) - psi(w) - grad psi(w)^T (x - w).

    It is at least zero, and zero for x = w only. For `Euclidean` it is ||x - w||^2 / 2.

    Parameters
    ----------
    potential : Potential
    x, w : ndarray, shape (d,)

    Returns
    -------
    float

    Notes
    -----
    Source: standard; computed in mirror coordinates, psi*(s) - psi*(t) - x^T (s - t), s = grad psi(w) and
    t = grad psi(x). Cost: a few functions of each entry.

    Examples
    --------
    >>> divergence(Hyperbolic(1.0), np.array([1.0]), np.array([1.0]))
    0.0
    """
    s, t = potential.mirror(w), potential.mirror(x)
    return potential.conjugate(s) - potential.conjugate(t) - float(x @ (s - t))
