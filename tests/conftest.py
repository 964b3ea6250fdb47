"""Settings of all tests."""

import os

from hypothesis import settings

# Before NumPy is imported: on a busy machine several threads make small products a hundred times slower.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

settings.register_profile("book", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("book")
