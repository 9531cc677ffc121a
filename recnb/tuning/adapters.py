"""Small trained parts for a frozen transformer that `peft` does not have: bottlenecks, and a network at its side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from recnb.encoders.text.tower import layer_list
from recnb.errors import InputError

# The last matrix of the attention and of the feed-forward part of a layer, by architecture.
ATTENTION_OUT = ("attention.output.dense", "attention.out_lin", "attn.c_proj", "self_attn.o_proj")
FORWARD_OUT = ("output.dense", "ffn.lin2", "mlp.c_proj", "mlp.down_proj")


class Bottleneck(nn.Module):
    """x + W_up gelu(W_down x + b) + b', the identity at the start.

    Parameters
    ----------
    dim, width : int

    References
    ----------
    N. Houlsby et al., Parameter-efficient transfer learning for NLP, ICML 2019, section 2.1.

    Examples
    --------
    >>> x = torch.ones(2, 4)
    >>> torch.equal(Bottleneck(4, 2)(x), x)
    True
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, width), nn.Linear(width, dim)
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.up(nn.functional.gelu(self.down(x)))


def add_bottlenecks(network: Any, width: int, attention: bool, layers: Sequence[int]) -> None:
    """Put a bottleneck behind the feed-forward part of each layer, and behind its attention, before residual and norm.

    Parameters
    ----------
    network : torch.nn.Module
        A transformer; changed in place. The names of its own weights stay.
    width : int
    attention : bool
        Behind the attention too (Houlsby et al. 2019); else behind the feed-forward part alone (J. Pfeiffer et
        al., AdapterFusion, EACL 2021, section 3.2.1).
    layers : sequence of int
        Positions in the stack, from 0.

    Raises
    ------
    InputError
        A layer has no matrix of a known name.
    """
    stack = layer_list(network)
    places = [("forward", FORWARD_OUT)] + ([("attention", ATTENTION_OUT)] if attention else [])
    for number in layers:
        parts = dict(stack[number].named_modules())
        for name, known in places:
            found = [n for n in known if isinstance(parts.get(n), nn.Module) and _size(parts[n])]
            if not found:
                raise InputError(
                    f"{type(stack[number]).__name__} has no {name} output of a known name",
                    mend="use lora, bitfit or side_adapter on this architecture",
                )
            inner = parts[found[0]]
            bottleneck = Bottleneck(_size(inner), width)
            inner.register_module("bottleneck", bottleneck)
            inner.register_forward_hook(_behind)


