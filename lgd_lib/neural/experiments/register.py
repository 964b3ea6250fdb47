"""All experiments by name; a new one is one import and one line."""

from __future__ import annotations

from lgd_lib.neural.experiments.description import Experiment
from lgd_lib.neural.experiments.last_layer import LAST_LAYER
from lgd_lib.neural.experiments.mail import MAIL
from lgd_lib.neural.experiments.pictures import PICTURES
from lgd_lib.neural.experiments.users import USERS

EXPERIMENTS: dict[str, Experiment] = {
    found.name: found
    for found in (
        LAST_LAYER,
        PICTURES,
        USERS,
        MAIL,
        # one a line
    )
}
"""What `python -m lgd_lib.neural NAME` knows."""
