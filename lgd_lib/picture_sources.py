"""How the pictures of data/ are made: drawn from four vendors' emoji, chosen from Fashion-MNIST."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.picture_folders import fashion_mnist

SOURCES = {
    "emoji": (
        (
            "iconify-json-noto-1.2.9.tgz",
            "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        ),
        (
            "iconify-json-twemoji-1.2.5.tgz",
            "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        ),
        (
            "iconify-json-fluent-emoji-flat-1.2.6.tgz",
            "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        ),
        (
            "iconify-json-emojione-1.2.3.tgz",
            "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        ),
    ),
    "fashion": (
        (
            "datasets/fashion-mnist/train-images-idx3-ubyte.gz",
            "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        ),
        (
            "datasets/fashion-mnist/train-labels-idx1-ubyte.gz",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        ),
        (
            "datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
            "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        ),
        (
            "datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        ),
    ),
}
"""The files that a set is made from, each with its sha256."""

CATEGORIES = (
    "Activities",
    "Animals & Nature",
    "Food & Drink",
    "Objects",
    "People & Body",
    "Smileys & Emotion",
    "Symbols",
    "Travel & Places",
)
"""Noto's categories without its flags: the classes of "emoji"."""

_SIDE = 64
_SVG = (
    '<svg xmlns="{0}/2000/svg" xmlns:xlink="{0}/1999/xlink" width="{1}" height="{1}" viewBox="{2}">{3}</svg>'
)
_LEFT_OUT = re.compile("1f3f[b-f]|20e3|1f51f")  # code points of skin tones and of keycaps
_WHO = r"man|woman|men|women|boy|girl|person|people|adult|child|and"
_Json = dict[str, Any]


def emoji(paths: list[Path]) -> dict[str, Any]:
    """Return the emoji of four vendors as 64 x 64 pictures on white, each with Noto's name and category.

    Parameters
    ----------
    paths : list of Path
        The packages of SOURCES["emoji"], in that order, as `npm pack` leaves them.

    Returns
    -------
    dict
        Arrays image (N, 64, 64, 3), label, group, name and held_out.

    Notes
    -----
    Left out: flags, keycaps, skin tones, and pictures that equal an earlier one of the same vendor. Vendors
    are matched by code points, and EmojiOne, whose package has none, by name or alias. Needs the PyPI
    packages resvg-py and pillow. Cost: 10 s.

    Examples
    --------
    >>> emoji([])  # doctest: +SKIP
    """
    packages = [_package(path) for path in paths]
    noto, others = packages[0], packages[1:]
    category = {n: c for c, names in noto["metadata"]["categories"].items() for n in names}
    base = {
        _plain(code): name
        for code, name in noto["chars"].items()
        if category[name] in CATEGORIES and not _LEFT_OUT.search(code)
    }
    rows, pictures = [], []
    for group, package in enumerate([noto, *others]):
        seen = set()
        for name, own in sorted(_matched(package, base, packages).items()):
            picture = _drawn(package["icons"], own)
            if picture.tobytes() not in seen:
                seen.add(picture.tobytes())
                pictures.append(picture)
                rows.append((CATEGORIES.index(category[name]), group, name))
    labels, groups, names = zip(*rows, strict=True)
    return {
        "image": np.array(pictures),
        "label": np.array(labels, np.int8),
        "group": np.array(groups, np.int8),
        "name": np.array(names),
        "held_out": np.array([held_out(name) for name in names]),
    }


def held_out(name: str) -> bool:
    """Return whether an emoji is kept for testing: one in five, by a checksum of what it shows.

    Words that say who or which way are ignored, so that variants are held out together.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> held_out("man-cook") == held_out("woman-cook") == held_out("cook")
    True
    """
    words = re.sub(r"-facing-right$", "", name)
    words = "-".join(word for word in words.split("-") if not re.fullmatch(_WHO, word)) or name
    return zlib.crc32(words.encode()) % 5 == 0


def fashion(paths: list[Path]) -> dict[str, Any]:
    """Return 400 training and 100 test pictures of each class of Fashion-MNIST, drawn at random.

    Parameters
    ----------
    paths : list of Path
        The files of SOURCES["fashion"].

    Returns
    -------
    dict
        Arrays image (5000, 28, 28), label, index (within the original split) and held_out.

    Notes
    -----
    Drawn by `numpy.random.default_rng(0)`, in the order of the source. Cost: a second.

    Examples
    --------
    >>> fashion([])  # doctest: +SKIP
    """
    full = fashion_mnist(paths[0].parent)
    rng = np.random.default_rng(0)
    chosen = [
        np.sort(
            np.concatenate(
                [
                    rng.choice(np.flatnonzero((full.held_out == test) & (full.labels == c)), n, replace=False)
                    for c in range(10)
                ]
            )
        )
        for test, n in ((False, 400), (True, 100))
    ]
    start = np.flatnonzero(full.held_out)[0]
    index = np.concatenate(chosen)
    return {
        "image": full.images[index],
        "label": full.labels[index].astype(np.int8),
        "index": np.concatenate([chosen[0], chosen[1] - start]).astype(np.int32),
        "held_out": full.held_out[index],
    }


def _package(path: Path) -> dict[str, _Json]:
    """The three JSON files of an npm package of icons."""
    with tarfile.open(path) as archive:
        files = {part: archive.extractfile(f"package/{part}.json") for part in ("icons", "chars", "metadata")}
        return {part: json.load(file) for part, file in files.items() if file is not None}


def _plain(code: str) -> str:
    """A sequence of code points without the sign that asks for colour."""
    return "-".join(point for point in code.split("-") if point != "fe0f")


def _matched(
    package: dict[str, _Json], base: dict[str, str], packages: list[dict[str, _Json]]
) -> dict[str, str]:
    """Noto's name to the vendor's own."""
    icons = package["icons"]
    found: dict[str, str] = {}
    if package["chars"]:
        for code, own in package["chars"].items():
            if _plain(code) in base and own in icons["icons"]:
                found.setdefault(base[_plain(code)], own)
        return found
    known = set(base.values())
    newer = _aliases(packages[1]) | _aliases(packages[0])
    older = {parent: alias for alias, parent in _aliases(package).items() if alias in known}
    for own in icons["icons"]:
        name = own if own in known else newer.get(own, older.get(own))
        if name in known:
            found.setdefault(name, own)
    return found


def _aliases(package: dict[str, _Json]) -> dict[str, str]:
    """Other names of the same picture; mirrored and turned ones are left out."""
    return {a: to["parent"] for a, to in package["icons"]["aliases"].items() if set(to) == {"parent"}}


def _drawn(icons: _Json, name: str) -> NDArray[np.uint8]:
    """One icon at 64 x 64 on white."""
    import resvg_py
    from PIL import Image

    icon = icons["icons"][name]
    box = [icon.get(key, icons.get(key, 0)) for key in ("left", "top", "width", "height")]
    svg = _SVG.format("http://www.w3.org", _SIDE, " ".join(map(str, box)), icon["body"])
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white")
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))
