"""Mails of made-up words: what is read, that nothing of it gets out, and the experiment in slices."""

import io
import json
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch

from lgd_lib import Average, rounds
from lgd_lib.neural import __main__ as command
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.mail import mail
from lgd_lib.neural.experiments.scenes import Sizes as LayerSizes
from lgd_lib.neural.experiments.whole_mail import SIZES, whole_methods, whole_problem
from lgd_lib.neural.leaks import leaks
from lgd_lib.neural.made_up_mail import write_encoder, write_mails
from lgd_lib.neural.mail import Mails, read_mails
from lgd_lib.neural.runs import Deadline
from lgd_lib.neural.sentences import encode, load_encoder
from lgd_lib.plotting.networks import intervals_figure

PLANTED = "zyqx"
TINY = replace(
    SIZES["ci"],
    layer=LayerSizes({"mail": (0, 1)}, 10, 10, rounds=3, exact_rounds=12, steps=(1, 5), batch_size=2, kept=5),
    length=40,
    passes=2,
)


def seen(text, length):
    """Text instead of numbers, for looking at what is read; only its beginning, as characters."""
    return [ord(c) + 1 for c in text][:length]


def told(mails):
    return ["".join(chr(n - 1) for n in row if n) for row in mails.ids]


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    where = tmp_path_factory.mktemp("made-up")
    write_mails(where / "mail", PLANTED)
    write_encoder(where / "encoder", d=48, layers=1)
    return where


@pytest.fixture(scope="module")
def parts(folders):
    encoder, pieces, _ = load_encoder(folders / "encoder")
    return read_mails(folders / "mail", pieces, TINY.length, TINY.least), encoder


# What is read.

HTML = (
    "Subject: =?iso-8859-1?q?caf=E9?=\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n"
    "Content-Transfer-Encoding: base64\n\n"
    # <html><style>p {}</style><p>one &amp; two</p><script>no</script>
    "PGh0bWw+PHN0eWxlPnAge308L3N0eWxlPjxwPm9uZSAmYW1wOyB0d288L3A+PHNjcmlwdD5ubzwvc2NyaXB0Pg==\n"
)
BOTH = (
    "Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n"
    "Content-Type: text/plain\n\nplain\n--x\nContent-Type: text/html\n\n<b>marked</b>\n--x\n"
    "Content-Type: application/pdf\n\nattached\n--x--\n"
)


def test_subject_and_text_are_read_and_nothing_else(tmp_path):
    write(tmp_path, "easy-ham-1/1.txt", "From: me\nSubject: hello\nX-Other: no\n\nsome text\n")
    write(tmp_path, "easy-ham-1/2.txt", HTML)
    write(tmp_path, "SPAM/1.txt", BOTH)
    write(tmp_path, "SPAM/1.json", "{}")
    mails = read_mails(tmp_path, seen, 500, 1)
    texts = [" ".join(text.split()) for text in told(mails)]
    assert sorted(texts) == ["caf\u00e9 one & two", "hello some text", "s plain"]
    assert mails.spam[texts.index("s plain")] == 1
    assert mails.spam.sum() == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"Subject: =?no-such-set?q?=FF?=\n\ntext",
        b"Subject: =?utf-8?b?!?=\nContent-Type: text/plain; charset=no-such-set\n\n\xe9",
        b"Content-Type: text/plain; charset=utf-8\n\n\xe9\xff",
        b"Content-Transfer-Encoding: base64\n\n!!!",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n",
        b"Content-Type: text/html\n\n" + b"<" * 300_000,
        b"List-Id: \xff <" + b"a" * 5000 + b"\n\n" + b"words " * 100_000,
    ],
)
def test_damaged_mails_are_read_as_far_as_they_go(tmp_path, content):
    write(tmp_path, "ham/1.txt", content)
    mails = read_mails(tmp_path, seen, 3000, 1)
    assert mails.N == 1
    assert max(map(len, told(mails))) <= 2000


