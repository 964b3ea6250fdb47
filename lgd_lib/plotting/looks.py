"""One colour, marker and dash for each method, in every figure of the book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Look:
    """How a method looks in every figure of the book.

    Parameters
    ----------
    label : str
    color : str
    marker : str
    linestyle : str or tuple

    Examples
    --------
    >>> Look("one node alone", "#999999", ".", ":").label
    'one node alone'
    """

    label: str
    color: str
    marker: str
    linestyle: Any = "-"


METHODS = {
    "centralised": Look("centralised", "#000000", "x", "-"),
    "L=1": Look("L = 1", "#56B4E9", "o", "-"),
    "L=2": Look("L = 2", "#0072B2", "s", (0, (6, 1))),
    "L=5": Look("L = 5", "#009E73", "^", (0, (4, 1))),
    "L=10": Look("L = 10", "#E69F00", "D", (0, (3, 1, 1, 1))),
    "L=50": Look("L = 50", "#CC79A7", "v", (0, (5, 1, 1, 1))),
    "L=100": Look("L = 100", "#9467BD", "P", (0, (2, 1))),
    "L=1000": Look("L = 1,000", "#AA4499", "h", (0, (1, 1))),
    "L=inf": Look("L = \N{INFINITY} (projection)", "#D55E00", "*", "-"),
    "local": Look("one node alone", "#999999", ".", ":"),
    "average": Look("average", "#332288", "o", "-"),
    "server-step": Look("server step", "#999933", "s", (0, (6, 1))),
    "heavy-ball": Look("heavy ball", "#CC6677", "^", (0, (4, 1))),
    "nesterov": Look("Nesterov", "#44AA99", "D", (0, (3, 1, 1, 1))),
    "nesterov-classic": Look("Nesterov, classic step", "#117733", "d", (0, (1, 1))),
    "cg": Look("conjugate gradients", "#882255", "*", "-"),
    "one-shot": Look("one-shot average", "#777777", "X", ":"),
    "ppm": Look("parallel projections", "#4477AA", "o", "-"),
    "swept": Look("long local runs", "#DDAA33", "X", (0, (4, 1))),
    "anchored": Look("anchored average", "#EE6677", "s", (0, (6, 1))),
    "haugazeau": Look("Haugazeau", "#6B4226", "^", (0, (4, 1))),
    "dual": Look("dual", "#228833", "D", (0, (3, 1, 1, 1))),
    "accelerated": Look("accelerated dual", "#66CCEE", "v", (0, (5, 1, 1, 1))),
    "consensus": Look("consensus ADMM", "#CCBB44", "P", (0, (2, 1))),
    "anderson": Look("ADMM with Anderson", "#004488", "X", (0, (5, 1, 1, 1, 1, 1))),
    "bundle": Look("bundle", "#AA3377", "*", "-"),
    "bundle-steps": Look("bundle, finite steps", "#EE3377", "h", (0, (4, 1))),
    "sgd": Look("Local-SGD", "#009988", "p", (0, (3, 1, 1, 1))),
    "own-work": Look("one pass a round", "#AA7744", "d", (0, (4, 1))),
    "geometric": Look("geometric mean of parameters", "#0077BB", "o", "-"),
    "parameters": Look("average of parameters", "#CC3311", "s", (0, (6, 1))),
}
"""One colour, marker and dash for each method."""
