"""What can be fetched: addresses, sizes, and the checksums that are known for certain.

The MD5 sums are those that GroupLens publishes beside its archives (`….zip.md5`). The SHA-256 sums were found alike in
several independent public projects. An archive without either is checked against what the first fetch recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recnb.data.catalog import AMAZON_2023


@dataclass(frozen=True)
class Remote:
    """One file of a data set.

    Attributes
    ----------
    url : str
    checksums : tuple of str
        "md5:…" and "sha256:…"; all must fit. Empty where none is known.
    size : int or None
        Bytes, where known.
    unpack : bool
        Whether it is an archive to be unpacked; else the file itself is kept.
    into : str
        A folder inside the data set's own.
    """

    url: str
    checksums: tuple[str, ...] = ()
    size: int | None = None
    unpack: bool = True
    into: str = ""

    @property
    def file(self) -> str:
        """The name of the file, as published."""
        return self.url.rsplit("/", 1)[1]


_GROUPLENS = "https://files.grouplens.org/datasets"
_UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/raw"
_NEWS = "https://recodatasets.z20.web.core.windows.net/newsrec"

REMOTES: Mapping[str, tuple[Remote, ...]] = {
    "ml-100k": (
        Remote(
            f"{_GROUPLENS}/movielens/ml-100k.zip",
            (
                "md5:0e33842e24a9c977be4e0107933c0723",
                "sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            ),
            4_924_029,
        ),
    ),
    "ml-1m": (
        Remote(
            f"{_GROUPLENS}/movielens/ml-1m.zip",
            (
                "md5:c4d9eecfca2ab87c1945afe126590906",
                "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            ),
            5_917_549,
        ),
    ),
    "ml-10m": (
        Remote(f"{_GROUPLENS}/movielens/ml-10m.zip", ("md5:ce571fd55effeba0271552578f2648bd",)),
    ),
    "ml-25m": (
        Remote(
            f"{_GROUPLENS}/movielens/ml-25m.zip",
            ("md5:6b51fb2759a8657d3bfcbfc42b592ada",),
            261_978_986,
        ),
    ),
    # GroupLens says that this one changes over time.
    "ml-latest-small": (Remote(f"{_GROUPLENS}/movielens/ml-latest-small.zip"),),
    "lastfm-hetrec-2011": (
        Remote(
            f"{_GROUPLENS}/hetrec2011/hetrec2011-lastfm-2k.zip",
            ("sha256:6738f48195667ff03caaab4d32ca9a3133d8cc026b7c3cdaf6ce1010e913c59c",),
        ),
    ),
    **{
        f"amazon-2023-{category.lower().replace('_', '-')}": (
            Remote(f"{_UCSD}/review_categories/{category}.jsonl.gz", unpack=False),
            Remote(f"{_UCSD}/meta_categories/meta_{category}.jsonl.gz", unpack=False),
        )
        for category in AMAZON_2023
    },
    "mind-small": (
        Remote(f"{_NEWS}/MINDsmall_train.zip", into="train"),
        Remote(f"{_NEWS}/MINDsmall_dev.zip", into="dev"),
    ),
    # The publisher's page is gone; `--from` names a copy.
    "book-crossing": (
        Remote("http://www2.informatik.uni-freiburg.de/~cziegler/BX/BX-CSV-Dump.zip"),
    ),
    "coat": (Remote("https://www.cs.cornell.edu/~schnabts/mnar/coat.zip"),),
    "open-bandit": (
        Remote(
            "https://research.zozo.com/data_release/open_bandit_dataset.zip",
            ("sha256:e8ec18196582a5937381a1776382ca940689b90a18d2dcd1fb635be6df614d78",),
            412_931_917,
        ),
    ),
}
