"""`recnb`: the commands, and what their ends mean (0 done, 1 the run failed, 2 the input is wrong)."""

from __future__ import annotations

import os
import sys

import typer

from recnb.cli import audit, check, data, demo, evaluate, init, models, run
from recnb.cli.effect import across, attack, experiment, policy, reasons
from recnb.cli.serving import export, plan, serve
from recnb.errors import InputError

app = typer.Typer(
    name="recnb",
    help="Does a language model help this recommender, by how much, for whom, and at what cost?\n\n"
    "Start with [bold]recnb demo[/bold] (under a minute), then [bold]recnb evaluate ml-100k[/bold] or "
    "[bold]recnb init my-data[/bold] and [bold]recnb evaluate my-data[/bold].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("evaluate")(evaluate.evaluate)
app.command("audit")(audit.audit)
app.command("policy")(policy.policy)
app.command("experiment")(experiment.experiment)
app.command("reasons")(reasons.reasons)
app.command("attack")(attack.attack)
app.command("across")(across.across)
app.command("run")(run.run)
app.command("export")(export.export)
app.add_typer(serve.app, name="serve")
app.command("plan")(plan.plan)
app.add_typer(data.app, name="data")
app.command("check")(check.check)
app.command("models")(models.models)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        import recnb

        print(recnb.__version__)
        raise typer.Exit


INTERRUPTED = 130  # what typer makes of Ctrl-C


def main() -> None:
    """Run the command line; wrong input ends in one line and exit code 2."""
    try:
        code = app(standalone_mode=False) or 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except InputError as error:
        _end(f"error: {error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        _end(
            "stopped; what was finished is kept and the earlier output is whole: run it again to go on",
            1,
        )
    except Exception as error:
        # Wrong arguments: typer and click each bring their own classes, alike in this method.
        message = getattr(error, "format_message", None)
        if message is not None:
            context = getattr(error, "ctx", None)
            if not message():  # the bare command: its help has been printed
                sys.exit(2)
            name = context.command_path if context else "recnb"
            _end(f"error: {' '.join(message().split())} (see {name} --help)", 2)
        if os.environ.get("RECNB_DEBUG"):
            raise
        text = " ".join(str(error).split())
        _end(
            f"failed: {type(error).__name__}{': ' if text else ''}{text} (RECNB_DEBUG=1 shows where)",
            1,
        )


def _end(line: str, code: int) -> None:
    print(line, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
