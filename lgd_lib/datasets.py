"""Data sets: the committed ones, checked before they are read; the synthetic ones of `lgd_lib.synthetic`."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.data_files import checked
from lgd_lib.picture_folders import cifar10 as cifar10
from lgd_lib.picture_folders import fashion_mnist as fashion_mnist
from lgd_lib.pictures import Pictures as Pictures
from lgd_lib.pictures import load_pictures as load_pictures
from lgd_lib.synthetic import gaussian_regression as gaussian_regression
from lgd_lib.synthetic import two_affine_sets as two_affine_sets
from lgd_lib.validation import Array, as_real


@dataclass(frozen=True, eq=False)
class Dataset:
    """A committed data set, in the units of its source: nothing is centred or scaled.

    Parameters
    ----------
    name : str
    X : ndarray, shape (N, d)
        Read-only float64.
    y : ndarray, shape (N,)
        Targets, or labels -1 and +1.
    groups : ndarray of int, shape (N,), or None
        Which natural node each sample belongs to: an index into `group_names`.
    group_names : tuple of str
        Empty where there are no groups.
    task : {"regression", "classification"}
    licence : str
        SPDX identifier of the set's own licence.
    source : str
        Where the set comes from.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> Dataset("tiny", np.eye(2), np.ones(2), None, (), "regression", "MIT", "made up").group_names
    ()
    """

    name: str
    X: Array
    y: Array
    groups: NDArray[np.int64] | None
    group_names: tuple[str, ...]
    task: str
    licence: str
    source: str


def load(name: str, root: str | Path | None = None) -> Dataset:
    """Return a data set of the book after checking its file against the checksum in the manifest.

    Parameters
    ----------
    name : str
        "bladder" or "gasoline".
    root : path, optional
        A folder with MANIFEST.json, such as the checkout's `data/`; only it is looked at. By default
        `data/` in the checkout this library runs from is tried, then the environment variable LGD_DATA.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError
        If no folder with a manifest is found, or the file that the manifest lists is missing.
    ValueError
        If the name is not that of a table in the manifest, the manifest cannot be read, or the file's
        checksum is not the manifest's.

    Notes
    -----
    Nothing of a file is parsed before its sha256 has been checked, and no pickled object is ever read.
    Cost: reading and hashing the file.

    Examples
    --------
    >>> gasoline = load("gasoline")
    >>> gasoline.X.shape, gasoline.licence
    ((60, 401), 'GPL-2.0-only')
    """
    content, entry = checked(name, "table", root)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        X = stored["X"] / entry["divisor"] if entry["divisor"] != 1 else stored["X"].astype(np.float64)
        y = stored["y"].astype(np.float64)
        groups = stored["group"].astype(np.int64) if "group" in stored else None
    for array in (X, y, groups):
        if array is not None:
            array.flags.writeable = False
    source = f"{entry['source']['package']} {entry['source']['version']}, {entry['source']['file']}"
    return Dataset(
        entry["name"], X, y, groups, tuple(entry["group_names"]), entry["task"], entry["licence"], source
    )


def standardise(train: ArrayLike, *others: ArrayLike) -> tuple[Array, ...]:
    """Centre and scale every feature by the training samples' mean and standard deviation.

    (x - mean) / std, both of the training samples (std with divisor N). A feature that is constant on the
    training samples, to rounding, becomes zero everywhere.

    Parameters
    ----------
    train : array_like, shape (N, d)
    *others : array_like, shape (n, d)
        Held-out samples: they do not enter the mean or the standard deviation.

    Returns
    -------
    tuple of ndarray
        The training samples, then the others in their order. One argument also gives a tuple.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite and two-dimensional, or the numbers of features differ.

    Notes
    -----
    The centred rows sum to zero, so their rank is at most N - 1: labels or targets with a mean other than
    zero can then not be interpolated. Add a feature with `with_constant`, or centre the targets.
    Cost: two passes over the data.

    Examples
    --------
    >>> train, test = standardise([[1.0, 7.0], [3.0, 7.0]], [[5.0, 8.0]])
    >>> train.tolist(), test.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0]])
    """
    fitted = as_real("train", train, ndim=2)
    if 0 in fitted.shape:
        raise ValueError(f"train has shape {fitted.shape}; it must have at least one sample and one feature")
    arrays = [fitted]
    for i, other in enumerate(others):
        arrays.append(as_real(f"others[{i}]", other, ndim=2))
        if arrays[-1].shape[1] != fitted.shape[1]:
            raise ValueError(f"others[{i}] has {arrays[-1].shape[1]} features; train has {fitted.shape[1]}")
    mean, std = fitted.mean(axis=0), fitted.std(axis=0)
    varies = std > 1e-12 * np.abs(fitted).max(axis=0)
    scale = np.where(varies, std, 1.0)
    return tuple(np.where(varies, (array - mean) / scale, 0.0) for array in arrays)


def with_constant(X: ArrayLike, value: float = 1.0) -> Array:
    """Append a feature that is `value` in every sample: its weight is the model's intercept.

    Parameters
    ----------
    X : array_like, shape (n, d)
    value : float, optional
        Not zero. A larger value makes the intercept cheaper in the norm of w.

    Returns
    -------
    ndarray, shape (n, d + 1)

    Raises
    ------
    TypeError, ValueError
        If X is not finite and two-dimensional, or the value is zero or not finite.

    Notes
    -----
    Centred rows have rank at most N - 1; with the constant feature it is at most N again, and every
    vector of labels can be interpolated where it is N. Cost: one copy.

    Examples
    --------
    >>> with_constant([[2.0], [3.0]]).tolist()
    [[2.0, 1.0], [3.0, 1.0]]
    """
    array = as_real("X", X, ndim=2)
    if not (math.isfinite(value) and value != 0):
        raise ValueError(f"value was {value}; it must be a finite number other than 0")
    return np.column_stack([array, np.full(array.shape[0], float(value))])
