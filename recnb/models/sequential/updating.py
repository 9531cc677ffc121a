"""A fitted sequence network that goes on learning from the events that came since."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import by_id
from recnb.models.common.reading.batches import Windows, item_rows
from recnb.models.common.reading.packed import pack
from recnb.models.common.sequences import Sequences
from recnb.models.common.settings import whole_numbers
from recnb.models.sequential.arrivals import arrived, over_ids, places, tails
from recnb.models.sequential.learned import Learned
from recnb.models.sequential.transfer import Transferred
from recnb.models.sequential.transitions import Transitions
from recnb.models.sequential.vectors import start_from_text

HOWS = ("finetune", "replay", "adapter")
_FREE = "vectors.free"  # the weights that have a row an item


@dataclass(frozen=True)
class Update:
    """How a network learns what came.

    Parameters
    ----------
    how : {"finetune", "replay", "adapter"}
        All weights learn the new events; the same, with old events mixed in; or the weights stay, and low-rank updates
        beside the linear maps learn the new events, with the free vectors of items that the base does not know.
    epochs : int
        Passes over the new events.
    lr : float, optional
        None: that of the model.
    replay : float
        Old events for each new one, of "replay".
    rank : int
        Of "adapter".
    fresh : bool
        Of "adapter": begin a new one on the base instead of going on with the last. What came after the base keeps what
        its vectors have learned.

    References
    ----------
    D. Rolnick et al. (2019), "Experience replay for continual learning", section 3; E. Hu et al. (2022), "LoRA",
    section 4.1.
    """

    how: str = "finetune"
    epochs: int = 1
    lr: float | None = None
    replay: float = 1.0
    rank: int = 4
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise InputError(f"how={self.how!r}", mend=f"one of {', '.join(HOWS)}")
        whole_numbers(self, "epochs", "rank")
        if self.lr is not None and not self.lr > 0:
            raise InputError(f"lr={self.lr!r}", mend="above 0, or None for that of the model")
        if not 0 <= self.replay < np.inf:
            raise InputError(f"replay={self.replay!r}", mend="a number of at least 0")


def updated(model: Learned, known: Dataset, update: Update | str, seed: int = 0) -> Learned:
    """A copy of a fitted network that has learned the events that came since.

    Parameters
    ----------
    model : Learned
        Fitted or updated before.
    known : Dataset
        The events of the last time and later ones. Users and items are matched by their ids; there may be new ones.
    update : Update or str
        How; a name alone is taken with the defaults of :class:`Update`.
    seed : int

    Returns
    -------
    Learned
        It knows all of `known` as histories. Without new events its weights are the old ones; with `fresh` those that
        the last adapter changed are the base's again.

    Raises
    ------
    InputError
        The model is no trained sequence model or not fitted, there is no such way, or events of the last time are
        missing or stand behind new ones.

    Notes
    -----
    A new item with free vectors begins where it would in a fit. With vectors from text it is told by its text, centred
    and whitened as at the fit, and of "both" the free part begins at 0. Items that were known keep their vectors and
    what was said of their text; a tuned language model stays as it was tuned.
    """
    _check(model)
    if isinstance(update, str):
        update = Update(update)
    elif not isinstance(update, Update):
        raise InputError(f"update={update!r}", mend=f"Update(…), or one of {', '.join(HOWS)}")
    users, items = (model.user_ids_, known.user_ids), (model.item_ids_, known.item_ids)
    old, new = over_ids(Sequences.from_arrays(model.sequences_), users, items), model._made(known)
    late = arrived(old, new, known.user_ids, known.item_ids)
    current: dict[str, Any] = {
        "weights": model.weights_,
        "row": model.row_,
        "n_used": model.n_used_,
        "item_ids": model.item_ids_,
    }
    adapting = update.how == "adapter"
    base: dict[str, Any] = vars(model).get("base_", current) if adapting else current
    adapter = vars(model).get("adapter_") if adapting and not update.fresh else None
    _check_rank(adapter, update.rank)
    out = _told(model, known, new)
    source = _Stretches.of(new, late, out, update, known, seed)
    network = out._build()
    before = _rows_of(base, known)
    fixed = (before >= 0) & (before < base["n_used"])  # items whose vectors an adapter leaves alone
    since = np.where(fixed, -1, _rows_of(current, known))
    _open_new(network, out, before >= 0)
    load_rows(network, base["weights"], before, out.row_)
    free = {name: v for name, v in current["weights"].items() if name == _FREE}
    load_rows(network, free, since, out.row_)
    if adapting:
        network = _with_adapter(network, update.rank, seed)
        load_rows(network, adapter or {}, before, out.row_)
    fixed_rows = np.zeros(out.row_.max(initial=-1) + 1, dtype=bool)
    fixed_rows[out.row_[fixed]] = True
    if len(source):
        _train(network, source, out, update, fixed_rows if adapting else None, seed)
    out._drop_adapter()
    if adapting:
        out.base_, out.adapter_ = base, _low_rank(network)
        out.weights_ = merged_weights(network)
    else:
        out.weights_ = _numbers(network)
    return out


def _check(model: Any) -> None:
    name = type(model).__name__
    if isinstance(model, Transitions):
        raise InputError(f"{name} counts and is not trained", mend="call model.updated(known)")
    if isinstance(model, Transferred):
        raise InputError(
            f"{name} is not updated", mend=f"fit {name}(source, n_epochs=…) on all that is known"
        )
    if not isinstance(model, Learned):
        raise InputError(
            f"{name} cannot be updated",
            mend="fit it again; sasrec, hstu, gru4rec and transitions can be updated",
        )
    if not model.fitted:
        raise InputError(f"{name} is not fitted", mend="call fit first")


def _check_rank(adapter: dict[str, np.ndarray] | None, rank: int) -> None:
    """Refuse to go on with an adapter of another rank."""
    had = next((len(v) for name, v in (adapter or {}).items() if ".lora_A." in name), rank)
    if had != rank:
        raise InputError(
            f"rank={rank}: the adapter to go on with has rank {had}",
            mend=f"rank={had}, or fresh=True",
        )


def _told(model: Learned, known: Dataset, sequences: Sequences) -> Learned:
    """A copy that is told all histories and has rows for the new items; its weights are those of before."""
    out = copy.copy(model)
    out._drop_caches()
    out.remember(known)
    out._learn_sequences(known)
    out.popularity_ = np.bincount(sequences.items, minlength=known.n_items).astype(np.float32)
    texts = model.items != "free"
    told = out._has_text(known.items) if texts else False
    out.row_, out.n_used_ = item_rows(known, sequences, told)
    out._start = None
    table = out._in_rows(known.items)
    before = np.full(len(table), -1)  # the row of before, by the new ones
    there = out.row_ >= 0
    before[out.row_[there]] = _rows_of({"row": model.row_, "item_ids": model.item_ids_}, known)[
        there
    ]
    if texts:
        out.text_ = model.text_[np.maximum(before, 0)]
        out.text_[before < 0] = model._vectors_of(table[before < 0])
    if model.settings.items.start == "text":
        raw = out._encoded(table)
        out._start = start_from_text(raw, model.settings.shape.width, raw[before >= 0])
    return out


def _rows_of(state: dict[str, Any], known: Dataset) -> np.ndarray:
    """The row that each item of later data had in an earlier state, -1 for none."""
    at = places(known.item_ids, state["item_ids"])
    return np.where(at >= 0, state["row"][at], -1)


def _open_new(network: Any, model: Learned, known: np.ndarray) -> None:
    """What new items are by themselves: nothing, where their text speaks for them already."""
    free, items = network.vectors.free, model.settings.items
    if free is not None and items.items == "both" and items.start == "random":
        with torch.no_grad():
            free[model.row_[~known & (model.row_ >= 0)]] = 0


def load_rows(
    network: nn.Module,
    weights: dict[str, np.ndarray],
    old_row: np.ndarray,
    new_row: np.ndarray,
) -> None:
    """Copy weights into a network whose table may have more rows; items keep their vectors."""
    state = network.state_dict()
    both = (old_row >= 0) & (new_row >= 0)
    with torch.no_grad():
        for name, value in weights.items():
            if name not in state:
                raise InputError(f"the network has no weights '{name}'", mend="fit it again")
            values = torch.from_numpy(np.asarray(value))
            if name == _FREE:
                state[name][new_row[both]] = values[old_row[both]]
            else:
                state[name].copy_(values)


def _numbers(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def _low_rank(network: nn.Module) -> dict[str, np.ndarray]:
    """The low-rank updates alone."""
    return {name: value for name, value in _numbers(network).items() if ".lora_" in name}


def _with_adapter(network: Any, rank: int, seed: int) -> Any:
    """The network frozen, with low-rank updates beside its linear maps; they begin at 0."""
    import peft

    network.requires_grad_(False)
    linear = [n for n, part in network.named_modules() if isinstance(part, nn.Linear)]
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = peft.inject_adapter_in_model(config, network)
    if network.vectors.free is not None:
        network.vectors.free.requires_grad_(True)
    return network


def merged_weights(network: Any) -> dict[str, np.ndarray]:
    """Weights with the low-rank updates added in, under the names of the plain network; the network is not changed."""
    plain = copy.deepcopy(network)
    for part in plain.modules():
        if hasattr(part, "merge") and hasattr(part, "base_layer"):
            part.merge()
    held = {n: v for n, v in _numbers(plain).items() if ".lora_" not in n}
    return {name.replace(".base_layer", ""): value for name, value in held.items()}


class _Stage(nn.Module):
    """The network's loss over the targets that count."""

    def __init__(self, network: Any, frozen_rows: np.ndarray | None) -> None:
        super().__init__()
        self.network = network
        self.hook: Any = None
        if frozen_rows is not None and network.vectors.free is not None:
            open_ = torch.from_numpy(~frozen_rows)[:, None].float()
            free = network.vectors.free
            self.hook = free.register_hook(lambda grad: grad * open_.to(grad.device))

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        network = self.network
        table = network.vectors()
        states, _ = network.states(batch, table)
        counts = batch["targets"] >= 0
        shown = table[: network.n_used]
        return network.loss(states[counts], shown, batch["targets"][counts], network.shares)

    def parameter_groups(self) -> list[dict[str, Any]]:
        groups = self.network.parameter_groups()
        for group in groups:
            group["params"] = [p for p in group["params"] if p.requires_grad]
        return [group for group in groups if group["params"]]


