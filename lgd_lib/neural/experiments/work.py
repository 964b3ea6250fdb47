"""An experiment under way: its results are written after each run, and a slice ends in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

from lgd_lib.history import History
from lgd_lib.neural import results as files
from lgd_lib.neural.runs import Deadline, OutOfTimeError, run_to
from lgd_lib.recording import Metrics
from lgd_lib.runner import Round, State


@dataclass(frozen=True, eq=False)
class Work:
    """What is done, where the rest goes, and until when.

    Parameters
    ----------
    results : dict
        "runs" holds each run by its key; "slices" where, with what and how long, for each slice that did
        something.
    path : Path or None
    folder : Path
        Where unfinished runs are saved.
    deadline : Deadline
    about : dict
        This slice.

    Examples
    --------
    >>> with work_on({"runs": {}, "slices": [], "finished": False}) as work:
    ...     work.keep_run("one", {"loss": [2.0, 1.0]})
    >>> work.results["finished"], list(work.results["runs"])
    (True, ['one'])
    """

    results: files.Results
    path: Path | None
    folder: Path
    deadline: Deadline
    about: dict[str, Any]

    def keep(self) -> None:
        """Write the results, with the time that this slice has taken so far."""
        self.about["seconds"] = round(self.deadline.elapsed, 1)
        if self.path is not None:
            files.write(self.path, self.results)

    def begin(self) -> None:
        """Name this slice, once, and write that down before the work: it does something."""
        if not any(known is self.about for known in self.results["slices"]):
            self.results["slices"].append(self.about)
            self.keep()

    def history(
        self, key: str, K: int, make: Callable[[State | None], Iterator[Round]], metrics: Metrics
    ) -> History:
        """Return the history of a run of K rounds, gone on with where an earlier slice has stopped.

        Parameters
        ----------
        key : str
        K : int
        make, metrics
            As for `run_to`.

        Returns
        -------
        History
        """
        self.begin()
        where = self.folder / f"{key.replace(' / ', '-').replace(' ', '_')}.npz"
        return run_to(K, make, metrics, where, self.deadline, self.keep)

    def keep_run(self, key: str, run: Mapping[str, Any]) -> None:
        """Keep a run, and end the slice if its time is over.

        Parameters
        ----------
        key : str
        run : mapping
        """
        self.begin()
        self.results["runs"][key] = dict(run)
        self.keep()
        if self.deadline.passed:
            raise OutOfTimeError


@contextmanager
def work_on(
    results: files.Results,
    *,
    path: str | Path | None = None,
    seconds: float = math.inf,
    device: str = "cpu",
) -> Iterator[Work]:
    """Let a `with` statement work on results until its end, or until the time is over.

    Parameters
    ----------
    results : dict
        From `results.begun`; "finished" is set at the end. What is done, and how long it took, is written at
        each save and at the end, whatever ends the block: a killed process loses what came after a save.
    path : str or Path, optional
    seconds : float
    device : str
        For the record.

    Yields
    ------
    Work

    Raises
    ------
    ValueError
        If the work is to stop in time, but there is no path.

    Notes
    -----
    Cost: a write of the file at the beginning, at each save and at the end.

    Examples
    --------
    >>> with work_on({"runs": {}, "slices": [], "finished": False}) as work:
    ...     print(work.deadline.passed)
    False
    """
    if path is None and seconds != math.inf:
        raise ValueError(f"seconds was {seconds}; without a path there is nothing to go on from")
    with _folder(path) as folder:
        where = None if path is None else Path(path)
        work = Work(results, where, folder, Deadline(seconds), files.about(device))
        work.keep()
        try:
            yield work
            results["finished"] = True
        except OutOfTimeError:
            pass
        finally:
            work.keep()


@contextmanager
def _folder(path: str | Path | None) -> Iterator[Path]:
    """Where unfinished runs are saved: beside the results, or for this process only."""
    if path is None:
        with TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = Path(path).with_name(f"{Path(path).name}.runs")
    if not Path(path).exists():  # what is saved there belongs to results that are gone
        rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not any(folder.iterdir()):
        folder.rmdir()
