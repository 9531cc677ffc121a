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
from recnb.models.common.reading.batches import Windows
from recnb.models.common.reading.packed import pack
from recnb.models.common.sequences import Sequences
from recnb.models.sequential.arrivals import arrived, tails
from recnb.models.sequential.learned import Learned

HOWS = ("finetune", "replay", "adapter")


@dataclass(frozen=True)
class Update:
    """How a network learns what came.

    Parameters
    ----------
    how : {"finetune", "replay", "adapter"}
        All weights learn the new events; the same, with old events mixed in; or the weights stay, and low-rank updates
        beside the linear maps learn the new events, with the vectors of items that the base does not know.
    epochs : int
        Passes over the new events.
    lr : float, optional
        None: that of the model.
    replay : float
        Old events for each new one, of "replay".
    rank : int
        Of "adapter".
    fresh : bool
        Of "adapter": begin a new one on the base instead of going on with the last.

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


def updated(model: Learned, known: Dataset, update: Update, seed: int = 0) -> Learned:
    """A copy of a fitted network that has learned the events that came since.

    Parameters
    ----------
    model : Learned
        Fitted or updated before, with free item vectors.
    known : Dataset
        The events of the last time and later ones, over the same users and items.
    update : Update
    seed : int

    Returns
    -------
    Learned
        It knows all of `known` as histories. Without new events its weights are the old ones.

    Raises
    ------
    InputError
        Vectors from text (their whitening would turn with the items), an unknown way, or other histories.
    """
    if update.how not in HOWS:
        raise InputError(f"how={update.how!r}", mend=f"one of {', '.join(HOWS)}")
    if model.items != "free":
        raise InputError(
            f"items={model.items!r} cannot be updated", mend="fit again, or items='free'"
        )
    old, new = Sequences.from_arrays(model.sequences_), model._made(known)
    late = arrived(old, new)
    out = copy.copy(model)
    out._drop_caches()
    out.remember(known)
    out._learn_sequences(known)
    out.popularity_ = np.bincount(new.items, minlength=known.n_items).astype(np.float32)
    out._learn_items(known, new)
    current: dict[str, Any] = {"row": model.row_, "weights": model.weights_}
    base: dict[str, Any] | None = vars(model).get("_base")
    if update.how == "adapter" and base is None:
        base = current
    source = _Stretches.of(new, late, out, update, known, seed)
    network = out._build()
    adapting = update.how == "adapter"
    where = base if adapting and base is not None else current
    load_rows(network, where["weights"], where["row"], out.row_)
    known_rows = np.zeros(out.row_.max() + 1, dtype=bool)
    known_rows[out.row_[where["row"] >= 0]] = True
    if adapting:
        learned = vars(model).get("_adapter")
        network = _with_adapter(network, update.rank, seed)
        if learned is not None and not update.fresh:
            load_rows(network, learned["weights"], learned["row"], out.row_, strict=False)
    if len(source):
        _train(network, source, out, update, known_rows if adapting else None, seed)
    if adapting:
        out._base = base
        out._adapter = {"row": out.row_, "weights": _numbers(network)}
        out.weights_ = merged_weights(network)
    else:
        out.__dict__.pop("_base", None)
        out.__dict__.pop("_adapter", None)
        out.weights_ = _numbers(network)
    return out


def load_rows(
    network: nn.Module,
    weights: dict[str, np.ndarray],
    old_row: np.ndarray,
    new_row: np.ndarray,
    strict: bool = True,
) -> None:
    """Copy weights into a network whose table may have more rows; items keep their vectors."""
    state = network.state_dict()
    both = (old_row >= 0) & (new_row >= 0)
    with torch.no_grad():
        for name, value in weights.items():
            if name not in state:
                if strict:
                    raise InputError(f"the network has no weights '{name}'", mend="fit it again")
                continue
            values = torch.from_numpy(np.asarray(value))
            if name == "vectors.free":
                state[name][new_row[both]] = values[old_row[both]]
            else:
                state[name].copy_(values)


def _numbers(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def _with_adapter(network: Any, rank: int, seed: int) -> Any:
    """The network frozen, with low-rank updates beside its linear maps; they begin at 0."""
    import peft

    network.requires_grad_(False)
    linear = [n for n, part in network.named_modules() if isinstance(part, nn.Linear)]
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = peft.inject_adapter_in_model(config, network)
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
        if frozen_rows is not None:
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
        if update.how == "replay" and len(starts):
            whole = Windows(
                model.row_[turned.items], turned.offsets, model.length, model.batch_size, seed
            )
            wanted = update.replay * int((targets >= 0).sum())
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
