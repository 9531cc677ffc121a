"""`recnb models`: what each model reads, needs, can, and its settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

_SHOWN = ("warm", "new items", "new users", "ratings", "candidates")  # the others are in the json


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="One of them, with its settings.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As json, with all settings.")] = False,
) -> None:
    """Print the table of models, each asked for what it reads, needs and can.

    NAME\\[setting=value,…] sets, NAME@METHOD names a tuning method (text_dot@lora), A+B is a blend whose weight is set
    on the validation part, A>B two stages: the best items of A ranked by B, A*5 the mean of five fits. In quotes:
    a shell reads > as a file to write: `recnb models 'ease>text_dot@lora'` asks one of those.
    """
    import json

    from rich.console import Console

    from recnb.models import about, names

    every = [about(one) for one in ([name] if name else names())]
    out = Console(highlight=False)
    if as_json:
        print(json.dumps([one.to_dict() for one in every], indent=1, ensure_ascii=False))
        return
    out.print(_table(every))
    _legend(out, every)
    if name:
        out.print(f"\n{every[0].title}\nsettings:", markup=False)
        for key, value in every[0].settings.items():
            out.print(f"  {key} = {value!r}", markup=False, soft_wrap=True)


def _table(every: list):
    """A row a model, a column an ability."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=len(every) > 1)
    table.add_column("reads")
    table.add_column("LM", justify="center")
    table.add_column("needs")
    for ability in _SHOWN:
        table.add_column(ability.replace(" ", "\n"), justify="center")
    for one in every:
        marks = [_mark(ability in w.can for w in (one, *one.ways)) for ability in _SHOWN]
        language = _mark(w.reads.language for w in (one, *one.ways))
        read = [str(one.reads), *(f"{w.name.removeprefix(one.name)}: {w.reads}" for w in one.ways)]
        needs = escape(", ".join(one.needs))
        table.add_row(escape(one.name), escape("\n".join(read)), language, needs, *marks)
    return table


def _mark(there: Iterable[bool]) -> str:
    """Whether it is so by default, or with one of the settings in brackets."""
    usual, *with_settings = there
    return "x" if usual else "(x)" if any(with_settings) else ""


def _legend(out, every: list) -> None:
    """What the columns mean, and the language models with their sizes."""
    from recnb.models.registry import ABILITIES

    out.print(
        "reads: popularity = how many had it; ids = who had what. LM: a language model reads."
    )
    if any(one.ways for one in every):
        out.print("(x): with one of the settings in brackets.", markup=False)
    for ability in _SHOWN:
        out.print(f"{ability}: {ABILITIES[ability]}.", soft_wrap=True)
    for model in dict.fromkeys(m for one in every for m in one.reads.language_models):
        size = f"{model.parameters / 1e6:.1f} million" if model.parameters else "not counted"
        out.print(f"language model: {model.name}, parameters: {size}.", soft_wrap=True)
