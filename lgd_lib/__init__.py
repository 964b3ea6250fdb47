"""Local gradient descent with many local steps in overparameterised linear models.

A problem says what data each node holds, a local solver what a node does with the global model, an
aggregation what the server does with the answers; `rounds` ties them.
"""

from lgd_lib import certificates, claims, datasets, partition, references, synthetic, theory
from lgd_lib.aggregation import Average, HeavyBall, OuterNesterov, ServerStep
from lgd_lib.anchored import Anchored, Bundle, Haugazeau
from lgd_lib.anderson import AndersonConsensus, AndersonConsensusMargin
from lgd_lib.certificates import Certificate
from lgd_lib.conjugate_gradient import ConjugateGradient
from lgd_lib.descent.normalised_steps import NormalisedSteps
from lgd_lib.descent.sgd_steps import SGDSteps
from lgd_lib.dual_methods import (
    AcceleratedDual,
    AcceleratedDualMargin,
    Consensus,
    ConsensusMargin,
    DualAverage,
)
from lgd_lib.history import History
from lgd_lib.local_flow import LocalFlow, SweptMargin
from lgd_lib.local_solvers import ExactProjection, GradientSteps
from lgd_lib.margin_solvers import DualMargin, ExactMargin
from lgd_lib.margins.separability import NotSeparableError, UndecidedError
from lgd_lib.mirrors.diagonal import DiagonalFlow, DiagonalSteps, GeometricMean
from lgd_lib.mirrors.flows import MirrorAverage, MirrorProjection
from lgd_lib.mirrors.potentials import Euclidean, Hyperbolic
from lgd_lib.multiclass import multiclass_margins
from lgd_lib.participation import Bernoulli, Subset
from lgd_lib.problems import Node, Problem
from lgd_lib.recording import RunInterrupted, record, saved_state
from lgd_lib.references import Reference
from lgd_lib.regularized import Regularized
from lgd_lib.runner import Round, State, rounds

__all__ = [
    "AcceleratedDual",
    "AcceleratedDualMargin",
    "Anchored",
    "AndersonConsensus",
    "AndersonConsensusMargin",
    "Average",
    "Bernoulli",
    "Bundle",
    "Certificate",
    "ConjugateGradient",
    "Consensus",
    "ConsensusMargin",
    "DiagonalFlow",
    "DiagonalSteps",
    "DualAverage",
    "DualMargin",
    "Euclidean",
    "ExactMargin",
    "ExactProjection",
    "GeometricMean",
    "GradientSteps",
    "Haugazeau",
    "HeavyBall",
    "History",
    "Hyperbolic",
    "LocalFlow",
    "MirrorAverage",
    "MirrorProjection",
    "Node",
    "NormalisedSteps",
    "NotSeparableError",
    "OuterNesterov",
    "Problem",
    "Reference",
    "Regularized",
    "Round",
    "RunInterrupted",
    "SGDSteps",
    "ServerStep",
    "State",
    "Subset",
    "SweptMargin",
    "UndecidedError",
    "certificates",
    "claims",
    "datasets",
    "multiclass_margins",
    "partition",
    "record",
    "references",
    "rounds",
    "saved_state",
    "synthetic",
    "theory",
]
