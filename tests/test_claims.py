"""`lgd_lib.claims`: a verdict for every relation, and a ledger that lets nothing slip."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lgd_lib.claims import LABELS, Claim, ClaimError, certify, collect

numbers = st.floats(-1e6, 1e6)


def claim(measured=1.0, predicted=1.0, relation="equal", *, id="R0", label="std", **options):
    return Claim(id, label, "A statement.", measured, predicted, relation, **options)


@given(numbers, numbers, st.floats(0, 1e3))
def test_the_relation_decides_to_the_tolerance(measured, predicted, tolerance):
    excess = measured - predicted
    expected = {
        "equal": abs(excess) <= tolerance,
        "at most": excess <= tolerance,
        "at least": -excess <= tolerance,
    }
    for relation, met in expected.items():
        found = claim(measured, predicted, relation, tolerance=tolerance)
        assert found.met is met
        assert found.verdict == ("holds" if met else "does not hold")


@pytest.mark.parametrize(
    ("measured", "relation", "met"),
    [(1.0, "equal", True), (1.0, "at most", True), (1.0, "at least", True)]
    + [(1 + 1e-12, "equal", False), (1 + 1e-12, "at most", False), (1 + 1e-12, "at least", True)]
    + [(1 - 1e-12, "equal", False), (1 - 1e-12, "at most", True), (1 - 1e-12, "at least", False)]
    + [(math.nan, relation, False) for relation in ("equal", "at most", "at least")],
)
def test_there_is_no_tolerance_by_default_and_nan_never_passes(measured, relation, met):
    assert claim(measured, 1.0, relation).met is met
    assert claim(1.0, math.nan, relation).met is False


@pytest.mark.parametrize("label", LABELS)
def test_a_conjecture_that_is_met_is_measured_and_not_proved(label):
    met, missed = claim(label=label), claim(2.0, label=label)
    assert met.verdict == ("measured, not proved" if label == "ours, conjecture" else "holds")
    assert missed.verdict == "does not hold"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "v3"}, r"^label was 'v3'; it must be one of 'v1', 'v2', 'std'"),
        ({"relation": "about"}, r"^relation was 'about'; it must be one of 'equal'"),
        ({"expected": "true"}, r"^expected was 'true'; it must be one of 'holds'"),
        ({"tolerance": -1e-9}, r"^tolerance was -1e-09; it must be"),
        ({"tolerance": math.nan}, r"^tolerance was nan; it must be"),
        ({"tolerance": math.inf}, r"^tolerance was inf; it must be"),
        ({"id": ""}, r"^id was ''; it must be"),
        ({"measured": "much"}, r"^measured was 'much'; it must be a number"),
        ({"predicted": None}, r"^predicted was None; it must be a number"),
    ],
)
def test_a_wrong_claim_is_refused(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        claim(**options)


def test_certify_returns_all_rows_and_writes_them_for_the_build_only(tmp_path):
    claims = [claim(id="A"), claim(0.5, 1.0, "at most", id="B", label="ours")]
    ledger = certify("chapter", claims)
    assert [row["id"] for row in ledger] == ["A", "B"]
    assert not list(tmp_path.iterdir())
    certify("chapter", claims, tmp_path)
    written = json.loads((tmp_path / "claims" / "chapter.json").read_text())
    assert written == list(ledger)
    keys = {"id", "label", "statement", "measured", "predicted", "relation"}
    assert set(written[1]) == keys | {"tolerance", "expected", "verdict", "chapter"}
    assert written[1]["verdict"] == "holds"
    assert written[1]["chapter"] == "chapter"
    assert (written[1]["measured"], written[1]["predicted"]) == (0.5, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        claim(2.0, id="X"),
        claim(1.0, id="X", expected="does not hold"),
        claim(1.0, id="X", label="ours, conjecture"),
        claim(1.0, id="X", expected="measured, not proved"),
        claim(math.nan, id="X"),
    ],
)
def test_an_unexpected_verdict_stops_the_chapter_and_writes_nothing(tmp_path, wrong):
    with pytest.raises(ClaimError, match=r"^X: '.*' where '.*' was expected: measured"):
        certify("chapter", [claim(id="A"), wrong], tmp_path)
    assert not list(tmp_path.iterdir())


def test_expected_failures_and_conjectures_pass(tmp_path):
    certify("c", [claim(2.0, id="A", expected="does not hold")])
    certify("c", [claim(id="B", label="ours, conjecture", expected="measured, not proved")])


def test_numbers_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(
        ClaimError, match=r"^R0: measured inf, predicted 1\.0: the ledger holds finite numbers"
    ):
        certify("c", [claim(math.inf, 1.0, "at least")], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_claim_may_be_stated_once_in_a_chapter():
    with pytest.raises(ClaimError, match=r"^chapter 'c' states A more than once"):
        certify("c", [claim(id="A"), claim(id="B"), claim(id="A")])


def test_the_table_shows_every_claim_and_escapes_it():
    ledger = certify("c", [Claim("A", "std", "a < b & c", 1, 2, "at most")])
    shown = ledger._repr_html_()
    assert "a &lt; b &amp; c" in shown
    assert shown.count("<tr>") == 2
    assert "A " in repr(ledger)
    assert "holds" in repr(ledger)


@pytest.fixture
def folder(tmp_path):
    certify("one", [claim(id="A"), claim(id="B")], tmp_path)
    certify("two", [claim(id="C")], tmp_path)
    return tmp_path / "claims"


def test_collect_keeps_the_order_in_which_claims_are_declared(folder):
    ledger = collect(folder, {"two": ["C"], "one": ["B", "A"]})
    assert [(row["chapter"], row["id"]) for row in ledger] == [("two", "C"), ("one", "B"), ("one", "A")]
    assert collect(folder / "none", {"three": []}) == ()


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"one": ["A", "B", "D"], "two": ["C"]}, "chapter 'one' declares D but has not checked it"),
        ({"one": ["A"], "two": ["C"]}, "chapter 'one' checks B without declaring it"),
        ({"one": ["A", "B"], "two": []}, "chapter 'two' checks C without declaring it"),
        ({"one": ["A", "B"], "two": ["C"], "three": ["E"]}, "chapter 'three' declares E"),
        ({"one": ["A", "B"]}, "chapter 'two' has claims but is not declared"),
        ({"one": ["A", "B", "A"], "two": ["C"]}, "claim A is in two chapters: 'one' and 'one'"),
    ],
)
def test_missing_undeclared_and_repeated_claims_are_errors(folder, declared, message):
    with pytest.raises(ClaimError, match=message):
        collect(folder, declared)


def test_a_claim_in_two_chapters_is_an_error(folder):
    certify("three", [claim(id="A")], folder.parent)
    with pytest.raises(ClaimError, match="claim A is in two chapters: 'one' and 'three'"):
        collect(folder, {"one": ["A", "B"], "two": ["C"], "three": ["A"]})


def test_a_changed_verdict_in_the_files_is_an_error(folder):
    file = folder / "two.json"
    file.write_text(file.read_text().replace('"verdict": "holds"', '"verdict": "does not hold"'))
    with pytest.raises(ClaimError, match="claim C: 'does not hold' where 'holds' was expected"):
        collect(folder, {"one": ["A", "B"], "two": ["C"]})
