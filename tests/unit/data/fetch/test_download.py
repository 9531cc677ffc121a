"""One file over HTTP against a server that drops, lies, changes and redirects."""

from __future__ import annotations

import hashlib
import random

import pytest

from recnb import InputError
from recnb.data.fetch import FetchError
from recnb.data.fetch.download import Patience, download

BODY = random.Random(0).randbytes(300_000)


@pytest.fixture
def get(site, tmp_path, patience):
    site.body = BODY

    def run(**settings):
        path = tmp_path / "x.part"
        download(settings.pop("url", site.url()), path, **{"patience": patience, **settings})
        return path.read_bytes()

    return run


def test_whole_at_once(get, site):
    seen = []
    assert get(progress=lambda done, total: seen.append((done, total))) == BODY
    assert seen[-1] == (len(BODY), len(BODY)) and site.asked == [("/set.zip", None, None)]


def test_drops_are_gone_on_from(get, site):
    site.drops = [1, 70_000, 70_001, 299_999]
    assert get(size=len(BODY)) == BODY
    assert [asked[1] for asked in site.asked] == [
        None,
        "bytes=1-",
        "bytes=70000-",
        "bytes=70001-",
        "bytes=299999-",
    ]
    assert {asked[2] for asked in site.asked[1:]} == {'"one"'}


def test_last_modified_serves_where_there_is_no_etag(get, site):
    site.etag, site.modified, site.drops = None, "Mon, 01 Jan 2024 00:00:00 GMT", [1000]
    assert get() == BODY and site.asked[1][1:] == ("bytes=1000-", site.modified)


def test_a_weak_etag_joins_nothing(get, site):
    site.etag, site.drops = 'W/"one"', [1000]
    assert get() == BODY and site.asked[1][1] is None


def test_no_validator(get, site):
    site.etag, site.drops = None, [1000]
    assert get() == BODY and site.asked[1][1] is None  # pieces could be of two files


def test_no_validator_but_a_checksum(get, site):
    site.etag, site.drops = None, [1000]
    assert get(trusted=True) == BODY and site.asked[1][1] == "bytes=1000-"


def test_a_server_without_ranges_is_asked_for_the_whole_again(get, site):
    site.ranges, site.drops = False, [200_000, 100]
    assert get() == BODY and len(site.asked) == 3


@pytest.mark.parametrize("heeds", [True, False])
def test_the_file_changes_midway(get, site, heeds):
    other = random.Random(1).randbytes(250_000)
    site.heeds_if_range, site.drops = heeds, [120_000]
    site.changes = [(BODY, '"one"'), (other, '"two"'), (other, '"two"')]
    assert get() == other


def test_it_never_stops_changing(get, site):
    site.changes = [(random.Random(n).randbytes(5000), f'"{n}"') for n in range(60)]
    site.drops = [1000] * 60
    with pytest.raises(FetchError, match="4 tries in a row"):
        get()
    assert len(site.asked) < 12


def test_another_piece_than_asked_for(get, site):
    site.drops, site.wrong_piece = [1000], True
    with pytest.raises(FetchError, match="another piece"):
        get()


@pytest.mark.parametrize("length", [310_000, 290_000])
def test_a_wrong_length(get, site, length):
    site.length = length
    with pytest.raises(FetchError, match=f"offers {length:,} bytes where 300,000 are published"):
        get(size=len(BODY))


def test_a_length_that_is_too_long_and_unchecked(get, site, tmp_path):
    site.length = 310_000
    with pytest.raises(FetchError, match="tries in a row"):
        get()
    assert (tmp_path / "x.part").exists() is False or (
        tmp_path / "x.part"
    ).stat().st_size <= 300_000


def test_no_length(get, site):
    site.length = -1
    assert get() == BODY
    with pytest.raises(FetchError, match="more than 1,000 bytes"):
        get(url=site.url("/other"), most_bytes=1000)


def test_no_length_and_dropped_is_seen_where_the_size_is_known(get, site):
    site.length, site.drops = -1, [5000]
    assert get(size=len(BODY)) == BODY and len(site.asked) == 2


def test_passing_troubles(get, site):
    site.statuses = [503, 500, 429]
    assert get() == BODY
    site.statuses = [503] * 10
    with pytest.raises(FetchError, match="503"):
        get(url=site.url("/other"))
    assert len(site.asked) == 4 + 4


def test_refusals_are_final(get, site):
    site.statuses = [404, 404]
    with pytest.raises(FetchError, match="says 404 Not Found to /gone"):
        get(url=site.url("/gone?x=1"))
    assert len(site.asked) == 1


def test_redirects(get, site):
    site.redirects = {"/a": "/b", "/b": site.url("/c")}
    site.drops = [1000]
    assert get(url=site.url("/a")) == BODY
    # the range goes along, and it is asked where it was asked first
    assert [a[:2] for a in site.asked[3:]] == [(p, "bytes=1000-") for p in ("/a", "/b", "/c")]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_redirects_to_other_schemes_are_refused(get, site, target):
    site.redirects = {"/a": target}
    with pytest.raises(FetchError, match=r"not (followed|allowed)"):
        get(url=site.url("/a"))


def test_a_circle_of_redirects_ends(get, site):
    site.redirects = {"/a": "/b", "/b": "/a"}
    with pytest.raises(FetchError):
        get(url=site.url("/a"))
    assert len(site.asked) < 20


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://x/y", "http://", "x.zip", ""])
def test_other_addresses_are_wrong_input(tmp_path, url):
    with pytest.raises(InputError, match="no http or https address"):
        download(url, tmp_path / "x")


def test_nobody_answers(tmp_path, patience):
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9: .*4 tries in a row; run it again"):
        download("http://user:secret@127.0.0.1:9/x", tmp_path / "x", patience=patience)


def test_a_silent_server_is_left(get, site):
    site.holds = [1000] * 9
    with pytest.raises(FetchError, match="timed out"):
        get(patience=Patience(tries=1, timeout=0.2, first_wait=0.01))


def test_a_finished_part_is_not_asked_for_again(get, site):
    get()
    site.asked.clear()
    assert get() == BODY and site.asked == []


def test_a_part_of_another_address_is_not_gone_on_from(get, site, tmp_path):
    site.drops = [1000] * 4
    with pytest.raises(FetchError):
        get(patience=Patience(tries=1, most=1))
    site.drops.clear()
    assert get(url=site.url("/other")) == BODY and site.asked[-1][1] is None


def test_every_drop_leads_to_the_same_bytes(get, site, tmp_path):
    """Dropped at many bytes, one after another, and at each joint again from a fresh start."""
    right = hashlib.sha256(BODY).hexdigest()
    rng = random.Random(5)
    for _ in range(20):
        (tmp_path / "x.part").unlink(missing_ok=True)
        (tmp_path / "x.part.json").unlink(missing_ok=True)
        site.drops = sorted(rng.sample(range(len(BODY)), rng.randint(1, 8)))
        assert hashlib.sha256(get(size=len(BODY))).hexdigest() == right
