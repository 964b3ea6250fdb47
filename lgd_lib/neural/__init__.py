"""Pretrained networks, their last layer, and whole networks; needs torch (the extra `neural`)."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError(
        "lgd_lib.neural needs torch, which is not installed: python -m pip install 'torch>=2.6,<2.14', or "
        "make the environment with `make`",
        name="torch",
    )
