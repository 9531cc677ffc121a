"""Vectors come back as they were kept, or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recnb.encoders.cache import VectorCache, cache_folder


def some(n: int, seed: int = 0) -> tuple[list[str], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    texts = [f"text {seed} {row}" for row in range(n)]
    vectors = rng.normal(size=(n, 2, 8)).astype(np.float32)
    return texts, vectors, rng.integers(0, 9, size=(n, 2))


def make(folder: Path, **settings: object) -> VectorCache:
    return VectorCache(folder, settings, (2, 8))


def test_round_trip_beyond_one_statement(tmp_path: Path) -> None:
    texts, vectors, counts = some(2500)
    make(tmp_path).put(texts, vectors, counts)
    order = np.random.default_rng(1).permutation(2500)
    asked = [texts[row] for row in order]
    found, back, numbers = make(tmp_path).get([*asked, "another"])
    assert found[:-1].all() and not found[-1] and not back[-1].any()
    np.testing.assert_array_equal(back[:-1], vectors[order])
    np.testing.assert_array_equal(numbers[:-1], counts[order])


def test_other_settings_or_shape_find_nothing(tmp_path: Path) -> None:
    texts, vectors, counts = some(3)
    make(tmp_path, weights="a").put(texts, vectors, counts)
    assert not make(tmp_path, weights="b").get(texts)[0].any()
    assert not VectorCache(tmp_path, {"weights": "a"}, (16,)).get(texts)[0].any()
    assert make(tmp_path, weights="a").get(texts)[0].all()


def test_a_damaged_row_is_missing_and_mended(tmp_path: Path, caplog) -> None:
    texts, vectors, counts = some(3)
    cache = make(tmp_path)
    cache.put(texts, vectors, counts)
    with sqlite3.connect(cache.path) as db:
        blob = bytearray(db.execute("SELECT vector FROM vectors WHERE rowid = 2").fetchone()[0])
        blob[5] ^= 1
        db.execute("UPDATE vectors SET vector = ? WHERE rowid = 2", (bytes(blob),))
    db.close()
    found, back, _ = cache.get(texts)
    assert found.tolist() == [True, False, True] and not back[1].any()
    assert "1 damaged" in caplog.text
    cache.put(texts[1:2], vectors[1:2], counts[1:2])
    np.testing.assert_array_equal(cache.get(texts)[1], vectors)


@pytest.mark.parametrize("when", ["before it is opened", "before a read", "before a write"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, when: str, caplog) -> None:
    texts, vectors, counts = some(50)
    cache = make(tmp_path)
    cache.put(texts, vectors, counts)
    cache.path.write_bytes(b"no database at all" * 1000)
    if when == "before it is opened":
        cache = make(tmp_path)
    if when != "before a write":
        assert not cache.get(texts)[0].any()
    cache.put(texts, vectors, counts)
    found, back, _ = cache.get(texts)
    assert found.all()
    np.testing.assert_array_equal(back, vectors)
    assert "set aside" in caplog.text
    assert cache.path.with_name(cache.path.name + ".damaged").exists()


def test_a_torn_file_gives_no_wrong_vector(tmp_path: Path) -> None:
    texts, vectors, counts = some(2000)
    cache = make(tmp_path)
    cache.put(texts, vectors, counts)
    raw = bytearray(cache.path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 16384] = bytes(16384)
    cache.path.write_bytes(raw)
    found, back, _ = cache.get(texts)
    assert not found.all()
    np.testing.assert_array_equal(back[found], vectors[found])


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    texts, vectors, counts = some(3)
    cache = make(tmp_path)
    with pytest.raises(sqlite3.Error):
        cache._write([(b"a", 1, 0, 0, b"good"), (b"b", 1, 0, 0, object())])  # type: ignore[list-item]
    with sqlite3.connect(cache.path) as db:
        assert db.execute("SELECT count(*) FROM vectors").fetchone() == (0,)
    db.close()
    cache.put(texts, vectors, counts)
    assert cache.get(texts)[0].all()


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path[:] = {sys.path!r}
import numpy as np
from pathlib import Path
from recnb.encoders.cache import VectorCache
me = int(sys.argv[1])
for part in range(10):
    cache = VectorCache(Path({str(tmp_path)!r}), {{}}, (2,))
    texts = [f"{{me}} {{part}} {{row}}" for row in range(20)] + ["shared"]
    vectors = np.full((21, 2), me * 10 + part, dtype=np.float32)
    vectors[-1] = 7
    cache.put(texts, vectors, np.ones((21, 2)))
    assert cache.get(texts)[0].all()
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, str(me)]) for me in range(3)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    texts = [f"{me} {part} {row}" for me in range(3) for part in range(10) for row in range(20)]
    found, vectors, _ = VectorCache(tmp_path, {}, (2,)).get([*texts, "shared"])
    assert found.all()
    np.testing.assert_array_equal(vectors[:-1, 0], np.repeat(np.arange(30), 20))
    assert vectors[-1].tolist() == [7, 7]


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECNB_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("RECNB_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/recnb")
