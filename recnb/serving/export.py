"""From a saved model to an artefact: model, index, encoder, items, checksums, and the evaluation it came from."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

import recnb
from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.evaluation.judge import plain_settings
from recnb.files import whole_folder
from recnb.optional import has
from recnb.progress import tell
from recnb.recommender import Recommender, load_model
from recnb.serving import index as indexes
from recnb.serving import manifest
from recnb.serving.artefact import ENCODER, ITEMS, KNOWN, MODEL, Artefact, open_artefact
from recnb.serving.watch.drift import reference
from recnb.serving.watch.monitor import most_used

EVALUATION = ("results.json", "comparisons.json", "models.json", "audit.json", "run.json")
_ENCODER_NEEDS = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "tokenizers")


def export(
    model_folder: str | Path,
    to: str | Path,
    data: Dataset | None = None,
    *,
    name: str | None = None,
    kind: str = "auto",
    encoder: Any = "auto",
    precision: str = "float32",
    dim: int | None = None,
    trust: bool = False,
) -> Artefact:
    """Write an artefact, and read it back as a service would.

    Parameters
    ----------
    model_folder : path
        A saved model: a folder in `OUTPUT/models` of ``recnb evaluate --save-models``, whose output gives the items,
        what users know, and the evaluation; or any other with `data`.
    to : path
        An earlier artefact there is replaced, anything else refused.
    data : Dataset, optional
        Items and known pairs, where the model has no evaluation beside it.
    name : str, optional
        What the service calls it; default the name of the model's folder.
    kind : {"auto", "exact", "hnsw", "ivfpq"}
        Of the indexes, see :func:`recnb.serving.index.build_index`.
    encoder : "auto", None or TextEncoder
        Reads the items' texts, free text and new items. "auto" is the default encoder where its packages are
        installed and the items have text.
    precision : {"float32", "float16", "int8", "int8_static"}
        Of its weights.
    dim : int, optional
        Numbers of a text's vector that are kept; default all.
    trust : bool
        As in :func:`recnb.load_model`.

    Raises
    ------
    InputError
        No model, nothing that says its items, or data of another identity.
    """
    model_folder = _found(Path(model_folder))
    model = load_model(model_folder, trust)
    output = _output(model_folder)
    items, known = _tables(model, output, data, model_folder)
    with whole_folder(to, ours=manifest.NAME) as part:
        shutil.copytree(model_folder, part / MODEL)
        items.reset_index().to_parquet(part / ITEMS, index=False)
        _write_known(part, known)
        facts = {
            "name": name or model_folder.name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "recnb": recnb.__version__,
            "model": {"class": type(model).__qualname__, "settings": plain_settings(model)},
            "dataset": {"digest": model.dataset_digest_, "identity": model.dataset_identity_},
            "users": known.shape[0],
            "items": known.shape[1],
            "evaluation": _copied_evaluation(output, part, model_folder.name),
        }
        built: dict[str, indexes.ItemIndex] = {}
        facts["text"], facts["encoder"] = None, None
        texts = _texts(items)
        if texts is not None:
            facts["text"] = texts[0].to_json()
            facts["encoder"] = _encoded(part, built, texts[1], encoder, precision, dim, kind)
        if hasattr(model, "factors"):
            tell("indexing the model's item vectors", 0, 1)
            users, right = model.factors()
            built["taste"] = indexes.build_index(right, kind, users)
        facts["indexes"] = {key: _written(part, key, index) for key, index in built.items()}
        facts["abilities"] = abilities(model, built)
        tell("keeping what requests look like", 0, 1)
        popularity = np.bincount(known.indices, minlength=known.shape[1])
        facts["reference"] = reference(model, known, most_used(popularity))
        manifest.write(part, facts)
        for path in part.rglob("*"):  # safetensors writes files that only their owner reads
            path.chmod(0o755 if path.is_dir() else 0o644)
        artefact = open_artefact(part, trust)  # before it takes the place of an earlier one
    return replace(artefact, folder=Path(to))


def abilities(model: Recommender, built: dict[str, indexes.ItemIndex]) -> list[str]:
    """What a service can answer: known users, and where there are means, histories, text, new items."""
    out = ["known users"]
    strangers = hasattr(model, "score_histories")
    out += ["history"] * strangers
    out += ["similar"] * bool(strangers or built)
    return out + ["text", "new items"] * ("text" in built)


def _found(folder: Path) -> Path:
    """The folder of a model; its seed may be left out where there is one alone."""
    if (folder / "model.json").is_file():
        return folder
    seeds = sorted(
        p for p in folder.parent.glob(f"{folder.name}-*") if (p / "model.json").is_file()
    )
    seeds = [p for p in seeds if p.name[len(folder.name) + 1 :].isdigit()]
    if len(seeds) == 1:
        return seeds[0]
    if seeds:
        raise InputError(
            f"saved with {len(seeds)} seeds",
            file=str(folder),
            mend=f"name one of {', '.join(p.name for p in seeds)}",
        )
    near = sorted(p.parent.name for p in folder.parent.glob("*/model.json"))
    there = f" (there are {', '.join(near[:9])})" if near else ""
    raise InputError(
        f"no saved model here{there}",
        file=str(folder),
        mend="run recnb evaluate DATA --save-models --output DIR, then name DIR/models/MODEL",
    )


def _output(model_folder: Path) -> Path | None:
    """The output of the evaluation that saved the model."""
    output = model_folder.resolve().parent.parent
    whole = all(
        (output / n).is_file() for n in ("run.json", "split.parquet", "models/items.parquet")
    )
    return output if whole else None


def _tables(
    model: Recommender, output: Path | None, data: Dataset | None, folder: Path
) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    """The items table in the model's order, and the pairs that users know."""
    if data is not None:
        if data.identity != model.dataset_identity_:
            raise InputError(
                f"'{data.name}' is not what the model was fitted on (its identity is {data.identity}, "
                f"the model's {model.dataset_identity_})",
                file=str(folder),
                mend="name the data that it was fitted on, with the same options",
            )
        return data.items.rename_axis("item_id"), data.pairs()
    if output is None:
        raise InputError(
            "no evaluation beside the model says its items",
            file=str(folder),
            mend="name the data with --data",
        )
    items = pd.read_parquet(output / "models" / "items.parquet").set_index("item_id")
    rows = pd.read_parquet(output / "split.parquet", columns=["user_id", "item_id", "part"])
    rows = rows[rows["part"].isin(("train", "valid"))]
    users = pd.Index(model.user_ids_).get_indexer(pd.Index(rows["user_id"]))
    codes = pd.Index(model.item_ids_).get_indexer(pd.Index(rows["item_id"]))
    if items.index.tolist() != list(model.item_ids_) or (users < 0).any() or (codes < 0).any():
        raise InputError(
            "the evaluation beside the model is another one (other items or users)",
            file=str(folder),
            mend="name the data with --data",
        )
    shape = len(model.user_ids_), len(model.item_ids_)
    known = sparse.csr_matrix((np.ones(len(users), np.float32), (users, codes)), shape=shape)
    known.sum_duplicates()
    return items, known


