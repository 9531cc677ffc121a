"""A whole data set: licence, checksums, unpacking, names, what is here already, and the command line of it."""

from __future__ import annotations

import errno
import hashlib
import json
import sys

import pytest

from recnb import InputError, load
from recnb.cli.main import main
from recnb.data.fetch import REMOTES, FetchError, Remote, fetch
from recnb.data.fetch.books import CHECKSUMS, record
from recnb.data.fetch.sets import WORK


@pytest.fixture
def get(site, tmp_path, patience, coat_zip):
    site.body = coat_zip(padding=50_000).read_bytes()

    def run(**settings):
        base = {"source": site.url(), "accept_licence": True, "patience": patience}
        return fetch("coat", tmp_path / "raw", **{**base, **settings})

    return run


def sha(raw):
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def names(folder):
    return {p.name for p in folder.iterdir()}


def test_fetch_then_load(get, site, tmp_path):
    got = get()
    assert got.folder == tmp_path / "raw" / "coat" and got.new
    assert load(got.folder).matrix().toarray().tolist() == [[5, 0, 1], [0, 3, 0]]
    assert names(tmp_path / "raw" / WORK) == {"coat.lock"}  # nothing half done is left
    told = json.loads((got.folder / "fetched.json").read_text())
    assert told["from"] == [site.url()] and told["checksums"] == {"coat.zip": sha(site.body)}


def test_an_unknown_checksum_is_recorded_said_and_held_to(get, site, tmp_path, coat_zip):
    got = get()
    assert (
        "no checksum is published for coat.zip" in got.notes[0] and sha(site.body) in got.notes[0]
    )
    assert json.loads((tmp_path / "raw" / CHECKSUMS).read_text()) == {
        "coat/coat.zip": sha(site.body)
    }
    assert get(fresh=True).notes == ()
    site.body, site.etag = coat_zip(padding=60_000).read_bytes(), '"two"'
    with pytest.raises(FetchError, match="is not the published file") as caught:
        get(fresh=True)
    assert CHECKSUMS in str(caught.value) and "set aside" in str(caught.value)
    assert load(tmp_path / "raw" / "coat").n_users == 2  # the earlier one is whole
    assert names(tmp_path / "raw" / WORK / "coat") == {"coat.zip.wrong", "whole"}
    site.body = coat_zip(padding=50_000).read_bytes()
    assert get(fresh=True).new


def test_a_declared_checksum_must_fit(get, site, monkeypatch, tmp_path):
    wrong = Remote(site.url(), ("md5:" + "0" * 32,), len(site.body))
    monkeypatch.setitem(REMOTES, "coat", (wrong,))
    with pytest.raises(FetchError, match=r"md5:\w+ where md5:0+ belongs"):
        get(source=None)
    assert not (tmp_path / "raw" / "coat").exists()
    right = "md5:" + hashlib.md5(site.body).hexdigest()
    monkeypatch.setitem(
        REMOTES, "coat", (Remote(site.url(), (right, sha(site.body)), len(site.body)),)
    )
    assert get(source=None).notes == ()


def test_pieces_that_do_not_fit_are_fetched_once_more(get, site, tmp_path, monkeypatch):
    """The server serves another file under the same ETag: only the checksum can tell."""
    monkeypatch.setitem(REMOTES, "coat", (Remote(site.url(), (sha(site.body),), len(site.body)),))
    work = tmp_path / "raw" / WORK / "coat"
    work.mkdir(parents=True)
    (work / "set.zip.part").write_bytes(b"\0" * 1000)
    label = {"url": site.url(), "length": len(site.body), "etag": '"one"'}
    (work / "set.zip.part.json").write_text(json.dumps(label))
    assert get(source=None).new
    assert [asked[1] for asked in site.asked] == ["bytes=1000-", None]


def test_the_licence_is_asked_once(get, site, tmp_path):
    with pytest.raises(InputError, match="licence of coat is not accepted yet"):
        get(accept_licence=False)
    assert not (tmp_path / "raw").exists() and not site.asked
    get()
    assert get(accept_licence=False, fresh=True).new
    book = tmp_path / "raw" / ".licences.json"
    book.write_text(book.read_text().replace("Cornell", "others"))
    with pytest.raises(InputError, match="not accepted"):
        get(accept_licence=False, fresh=True)


def test_what_is_here_is_used_without_a_network(get, site, tmp_path, monkeypatch):
    get()
    site.asked.clear()
    assert get(accept_licence=False).new is False and not site.asked
    monkeypatch.setenv("RECNB_DATA", str(tmp_path / "raw"))
    got = fetch("coat", source=site.url())
    assert (got.folder, got.new, site.asked) == (tmp_path / "raw" / "coat", False, [])
    assert load("coat").name == "coat"


def test_offline_says_so(tmp_path, patience):
    with pytest.raises(FetchError, match="tries in a row; run it again"):
        fetch(
            "coat", tmp_path, source="http://127.0.0.1:9/x", accept_licence=True, patience=patience
        )
    assert not (tmp_path / "coat").exists()


def test_from_a_file_and_from_a_folder(get, tmp_path, coat_zip):
    assert get(source=str(coat_zip())).new
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "coat.zip").write_bytes(coat_zip().read_bytes())
    assert get(source=str(folder), fresh=True).new
    with pytest.raises(InputError, match="no such file"):
        get(source=str(tmp_path / "none.zip"), fresh=True)


