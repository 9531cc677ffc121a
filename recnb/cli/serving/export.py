"""`recnb export`: a saved model as a folder that `recnb serve` answers from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="A model that recnb evaluate --save-models kept, such as report/models/ease."
        ),
    ],
    to: Annotated[Path, Option(help="Folder to write; an earlier artefact there is replaced.")],
    data: Annotated[
        str | None,
        Option(
            help="The data that the model was fitted on; only where no evaluation stands beside it.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        Option(help="What the service calls it. Default: the model's folder.", show_default=False),
    ] = None,
    index: Annotated[
        str, Option(help="auto, exact, hnsw or ivfpq; auto takes what is faster as measured.")
    ] = "auto",
    encoder: Annotated[
        str,
        Option(
            help="Reads free text and new items: auto (the default encoder where the items have text), none, or a "
            "folder or hub name."
        ),
    ] = "auto",
    precision: Annotated[
        str,
        Option(
            help="Of the encoder's weights: float32, float16 (for a GPU), int8, or int8_static."
        ),
    ] = "float32",
    dim: Annotated[
        int | None,
        Option(help="Numbers of a text's vector that are kept. Default: all.", show_default=False),
    ] = None,
    trust: Annotated[
        bool, Option("--trust", help="Import the module of a model class outside recnb.")
    ] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write model, index, encoder, items and checksums into one folder, and read it back as a service would.

    Nothing in the folder runs code when it is read, but for --trust.

    Example:

        recnb evaluate ml-100k --models ease --save-models --output report

        recnb export report/models/ease --to artefact

        recnb serve artefact
    """
    from recnb.cli.reading import read
    from recnb.cli.terminal import Steps, out
    from recnb.progress import listening
    from recnb.serving.export import export as write

    with Steps(quiet) as steps, listening(steps):
        ds = None if data is None else read(data)
        chosen: object = {"auto": "auto", "none": None}.get(encoder, encoder)
        if isinstance(chosen, str) and chosen != "auto":
            from recnb.encoders import TextEncoder
            from recnb.serving.encoder.heads import HEADS, NarrowEncoder

            cut = (Path(chosen) / HEADS).is_file()
            chosen = NarrowEncoder(chosen) if cut else TextEncoder(chosen)
        artefact = write(
            model,
            to,
            ds,
            name=name,
            kind=index,
            encoder=chosen,
            precision=precision,
            dim=dim,
            trust=trust,
        )
    head = artefact.head
    size = sum(file["bytes"] for file in head["files"].values())
    lines = [
        f"{artefact.name}: {head['users']:,} users, {head['items']:,} items, {size / 1e6:,.1f} MB, "
        f"digest {artefact.digest[:16]}",
        f"answers: {', '.join(head['abilities'])}",
    ]
    for key, index_ in artefact.indexes.items():
        r = index_.record
        lines.append(
            f"index '{key}': {r.kind}, recall@10 {r.recall:.3f}, {r.ms:.2f} ms a query "
            f"(exact {r.exact_ms:.2f} ms)"
        )
    lines.append(f"serve it: recnb serve {to}")
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)