def _write_known(part: Path, known: sparse.csr_matrix) -> None:
    from safetensors.numpy import save_file

    known.sort_indices()
    arrays = {
        "indices": known.indices.astype(np.int32),
        "indptr": known.indptr.astype(np.int64),
    }
    save_file(arrays, part / KNOWN)


def _copied_evaluation(output: Path | None, part: Path, folder: str) -> dict[str, Any] | None:
    """Copy the evaluation; what of it the service tells about this model."""
    if output is None:
        return None
    (part / "evaluation").mkdir()
    for name in EVALUATION:
        if (output / name).is_file():
            shutil.copyfile(output / name, part / "evaluation" / name)
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    from recnb.study.store import safe_name

    mine = [r for r in results if f"{safe_name(str(r['model']))}-{r['seed']}" == folder]
    return {
        "dataset": run["dataset"]["name"],
        "split": run["split"]["name"],
        "results": [{k: v for k, v in r.items() if k != "model"} for r in mine],
    }


def _texts(items: pd.DataFrame) -> tuple[Text, list[str]] | None:
    """The template of the items' sentences, its columns settled, and the sentences."""
    try:
        template = Text(*Text().chosen(items))
    except InputError:
        return None
    return template, template(items)


def _encoded(
    part: Path,
    built: dict[str, indexes.ItemIndex],
    texts: list[str],
    encoder: Any,
    precision: str,
    dim: int | None,
    kind: str,
) -> dict[str, Any] | None:
    """Write the encoder and build the index of the texts; its settings, or None without one."""
    if encoder == "auto":
        if not has(*_ENCODER_NEEDS):
            return None
        from recnb.encoders import TextEncoder

        encoder = TextEncoder()
    if encoder is None:
        return None
    from recnb.serving.encoder.compress import save_encoder
    from recnb.serving.encoder.onnx import OnnxEncoder

    tell("writing the encoder", 0, 1)
    settings = save_encoder(encoder, part / ENCODER, precision, texts, dim)
    tell("reading the items' texts", 0, 1)
    # of the float32 network the vectors are the same to rounding, and may be in the cache
    whole = precision == "float32" and settings.dim == encoder.dim
    served = encoder if whole else OnnxEncoder(part / ENCODER, settings)
    vectors = served.encode(texts)
    tell("indexing the texts", 0, 1)
    built["text"] = indexes.build_index(vectors, kind)
    return settings.to_json()


def _written(part: Path, key: str, index: indexes.ItemIndex) -> dict[str, Any]:
    path = part / f"{key}.faiss"
    index.save(path)
    return {**asdict(index.record), "n_bytes": path.stat().st_size, "dim": index.dim}
