"""Local steps on a whole network: the local solver that makes fine-tuning one more pair for `rounds`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lgd_lib.neural.clients import PreparedNetwork
from lgd_lib.neural.flat import FlatNetwork, normalisations
from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.neural.optimisers import Optimiser
from lgd_lib.neural.stacked import obstacle
from lgd_lib.origin import COUNTS
from lgd_lib.validation import as_list, is_count, per_node

BATCHNORM = ("frozen", "averaged", "local")
SIDE_BY_SIDE = 32
"""Clients that are stacked on a GPU unless another number is asked for."""


@dataclass(frozen=True)
class NetworkSteps:
    """Steps of an optimiser on the node's own samples, from the global model; the answer is where they end.

    Parameters
    ----------
    optimiser : SGD or AdamW
    L : int, or a sequence of M of them, optional
        Local steps.
    epochs : int, optional
        Passes over the node's samples; give either this or L.
    batch_size : int, optional
        Samples of a step, drawn without replacement as by `SGDSteps`; all by default, and at a node that has
        fewer.
    batchnorm : {"frozen", "averaged", "local"}
        What layers that normalise by statistics of a batch do while a node trains. "frozen": they use the
        statistics that were built, as in evaluation. "averaged": those of the batch, and the running
        statistics travel and are averaged like parameters. "local": those of the batch, and each node keeps
        its running statistics. The server's model then has none of its own.
    reset : bool
        Whether the optimiser's buffers begin afresh in every round. If not, they are the node's memory.
    keep_answers : bool
        Whether a round keeps the local models, for metrics that look at `r.W`.
    together : int, optional
        Clients trained side by side; 1 on a CPU by default, up to 32 on a GPU where the network allows it.
    at_once : int, optional
        Samples that go through the network together. Larger batches pass in parts whose gradients are added
        up: the same step to rounding in less memory, unless normalisation layers see the parts' statistics.

    Raises
    ------
    TypeError, ValueError
        If optimiser is none of `lgd_lib.neural.optimisers`, not exactly one of L and epochs is given, one of
        them, batch_size, together or at_once is no whole number of at least 1, clients side by side were to
        take parts of a batch, or batchnorm is unknown; from `prepare`, if the problem holds no network,
        or clients that cannot be stacked were to be.
    FloatingPointError, MemoryError, ValueError, RuntimeError
        From a round, with the node: if its answer is not finite, memory does not suffice, or torch cannot
        take its samples, such as a label that is none or a batch of one where samples are normalised.

    Notes
    -----
    Source: standard (federated averaging; Local-SGD). With L = 1, full batches and plain gradient steps the
    average is gradient descent on the mean loss. Each node draws from its own stream of the round, layers
    such as dropout too. Under an average, nodes are trained one after the other while their answers are added
    up, once; nothing else is kept unless they have memory. Continuing a run gives the same bits on a CPU; on
    a GPU only with torch's deterministic algorithms. A saved run may go on with other keep_answers and
    together, another device and, if batchnorm is "frozen", another at_once: the same up to rounding, but for
    what layers such as dropout draw.
    Cost of a round: the gradients of all active nodes.

    Examples
    --------
    >>> from lgd_lib.neural.optimisers import SGD
    >>> NetworkSteps(SGD(lr=0.1), L=10, batch_size=32).together is None
    True
    """

    optimiser: Optimiser
    L: int | Sequence[int] | None = None
    epochs: int | None = None
    batch_size: int | None = None
    batchnorm: str = "frozen"
    reset: bool = True
    keep_answers: bool = field(default=False, compare=False)
    together: int | None = field(default=None, compare=False)
    at_once: int | None = field(
        default=None, metadata={COUNTS: lambda solver: solver.batchnorm != "frozen"}
    )  # otherwise the gradient is the same

    def __post_init__(self) -> None:
        parts = [getattr(self.optimiser, name, None) for name in ("start", "step")]
        if isinstance(self.optimiser, type) or not all(map(callable, parts)):
            raise TypeError(
                f"optimiser was {self.optimiser!r}; it must be one of lgd_lib.neural.optimisers, such as "
                "SGD(lr=0.1)"
            )
        if (self.L is None) == (self.epochs is None):
            raise ValueError(f"L was {self.L} and epochs was {self.epochs}; give exactly one of them")
        for name in ("batch_size", "together", "epochs", "at_once"):
            value = getattr(self, name)
            if value is not None and not is_count(value):
                raise ValueError(f"{name} was {value!r}; it must be a whole number of at least 1")
        if self.L is not None and not all(is_count(L) for L in as_list("L", self.L)):
            raise ValueError(f"L was {self.L}; it must be a whole number of at least 1")
        if self.at_once is not None and (self.together or 1) > 1:
            raise ValueError(
                f"at_once was {self.at_once}; clients side by side take whole batches: together=1"
            )
        if self.batchnorm not in BATCHNORM:
            known = ", ".join(map(repr, BATCHNORM))
            raise ValueError(f"batchnorm was {self.batchnorm!r}; it must be one of {known}")

    def prepare(self, problem: NetworkProblem) -> PreparedNetwork:
        """Build the network, bring all samples to the device, and see whether clients can be stacked."""
        if not isinstance(problem, NetworkProblem):
            raise TypeError(f"problem was {type(problem).__name__}; NetworkSteps needs a NetworkProblem")
        net, sizes = problem.flat(), problem.sizes
        batch = sizes if self.batch_size is None else np.minimum(sizes, self.batch_size)
        L = (
            per_node("L", self.L, problem.M)
            if self.L is not None
            else (self.epochs or 0) * -(-sizes // batch)
        )
        frozen = self.batchnorm == "frozen" or not normalisations(net.module)
        return PreparedNetwork(
            problem=problem,
            net=net,
            optimiser=self.optimiser,
            L=L.astype(np.int64),
            batch=batch,
            batchnorm="frozen" if frozen else self.batchnorm,
            reset=self.reset,
            keep=self.keep_answers,
            together=self._together(problem, net, frozen),
            at_once=self.at_once,
        )

    def _together(self, problem: NetworkProblem, net: FlatNetwork, frozen: bool) -> int:
        asked = self.together
        if asked == 1 or self.at_once or (asked is None and problem.device == "cpu"):
            return 1
        found = f"batchnorm={self.batchnorm!r} mixes the samples of a batch"
        if frozen:
            found = obstacle(net, problem.loss, problem.nodes[0])
        if not found:
            return asked or SIDE_BY_SIDE
        if asked is None:
            return 1
        raise ValueError(f"together was {asked}; this network's clients cannot be stacked: {found}; take 1")
