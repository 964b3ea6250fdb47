"""What the theorems predict: step sizes, spectra, rates, errors and limits."""

from lgd_lib.theory.late import beyond_leading, late_rounds
from lgd_lib.theory.limits import departure, halving_level, late_offset
from lgd_lib.theory.logistic import classification_bias, mean_loss_minimum, noise_floor
from lgd_lib.theory.margins import anchored_errors, projection_rate, unit_margin
from lgd_lib.theory.offsets import Offsets, margin_offsets, mean_shares
from lgd_lib.theory.regression import regression_bias, regression_errors, regression_limit, regression_rate
from lgd_lib.theory.server import best_heavy_ball, best_nesterov, best_server_step
from lgd_lib.theory.spectra import averaged_projector_spectrum, gaussian_spectrum_edges, largest_step

__all__ = [
    "Offsets",
    "anchored_errors",
    "averaged_projector_spectrum",
    "best_heavy_ball",
    "best_nesterov",
    "best_server_step",
    "beyond_leading",
    "classification_bias",
    "departure",
    "gaussian_spectrum_edges",
    "halving_level",
    "largest_step",
    "late_offset",
    "late_rounds",
    "margin_offsets",
    "mean_loss_minimum",
    "mean_shares",
    "noise_floor",
    "projection_rate",
    "regression_bias",
    "regression_errors",
    "regression_limit",
    "regression_rate",
    "unit_margin",
]
