"""LEAF's JSON files: users with their samples, text or numbers, from a file or a folder at hand."""

from __future__ import annotations

import json
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.users import Users

Entry = dict[str, Any]
_SPLITS = ("train", "test")


def load_leaf(path: str | Path, alphabet: str | None = None) -> Users:
    """Return the users of a data set in LEAF's JSON format.

    A file holds {"users": [...], "num_samples": [...], "user_data": {user: {"x": [...], "y": [...]}}}, and
    perhaps "hierarchies", what each user belongs to.

    Parameters
    ----------
    path : path
        One such file, whose samples are all to train on; or a folder with `train/` and `test/`, each with one
        such file or more, as LEAF's `preprocess.sh -t sample` leaves them; or a folder with such files.
    alphabet : str, optional
        For text, whose inputs are strings of one length and whose targets are single characters: the
        characters that are known, such as LEAF's own 80. By default all that occur, sorted.

    Returns
    -------
    Users
        Text as bytes, positions in the alphabet, of shapes (N_i, length) and (N_i,); lists of numbers as
        float32 of shape (N_i, d), whole targets as int64.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no JSON file in the folder.
    ValueError
        If a file is damaged or of another form: no list where one must be, counts that do not agree, a user
        without data or twice, samples of different lengths, a character that is not in the alphabet, a number
        that is not finite in float32; or there is no user. The file and the user are named.

    Notes
    -----
    Source: the files that LEAF's scripts write; a user of `test/` must have samples in `train/`. Files are
    read one by one. Cost: the parsing; a Python object for every number of a file while it is read.

    Examples
    --------
    >>> load_leaf("leaf/data/shakespeare/data")  # doctest: +SKIP
    """
    found: dict[str, dict[str, Entry]] = {split: {} for split in _SPLITS}
    for split, file in _files(Path(path)):
        for user, entry in _read(file).items():
            if user in found[split]:
                raise ValueError(f"{file} has user {user!r}, whom another file of {split} has too")
            found[split][user] = entry
    train, test = found["train"], found["test"]
    if not train:
        raise ValueError(f"{path} has no user; 'users' must name one or more")
    for user in test:
        if user not in train:
            raise ValueError(f"{path} has user {user!r} in test only; split the data by sample, not by user")
    entries = [*train.values(), *test.values()]
    if alphabet is None:
        alphabet = "".join(sorted(set().union(*(_characters(entry) for entry in entries))))
    X, y = zip(*(_arrays(entry, alphabet) for entry in train.values()), strict=True)
    none = X[0][:0], y[0][:0]
    held_out = [_arrays(test[user], alphabet) if user in test else none for user in train]
    X_test, y_test = zip(*held_out, strict=True)
    groups = tuple(entry["group"] for entry in train.values())
    known = groups if all(groups) else ()
    return Users(tuple(train), known, X, y, X_test, y_test, alphabet)


def _files(path: Path) -> list[tuple[str, Path]]:
    """The files, each with the split that it belongs to."""
    if path.is_file():
        return [("train", path)]
    if not path.is_dir():
        raise FileNotFoundError(f"path was {path}; there is no such file or folder")
    splits = [split for split in _SPLITS if (path / split).is_dir()]
    folders = [(split, path / split) for split in splits] or [("train", path)]
    files = [(split, file) for split, folder in folders for file in sorted(folder.glob("*.json"))]
    if not any(split == "train" for split, _ in files):
        raise FileNotFoundError(f"path was {path}; it must hold a .json file, itself or in train/")
    return files