def _train(
    network: Any,
    source: _Stretches,
    model: Learned,
    update: Update,
    frozen: np.ndarray | None,
    seed: int,
) -> None:
    from recnb.training import Training
    from recnb.training import train as train_network

    how = Training(
        epochs=update.epochs,
        lr=model.lr if update.lr is None else update.lr,
        weight_decay=model.weight_decay,
        warmup=0.0,
        schedule="constant",
        patience=None,
        seed=seed,
    )
    stage = _Stage(network, frozen)
    train_network(stage, source.epoch, how)
    if stage.hook is not None:
        stage.hook.remove()


@dataclass(frozen=True, eq=False)
class _Stretches:
    """Stretches of events, each with the targets that count: -1 marks those that do not."""

    items: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    batch_size: int
    seed: int

    @classmethod
    def of(
        cls,
        sequences: Sequences,
        late: np.ndarray,
        model: Learned,
        update: Update,
        known: Dataset,
        seed: int,
    ) -> _Stretches:
        """New events behind half a window of context, and where asked old windows with all their targets."""
        order = by_id(known)[0]
        turned = sequences.take(order)
        marks = Sequences(late.astype(np.int32), sequences.offsets, 2).take(order).items > 0
        tail, new = tails(turned, marks, max(1, model.length // 2))
        rows = model.row_[tail.items]
        cut = Windows(rows, tail.offsets, model.length, model.batch_size, seed)
        targets = np.where(np.append(new[1:], False), cut.targets, -1)
        counts = np.concatenate([[0], np.cumsum(targets >= 0)])
        there = counts[cut.starts + cut.sizes] > counts[cut.starts]
        starts, sizes = cut.starts[there], cut.sizes[there]
        wanted = update.replay * int((targets >= 0).sum()) if update.how == "replay" else 0
        if wanted:
            whole = Windows(
                model.row_[turned.items], turned.offsets, model.length, model.batch_size, seed
            )
            drawn = np.random.default_rng(seed).permutation(len(whole))
            enough = int(np.searchsorted(np.cumsum(whole.sizes[drawn]), wanted)) + 1
            drawn = drawn[:enough]
            starts = np.concatenate([starts, len(rows) + whole.starts[drawn]])
            sizes = np.concatenate([sizes, whole.sizes[drawn]])
            rows = np.concatenate([rows, whole.items])
            targets = np.concatenate([targets, whole.targets])
        return cls(rows, targets, starts, sizes, model.batch_size, seed)

    def __len__(self) -> int:
        return len(self.starts)

    def epoch(self, number: int) -> list[dict[str, Any]]:
        """The batches of an epoch, a function of seed and number alone."""
        order = np.random.default_rng([self.seed, number]).permutation(len(self))
        size = self.batch_size
        chosen = [order[at : at + size] for at in range(0, len(order), size)]
        return [pack(self.items, self.starts[c], self.sizes[c], self.targets) for c in chosen]
