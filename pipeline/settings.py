"""The settings of one build: profile, seed and device, checked before any work starts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PROFILES = ("ci", "full")
DEVICES = ("cpu", "cuda")


class SettingError(ValueError):
    """A setting that is not known, or has a value that it cannot have."""


@dataclass(frozen=True)
class Settings:
    """What every notebook is given as parameters, and where its results go."""

    profile: str = "ci"
    seed: int = 0
    device: str = "cpu"

    @property
    def out(self) -> Path:
        """The folder of this build, relative to the root of the repository."""
        return Path("_build") / self.profile

    def parameters(self) -> dict[str, object]:
        """The four values that papermill hands to every notebook."""
        return {**asdict(self), "out": self.out.as_posix()}


def read_settings(given: Mapping[str, str]) -> Settings:
    """Settings from words such as ``{"profile": "full", "seed": "3"}``; raises `SettingError` in words."""
    values = {"profile": "ci", "seed": "0", "device": "cpu"}
    for name in given:
        if name not in values:
            raise SettingError(f"{name} is not a setting; the settings are {', '.join(values)}")
    values.update(given)
    if values["profile"] not in PROFILES:
        raise SettingError(f"profile was {values['profile']!r}; it must be {' or '.join(PROFILES)}")
    if values["device"] not in DEVICES:
        raise SettingError(f"device was {values['device']!r}; it must be {' or '.join(DEVICES)}")
    if not (values["seed"].isascii() and values["seed"].isdigit()):
        raise SettingError(f"seed was {values['seed']!r}; it must be an integer >= 0")
    if values["device"] == "cuda":
        _need_gpu()
    return Settings(values["profile"], int(values["seed"]), values["device"])


def _need_gpu() -> None:
    try:
        import torch
    except ImportError:
        raise SettingError('device was cuda, but torch is not installed: pip install ".[neural]"') from None
    if not torch.cuda.is_available():
        raise SettingError(f"device was cuda, but torch {torch.__version__} sees no GPU; use device=cpu")
