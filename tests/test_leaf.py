"""`lgd_lib.leaf`: files as LEAF's scripts write them, and damaged ones."""

import json

import numpy as np
import pytest

from lgd_lib.leaf import load_leaf

SPEECH = "To be, or not to be"


def text_user(text, width=8):
    """LEAF's samples of a line: windows over the line with blanks before it, and the character after each."""
    line = " " * width + text
    x = [line[i : i + width] for i in range(len(text))]
    return {"x": x, "y": list(text)}


def leaf_file(users, **change):
    """A file of LEAF with these users."""
    counts = [len(own["y"]) for own in users.values()]
    return {"users": list(users), "num_samples": counts, "user_data": users} | change


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def shakespeare(tmp_path):
    """Three users in two files to train on, two of them with held-out samples."""
    data = {name: text_user(SPEECH[:n]) for name, n in (("TOM", 5), ("ANN", 9), ("KATE", 19))}
    groups = {"hierarchies": ["A PLAY", "ANOTHER"]}
    first = leaf_file({name: data[name] for name in ("TOM", "ANN")}, **groups)
    written(tmp_path / "train" / "all_data_0_train_8.json", first)
    written(
        tmp_path / "train" / "all_data_1_train_8.json",
        leaf_file({"KATE": data["KATE"]}, hierarchies=["A PLAY"]),
    )
    held_out = {name: text_user("Z" + SPEECH[:n]) for name, n in (("KATE", 3), ("TOM", 2))}
    written(tmp_path / "test" / "all_data_0_test_8.json", leaf_file(held_out))
    return tmp_path


def test_a_folder_of_text_gives_each_user_its_samples(shakespeare):
    users = load_leaf(shakespeare)
    assert users.names == ("TOM", "ANN", "KATE")
    assert users.groups == ("A PLAY", "ANOTHER", "A PLAY")
    assert users.sizes.tolist() == [5, 9, 19]
    assert [len(y) for y in users.y_test] == [3, 0, 4]
    assert users.alphabet == "".join(sorted({*SPEECH, *" Z"}))
    for name, text in (("TOM", SPEECH[:5]), ("KATE", SPEECH)):
        i = users.index(name)
        assert users.X[i].dtype == users.y[i].dtype == np.uint8
        expected = text_user(text)
        assert ["".join(users.alphabet[c] for c in row) for row in users.X[i]] == expected["x"]
        assert [users.alphabet[c] for c in users.y[i]] == expected["y"]
    assert users.alphabet[users.y_test[0][0]] == "Z"


def test_an_alphabet_that_is_given_is_kept_or_found_too_small(shakespeare):
    alphabet = "\n !TZbenort,"
    assert load_leaf(shakespeare, alphabet).alphabet == alphabet
    with pytest.raises(ValueError, match=r"user 'TOM' has 'T' in 'x', which alphabet lacks"):
        load_leaf(shakespeare, alphabet.replace("T", ""))
    with pytest.raises(ValueError, match="each once"):
        load_leaf(shakespeare, alphabet + "T")


