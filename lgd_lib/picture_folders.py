"""Pictures that a reader has at hand: the full Fashion-MNIST and CIFAR-10, from a local folder."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgd_lib.pictures import Pictures

FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
_RECORD = 1 + 3 * 32 * 32
_Bytes = NDArray[np.uint8]


def fashion_mnist(folder: str | Path) -> Pictures:
    """Return Fashion-MNIST from its four idx files, plain or as .gz.

    Parameters
    ----------
    folder : path
        With train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
        t10k-labels-idx1-ubyte, each with or without the ending .gz. The Debian package
        dataset-fashion-mnist puts them into `/usr/share/datasets/fashion-mnist`.

    Returns
    -------
    Pictures
        28 x 28 in grey, the training pictures first; those of the t10k files are held out.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, cut short or of another form.

    Notes
    -----
    The four files of the full set hold 60,000 and 10,000 pictures; other numbers are taken, if each file has
    what its head promises. Cost: reading and unpacking 31 MB.

    Examples
    --------
    >>> fashion_mnist("Downloads/fashion-mnist")  # doctest: +SKIP
    """
    parts = []
    for split in ("train", "t10k"):
        images = _idx(Path(folder), f"{split}-images-idx3-ubyte", 3)
        labels = _idx(Path(folder), f"{split}-labels-idx1-ubyte", 1)
        if images.shape[1:] != (28, 28):
            raise ValueError(
                f"{split}-images-idx3-ubyte has pictures of {images.shape[1:]}; must be (28, 28)"
            )
        if len(images) != len(labels):
            raise ValueError(f"folder {folder} has {len(images)} {split} pictures and {len(labels)} labels")
        parts.append((images, labels))
    return _together("fashion-mnist", parts, FASHION_CLASSES, "MIT", f"{folder}")


def cifar10(folder: str | Path) -> Pictures:
    """Return CIFAR-10 from the six files of its binary version.

    Parameters
    ----------
    folder : path
        With data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt.

    Returns
    -------
    Pictures
        32 x 32 in colour, the training pictures first; those of the test batch are held out.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, cut short or of another form.

    Notes
    -----
    A file is a row of records: one byte for the label, then 1,024 bytes each of red, green and blue. The full
    set has 10,000 in each file; other numbers are taken. Cost: reading 184 MB.

    Examples
    --------
    >>> cifar10("Downloads/cifar-10-batches-bin")  # doctest: +SKIP
    """
    where = Path(folder)
    names = tuple(_present(where, "batches.meta.txt").read_text(encoding="utf-8").split())
    if len(names) != 10:
        raise ValueError(f"{where / 'batches.meta.txt'} has {len(names)} names; it must have 10")
    train = [_batch(where, f"data_batch_{b}.bin") for b in range(1, 6)]
    joined = (np.concatenate([images for images, _ in train]), np.concatenate([y for _, y in train]))
    return _together("cifar10", [joined, _batch(where, "test_batch.bin")], names, "not stated", f"{folder}")


def _together(
    name: str, parts: list[tuple[_Bytes, _Bytes]], class_names: tuple[str, ...], licence: str, source: str
) -> Pictures:
    """Training and held-out pictures as one set."""
    (images, labels), (other_images, other_labels) = parts
    arrays = (
        np.concatenate([images, other_images]),
        np.concatenate([labels, other_labels]).astype(np.int64),
        np.repeat([False, True], [len(labels), len(other_labels)]),
    )
    for array in arrays:
        array.flags.writeable = False
    return Pictures(name, arrays[0], arrays[1], class_names, None, (), (), arrays[2], licence, source)


def _present(folder: Path, *names: str) -> Path:
    """The first of the files that is there."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"folder was {folder}; it must hold {' or '.join(names)}")


def _idx(folder: Path, name: str, ndim: int) -> _Bytes:
    """The array of an idx file of bytes: 0, 0, 8, number of axes, their lengths (big-endian), the bytes."""
    path = _present(folder, name, f"{name}.gz")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}") from error
    head = 4 + 4 * ndim
    if content[:4] != bytes([0, 0, 8, ndim]) or len(content) < head:
        raise ValueError(f"{path} is no idx file of bytes with {ndim} axes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    expected = head + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected or 0 in shape:
        raise ValueError(f"{path} promises {shape}, {expected} bytes in all, and has {len(content)}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _batch(folder: Path, name: str) -> tuple[_Bytes, _Bytes]:
    """Pictures (n, 32, 32, 3) and labels of one file of CIFAR-10."""
    path = _present(folder, name)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if content.size == 0 or content.size % _RECORD:
        raise ValueError(
            f"{path} has {content.size} bytes; it must be a whole number of {_RECORD} (cut short?)"
        )
    records = content.reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        raise ValueError(f"{path} has a label {records[:, 0].max()}; labels must be 0 to 9 (damaged?)")
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]