def _read(file: Path) -> dict[str, Entry]:
    """The users of one file, with their samples and their group, checked for count and form."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if not isinstance(held, dict):
        raise ValueError(f"{file} holds a {type(held).__name__}; it must hold an object with 'users'")
    for key, kind in (("users", list), ("num_samples", list), ("user_data", dict)):
        if not isinstance(held.get(key), kind):
            form = "a list" if kind is list else "an object"
            raise ValueError(f"{file}: {key!r} was {_short(held.get(key))}; it must be {form}")
    users, counts, data = held["users"], held["num_samples"], held["user_data"]
    if len(users) != len(counts):
        raise ValueError(f"{file} has {len(users)} users and {len(counts)} entries in 'num_samples'")
    if extra := sorted(set(data) - set(map(str, users))):
        raise ValueError(f"{file} has data of {extra[0]!r}, whom 'users' does not name")
    groups = held.get("hierarchies")
    # LEAF leaves users with one sample out of 'users' but not out of 'hierarchies': then nobody's is known.
    known = groups if isinstance(groups, list) and len(groups) == len(users) else [""] * len(users)
    found: dict[str, Entry] = {}
    for user, count, group in zip(users, counts, known, strict=True):
        if not isinstance(user, str) or user in found:
            raise ValueError(f"{file}: 'users' has {_short(user)}; each must be a string, and there once")
        found[user] = _entry(file, user, data, count) | {"group": str(group)}
    return found


def _entry(file: Path, user: str, data: dict[str, Any], count: Any) -> Entry:
    who = f"{file}: user {user!r}"
    if user not in data:
        raise ValueError(f"{who} has no entry in 'user_data'")
    own = data[user]
    for key in ("x", "y"):
        if not isinstance(own, dict) or not isinstance(own.get(key), list):
            value = own.get(key) if isinstance(own, dict) else own
            raise ValueError(f"{who} has {_short(value)} for {key!r}; it must be a list")
    if not len(own["x"]) == len(own["y"]) == count or not count:
        raise ValueError(
            f"{who} has {len(own['x'])} entries in 'x', {len(own['y'])} in 'y' and {_short(count)} in "
            "'num_samples'; they must be equal, and 1 or more"
        )
    return {"who": who, "x": own["x"], "y": own["y"]}


def _short(value: Any) -> str:
    text = reprlib.repr(value)  # of large or deep values only the beginning
    return text if len(text) < 40 else f"{text[:36]}..."


def _is_text(entry: Entry) -> bool:
    return isinstance(entry["x"][0], str)


def _characters(entry: Entry) -> set[str]:
    if not _is_text(entry):
        return set()
    return set().union(*(own for key in ("x", "y") for own in entry[key] if isinstance(own, str)))


def _arrays(entry: Entry, alphabet: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if _is_text(entry):
        width = len(entry["x"][0])
        return _codes(entry, "x", width, alphabet), _codes(entry, "y", 1, alphabet)[:, 0]
    X, y = _numbers(entry, "x", 2), _numbers(entry, "y", 1)
    with np.errstate(invalid="ignore"):  # of a target that is too large to be whole
        whole = y.astype(np.int64)
    return X.astype(np.float32), whole if np.array_equal(whole, y) else y.astype(np.float32)


def _codes(entry: Entry, key: str, width: int, alphabet: str) -> NDArray[np.uint8]:
    """Strings of one length as positions in the alphabet."""
    for own in entry[key]:
        if not isinstance(own, str) or len(own) != width or not own:
            raise ValueError(f"{entry['who']} has {_short(own)} in {key!r}; it must be a string of {width}")
    if len(alphabet) > 256 or len(set(alphabet)) < len(alphabet):
        raise ValueError(f"alphabet has {len(alphabet)} characters; at most 256, each once, fit into a byte")
    position = {character: i for i, character in enumerate(alphabet)}
    try:
        codes = [position[character] for own in entry[key] for character in own]
    except KeyError as error:
        raise ValueError(f"{entry['who']} has {error} in {key!r}, which alphabet lacks") from error
    return np.array(codes, np.uint8).reshape(-1, width)


def _numbers(entry: Entry, key: str, ndim: int) -> NDArray[Any]:
    """Lists of one length, or numbers."""
    form = "lists of numbers, all of one length" if ndim == 2 else "numbers"
    try:
        found = np.array(entry[key])
    except ValueError:  # lists of different lengths
        found = np.array(None)
    if found.dtype.kind not in "iuf" or found.ndim != ndim or 0 in found.shape:
        raise ValueError(f"{entry['who']} has {_short(entry[key])} for {key!r}; it must hold {form}")
    with np.errstate(over="ignore"):
        finite = np.isfinite(found.astype(np.float32)).all()
    if not finite:
        raise ValueError(f"{entry['who']} has a number in {key!r} that is not finite in float32")
    return found
