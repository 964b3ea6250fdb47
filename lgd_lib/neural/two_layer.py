"""Two-layer networks without biases: homogeneous in their weights, from lazy to rich initialisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.validation import is_count

DEGREE = 3
"""f(x; c w) = c^3 f(x; w) for c > 0."""


class TwoLayer(nn.Module):
    """f(x) = sum_j a_j max(u_j^T x, 0)^2, with weights of a given size that come in pairs.

    Unit j and unit j + width/2 start with the same u_j and opposite a_j, so that f = 0 at the start.

    Parameters
    ----------
    d : int
        Length of an input.
    width : int
        Units, an even number.
    scale : float
        The weights start as `scale` times u_j with N(0, 1/d) entries and a_j = +- sqrt(2 / width) g_j, with
        g_j drawn from N(0, 1): large is lazy, small is rich.

    Raises
    ------
    ValueError
        If d is no whole number of at least 1, width no even one of at least 2, or scale not positive.

    Notes
    -----
    In float64. The square makes f smooth in the weights: a point is stationary or it is not, without kinks.
    With a large scale the network stays close to its linearisation at the start while it fits.

    Examples
    --------
    >>> bool((TwoLayer(3, 10, 1.0)(torch.ones(2, 3).double()).abs() < 1e-14).all())
    True
    """

    def __init__(self, d: int, width: int, scale: float) -> None:
        super().__init__()
        if not is_count(d):
            raise ValueError(f"d was {d!r}; it must be a whole number of at least 1")
        if not is_count(width) or width % 2:
            raise ValueError(f"width was {width!r}; it must be an even number of at least 2")
        if not 0 < scale < np.inf:
            raise ValueError(f"scale was {scale!r}; it must be positive and finite")
        u = torch.randn(width // 2, d, dtype=torch.float64) / d**0.5
        a = torch.randn(width // 2, dtype=torch.float64) * (2 / width) ** 0.5
        self.inner = nn.Parameter(scale * torch.cat([u, u]))
        self.outer = nn.Parameter(scale * torch.cat([a, -a]))

    def forward(self, X: Tensor) -> Tensor:
        """Return f of each row, shape (n,).

        Parameters
        ----------
        X : Tensor, shape (n, d)

        Returns
        -------
        Tensor, shape (n,)
        """
        return torch.relu(X @ self.inner.T).square() @ self.outer


def squared(outputs: Tensor, y: Tensor) -> Tensor:
    """Return (f - y)^2 / 2 of each sample.

    Parameters
    ----------
    outputs, y : Tensor, shape (n,)

    Returns
    -------
    Tensor, shape (n,)

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> squared(torch.ones(1), torch.zeros(1))
    tensor([0.5000])
    """
    return 0.5 * (outputs - y) ** 2


def logistic(outputs: Tensor, y: Tensor) -> Tensor:
    """Return ln(1 + exp(-y f)) of each sample.

    Parameters
    ----------
    outputs, y : Tensor, shape (n,)
        Labels are -1 and +1.

    Returns
    -------
    Tensor, shape (n,)

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> logistic(torch.zeros(1), torch.ones(1))
    tensor([0.6931])
    """
    return nn.functional.softplus(-y * outputs)


def tangents(problem: NetworkProblem, w: ArrayLike, X: Tensor) -> NDArray[Any]:
    """Return the gradients of the network's output at w with respect to w, one row for each input.

    Parameters
    ----------
    problem : NetworkProblem
        With one output for each input.
    w : array_like, shape (d,)
    X : Tensor, shape (n, ...)

    Returns
    -------
    ndarray, shape (n, d)
        The features of the linearised network f(x; w) + <row, v - w>.

    Notes
    -----
    Cost: n gradients.

    Examples
    --------
    >>> from lgd_lib.neural.networks import Samples
    >>> one = Samples(torch.ones(1, 1).double(), torch.ones(1).double())
    >>> problem = NetworkProblem([one], partial(TwoLayer, 1, 2, 1.0), squared)
    >>> bool((tangents(problem, [2.0, -1.0, 3.0, 5.0], one.X) == [[12.0, 0.0, 4.0, 0.0]]).all())
    True
    """
    net = problem.flat()

    def output(v: Tensor, x: Tensor) -> Tensor:
        found: Tensor = functional_call(net.module, net.views(v), (x[None],))
        return found[0]

    v = torch.tensor(np.asarray(w), dtype=net.vector.dtype, device=net.vector.device)
    rows = vmap(grad(output), in_dims=(None, 0))(v, X.to(v.device))
    return np.asarray(rows.detach().cpu())


@dataclass(frozen=True)
class MarginReport:
    """How far a homogeneous network is from a point of stationarity of its margin problem.

    Parameters
    ----------
    margin : float
        Normalised: min_j y_j f(x_j; w) / ||w||^3; negative where a sample is misclassified.
    residual : float
        Of the conditions of Karush, Kuhn and Tucker, relative; infinite where the margin is not positive.
    multipliers : ndarray, shape (N,)

    Examples
    --------
    >>> MarginReport(0.1, 0.0, np.ones(1)).margin
    0.1
    """

    margin: float
    residual: float
    multipliers: NDArray[np.float64]


def margin_report(problem: NetworkProblem, w: ArrayLike) -> MarginReport:
    """Return the normalised margin of w, and how far w is from stationarity in min ||w||^2 s.t. y_j f_j >= 1.

    With c such that the smallest y_j f(x_j; c w) is 1, h_j = y_j grad f(x_j; c w), s_j = y_j f(x_j; c w) - 1:
    residual^2 = min over mu >= 0 of (||c w - sum_j mu_j h_j||^2 + sum_j mu_j^2 s_j^2 / ||c w||^2)
    / ||c w||^2.

    Parameters
    ----------
    problem : NetworkProblem
        A network of degree 3 with one output, and labels -1 and +1.
    w : array_like, shape (d,)

    Returns
    -------
    MarginReport

    Notes
    -----
    Zero exactly at points of Karush, Kuhn and Tucker; a point may be one without having the largest margin.
    It is computed from w and the data alone. Cost: N gradients and a nonnegative least-squares problem.

    Examples
    --------
    >>> from lgd_lib.neural.networks import Samples
    >>> one = Samples(torch.ones(1, 1).double(), torch.ones(1).double())
    >>> problem = NetworkProblem([one], partial(TwoLayer, 1, 2, 1.0), logistic)
    >>> report = margin_report(problem, [2.0, 0.0, 2**0.5, 0.0])
    >>> round(report.margin, 4), report.residual < 1e-12
    (0.3849, True)
    """
    samples, point = problem.pooled, np.asarray(w, dtype=np.float64)
    y = np.asarray(samples.y, dtype=np.float64)
    margins = y * problem.outputs(point, samples.X)
    lowest, length = float(margins.min()), float(np.linalg.norm(point))
    if lowest <= 0 or length == 0:
        return MarginReport(lowest / length**DEGREE if length else 0.0, np.inf, np.zeros(y.size))
    scaled = point / lowest ** (1 / DEGREE)
    size = float(np.linalg.norm(scaled))
    h = y[:, None] * tangents(problem, scaled, samples.X)
    slack = margins / lowest - 1
    system = np.concatenate([h.T, np.diag(slack / size)]) / size
    mu, residual = nnls(system, np.concatenate([scaled / size, np.zeros(y.size)]), maxiter=100 * y.size)
    return MarginReport(lowest / length**DEGREE, float(residual), mu)


def two_layer(d: int, width: int, scale: float) -> Callable[[], nn.Module]:
    """Return the builder of a two-layer network.

    Parameters
    ----------
    d, width : int
    scale : float

    Returns
    -------
    callable

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> two_layer(3, 4, 0.1)().outer.shape
    torch.Size([4])
    """
    return partial(TwoLayer, d, width, scale)
