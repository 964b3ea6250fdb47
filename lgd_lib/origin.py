"""What a run is made of, in words short enough to save: so that only the same run goes on from a file."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sized
from functools import partial
from types import CodeType, MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLED = 64
"""Entries of an array, or of a sequence, that are looked at."""
LONGEST = 100
"""Letters of a description, beyond which the rest is a hash."""
COUNTS = "counts"
"""In the metadata of a field: the function that says whether the field of a part counts."""

Words = str | tuple[str, dict[str, "Words"]]
"""A text; or how it begins, up to the bracket, and what is inside, by ``.field`` or ``[number]``."""


def described(part: object) -> str:
    """Return what tells one problem, local solver or aggregation from another, in one short line.

    Names of classes with their fields; of an array or a tensor its type, its shape and a hash of some of its
    entries; of a function or class its qualified name and a hash of its code, and of a function the values
    that it holds on to: defaults, the arguments of a `functools.partial`, and what it closes over.

    Parameters
    ----------
    part : object

    Returns
    -------
    str
        The same in every process with the same Python and packages.

    Notes
    -----
    Not counted: fields that are not compared or that say so (`COUNTS`), what is in an object that is neither
    a dataclass nor a network, and, of a function, global names and the lists, mappings and sets
    that it closes over, since those may change while it runs.

    At most `SAMPLED` entries of an array are looked at, rounded to six digits of the largest of them: another
    draw or scale of the data is noticed, a change of a single entry need not be, and rounding is not.
    Cost: some microseconds for each array or function.

    Examples
    --------
    >>> from lgd_lib import GradientSteps
    >>> described(GradientSteps(0.1, 10))
    "GradientSteps(eta=0.1, L=10, loss='squared')"
    >>> described(np.ones((2, 3)))
    'float64 (2, 3) 1e2c4a'
    """
    return _short(_line(_words(part)))


def origin_of(parts: Mapping[str, object]) -> dict[str, str]:
    """Return the descriptions of named parts, of their fields and entries, and so on inwards.

    Parameters
    ----------
    parts : mapping of str to object

    Returns
    -------
    dict of str to str
        Each part comes before what it holds.

    Notes
    -----
    Cost: as `described`.

    Examples
    --------
    >>> from lgd_lib import Subset
    >>> origin_of({"participation": Subset(2)})
    {'participation': 'Subset(m=2)', 'participation.m': '2'}
    """
    return {name: text for own, part in parts.items() for name, text in _named(own, _words(part))}


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Return the name of the innermost part in which two origins differ, or None if they are the same.

    Parameters
    ----------
    before, now : mapping of str to str
        From `origin_of`. Without inner names, as earlier versions saved them, whole parts are compared.

    Returns
    -------
    str or None
        If several parts differ, the first of them.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> from lgd_lib import GradientSteps
    >>> difference(*(origin_of({"solver": GradientSteps(0.1, L)}) for L in (5, 6)))
    'solver.L'
    """
    found: str | None = None
    for name in {**now, **before}:
        if before.get(name) == now.get(name):
            continue
        if found is None:
            nearer = name.isidentifier()  # a whole part
        else:
            nearer = _inside(found, name) and _comparable(found, before, now)
        if nearer:
            found = name
    return found


def _inside(outer: str, name: str) -> bool:
    return name.startswith((f"{outer}.", f"{outer}["))


