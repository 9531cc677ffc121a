"""The committed sample is what the package writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from recnb.world.sample import write_sample

SAMPLE = Path(__file__).parents[3] / "data" / "sample"


def test_committed_sample_is_what_is_written(tmp_path: Path) -> None:
    written = write_sample(tmp_path)
    assert [p.name for p in written] == ["interactions.csv", "items.csv", "users.csv"]
    assert sorted(p.name for p in SAMPLE.glob("*.csv")) == [p.name for p in written]
    for path in written:
        pd.testing.assert_frame_equal(
            pd.read_csv(path), pd.read_csv(SAMPLE / path.name), check_exact=False, rtol=0, atol=1e-9
        )
    assert sum((SAMPLE / p.name).stat().st_size for p in written) < 600_000