def _behind(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
    return module.bottleneck(output)


def _size(module: Any) -> int:
    """Dimensions of the output of a linear map; 0 for anything else (GPT-2 has maps of its own class)."""
    for name in ("out_features", "nf"):
        if isinstance(getattr(module, name, None), int):
            return int(getattr(module, name))
    return 0


class SideAdapter(nn.Module):
    """A ladder beside the frozen network: reads the state of every layer, never runs or changes one.

    Parameters
    ----------
    n_layers : int
        States given for each text: the embeddings' and one of each layer.
    dim, width : int

    Notes
    -----
    ``z_0 = D_0 h_0``; ``z_i = g_i z_{i-1} + (1 - g_i) D_i h_i`` with a learned gate, then a bottleneck of width
    `width`; the last state comes out as ``h_L + U z_L``. U starts at zero. The states are pooled
    over the words before, so that they are computed once for all epochs and no gradient passes the encoder.

    References
    ----------
    Y.-L. Sung, J. Cho, M. Bansal, LST: Ladder side-tuning, NeurIPS 2022, section 3.2; there on the states of words.

    Examples
    --------
    >>> states = torch.randn(2, 3, 4)
    >>> torch.equal(SideAdapter(3, 4, 2)(states), states[:, -1:])
    True
    """

    def __init__(self, n_layers: int, dim: int, width: int) -> None:
        super().__init__()
        self.downs = nn.ModuleList(nn.Linear(dim, width, bias=False) for _ in range(n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(n_layers))
        self.gates = nn.Parameter(torch.zeros(n_layers))
        self.rungs = nn.ModuleList(Bottleneck(width, width) for _ in range(n_layers - 1))
        self.up = nn.Linear(width, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Adapted last states.

        Parameters
        ----------
        states : Tensor of shape (n, n_layers, dim)

        Returns
        -------
        Tensor of shape (n, 1, dim)
        """
        z = self.norms[0](self.downs[0](states[:, 0]))
        for i, rung in enumerate(self.rungs, start=1):
            gate = torch.sigmoid(self.gates[i])
            z = rung(gate * z + (1 - gate) * self.norms[i](self.downs[i](states[:, i])))
        return (states[:, -1] + self.up(z)).unsqueeze(1)


class RankBudget(nn.Module):
    """AdaLoRA's budget as the training goes on: `peft` allocates, its running sums are kept in buffers.

    Parameters
    ----------
    adalora : peft.tuners.adalora.AdaLoraModel

    Notes
    -----
    Buffers travel in checkpoints: a training that is killed goes on with equal bits.
    """

    taken: torch.Tensor

    def __init__(self, adalora: Any) -> None:
        super().__init__()
        self._adalora = [adalora]  # in a list: its weights are not this module's
        self.register_buffer("taken", torch.zeros((), dtype=torch.long))
        for name, parameter in adalora.model.named_parameters():
            if "lora_" in name:
                for kind in _SUMS:
                    self.register_buffer(_flat(kind, name), torch.zeros_like(parameter))
                if "lora_E" in name:
                    kept = torch.ones(len(parameter), dtype=torch.bool)
                    self.register_buffer(_flat("kept", name), kept)

    def lay_out(self, steps: int) -> None:
        """Spread the budget over so many steps: a tenth before it falls, a third after."""
        config = self._adalora[0].peft_config[self._adalora[0].trainable_adapter_name]
        steps = max(steps, 3)
        config.total_step, config.tinit, config.tfinal = steps, steps // 10, steps // 3
        config.deltaT = max(1, steps // 100)

    def step(self) -> None:
        """After a step of the optimiser, with its gradients still there."""
        adalora = self._adalora[0]
        allocator = adalora.rankallocator
        names = [n for n, _ in adalora.model.named_parameters() if "lora_" in n]
        own = dict(self.named_buffers())
        for kind in _SUMS:
            held = {n: own[_flat(kind, n)] for n in names} if int(self.taken) else {}
            setattr(allocator, kind, held)
        config = adalora.peft_config[adalora.trainable_adapter_name]
        config.rank_pattern = {n: own[_flat("kept", n)].tolist() for n in names if "lora_E" in n}
        self.taken += 1
        last = config.total_step - config.tfinal
        adalora.update_and_allocate(min(int(self.taken), config.total_step))
        for kind in _SUMS:
            for name, value in getattr(allocator, kind).items():
                own[_flat(kind, name)].copy_(value)
        if int(self.taken) <= last:
            for name, kept in (config.rank_pattern or {}).items():
                buffer = own[_flat("kept", name)]
                buffer.copy_(torch.as_tensor(kept, device=buffer.device).view(-1))

    def penalty(self) -> torch.Tensor:
        """How far the factors are from orthonormal (Zhang et al. 2023, equation 4), the mean over the matrices."""
        adalora = self._adalora[0]
        weight = adalora.peft_config[adalora.trainable_adapter_name].orth_reg_weight
        terms = []
        for name, p in adalora.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                gram = p @ p.T if "lora_A" in name else p.T @ p
                terms.append(torch.linalg.norm(gram - torch.eye(len(gram), device=p.device)))
        return weight * torch.stack(terms).mean()

    def ranks(self) -> dict[str, int]:
        """Singular values left in each matrix, by its name."""
        return {
            name: int((p.detach() != 0).sum())
            for name, p in self._adalora[0].model.named_parameters()
            if "lora_E" in name
        }


_SUMS = ("ipt", "exp_avg_ipt", "exp_avg_unc")


def _flat(kind: str, name: str) -> str:
    return f"{kind}:{name.replace('.', '/')}"