def _comparable(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether both are of one class, or as long, and say what is inside."""
    heads = {re.split(r"[(\[]", origin.get(name, ""))[0] for origin in (before, now)}
    return len(heads) == 1 and all(any(_inside(name, own) for own in origin) for origin in (before, now))


def _named(name: str, words: Words) -> Iterator[tuple[str, str]]:
    yield name, _short(_line(words))
    if not isinstance(words, str):
        for label, own in words[1].items():
            yield from _named(name + label, own)


def _line(words: Words) -> str:
    if isinstance(words, str):
        return words
    head, inner = words
    entries = [f"{label[1:]}={_line(own)}" if label[0] == "." else _line(own) for label, own in inner.items()]
    return f"{head}{', '.join(entries)}{')' if head[-1] == '(' else ']'}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... {_hash(text.encode())}"


def _words(part: Any, inside: tuple[CodeType, ...] = ()) -> Words:
    """`inside` holds the functions that are being described: one that closes over itself has an end."""
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        own = {f".{name}": _words(getattr(part, name), inside) for name in _counted(part)}
        return f"{type(part).__name__}(", own
    if isinstance(part, (list, tuple)):
        step = 1 + len(part) // SAMPLED
        some = {f"[{i}]": _words(part[i], inside) for i in range(0, len(part), step)}
        return ("[" if step == 1 else f"{len(part)} of ["), some
    return _text(part, inside)


def _counted(part: Any) -> list[str]:
    fields = [field for field in dataclasses.fields(part) if field.compare]
    return [field.name for field in fields if COUNTS not in field.metadata or field.metadata[COUNTS](part)]


def _text(part: Any, inside: tuple[CodeType, ...]) -> str:
    name = type(part).__name__
    if isinstance(part, np.ndarray):
        return f"{part.dtype} {part.shape} {_hash(_entries(part))}"
    if isinstance(part, np.generic):
        return repr(part.item())
    if part is None or isinstance(part, (bool, int, float, str)):
        return repr(part)
    if isinstance(part, type):
        own = [_code(method.__code__) for method in vars(part).values() if hasattr(method, "__code__")]
        return f"{part.__qualname__} {_hash(repr(own).encode())}"
    if hasattr(part, "detach") and hasattr(part, "numpy"):
        return _tensor(part)
    if hasattr(part, "state_dict"):
        return _network(part, inside)
    if isinstance(part, Callable):  # type: ignore[arg-type]
        return _function(part, inside)
    if isinstance(part, Mapping):
        return "{" + ", ".join(f"{key}: {_line(_words(own, inside))}" for key, own in part.items()) + "}"
    return f"{name} of {len(part)}" if isinstance(part, Sized) else name


def _tensor(tensor: Any) -> str:
    """A tensor of torch, which need not be there: some entries, without a copy of the rest."""
    some = tensor.detach().reshape(-1)[:: 1 + tensor.numel() // SAMPLED].cpu()
    if some.is_floating_point():
        some = some.double()  # NumPy does not know all types
    return f"{tensor.dtype} {tuple(tensor.shape)} {_hash(_entries(some.numpy()))}"


def _network(network: Any, inside: tuple[CodeType, ...]) -> str:
    """A module of torch: its layers, its own settings, and its parameters and buffers."""
    own = {k: v for k, v in vars(network).items() if k[0] != "_" and isinstance(v, (int, float, str))}
    own.pop("training", None)
    tensors = [_line(_words(tensor, inside)) for tensor in network.state_dict().values()]
    return f"{type(network).__name__} {_hash(repr((repr(network), own, tensors)).encode())}"


def _function(function: Any, inside: tuple[CodeType, ...]) -> str:
    held: list[Any] = []
    if isinstance(function, partial):
        text, held = "partial", [function.func, *function.args, *function.keywords.items()]
    elif isinstance(function, MethodType):
        text, held = "method", [function.__func__, function.__self__]
    elif (code := getattr(function, "__code__", None)) is None:
        return getattr(function, "__qualname__", None) or type(function).__name__
    else:
        text = f"{function.__qualname__} {_hash(_code(code).encode())}"
        if code in inside:
            return text
        inside = (*inside, code)
        held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()]
        held += [own for own in map(_cell, function.__closure__ or ()) if not isinstance(own, CHANGING)]
    return f"{text}({', '.join(_line(_words(own, inside)) for own in held)})" if held else text


CHANGING = (list, dict, set)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet
        return None


def _code(code: CodeType) -> str:
    """What a function does, without where it stands; a set of constants has no order of its own."""
    constants = [
        _code(own)
        if isinstance(own, CodeType)
        else repr(sorted(map(repr, own)) if isinstance(own, frozenset) else own)
        for own in code.co_consts
    ]
    return repr((code.co_code, code.co_names, constants))


def _entries(array: NDArray[Any]) -> bytes:
    """Some entries, evenly spread, without a copy of the array."""
    some = array.flat[:: 1 + array.size // SAMPLED]
    if array.dtype.kind not in "fiu":
        return repr(some.tolist()).encode()
    largest = float(np.abs(some).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        shares = np.round(some / (largest or 1.0), 6) + 0.0
    return f"{largest:.6g}".encode() + shares.astype("<f8").tobytes()


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=3).hexdigest()
