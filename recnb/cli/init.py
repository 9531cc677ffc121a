"""`recnb init`: a template of a data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
text); `position` (an order without a clock); `event` (view, click, cart, buy, ...); `quantity`; `split` (train, valid,
test: for `--split predefined`).

An empty `rating` means that none was given. `dataset.json` declares what would otherwise be guessed: `feedback` is
explicit (ratings on a scale), implicit (it happened) or count (how often).

The rows in these files are a small generated example: {rows} interactions of {users} users.
"""


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    """Write a template of a data folder, with a README and a small generated example in it."""
    import json

    from recnb.errors import InputError
    from recnb.world import generate

    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise InputError(
            "it is there already and not empty", file=str(folder), mend="name a new folder"
        )
    world = generate("video", n_users=100, n_items=80)
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (
        ("interactions", world.interactions),
        ("items", world.items),
        ("users", world.users),
    ):
        frame.to_csv(folder / f"{name}.csv", index=False)
    declared = {"feedback": "explicit", "scale": [1, 5], "name": folder.resolve().name}
    (folder / "dataset.json").write_text(json.dumps(declared, indent=1) + "\n", encoding="utf-8")
    counts = {"rows": len(world.interactions), "users": len(world.users)}
    (folder / "README.md").write_text(_README.format(folder=folder, **counts), encoding="utf-8")
    print(f"wrote {folder}; read {folder / 'README.md'}, then: recnb evaluate {folder}")
