"""Claims and their verdicts: what was measured, what theory predicts, and the ledger of all chapters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

LABELS = {
    "v1": "claimed by the paper's first version",
    "v2": "claimed by the paper's second version",
    "std": "standard",
    "ours": "derived for this book, with proof",
    "ours, conjecture": "conjectured for this book and measured",
}
RELATIONS = ("equal", "at most", "at least")
VERDICTS = ("holds", "measured, not proved", "does not hold")


class ClaimError(AssertionError):
    """A verdict differs from the expected one, or the ledger lacks a claim or has one too many."""


@dataclass(frozen=True)
class Claim:
    """One statement that a chapter checks.

    Parameters
    ----------
    id : str
        Unique in the book, for example "R2-limit".
    label : {"v1", "v2", "std", "ours", "ours, conjecture"}
        Who claims it.
    statement : str
        One sentence.
    measured, predicted : float
        What the run gave and what theory says.
    relation : {"equal", "at most", "at least"}
        How `measured` must stand to `predicted`.
    expected : {"holds", "measured, not proved", "does not hold"}
        The verdict that the chapter expects.
    tolerance : float
        How far the relation may be missed by rounding, in the units of the two numbers.

    Raises
    ------
    TypeError, ValueError
        If the id is empty, a number is none, or the label, relation, expected verdict or tolerance is none of
        those.

    Examples
    --------
    >>> Claim("R2-rate", "ours", "The error shrinks by the rate.", 0.49, 0.5, "at most").verdict
    'holds'
    """

    id: str
    label: str
    statement: str
    measured: float
    predicted: float
    relation: str
    expected: str = "holds"
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("label", self.label, tuple(LABELS)),
            ("relation", self.relation, RELATIONS),
            ("expected", self.expected, VERDICTS),
        ):
            if value not in known:
                raise ValueError(f"{name} was {value!r}; it must be one of {', '.join(map(repr, known))}")
        if not self.id:
            raise ValueError(f"id was {self.id!r}; it must be a word such as 'R2-limit'")
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"tolerance was {self.tolerance}; it must be finite and at least 0")
        object.__setattr__(self, "measured", _number("measured", self.measured))
        object.__setattr__(self, "predicted", _number("predicted", self.predicted))

    @property
    def met(self) -> bool:
        """Whether the relation was met; NaN never meets one."""
        excess = self.measured - self.predicted
        return {
            "equal": abs(excess) <= self.tolerance,
            "at most": excess <= self.tolerance,
            "at least": excess >= -self.tolerance,
        }[self.relation]

    @property
    def verdict(self) -> str:
        """What the measurement says: a conjecture that is met is "measured, not proved"."""
        if not self.met:
            return "does not hold"
        return "measured, not proved" if self.label == "ours, conjecture" else "holds"


class Ledger(tuple[dict[str, Any], ...]):
    """Claims as rows, shown by notebooks as a table.

    Examples
    --------
    >>> Ledger([{"id": "A", "measured": 1.0, "relation": "equal", "predicted": 1.0, "verdict": "holds"}])
    A                               1 equal    1            holds
    """

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{h}</th>" for h in ("claim", "statement", "measured", "relation", "predicted", "verdict")
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_table_row, self))}</tbody></table>"

    def __repr__(self) -> str:
        lines = [
            f"{r['id']:<20} {r['measured']:>12.4g} {r['relation']:<8} {r['predicted']:<12.4g} {r['verdict']}"
            for r in self
        ]
        return "\n".join(lines)


def certify(chapter: str, claims: Sequence[Claim], out: str | Path | None = None) -> Ledger:
    """Compare each claim's verdict with the expected one, and write the chapter's part of the ledger.

    Parameters
    ----------
    chapter : str
        Name of the notebook, without its ending.
    claims : sequence of Claim
    out : str or Path, optional
        Build folder; the rows are written to `<out>/claims/<chapter>.json`. Nothing is written by default.

    Returns
    -------
    Ledger

    Raises
    ------
    ClaimError
        If a verdict is not the expected one, an id appears twice, or a number to be written is not finite.
        Nothing is written then.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> certify("demo", [Claim("R0", "std", "One is one.", 1, 1, "equal")])
    R0                              1 equal    1            holds
    """
    ids = [claim.id for claim in claims]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ClaimError(f"chapter {chapter!r} states {', '.join(twice)} more than once")
    wrong = [c for c in claims if c.verdict != c.expected]
    if wrong:
        raise ClaimError(
            "; ".join(
                f"{c.id}: {c.verdict!r} where {c.expected!r} was expected: measured {c.measured!r}, "
                f"must be {c.relation} {c.predicted!r} (tolerance {c.tolerance:g})"
                for c in wrong
            )
        )
    endless = [c for c in claims if not (math.isfinite(c.measured) and math.isfinite(c.predicted))]
    if endless and out is not None:
        c = endless[0]
        raise ClaimError(
            f"{c.id}: measured {c.measured}, predicted {c.predicted}: the ledger holds finite numbers only"
        )
    ledger = Ledger(asdict(c) | {"verdict": c.verdict, "chapter": chapter} for c in claims)
    if out is not None:
        file = Path(out) / "claims" / f"{chapter}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(ledger, indent=1, allow_nan=False), encoding="utf-8")
    return ledger


def collect(folder: str | Path, declared: Mapping[str, Sequence[str]]) -> Ledger:
    """Return the claims of all chapters, in the order in which the chapters declare them.

    Parameters
    ----------
    folder : str or Path
        Holds one `<chapter>.json` for each chapter that declares claims.
    declared : mapping of str to sequence of str
        Chapter to the ids in its notebook's metadata.

    Returns
    -------
    Ledger

    Raises
    ------
    ClaimError
        If a declared claim is missing, a claim or its chapter was not declared, an id belongs to two
        chapters, or a verdict is not the expected one.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> collect("nowhere", {})
    <BLANKLINE>
    """
    rows: list[dict[str, Any]] = []
    for file in sorted(Path(folder).glob("*.json")):
        if file.stem not in declared:
            raise ClaimError(f"chapter {file.stem!r} has claims but is not declared")
    for chapter, ids in declared.items():
        file = Path(folder) / f"{chapter}.json"
        found = {r["id"]: r for r in json.loads(file.read_text(encoding="utf-8"))} if file.exists() else {}
        if missing := [i for i in ids if i not in found]:
            raise ClaimError(f"chapter {chapter!r} declares {', '.join(missing)} but has not checked it")
        if extra := sorted(set(found) - set(ids)):
            raise ClaimError(
                f"chapter {chapter!r} checks {', '.join(extra)} without declaring it in its metadata"
            )
        rows += [found[i] for i in ids]
    owners: dict[str, str] = {}
    for row in rows:
        if row["id"] in owners:
            raise ClaimError(
                f"claim {row['id']} is in two chapters: {owners[row['id']]!r} and {row['chapter']!r}"
            )
        owners[row["id"]] = row["chapter"]
        if row["verdict"] != row["expected"]:
            raise ClaimError(f"claim {row['id']}: {row['verdict']!r} where {row['expected']!r} was expected")
    return Ledger(rows)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} was {value!r}; it must be a number") from error


def _table_row(row: Mapping[str, Any]) -> str:
    cells = (
        row["id"],
        row["statement"],
        f"{row['measured']:.4g}",
        row["relation"],
        f"{row['predicted']:.4g}",
        row["verdict"],
    )
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"
