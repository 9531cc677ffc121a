"""The small generated data set that travels with the repository, to look at and to copy."""

from __future__ import annotations

from pathlib import Path

from recnb.world.world import World, generate

N_USERS, N_ITEMS, SEED = 300, 200, 7


def sample_world() -> World:
    """Generate the world of the sample: films, 300 users, 200 items."""
    return generate("video", n_users=N_USERS, n_items=N_ITEMS, seed=SEED)


def write_sample(folder: str | Path) -> list[Path]:
    """Write ``interactions.csv``, ``items.csv`` and ``users.csv`` of the sample into a folder.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist; files of these names are replaced.

    Returns
    -------
    list of Path
        The three files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    world = sample_world()
    tables = {"interactions": world.interactions, "items": world.items, "users": world.users}
    paths = []
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        if name == "interactions":
            table = table.astype({"rating": int})
        table.to_csv(path, index=False, lineterminator="\n")
        paths.append(path)
    return paths