def test_several_files(site, tmp_path, monkeypatch, patience):
    site.body = b"not packed"
    remotes = (
        Remote("https://example.org/a/x.jsonl.gz", unpack=False),
        Remote("https://example.org/b/y.jsonl.gz", unpack=False, into="more"),
    )
    monkeypatch.setitem(REMOTES, "coat", remotes)
    settings = {"accept_licence": True, "patience": patience}
    with pytest.raises(InputError, match="has 2 files"):
        fetch("coat", tmp_path, source=site.url(), **settings)
    got = fetch("coat", tmp_path, source=site.url("/mirror/"), **settings)
    assert [asked[0] for asked in site.asked] == ["/mirror/x.jsonl.gz", "/mirror/y.jsonl.gz"]
    assert (got.folder / "more/y.jsonl.gz").read_bytes() == b"not packed"
    assert names(got.folder) == {"x.jsonl.gz", "more", "fetched.json"}


def test_an_archive_into_a_folder_of_its_own(get, site, monkeypatch):
    remote = Remote(site.url("/a.zip"), into="train"), Remote(site.url("/b.zip"), into="dev")
    monkeypatch.setitem(REMOTES, "coat", remote)
    got = get(source=None)
    assert (got.folder / "train/train.ascii").is_file() and (
        got.folder / "dev/test.ascii"
    ).is_file()


def test_a_hostile_archive_leaves_nothing(get, site, tmp_path):
    site.body = b"<html>Log in first</html>"
    with pytest.raises(InputError, match="no zip, tar or gz"):
        get()
    assert not (tmp_path / "raw" / "coat").exists()
    assert names(tmp_path / "raw" / WORK / "coat") == {"coat.zip.wrong"}
    assert not (tmp_path / "raw" / CHECKSUMS).exists()  # its checksum is nobody's


def test_a_download_that_was_whole_is_not_fetched_again(get, site, tmp_path, monkeypatch):
    import recnb.data.fetch.sets as sets

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "whole/x")

    with monkeypatch.context() as patched:
        patched.setattr(sets, "unpack", full)
        with pytest.raises(FetchError, match="No space left"):
            get()
    site.asked.clear()
    assert get().new and not site.asked


def test_two_at_once(get, tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="locks are of Unix")
    (tmp_path / "raw" / WORK).mkdir(parents=True)
    with (tmp_path / "raw" / WORK / "coat.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FetchError, match="another fetch of coat is running"):
            get()
    assert get().new


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("ml-100", "did you mean 'ml-100k'"),
        ("generated-shop", "recnb evaluate generated-shop"),
        ("grocery", "package"),
        ("msweb", "no address is known"),
    ],
)
def test_names_that_cannot_be_fetched(name, word):
    with pytest.raises(InputError, match=word):
        fetch(name, accept_licence=True)


def test_every_remote_has_its_entry_and_sound_checksums():
    from recnb.data.catalog import ENTRIES

    for name, remotes in REMOTES.items():
        assert ENTRIES[name].kind in ("folder", "published")
        assert len({(r.into, r.file) for r in remotes}) == len(remotes)
        for line in (line for remote in remotes for line in remote.checksums):
            kind, _, digits = line.partition(":")
            assert len(digits) == {"md5": 32, "sha256": 64}[kind] and int(digits, 16) >= 0
    assert {n for n, s in ENTRIES.items() if s.kind == "published"} <= set(REMOTES)


# ---------------------------------------------------------------- the command line


@pytest.fixture
def run(monkeypatch, capsys):
    def runner(*words):
        monkeypatch.setattr(sys, "argv", ["recnb", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return runner


def test_command_line(run, site, tmp_path, coat_zip):
    site.body = coat_zip().read_bytes()
    words = ("data", "fetch", "coat", "--from", site.url(), "--quiet")
    code, out, err = run(*words)
    assert code == 2 and "--accept-licence" in err and err.count("\n") == 1 and not site.asked
    code, out, err = run(*words, "--accept-licence")
    assert code == 0 and "coat is in data/raw/coat" in out and "recorded" in err
    assert run(*words)[1] == "coat is already here, nothing was fetched: data/raw/coat\n"
    code, out, err = run("data", "describe", "coat")
    assert code == 0 and "Cornell" in out
    assert "coat" in run("data", "list")[1]


def test_command_line_asks_on_a_terminal(run, site, tmp_path, coat_zip, monkeypatch):
    import typer

    site.body = coat_zip().read_bytes()
    answers = iter([False, True])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: next(answers))
    words = ("data", "fetch", "coat", "--from", site.url(), "--quiet")
    code, _, err = run(*words)
    assert code == 2 and "published for research by Cornell" in err and not site.asked
    assert run(*words)[0] == 0


def test_command_line_failures_are_one_line(run, site, tmp_path):
    site.statuses = [404]
    words = ("data", "fetch", "coat", "--accept-licence", "--quiet", "--from")
    code, out, err = run(*words, site.url("/gone"))
    assert code == 1 and err.count("\n") == 1 and err.startswith("failed: 127.0.0.1") and not out
    record(tmp_path / "home/data/raw", "coat/coat.zip", "sha256:" + "0" * 64)
    site.body = b"other"
    code, out, err = run(*words, site.url())
    assert code == 1 and err.count("\n") == 1 and "set aside" in err
