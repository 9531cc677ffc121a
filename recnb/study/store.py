"""Finished work on disk: a (model, seed) that was judged once is not computed again on repeat."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import recnb
from recnb.data import Split
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.evaluation.findings import Finding
from recnb.evaluation.judge import Judged, plain_settings
from recnb.evaluation.record import Record
from recnb.files import whole, whole_folder, write_json
from recnb.recommender import Lists, Recommender
from recnb.study.source import named_files, sources

_SCHEMA = 5  # of the kept files; another one is not read


def _context(split: Split, protocol: Protocol) -> list[Any]:
    """What a judgement depends on besides the model and its seed."""
    return [_SCHEMA, recnb.__version__, split.digest, protocol.to_dict()]


class DiskStore:
    """A folder of finished judgements, one subfolder each, written whole or not at all.

    A judgement is found again only for the same model class, its source (where it is not recnb's), settings, files
    that settings name, seed, split, protocol and version of recnb.

    Parameters
    ----------
    folder : Path
    split : Split
    protocol : Protocol
    models : Path, optional
        Where fitted models are saved, for ``--save-models``.

    Attributes
    ----------
    reused : list of str
        What was found finished.
    reasons : dict of model to dict
        By user id a sentence on the first item of the list.
    """

    def __init__(
        self, folder: Path, split: Split, protocol: Protocol, models: Path | None = None
    ) -> None:
        self.folder, self.models, self.protocol = Path(folder), models, protocol
        self.context = _context(split, protocol)
        self.reused: list[str] = []
        self.reasons: dict[str, dict[str, str]] = {}
        self.split = split
        self._made: set[Path] = set()  # folders of this run
        self.pairs = KeptPairs(self.folder / "pairs", self.context)

    def check(self, split: Split, protocol: Protocol) -> None:
        """Raise where the folder was opened for another split or protocol."""
        if _context(split, protocol) != self.context:
            raise InputError(
                "the store was opened for another split or another protocol",
                mend="open one with those of this evaluation; one folder may serve both",
            )

    def key(self, name: str, model: Any, seed: int) -> str:
        """Identity of a piece of work, 20 hex digits."""
        if isinstance(model, Recommender):
            what: Any = [
                f"{type(model).__module__}.{type(model).__qualname__}",
                plain_settings(model),
                [*sources(model), *named_files(model)],
            ]
        elif isinstance(model, Lists):
            what = sha256(model.table.to_csv(index=False).encode()).hexdigest()
        else:
            what = sha256(np.ascontiguousarray(model).tobytes()).hexdigest()
        text = json.dumps([name, seed, what, self.context], sort_keys=True, default=repr)
        return sha256(text.encode()).hexdigest()[:20]

    def has(self, name: str, model: Any, seed: int) -> bool:
        """Whether a judgement is finished, and its model saved where that is asked for."""
        folder = self.folder / self.key(name, model, seed)
        if self.models is not None and isinstance(model, Recommender):
            return (folder / "judged.json").is_file() and self._saved(name, seed).is_dir()
        return (folder / "judged.json").is_file()

    def get(self, name: str, model: Any, seed: int) -> Judged | None:
        """A finished judgement, or None."""
        if not self.has(name, model, seed):
            return None
        folder = self.folder / self.key(name, model, seed)
        head = json.loads((folder / "judged.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            values = {
                (metric, k, shelf): (
                    arrays[f"users{at}"],
                    arrays[f"values{at}"],
                    arrays.get(f"weights{at}"),
                )
                for at, (metric, k, shelf) in enumerate(head["keys"])
            }
            lists = {s: (arrays[f"items_{s}"], arrays[f"scores_{s}"]) for s in head["shelves"]}
        if folder not in self._made:
            self.reused.append(f"{name}, seed {seed}")
        self.reasons.setdefault(name, head["reasons"])
        findings = [Finding(**one) for one in head["findings"]]
        return Judged(Record.from_dict(head["record"]), values, lists, findings)

    def beside(self, split: Split) -> DiskStore:
        """The same folder for another order of tied times, whose models are not saved."""
        other = DiskStore(self.folder, split, self.protocol)
        other.reasons = {model: {} for model in self.reasons}  # told of the main order alone
        return other

    def put(self, judged: Judged, model: Any) -> None:
        """Keep a judgement (and the fitted model, where asked for)."""
        arrays: dict[str, np.ndarray] = {}
        for at, (users, values, weights) in enumerate(judged.values.values()):
            arrays |= {f"users{at}": users, f"values{at}": values}
            if weights is not None:
                arrays[f"weights{at}"] = weights
        for shelf, (items, scores) in judged.lists.items():
            arrays |= {f"items_{shelf}": items, f"scores_{shelf}": scores}
        head = {
            "record": judged.record.to_dict(),
            "findings": [one.to_dict() for one in judged.findings],
            "keys": [list(key) for key in judged.values],
            "shelves": list(judged.lists),
            "reasons": self._reasons(judged),
        }
        if self.models is not None and judged.fitted is not None:
            judged.fitted.save(self._saved(judged.model, judged.seed))
        folder = self.folder / self.key(judged.model, model, judged.seed)
        with whole_folder(folder, ours="judged.json") as part:
            with open(part / "arrays.npz", "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            write_json(part / "judged.json", head, default=_plain)
        self._made.add(folder)
        self.pairs.forget()  # the judgement holds what they were for

    def _reasons(self, judged: Judged) -> dict[str, str]:
        """Why the first seed lists what it lists, for the examples of the report."""
        from recnb.study.reasons import example_reasons

        if judged.model in self.reasons:
            return {}
        found = example_reasons(judged, self.split, self.protocol)
        self.reasons[judged.model] = found
        return found

    def search_result(self, name: str, model: Recommender, arguments: dict[str, Any]) -> Path:
        """The file in which a finished search is kept."""
        text = json.dumps(
            [
                name,
                plain_settings(model),
                [*sources(model), *named_files(model)],
                arguments,
                self.context,
            ],
            sort_keys=True,
            default=repr,
        )
        return self.folder / f"search-{sha256(text.encode()).hexdigest()[:20]}.json"

    def _saved(self, name: str, seed: int) -> Path:
        assert self.models is not None
        return self.models / f"{safe_name(name)}-{seed}"


class KeptPairs:
    """Scores of pairs that models have judged, a file a block, until the judgement is kept as a whole.

    Parameters
    ----------
    folder : Path
    context : Any
        What decides scores beside the model and the pairs.
    """

    def __init__(self, folder: Path, context: Any) -> None:
        self.folder, self.context = folder, context
        self._used: set[Path] = set()  # since the last judgement

    def _file(self, model: Recommender, key: str) -> Path:
        text = json.dumps([key, sources(model), self.context], default=repr)
        return self.folder / f"{sha256(text.encode()).hexdigest()[:32]}.npy"

    def get(self, model: Recommender, key: str) -> np.ndarray | None:
        """Scores that were kept, or None."""
        file = self._file(model, key)
        try:
            scores = np.load(file, allow_pickle=False)
        except (OSError, ValueError):
            return None
        self._used.add(file)
        return scores

    def put(self, model: Recommender, key: str, scores: np.ndarray) -> None:
        """Keep scores, whole or not at all."""
        file = self._file(model, key)
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole(file) as part, open(part, "wb") as stream:
            np.save(stream, scores, allow_pickle=False)
        self._used.add(file)

    def forget(self) -> None:
        """Remove what was kept or found since the last call."""
        for file in self._used:
            file.unlink(missing_ok=True)
        self._used.clear()


def safe_name(name: str) -> str:
    """A model's name as a folder name."""
    return "".join(c if c.isalnum() or c in "_-@+." else "_" for c in name).lstrip(".") or "model"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else repr(value)
