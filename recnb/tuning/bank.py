"""Adapters apart from the model they were trained in: files of their own, several on one language model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.files import whole_folder, write_json
from recnb.tuning.methods import tune

SCHEMA = 1
_SETTINGS = ("size", "alpha", "targets", "n_layers")


@dataclass
class Adapter:
    """What a method trained of a language model.

    Attributes
    ----------
    method : str
        Of :data:`recnb.tuning.methods.METHODS`.
    settings : dict
        `size`, `alpha`, `targets`, `n_layers` as :func:`recnb.tuning.methods.tune` takes them.
    base : dict
        `name`, `checksum` and `dim` of the language model.
    arrays : dict of str to ndarray
        The trained weights by name.
    """

    method: str
    settings: dict[str, Any]
    base: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(repr=False)

    @property
    def n_parameters(self) -> int:
        """Numbers that it holds."""
        return sum(a.size for n, a in self.arrays.items() if n != "vocabulary")

    def save(self, folder: str | Path) -> None:
        """Write a folder of `adapter.safetensors` and `adapter.json`, whole or not at all."""
        from safetensors.numpy import save_file

        head = {
            "schema": SCHEMA,
            "method": self.method,
            "settings": self.settings,
            "base": self.base,
        }
        arrays = {name: np.ascontiguousarray(a) for name, a in self.arrays.items()}
        with whole_folder(folder, ours="adapter.json") as part:
            save_file(arrays, part / "adapter.safetensors")
            write_json(part / "adapter.json", head)

    @classmethod
    def load(cls, folder: str | Path) -> Adapter:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            A file is missing or broken.
        """
        from safetensors.numpy import load_file

        folder = Path(folder)
        try:
            head = json.loads((folder / "adapter.json").read_text(encoding="utf-8"))
            arrays = load_file(folder / "adapter.safetensors")
            if head["schema"] != SCHEMA or set(head["settings"]) != set(_SETTINGS):
                raise ValueError(f"schema {head['schema']}")
            return cls(head["method"], head["settings"], head["base"], arrays)
        except FileNotFoundError as error:
            raise InputError(
                f"no {Path(error.filename).name} here",
                file=str(folder),
                mend="name a folder that save wrote",
            ) from None
        except Exception as error:  # safetensors has no error class of its own to name
            raise InputError(
                f"no readable adapter ({error})", file=str(folder), mend="save it again"
            ) from None


class AdapterBank:
    """One language model and several adapters of it, one of them at work.

    Parameters
    ----------
    encoder : TextEncoder
        Its network is changed: open one for the bank alone.

    Notes
    -----
    All adapters are of one method and one set of settings. To switch is to point the network at other tensors:
    nothing is copied, nothing is loaded.
    """

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._network: Any = None
        self._like: Adapter | None = None
        self._held: dict[str, dict[str, Any]] = {}
        self._at: dict[str, Any] = {}
        self.active: str | None = None

    @property
    def names(self) -> list[str]:
        """The adapters, in the order they came."""
        return list(self._held)

    def add(self, name: str, adapter: Adapter | str | Path) -> None:
        """Take in an adapter, or the folder of one.

        Raises
        ------
        InputError
            It was trained on another language model, or is of another method or other settings than the bank's first;
            its weights do not fit.
        """
        import torch

        given = adapter if isinstance(adapter, Adapter) else Adapter.load(adapter)
        if given.base["checksum"] != self._encoder.checksum:
            raise InputError(
                f"the adapter '{name}' was trained on {given.base['name']} with weights "
                f"{given.base['checksum'][:12]}, here are {self._encoder.checksum[:12]}",
                mend="open the language model it was trained on",
            )
        if self._like is None:
            if "vocabulary" in given.arrays or given.method in ("full", "top_layers"):
                raise InputError(
                    f"'{given.method}' trains whole layers: nothing small to switch",
                    mend="save the whole model",
                )
            self._prepare(given)
        like = self._like
        assert like is not None
        if (given.method, given.settings) != (like.method, like.settings):
            raise InputError(
                f"the adapter '{name}' is {given.method} {given.settings}, the bank holds {like.method} "
                f"{like.settings}",
                mend="open a bank for it alone",
            )
        tensors = {}
        for place, parameter in self._at.items():
            value = given.arrays.get(place)
            if value is None or value.shape != tuple(parameter.shape):
                found = "nothing" if value is None else f"shape {value.shape}"
                raise InputError(
                    f"the adapter '{name}' has {found} for {place}, which is {tuple(parameter.shape)}",
                    mend="load an adapter that was trained with these settings",
                )
            tensors[place] = torch.from_numpy(np.array(value)).to(parameter)
        self._held[name] = tensors
        if self.active is None:
            self.use(name)

    def _prepare(self, adapter: Adapter) -> None:
        network = self._encoder.model
        self._network = tune(network, adapter.method, **adapter.settings).eval()
        self._at = {n: p for n, p in self._network.named_parameters() if p.requires_grad}
        self._like = adapter

    def use(self, name: str) -> None:
        """Put an adapter to work.

        Raises
        ------
        InputError
            The bank has none of that name.
        """
        if name not in self._held:
            raise InputError(
                f"no adapter '{name}'", mend=f"one of {', '.join(self._held) or 'none so far'}"
            )
        for place, value in self._held[name].items():
            self._at[place].data = value
        self.active = name

    def encode(self, texts: Sequence[str], adapters: str | Sequence[str]) -> np.ndarray:
        """Last pooled states of texts, each by its own adapter.

        Parameters
        ----------
        texts : sequence of str
        adapters : str or sequence of str
            One for all, or the adapter of each text.

        Returns
        -------
        ndarray of shape (len(texts), dim), float32
        """
        from recnb.encoders.text.tower import TextTower

        texts = list(texts)
        routes = np.array([adapters] * len(texts) if isinstance(adapters, str) else adapters)
        if len(routes) != len(texts):
            raise InputError(f"{len(routes)} adapters for {len(texts)} texts", mend="one each")
        out = np.zeros((len(texts), self._encoder.dim), np.float32)
        for name in dict.fromkeys(routes.tolist()):
            rows = np.flatnonzero(routes == name)
            self.use(name)
            tower = TextTower(
                self._encoder,
                [texts[r] for r in rows],
                trained=self._encoder.n_layers,
                adapt=lambda _: self._network,
            )
            out[rows] = tower.all_states()[tower.place][:, -1].cpu().numpy()
        return out

    def average(self, weights: dict[str, float]) -> Adapter:
        """One adapter whose weights are a mean of several ones' (M. Wortsman et al., Model soups, ICML 2022).

        Parameters
        ----------
        weights : dict of str to float
            By name; they are scaled to sum to 1.

        Raises
        ------
        InputError
            A name is unknown, or the weights sum to nothing.
        """
        missing = [name for name in weights if name not in self._held]
        total = sum(weights.values())
        if missing or not total > 0:
            what = f"no adapter '{missing[0]}'" if missing else "weights that sum to 0"
            raise InputError(what, mend=f"weights above 0 for {', '.join(self._held)}")
        assert self._like is not None
        arrays = {
            place: sum(
                self._held[name][place].cpu().numpy() * np.float32(w / total)
                for name, w in weights.items()
            )
            for place in self._at
        }
        like = self._like
        return Adapter(like.method, dict(like.settings), dict(like.base), arrays)