def test_lists_are_numbered_by_size_and_small_ones_are_none(tmp_path):
    headers = ["List-Id: Words <a.b>", "X-BeenThere: c@d", "Sender: Someone <e@f>", ""]
    number = count()
    for header, many in zip(headers, (2, 5, 1, 3), strict=True):
        for _ in range(many):
            j = next(number)
            write(tmp_path, f"ham/{j:02}.txt", f"{header}\nSubject: {j}\n\ntext".lstrip("\n"))
    assert read_mails(tmp_path, seen, 50, 2).lists.tolist() == [2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert read_mails(tmp_path, seen, 50, 1).lists.max() == 3
    for j in range(4):  # a folder in between is the list, whatever the headers say
        write(tmp_path, f"spam/list/{j}.txt", f"{headers[0]}\nSubject: in a folder {j}\n\ntext")
    mails = read_mails(tmp_path, seen, 50, 2)
    assert mails.lists[mails.spam == 1].tolist() == [2] * 4
    assert mails.lists[:2].tolist() == [3, 3]


def test_mails_with_the_same_tokens_count_once(tmp_path):
    for j in range(4):
        write(tmp_path, f"ham/{j}.txt", f"Date: {j}\nSubject: s\n\ntext {j // 2}")
    assert read_mails(tmp_path, seen, 50).N == 2


def test_folders_that_hold_no_mails_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        read_mails(tmp_path / "none", seen)
    with pytest.raises(FileNotFoundError, match=r"there is no \.txt file"):
        read_mails(tmp_path, seen)
    for name in ("other/1.txt", "1.txt", "spam-and-ham/1.txt"):
        write(tmp_path, name, "Subject: s\n\ntext")
        with pytest.raises(ValueError, match="'spam' or 'ham' in them, and not both"):
            read_mails(tmp_path, seen)
        (tmp_path / name).unlink()
    with pytest.raises(ValueError, match="there are 1 ids, 2 labels, 1 lists"):
        Mails(np.zeros((1, 2), int), np.zeros(2, int), np.zeros(1, int))


# Nothing gets out.


def files_below(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


@pytest.mark.parametrize("seconds", ["inf", "0"])
def test_no_word_and_no_token_of_a_mail_is_printed_or_written(folders, tmp_path, monkeypatch, capfd, seconds):
    monkeypatch.setitem(SIZES, "ci", TINY)
    words = [
        "mail",
        "--profile",
        "ci",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "r.json"),
        "--seconds",
        seconds,
    ]
    words += ["--mail", str(folders / "mail"), "--encoder", str(folders / "encoder")]
    assert command.main(words) == (0 if seconds == "inf" else 3)
    shown = "".join(capfd.readouterr())
    assert "runs are in" in shown
    mails = read_mails(folders / "mail", load_encoder(folders / "encoder")[1], TINY.length, TINY.least)
    written = files_below(tmp_path)
    assert any(path.suffix == ".npz" for path in written)
    contents = [shown.encode(), *(path.read_bytes() for path in written)]
    assert leaks(contents, [PLANTED, "example.org", "list-0", "dada"], mails.ids) == []


def packed(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


LEAKS = {
    "printed row": lambda ids: str(ids[3]).encode(),
    "printed list": lambda ids: repr(ids[3].tolist()).encode(),
    "json": lambda ids: json.dumps({"leak": ids.tolist()}).encode(),
    "json, one number a line": lambda ids: json.dumps({"leak": ids.tolist()}, indent=1).encode(),
    "text without blanks": lambda ids: ",".join(map(str, ids[3])).encode(),
    "text of floats": lambda ids: repr(ids[3].astype(float).tolist()).encode(),
    "int64": lambda ids: packed(x=ids),
    "int32": lambda ids: packed(x=ids.astype(np.int32)),
    "int16 in one .npy": lambda ids: packed(lambda file, x: np.save(file, x), x=ids.astype(np.int16)),
    "int64 in Fortran order": lambda ids: packed(x=np.asfortranarray(ids)),
    "transposed": lambda ids: packed(x=ids.T.copy()),
    "middle axis": lambda ids: packed(x=np.stack([ids, ids], axis=2)),
    "floats, compressed": lambda ids: packed(np.savez_compressed, x=ids.astype(np.float32)),
    "bytes": lambda ids: packed(x=ids.astype(np.uint8)),
    "text in bytes": lambda ids: packed(x=np.frombuffer(str(ids[3].tolist()).encode(), np.uint8)),
    "strings": lambda ids: packed(x=ids.astype(str)),
    "within other numbers": lambda ids: packed(x=np.concatenate([np.full(7, 0.5), ids[3, 4:12], [np.nan]])),
    "raw": lambda ids: b"head" + ids[3].tobytes(),
    "raw, four bytes": lambda ids: b"odd" + ids.astype(np.int32).tobytes(),
    "word": lambda ids: f"He said: {PLANTED.upper()}!".encode(),
    "word in strings": lambda ids: packed(x=np.array(["a", f"a{PLANTED}b"])),
    "word in bytes": lambda ids: packed(x=np.array([f"a{PLANTED}b".encode()])),
    "word in a note": lambda ids: packed(x=np.frombuffer(PLANTED.encode(), np.uint8)),
    "word as a name": lambda ids: packed(**{PLANTED: np.zeros(3)}),
}


@pytest.mark.parametrize("form", LEAKS)
def test_a_leak_is_found_in_every_form(parts, form):
    ids = parts[0].ids
    assert leaks([b"", LEAKS[form](ids), b"nothing"], [PLANTED], ids) == [1]


def test_what_is_no_leak_is_not_found(parts):
    mails, encoder = parts
    rng = np.random.default_rng(0)
    contents = [
        packed(x=encode(encoder, mails.ids), y=mails.spam, z=mails.lists),
        packed(x=rng.integers(400, size=(300, 40)), y=rng.standard_normal((300, 40))),
        json.dumps([*range(5000), *rng.random(500).tolist()]).encode(),
        repr(mails).encode() + b"PK",
        rng.bytes(200_000),
    ]
    assert leaks(contents, [PLANTED], mails.ids) == []


def test_a_search_that_could_find_nothing_is_refused(parts):
    with pytest.raises(ValueError, match=r"^run was 41; no mail has as many tokens"):
        leaks([b""], [PLANTED], parts[0].ids, run=41)
    for damaged in (packed(x=np.zeros(9))[:-9], b"\x93NUMPY", packed(np.savez, x=np.array([{}]))):
        with pytest.raises(ValueError, match=r"^contents has an archive that cannot be searched"):
            leaks([damaged], [PLANTED], parts[0].ids)


def test_what_python_shows_of_the_problem_are_shapes(parts):
    mails, encoder = parts
    problem = whole_problem(mails, [np.arange(mails.N)], encoder)
    said = [repr(problem), repr(problem.nodes[0])]
    with pytest.raises(TypeError, match=r"^nodes was") as caught:
        replace(problem, nodes=[mails.ids])
    assert leaks([text.encode() for text in (*said, str(caught.value))], [PLANTED], mails.ids) == []
    assert said[1] == "Samples(X=(168, 40) torch.int64, y=(168,) torch.int64)"


def test_nothing_of_a_mail_is_in_what_python_shows_of_it(parts):
    mails, _ = parts
    assert repr(mails) == "Mails(N=168, spam=48, lists=[40, 40, 40, 24, 24])"


@pytest.mark.parametrize("broken", ["email.message_from_bytes", "tokens", "open"])
def test_errors_name_the_number_of_a_mail_and_not_what_it_says(tmp_path, monkeypatch, broken):
    write(tmp_path, f"ham/{PLANTED}-a.txt", "Subject: good\n\ntext")
    write(tmp_path, f"ham/{PLANTED}-b.txt", f"Subject: {PLANTED}\n\n{PLANTED}")

    def fail(content, *_):
        if broken == "tokens" and PLANTED not in content:
            return [1]
        raise UnicodeError(f"cannot read {content!r}")

    tokens = fail if broken == "tokens" else seen
    number = 1 if broken == "tokens" else 0
    if broken == "open":
        monkeypatch.setattr(Path, "open", lambda self, *_: (_ for _ in ()).throw(OSError(str(self))))
    elif broken != "tokens":
        monkeypatch.setattr(broken, fail)
    with pytest.raises(ValueError, match=f"^mail {number}, in the order") as caught:
        read_mails(tmp_path, tokens)
    error = caught.value
    assert PLANTED not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None, "the first error may quote the mail"


def test_missing_folders_are_told_in_words_before_any_work(folders, tmp_path, capsys):
    there = {"--mail": str(folders / "mail"), "--encoder": str(folders / "encoder")}
    for name in there:
        given = there | {name: str(tmp_path / "nope")}
        words = [word for pair in given.items() for word in pair]
        with pytest.raises(SystemExit, match="2"):
            command.main(["mail", "--profile", "ci", "--out", str(tmp_path / "r.json"), *words])
        assert "nope" in capsys.readouterr().err
        assert not (tmp_path / "r.json").exists()


# The experiment.


@pytest.fixture(scope="module")
def whole(parts):
    return mail(*parts, TINY, [0, 1])


def test_it_does_what_it_says(whole, parts):
    assert whole["finished"]
    assert (whole["lists"], whole["not separable"]) == (5, {})
    for seed in (0, 1):
        nodes = np.array(whole["nodes"][str(seed)])
        assert nodes.sum(axis=0).tolist() == [10, 10]
        assert len(nodes) == 5
        reference = whole["references"][f"mail / seed {seed}"]
        bundle = whole["runs"][f"mail / lists / bundle / seed {seed}"]
        assert bundle["upper"][-1] >= reference["margin"] * (1 - 1e-6) >= bundle["lower"][-1] * (1 - 2e-6)
        assert bundle["margin"][-1] > 0.99
        travels = sum(p.numel() for p in parts[1].parameters()) + 2 * 48 + 2
        for method, K in (("averaged", 2), ("one-shot", 1)):
            run = whole["runs"][f"whole / lists / {method} / seed {seed}"]
            assert run["rounds"] == list(range(1, K + 1))
            assert run["megabytes"][0] == pytest.approx(2 * (nodes.sum(axis=1) > 0).sum() * 4 * travels / 1e6)
            assert all(0 <= value <= 1 for value in run["accuracy"])
        assert f"whole / one node / centralised / seed {seed}" in whole["runs"]
    assert whole["references"]["mail / seed 0"] != whole["references"]["mail / seed 1"]


def test_spam_is_learnt_by_the_whole_network(parts):
    mails, encoder = parts
    problem = whole_problem(mails, [np.arange(mails.N)], encoder)
    solver, K = whole_methods(1, replace(TINY, lr=3e-3, passes=6))["centralised"]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    *_, last = islice(rounds(problem, solver, Average(), problem.initial), K)
    assert problem.losses(problem.initial)[0] == pytest.approx(np.log(2))
    assert problem.losses(last.w)[0] < 0.2
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in before.items())


def test_slices_go_on_with_the_same_numbers(whole, parts, tmp_path, monkeypatch):
    looks = count(1)

    class Third(Deadline):
        passed = property(lambda self: next(looks) % 3 == 0)

    monkeypatch.setattr("lgd_lib.neural.experiments.work.Deadline", Third)
    path, slices = tmp_path / "r.json", 0
    cache = {"path": path, "cache": tmp_path / "cache"}
    while not (found := mail(*parts, TINY, [0, 1], **cache))["finished"]:
        slices += 1
        assert json.loads(path.read_text()) == found
    assert slices > 3
    assert found["runs"] == whole["runs"]
    assert len(files_below(tmp_path)) == 2
    kept = next(iter(files_below(tmp_path / "cache")))
    kept.write_bytes(b"damaged")
    again = mail(*parts, TINY, [0, 1], **cache)
    assert again["slices"] == found["slices"]
    assert kept.stat().st_size > 1000, "made anew"


def test_other_mails_are_not_gone_on_with(parts, tmp_path):
    mails, encoder = parts
    path = tmp_path / "r.json"
    mail(mails, encoder, TINY, [0], path=path)
    other = Mails(np.where(mails.ids > 3, mails.ids - 1, mails.ids), mails.spam, mails.lists)
    with pytest.raises(ValueError, match="results of other mails, or of another encoder"):
        mail(other, encoder, TINY, [0], path=path)
    with pytest.raises(ValueError, match=r"^samples was 100 and tests 10; of spam on lists there are 48"):
        mail(mails, encoder, replace(TINY, layer=replace(TINY.layer, samples=100)), [0])
    assert files.read(path, "mail")["finished"]


def test_intervals_are_drawn_where_they_are():
    groups = {"one": {"bundle": (0.5, 0.4, 0.7)}, "two": {"ppm": (0.2, 0.2, 0.2), "bundle": (0.9, 0.8, 1.0)}}
    axes = intervals_figure(groups, xlabel="accuracy").axes[0]
    bars, marks = axes.lines[::2], axes.lines[1::2]
    assert [line.get_xdata().tolist() for line in bars] == [[0.4, 0.7], [0.2, 0.2], [0.8, 1.0]]
    assert [line.get_xdata().tolist() for line in marks] == [[0.5], [0.2], [0.9]]
    assert [line.get_ydata()[0] for line in marks] == [1, 3, 4]
    named = ["one", "bundle", "two", "parallel projections", "bundle"]
    assert [text.get_text() for text in axes.get_yticklabels()] == named
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "read from top to bottom"