def test_numbers_become_arrays(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.random((4, 784))
    users = {"w1": {"x": X[:3].tolist(), "y": [61, 0, 7]}, "w2": {"x": X[3:].tolist(), "y": [5]}}
    found = load_leaf(written(tmp_path / "femnist.json", leaf_file(users)))
    assert found.alphabet == ""
    assert found.groups == ()
    assert found.X[0].shape == (3, 784)
    assert found.X[0].dtype == np.float32
    assert np.array_equal(found.X[1], X[3:].astype(np.float32))
    assert found.y[0].dtype == np.int64
    assert found.y[0].tolist() == [61, 0, 7]
    assert [len(y) for y in found.y_test] == [0, 0]
    flat = load_leaf(tmp_path)  # the folder that holds the file
    assert flat.names == found.names
    users["w1"]["y"][0] = 0.5
    users["w2"]["y"][0] = 1.5
    real = load_leaf(written(tmp_path / "femnist.json", leaf_file(users)))
    assert real.y[0].dtype == np.float32
    users["w1"]["y"][0] = 1e30  # as an integer it would overflow
    large = load_leaf(written(tmp_path / "femnist.json", leaf_file(users)))
    assert large.y[0][0] == np.float32(1e30)


def test_groups_that_are_not_one_a_user_are_not_known(tmp_path):
    users = {"a": text_user("one"), "b": text_user("two")}
    found = load_leaf(written(tmp_path / "x.json", leaf_file(users, hierarchies=["P", "Q", "R"])))
    assert found.groups == ()


GOOD = leaf_file({"a": text_user("one"), "b": text_user("two")})


def without(key):
    return {k: v for k, v in GOOD.items() if k != key}


def with_user(**change):
    return leaf_file({"a": text_user("one") | change})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("", "is damaged"),
        ("[1]", "holds a list"),
        (without("users"), "'users' was None; it must be a list"),
        (without("num_samples"), "'num_samples' was None"),
        (without("user_data"), "'user_data' was None; it must be an object"),
        (GOOD | {"users": "a"}, "'users' was 'a'; it must be a list"),
        (GOOD | {"num_samples": [3]}, "2 users and 1 entries"),
        (GOOD | {"num_samples": [3, 4]}, "user 'b' has 3 entries in 'x', 3 in 'y' and 4 in 'num_samples'"),
        (GOOD | {"users": ["a", "c"]}, "data of 'b', whom 'users' does not name"),
        (GOOD | {"users": ["a", "b", "c"], "num_samples": [3, 3, 1]}, "user 'c' has no entry"),
        (GOOD | {"users": ["a", "a"], "user_data": {"a": text_user("one")}}, "'users' has 'a'"),
        (GOOD | {"users": ["a", 3]}, "data of 'b'"),
        (GOOD | {"user_data": {"a": [1], "b": text_user("two")}}, r"has \[1\] for 'x'; it must be a list"),
        (with_user(x="one"), "has 'one' for 'x'; it must be a list"),
        (with_user(x=["aa", "bb"]), "2 entries in 'x', 3 in 'y'"),
        (with_user(x=["aa", "bb", "c"]), "has 'c' in 'x'; it must be a string of 2"),
        (with_user(x=["aa", "bb", 3]), "has 3 in 'x'; it must be a string of 2"),
        (with_user(x=["", "", ""]), "a string of 0"),
        (with_user(y=["o", "ne", "e"]), "has 'ne' in 'y'; it must be a string of 1"),
        (with_user(x=[[1, 2], [3, 4], [5]]), "lists of numbers, all of one length"),
        (with_user(x=[[1, 2], [3, 4], ["5", 6]], y=[1, 2, 3]), "lists of numbers"),
        (with_user(x=[1, 2, 3], y=[1, 2, 3]), "lists of numbers"),
        (with_user(x=[[1], [2], [3]]), "for 'y'; it must hold numbers"),
        (with_user(x=[[1], [float("nan")], [3]], y=[1, 2, 3]), "not finite"),
        (with_user(x=[[1], [1e308], [3]], y=[1, 2, 3]), "in 'x' that is not finite in float32"),
        (with_user(x=[[1], [2], [3]], y=[1, -1e300, 3]), "in 'y' that is not finite in float32"),
        (with_user(x=[[True], [False], [True]], y=[1, 2, 3]), "lists of numbers"),
        (leaf_file({"a": {"x": [], "y": []}}), "0 entries in 'x'"),
        (leaf_file({}), "has no user; 'users' must name one or more"),
        ("[" * 10**5 + "]" * 10**5, "is damaged"),
        (with_user(x=["one"] * 10**5), "100000 entries in 'x'"),
        ('{"users": ["a"], "num_samples": [1], "user_data": ' + '{"a": ' * 500 + "1" + "}" * 501, "for 'x'"),
    ],
)
def test_a_damaged_file_is_refused_in_words(tmp_path, content, words):
    path = written(tmp_path / "leaf.json", content)
    with pytest.raises(ValueError, match=words) as raised:
        load_leaf(path)
    assert "leaf.json" in str(raised.value)


def test_users_of_two_kinds_are_refused(tmp_path):
    mixed = leaf_file({"a": text_user("one", width=4), "b": text_user("two", width=5)})
    with pytest.raises(ValueError, match="user 'b' has samples of"):
        load_leaf(written(tmp_path / "leaf.json", mixed))


def test_missing_files_and_users_are_named(shakespeare, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_leaf(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"\.json file"):
        load_leaf(tmp_path / "empty")
    again = leaf_file({"ANN": text_user("again")})
    written(shakespeare / "train" / "all_data_2_train_8.json", again)
    with pytest.raises(ValueError, match="'ANN', whom another file of train has too"):
        load_leaf(shakespeare)
    (shakespeare / "train" / "all_data_2_train_8.json").unlink()
    written(shakespeare / "test" / "all_data_1_test_8.json", leaf_file({"BEN": text_user("Who?")}))
    with pytest.raises(ValueError, match="'BEN' in test only; split the data by sample"):
        load_leaf(shakespeare)
