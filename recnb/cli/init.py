"""`recnb init`: a template of a data folder, or one cleaned from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from recnb.cli.reading import (
    BadRows,
    Columns,
    Dates,
    Duplicates,
    Encoding,
    Events,
    Feedback,
    ItemColumns,
    Items,
    Matrix,
    Unrated,
    command_line,
    read,
)

_README = """# Your data

Replace the three csv files (parquet works too; `items` and `users` may be left out), then run

    recnb evaluate {folder}

| file | columns |
|---|---|
| `interactions.csv` | `user_id`, `item_id`, and what there is of the columns below |
| `items.csv` | `item_id`, `title`, `text`, any other columns (`year`, `brand`, `category`, ...) |
| `users.csv` | `user_id`, any other columns: the report says for whom a model helps |

Pictures and sounds of items go into folders beside these files, `images/ITEM_ID.jpg` and `audio/ITEM_ID.wav`, and
vectors into `features/NAME.npy` with `features/NAME.ids.txt`, one item id a line. All of them may be left out.

Columns of interactions, all optional but the first two: `rating`; `timestamp` (Unix seconds, milliseconds or ISO
text); `position` (an order without a clock); `session` (what belongs together); `event` (view, click, cart, buy,
...); `quantity`; `split` (train, valid, test: for `--split predefined`).

An empty `rating` means that none was given. `dataset.json` declares what would otherwise be guessed: `feedback` is
explicit (ratings on a scale), implicit (it happened) or count (how often).

The rows in these files are a small generated example: {rows} interactions of {users} users.
"""

_READ = """# {name}

Written by

    {command}

from `{source}`{beside}. {rows:,} interactions of {users:,} users and {items:,} items, feedback {feedback}{scale}.

What was read how:

{notes}

| file | holds |
|---|---|
| `interactions.parquet` | `user_id`, `item_id`, what there is of `rating`, `timestamp` (Unix seconds), `event`, … |
| `items.parquet` | `item_id`, `title`, `text`, other columns |
| `users.parquet` | `user_id` |
| `dataset.json` | what is declared: feedback, scale, name |

Next: `recnb evaluate {folder}`
"""


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A file of interactions (or a folder, or a name) to write cleaned.",
            show_default=False,
        ),
    ] = None,
    items: Items = None,
    columns: Columns = None,
    item_columns: ItemColumns = None,
    feedback: Feedback = None,
    duplicates: Duplicates = None,
    encoding: Encoding = None,
    unrated: Unrated = None,
    dates: Dates = None,
    bad_rows: BadRows = "error",
    events: Events = None,
    matrix: Matrix = None,
) -> None:
    """Write a data folder: a template with a small generated example, or --from a file as it was understood.

    Examples:

        recnb init my-data --from ratings.csv --items movies.csv
    """
    from recnb.files import whole_folder

    if source is None:
        with whole_folder(folder) as part:
            _template(part, folder)
        print(f"wrote {folder}; read {folder / 'README.md'}, then: recnb evaluate {folder}")
        return
    given = {
        "items": items,
        "columns": columns,
        "item_columns": item_columns,
        "feedback": feedback,
        "duplicates": duplicates,
        "encoding": encoding,
        "unrated": unrated,
        "dates": dates,
        "bad_rows": bad_rows,
        "events": events,
        "matrix": matrix,
    }
    ds = read(source, **given)
    for note in ds.notes:
        print(f"note: {note}")
    with whole_folder(folder) as part:
        ds.save(part)
        text = _READ.format(
            name=ds.name,
            command=command_line(),
            source=source,
            beside=f" and `{items}`" if items else "",
            rows=len(ds.interactions),
            users=ds.n_users,
            items=ds.n_items,
            feedback=ds.feedback,
            scale=f" on a scale of {ds.scale[0]:g} to {ds.scale[1]:g}" if ds.scale else "",
            notes="\n".join(f"- {note}" for note in ds.notes) or "- nothing was guessed",
            folder=folder,
        )
        (part / "README.md").write_text(text, encoding="utf-8")
    print(f"wrote {folder} ({len(ds.interactions):,} interactions); then: recnb evaluate {folder}")


def _template(part: Path, folder: Path) -> None:
    """Three tables of a generated world, and a README on what belongs there."""
    from recnb.world import generate

    world = generate("video", n_users=100, n_items=80)
    for name, frame in (
        ("interactions", world.interactions),
        ("items", world.items),
        ("users", world.users),
    ):
        frame.to_csv(part / f"{name}.csv", index=False)
    declared = {"feedback": "explicit", "scale": [1, 5], "name": folder.resolve().name}
    (part / "dataset.json").write_text(json.dumps(declared, indent=1) + "\n", encoding="utf-8")
    counts = {"rows": len(world.interactions), "users": len(world.users)}
    (part / "README.md").write_text(_README.format(folder=folder, **counts), encoding="utf-8")
