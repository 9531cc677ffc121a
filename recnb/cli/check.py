"""`recnb check`: versions, device, what will fit."""

from __future__ import annotations

import typer


def check() -> None:
    """Print OK or MISSING per requirement, the device and its memory, and which parts of recnb can be used here."""
    import importlib
    import sys
    from importlib.metadata import PackageNotFoundError, requires, version

    import psutil
    from packaging.requirements import Requirement
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Requirements", title_justify="left")
    for heading in ("package", "needs", "found", "state", "for"):
        table.add_column(heading)
    missing_core = False
    lacking: dict[str, list[str]] = {}
    for line in requires("recnb") or []:
        need = Requirement(line)
        extra = str(need.marker).split('"')[1] if need.marker else "core"
        if need.name == "recnb" or extra in ("all", "dev"):
            continue
        try:
            found = version(need.name)
            state = "OK" if need.specifier.contains(found, prereleases=True) else "OLD"
        except PackageNotFoundError:
            found, state = "", "MISSING"
        if state != "OK":
            lacking.setdefault(extra, []).append(need.name)
            missing_core |= extra == "core"
        table.add_row(need.name, str(need.specifier), found, state, extra)
    out = Console(highlight=False)
    out.print(f"Python {sys.version.split()[0]}")
    out.print(table)
    memory = psutil.virtual_memory()
    out.print(
        f"processors: {psutil.cpu_count()}, memory: {memory.total / 2**30:.1f} GiB", soft_wrap=True
    )
    try:
        torch = importlib.import_module("torch")
        if torch.cuda.is_available():
            card = torch.cuda.get_device_properties(0)
            out.print(f"GPU: {card.name}, {card.total_memory / 2**30:.1f} GiB")
        else:
            out.print("GPU: none; the notebooks' defaults are made for two processors without one")
    except ImportError:
        out.print("GPU: unknown, torch is not installed")
    for extra, packages in lacking.items():
        if extra != "core":
            out.print(
                f"for {extra}: pip install {' '.join(packages)}", soft_wrap=True, markup=False
            )
    _decoder(out)
    _fits(out, memory.total)
    if missing_core:
        raise typer.Exit(1)


def _decoder(out) -> None:
    """Whether the decoder is there: its package is in no extra, for it is installed by a line of its own."""
    from recnb.encoders.decoder import DEFAULT_DECODER, decoder_packages
    from recnb.optional import has, install_line

    missing = [module for module in decoder_packages() if not has(module)]
    state = f"MISSING; {install_line(*missing)}" if missing else "OK"
    out.print(f"decoder {DEFAULT_DECODER}: {state}", soft_wrap=True, markup=False)


def _fits(out, memory: int) -> None:
    """Which notebooks will not fit, by the memory that their profile file states."""
    from pathlib import Path

    from recnb.optional import has

    folder = Path("notebooks") / "profiles"
    if not (folder.is_dir() and has("yaml")):
        return  # nothing to run here, or nothing to run it with: said above
    import yaml

    too_large = []
    for path in sorted(folder.glob("[0-9][0-9].yaml")):
        needs = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("memory_gib", 0)
        if needs * 2**30 > memory:
            too_large.append(f"{path.stem} ({needs} GiB)")
    out.print(f"notebooks that will not fit: {', '.join(too_large) or 'none'}")
