"""Experiments: the book runs them at a small size, ``python -m lgd_lib.neural`` at the full one."""
