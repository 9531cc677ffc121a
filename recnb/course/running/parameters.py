"""The parameters of a notebook: what it declares, what may be passed, what the profiles set."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recnb.course.notebook import needed, tagged
from recnb.errors import InputError

PROFILES = ("smoke", "cpu", "gpu")
UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9_]*")


def declared_parameters(nb: Any, path: str | Path) -> dict[str, Any]:
    """Return the parameters that a notebook declares, with their defaults.

    Parameters
    ----------
    nb : NotebookNode
    path : path
        Named in errors.

    Raises
    ------
    InputError
        No cell tagged ``parameters``, more than one, or a line that is no ``NAME = literal``.
    """
    cells = tagged(nb, "parameters")
    if len(cells) != 1:
        raise InputError(
            f"{len(cells)} cells are tagged 'parameters'", file=str(path), mend="tag exactly one"
        )
    return parse_declarations(cells[0].source, path)


def parse_declarations(source: str, path: str | Path) -> dict[str, Any]:
    """Return names and values of a parameters cell.

    Raises
    ------
    InputError
        A statement that is no ``UPPER_SNAKE = literal``, or a name declared twice.

    Examples
    --------
    >>> parse_declarations('SEED = 0  # any\\nK = (5, 10)  # cut-offs', "a.ipynb")
    {'SEED': 0, 'K': (5, 10)}
    """
    declared: dict[str, Any] = {}
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise InputError(
            f"the parameters cell is no Python ({error.msg})", file=str(path)
        ) from None
    for statement in statements:
        problem = InputError(
            f"parameters cell, line {statement.lineno}: '{ast.unparse(statement)}' is no literal",
            file=str(path),
            mend="write NAME = value, one a line, in UPPER_SNAKE",
        )
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise problem
        target = statement.targets[0]
        if not isinstance(target, ast.Name) or not UPPER_SNAKE.fullmatch(target.id):
            raise problem
        if target.id in declared:
            raise InputError(f"parameter {target.id} is declared twice", file=str(path))
        try:
            declared[target.id] = ast.literal_eval(statement.value)
        except ValueError:
            raise problem from None
    return declared


def check_parameters(
    declared: Mapping[str, Any], given: Mapping[str, Any], path: str | Path
) -> dict[str, Any]:
    """Return the given parameters once every name is declared and every type fits its default.

    Parameters
    ----------
    declared : mapping
        Names and defaults, see `declared_parameters`.
    given : mapping
        Names and values to set.
    path : path
        The notebook, named in errors.

    Raises
    ------
    InputError
        A name that the notebook does not declare (papermill alone only warns), with those it does;
        a value of another type than the default. A whole number may stand for a fraction, a list
        for a tuple, anything for a default of None; True is no number.

    Examples
    --------
    >>> check_parameters({"SEED": 0, "LR": 0.1}, {"LR": 1}, "a.ipynb")
    {'LR': 1.0}
    >>> check_parameters({"SEED": 0}, {"SED": 1}, "a.ipynb")
    Traceback (most recent call last):
    recnb.errors.InputError: a.ipynb: parameter 'SED' is not declared; it declares SEED
    """
    checked = {}
    for name, value in given.items():
        if name not in declared:
            there = ", ".join(declared) or "none"
            raise InputError(
                f"parameter '{name}' is not declared", file=str(path), mend=f"it declares {there}"
            )
        checked[name] = _as_type_of(declared[name], value, name, path)
    return checked


def _as_type_of(default: Any, value: Any, name: str, path: str | Path) -> Any:
    if default is None or type(value) is type(default):
        return value
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple | list) and isinstance(value, tuple | list):
        return type(default)(value)
    wanted, arrived = type(default).__name__, type(value).__name__
    raise InputError(
        f"parameter {name} = {value!r} is of type {arrived}",
        file=str(path),
        mend=f"pass a value of type {wanted}, like its default {default!r}",
    )


def parse_settings(
    settings: Iterable[str], declared: Mapping[str, Any], path: str | Path
) -> dict[str, Any]:
    """Return settings of the command line, ``NAME=VALUE``, as values of the declared types.

    Raises
    ------
    InputError
        A setting without ``=``, an undeclared name, a value that is not of the declared type.

    Examples
    --------
    >>> parse_settings(["EPOCHS=3", "DATASET=ml-100k"], {"EPOCHS": 1, "DATASET": "x"}, "a.ipynb")
    {'EPOCHS': 3, 'DATASET': 'ml-100k'}
    """
    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"setting '{setting}' has no '='", mend="write NAME=VALUE")
        value: Any = text
        if not isinstance(declared.get(name), str):
            try:
                value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
            except (ValueError, SyntaxError):
                value = text  # a plain word; the type check judges it
        given[name.strip()] = value
    return check_parameters(declared, given, path)


def load_profile(notebook: str | Path, profile: str) -> dict[str, Any]:
    """Return what ``profiles/NN.yaml`` beside a notebook sets for a profile; unchecked.

    Parameters
    ----------
    notebook : path
    profile : {"smoke", "cpu", "gpu"}
        ``cpu`` are the notebook's own defaults unless the file says otherwise.

    Raises
    ------
    InputError
        An unknown profile; a missing or unreadable file; a key that is no profile.
    """
    if profile not in PROFILES:
        raise InputError(f"unknown profile '{profile}'", mend=f"choose of {', '.join(PROFILES)}")
    profiles = read_profiles(notebook)
    if profile not in profiles and profile != "cpu":
        raise InputError(
            f"sets nothing for the profile '{profile}'",
            file=str(profile_file(notebook)),
            mend=f"write '{profile}: {{}}' if the defaults are meant",
        )
    return profiles.get(profile, {})


def profile_file(notebook: str | Path) -> Path:
    """Return where the profiles of a notebook stand."""
    notebook = Path(notebook)
    return notebook.parent / "profiles" / f"{notebook.name[:2]}.yaml"


def read_profiles(notebook: str | Path) -> dict[str, dict[str, Any]]:
    """Return all profiles of a notebook: profile, then parameter, then value."""
    file = profile_file(notebook)
    yaml = needed("yaml")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError:
        raise InputError(
            "there is no such profile file", file=str(file), mend="write one: smoke, cpu, gpu"
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"no YAML ({error})", file=str(file)) from None
    if not isinstance(content, dict):
        raise InputError("holds no profiles", file=str(file), mend="write smoke: {NAME: value}")
    for name, values in content.items():
        if name not in PROFILES:
            raise InputError(f"'{name}' is no profile", file=str(file), mend="smoke, cpu or gpu")
        if values is not None and not isinstance(values, dict):
            raise InputError(f"'{name}' sets no parameters by name", file=str(file))
    return {name: dict(values or {}) for name, values in content.items()}
