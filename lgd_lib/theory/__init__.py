"""What the theorems predict: step sizes, spectra, rates, errors and limits."""

from lgd_lib.theory.regression import regression_bias, regression_errors, regression_limit, regression_rate
from lgd_lib.theory.server import best_heavy_ball, best_nesterov, best_server_step
from lgd_lib.theory.spectra import averaged_projector_spectrum, gaussian_spectrum_edges, largest_step

__all__ = [
    "averaged_projector_spectrum",
    "best_heavy_ball",
    "best_nesterov",
    "best_server_step",
    "gaussian_spectrum_edges",
    "largest_step",
    "regression_bias",
    "regression_errors",
    "regression_limit",
    "regression_rate",
]
