"""`recnb serve`: answer from artefacts over HTTP; its keys, and its log as a table."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recnb.errors import InputError

Option = typer.Option


class _FolderFirst(TyperGroup):
    """`recnb serve FOLDER` beside `recnb serve keys …`."""

    def parse_args(self, ctx, args):
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["folder", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_FolderFirst,
    no_args_is_help=True,
    help="Answer from artefacts over HTTP: [bold]recnb serve FOLDER[/bold]; its options: "
    "[bold]recnb serve folder --help[/bold].",
)
keys_app = typer.Typer(no_args_is_help=True, help="API keys: add, list, remove.")
app.add_typer(keys_app, name="keys")

State = Annotated[Path, Option(help="Folder of keys, logs and added items: FOLDER-state.")]


@app.command("folder")
def serve(
    folders: Annotated[
        list[Path], typer.Argument(help="Artefacts of recnb export; the first is the default.")
    ],
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    state: Annotated[
        Path | None,
        Option(
            help="Folder of keys, logs and added items. Default: FOLDER-state.", show_default=False
        ),
    ] = None,
    open_: Annotated[
        bool,
        Option(
            "--open",
            help="Answer without keys. Default: only on this machine, while there are none.",
        ),
    ] = False,
    certificate: Annotated[
        Path | None, Option(help="TLS certificate chain, PEM.", show_default=False)
    ] = None,
    private_key: Annotated[Path | None, Option(help="Its key, PEM.", show_default=False)] = None,
    milliseconds: Annotated[
        float,
        Option(min=1, help="Time limit of an answer; after it popularity answers, and says so."),
    ] = 250,
    queue: Annotated[int, Option(min=1, help="Jobs that may wait; beyond, 503.")] = 256,
    batch: Annotated[int, Option(min=1, help="Jobs that are done together.")] = 32,
    explore: Annotated[
        float,
        Option(
            min=0,
            max=1,
            help="Share of lists drawn at random from the best: other models can be judged by the log.",
        ),
    ] = 0.0,
    replicas: Annotated[
        str | None,
        Option(
            help="Answer from several processes by Ray Serve (recnb\\[scale]): 2, or 1:4 for one to four by load. "
            "Default: one process, without Ray.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        str, Option(help="Where replicas run: local:N, ray://HOST:10001 or HOST:6379.")
    ] = "local:4",
    trust: Annotated[
        bool, Option("--trust", help="Import the module of a model class outside recnb.")
    ] = False,
) -> None:
    """Answer from artefacts over HTTP until a signal.

    A folder that changes is taken up without dropping a request. A page to compare two models stands at /, the
    interface at /openapi.json.

    Example:

        recnb serve artefact

        curl 'localhost:8000/recommend?user=u0018'
    """
    from recnb.optional import check_installed
    from recnb.serving.http.supervisor import bound, supervise
    from recnb.serving.keys import KeyFile

    check_installed(
        "recnb serve", "fastapi", "uvicorn", "httptools", "orjson", "faiss", "prometheus_client"
    )
    state = state or folders[0].with_name(f"{folders[0].resolve().name}-state")
    for folder in folders:
        if not (folder / "artefact.json").is_file():
            raise InputError(
                "no artefact here (no artefact.json)",
                file=str(folder),
                mend="make one with recnb export MODEL_DIR --to FOLDER",
            )
    if (certificate is None) != (private_key is None):
        raise InputError("TLS needs both files", mend="give --certificate and --private-key")
    for file in (certificate, private_key):
        if file is not None and not file.is_file():
            raise InputError("no such file", file=str(file), mend="name a PEM file")
    free = open_ or not KeyFile(state / "keys.json").keys()
    if free and not open_ and not _is_loopback(host):
        raise InputError(
            f"there are no keys and {host} is not this machine alone",
            mend=f"make one with recnb serve keys add --state {state}, or pass --open",
        )
    settings: dict[str, Any] = {
        "open": free,
        "milliseconds": milliseconds,
        "queue": queue,
        "batch": batch,
        "explore": explore,
        "trust": trust,
        "tls": certificate is not None,
    }
    if replicas is not None:
        from recnb.serving.http.service import Settings
        from recnb.serving.scale import RayWorkers
        from recnb.serving.scale import replicas as ray_serve

        numbers = ray_serve.replicas(replicas)
        where = Settings(tuple(f.resolve() for f in folders), state.resolve(), **settings)
        with RayWorkers(workers):
            ray_serve.serve_until_signal(where, numbers, host, port, certificate, private_key)
        return
    listening = bound(host, port)
    scheme = "https" if certificate else "http"
    told = {
        "settings": {"folders": [str(f) for f in folders], "state": str(state), **settings},
        "address": f"{scheme}://{host}:{listening.getsockname()[1]}",
        "certificate": certificate and str(certificate),
        "private_key": private_key and str(private_key),
    }
    raise typer.Exit(supervise(told, listening))


@keys_app.command("add")
def add(
    state: State,
    name: Annotated[str, Option(help="Whom it is for.")] = "key",
    scopes: Annotated[str, Option(help="Of read, items (add items), admin; with commas.")] = "read",
    days: Annotated[
        float | None, Option(help="Until it expires. Default: never.", show_default=False)
    ] = None,
    rate: Annotated[float, Option(help="Requests a second on average.")] = 100.0,
) -> None:
    """Make a key and print it; only its salted hash is kept. A running service takes it up at once."""
    from recnb.serving.keys import KeyFile

    wanted = tuple(s.strip() for s in scopes.split(",") if s.strip())
    print(KeyFile(state / "keys.json").add(name, wanted, days, rate))


@keys_app.command("list")
def list_(state: State) -> None:
    """The keys that there are: id, name, scopes, end, rate."""
    from datetime import UTC, datetime

    from recnb.serving.keys import KeyFile

    for key in KeyFile(state / "keys.json").keys().values():
        end = (
            "never"
            if key.expires is None
            else f"{datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d %H:%M}"
        )
        print(f"{key.id}  {key.name}  {','.join(key.scopes)}  expires {end}  {key.rate:g}/s")


@keys_app.command("remove")
def remove(
    key_id: Annotated[str, typer.Argument(help="As keys list shows it.")], state: State
) -> None:
    """Forget a key: it opens nothing any more."""
    from recnb.serving.keys import KeyFile

    KeyFile(state / "keys.json").remove(key_id)


@app.command("log")
def log(
    state: State,
    to: Annotated[Path, Option(help="Parquet file to write.")] = Path("log.parquet"),
    users: Annotated[
        Path | None,
        Option(
            help="An artefact: its users get their ids back, rows of others are left out. Without it users stand under "
            "pseudonyms, which no model knows.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """What was shown and what followed, as the table that recnb policy reads.

    Example:

        recnb serve log --state artefact-state --users artefact --to log.parquet

        recnb policy log.parquet --policies other=lists.csv --items artefact/items.parquet
    """
    from recnb.evaluation.files import write_parquet
    from recnb.serving.records import read_feedback, with_names

    table = read_feedback(state / "feedback.sqlite")
    if users is not None:
        from recnb.serving.artefact import open_artefact

        secret = state / "secret"
        if not secret.is_file():
            raise InputError(
                "no secret of the pseudonyms", file=str(secret), mend="leave out --users"
            )
        ids = open_artefact(users).model.user_ids_.tolist()
        table = with_names(table, ids, secret.read_bytes())
        if table.empty:
            raise InputError(
                "none of the users of the artefact is in the log",
                file=str(users),
                mend="name another",
            )
    write_parquet(to, table)
    print(f"{len(table):,} items shown in {table['slate_id'].nunique():,} lists: {to}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
