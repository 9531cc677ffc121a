"""LoRA, IA3, prefix and bottleneck written out on three architectures beside `recnb.tuning.methods.tune`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from torch import nn  # noqa: E402
from transformers import AttentionInterface, AutoModel  # noqa: E402
from transformers.masking_utils import AttentionMaskInterface, eager_mask  # noqa: E402

from recnb.tuning.methods import counts, merged, tune  # noqa: E402
from tests.unit.encoders.conftest import write_model  # noqa: E402

KINDS = ("bert", "gpt2", "qwen2")
DIM, LAYERS, SIZE, ALPHA = 16, 2, 3, 6
QUERY_VALUE = {"bert": ("query", "value"), "gpt2": ("c_attn",), "qwen2": ("q_proj", "v_proj")}
# Matrices whose output is scaled, and those whose input is; in BERT "output.dense" is two of them.
FACTORS = {
    "bert": (("key", "value"), ("output.dense",)),
    "gpt2": (("c_attn",), ("mlp.c_proj",)),
    "qwen2": (("q_proj", "v_proj"), ("down_proj",)),  # queries, not keys: so peft has it
}
OUTPUTS = {
    "bert": ("attention.output.dense", "output.dense"),
    "gpt2": ("attn.c_proj", "mlp.c_proj"),
    "qwen2": ("self_attn.o_proj", "mlp.down_proj"),
}
LORA_COUNT = {"bert": 4 * 96, "gpt2": 2 * 192, "qwen2": 2 * (96 + 72)}  # r (in + out) a matrix
FACTOR_COUNT = {"bert": 2 * (16 + 16 + 16 + 32), "gpt2": 2 * (48 + 64), "qwen2": 2 * (16 + 8 + 32)}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("tiny")
    torch.set_num_threads(1)
    return {
        kind: AutoModel.from_pretrained(write_model(root / kind, kind)).double().eval()
        for kind in KINDS
    }


def given(seed: int = 0) -> dict[str, Any]:
    """Texts of unlike lengths, filled at the end."""
    ids = torch.randint(4, 18, (3, 5), generator=torch.Generator().manual_seed(seed))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    return {"input_ids": ids, "attention_mask": mask}


def states(network: Any, **more: Any) -> Any:
    """Last states of the tokens that are no filling: (n_tokens, dim)."""
    told = given()
    return network(**told, **more).last_hidden_state[told["attention_mask"].bool()]


def shapes(linear: Any) -> tuple[int, int]:
    """Inputs and outputs; GPT-2 keeps its matrices the other way round."""
    n = tuple(linear.weight.shape)
    return (n[1], n[0]) if isinstance(linear, nn.Linear) else n


def each(network: Any, names: tuple[str, ...], change: Callable[[str, Any], Any]) -> None:
    """Put `change(name, matrix)` in the place of every matrix of a layer whose name ends so."""
    for name, module in list(network.named_modules()):
        if any(name.endswith("." + n) for n in names) and "pooler" not in name:
            parent, _, last = name.rpartition(".")
            setattr(network.get_submodule(parent), last, change(name, module))


class LoRA(nn.Module):
    def __init__(self, linear: Any, a: Any, b: Any) -> None:
        super().__init__()
        self.linear, self.a, self.b = linear, nn.Parameter(a), nn.Parameter(b)

    def forward(self, x: Any) -> Any:
        return self.linear(x) + ALPHA / len(self.a) * (x @ self.a.T @ self.b.T)


class Factor(nn.Module):
    def __init__(self, linear: Any, factor: Any, before: bool) -> None:
        super().__init__()
        self.linear, self.factor, self.before = linear, nn.Parameter(factor), before

    def forward(self, x: Any) -> Any:
        return self.linear(x * self.factor) if self.before else self.linear(x) * self.factor


class Behind(nn.Module):
    def __init__(self, linear: Any, down: Any, c: Any, up: Any, d: Any) -> None:
        super().__init__()
        self.linear = linear
        self.down, self.c, self.up, self.d = map(nn.Parameter, (down, c, up, d))

    def forward(self, x: Any) -> Any:
        y = self.linear(x)
        inner = y @ self.down.T + self.c
        inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
        return y + inner @ self.up.T + self.d


def with_prefix(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """Softmax attention whose first keys and values are learned vectors, seen by every token."""
    k, v = module.prefix  # (n_kv_heads, size, head_dim) each
    n = len(query)
    key = torch.cat([k.expand(n, -1, -1, -1), key], dim=2)
    value = torch.cat([v.expand(n, -1, -1, -1), value], dim=2)
    groups = query.shape[1] // key.shape[1]  # several queries share a key in Qwen2
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = scaling * query @ key.transpose(2, 3)  # (n, n_heads, n_tokens, size + n_tokens)
    if attention_mask is not None:
        scores[..., k.shape[1] :] = scores[..., k.shape[1] :] + attention_mask
    weights = scores.softmax(dim=-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register("written_prefix", with_prefix)
AttentionMaskInterface.register("written_prefix", eager_mask)


def prefixed(network: Any, vectors: Any) -> Any:
    """vectors: (size, 2 * n_layers * n_kv_heads * head_dim), keys and values layer after layer."""
    network.set_attn_implementation("written_prefix")
    places = [m for m in network.modules() if hasattr(m, "scaling") and hasattr(m, "layer_idx")]
    heads = getattr(network.config, "num_key_value_heads", network.config.num_attention_heads)
    apart = vectors.view(len(vectors), len(places), 2, heads, -1)
    for at, place in enumerate(places):
        place.prefix = apart[:, at].permute(1, 2, 0, 3)
    return network


def tuned(networks: dict[str, Any], kind: str, method: str, **settings: Any) -> Any:
    """The package's, with every added number drawn, so that nothing is hidden by a zero or a one."""
    torch.manual_seed(0)
    network = tune(copy.deepcopy(networks[kind]), method, **settings).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.copy_(0.5 * torch.randn_like(parameter))
    return network


def same(mine: Any, theirs: Any) -> None:
    torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=1e-8)


def slope(network: Any, wanted: Any) -> None:
    found = states(network, **wanted) if isinstance(wanted, dict) else states(network)
    torch.manual_seed(3)
    (found * torch.randn_like(found)).sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_lora(networks: dict[str, Any], kind: str) -> None:
    theirs = tuned(networks, kind, "lora", size=SIZE, alpha=ALPHA)
    held = dict(theirs.get_base_model().named_modules())

    def change(name: str, linear: Any) -> LoRA:
        a, b = (getattr(held[name], f"lora_{x}")["default"].weight.detach().clone() for x in "AB")
        assert (a.shape[1], b.shape[0]) == shapes(linear)
        return LoRA(linear, a, b)

    mine = copy.deepcopy(networks[kind])
    each(mine, QUERY_VALUE[kind], change)
    plain = states(networks[kind])
    assert (states(theirs) - plain).abs().max() > 1e-2
    same(states(mine), states(theirs))
    slope(mine, None)
    slope(theirs, None)
    found = {n: m for n, m in mine.named_modules() if isinstance(m, LoRA)}
    assert 0 < len(found) == len([m for m in held.values() if hasattr(m, "lora_A")])
    for name, module in found.items():
        same(module.a.grad, held[name].lora_A["default"].weight.grad)
        same(module.b.grad, held[name].lora_B["default"].weight.grad)
    assert (
        counts(theirs)[0]
        == LORA_COUNT[kind]
        == sum(m.a.numel() + m.b.numel() for m in found.values())
    )
    scores = states(theirs)
    for module in found.values():  # W + alpha / r B A, written into the matrix
        update = ALPHA / SIZE * module.b.detach() @ module.a.detach()
        turned = update if isinstance(module.linear, nn.Linear) else update.T
        module.linear.weight.data += turned
        module.b.data.zero_()
    same(states(mine), scores)
    same(states(merged(theirs)), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_ia3(networks: dict[str, Any], kind: str) -> None:
    theirs = tuned(networks, kind, "ia3")
    held = dict(theirs.get_base_model().named_modules())
    behind, before = FACTORS[kind]

    def change(name: str, linear: Any) -> Factor:
        first = any(name.endswith(n) for n in before)
        factor = held[name].ia3_l["default"].detach().clone().flatten()
        assert len(factor) == shapes(linear)[0 if first else 1]
        return Factor(linear, factor, first)

    mine = copy.deepcopy(networks[kind])
    each(mine, behind + before, change)
    assert (states(theirs) - states(networks[kind])).abs().max() > 1e-2
    same(states(mine), states(theirs))
    slope(mine, None)
    slope(theirs, None)
    found = {n: m for n, m in mine.named_modules() if isinstance(m, Factor)}
    assert counts(theirs)[0] == FACTOR_COUNT[kind] == sum(len(m.factor) for m in found.values())
    for name, module in found.items():
        same(module.factor.grad, held[name].ia3_l["default"].grad.flatten())
    scores = states(theirs)
    same(states(merged(theirs)), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_prefix(networks: dict[str, Any], kind: str) -> None:
    theirs = tuned(networks, kind, "prefix", size=SIZE)
    (learned,) = (p for p in theirs.parameters() if p.requires_grad)
    vectors = learned.detach().clone().requires_grad_(True)
    heads = 1 if kind == "qwen2" else 2
    assert counts(theirs)[0] == vectors.numel() == SIZE * 2 * LAYERS * heads * DIM // 2
    mine = prefixed(copy.deepcopy(networks[kind]), vectors)
    shifted = {"position_ids": torch.arange(SIZE, SIZE + 5)[None]}
    assert (states(theirs) - states(networks[kind])).abs().max() > 1e-2
    same(states(mine, **shifted), states(theirs))
    slope(mine, shifted)
    slope(theirs, None)
    same(vectors.grad, learned.grad)


@pytest.mark.parametrize("kind", KINDS)
def test_prefix_moves_the_places_of_the_words(networks: dict[str, Any], kind: str) -> None:
    theirs = tuned(networks, kind, "prefix", size=SIZE)
    (learned,) = (p for p in theirs.parameters() if p.requires_grad)
    mine = prefixed(copy.deepcopy(networks[kind]), learned.detach())
    assert (states(mine) - states(theirs)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_houlsby(networks: dict[str, Any], kind: str) -> None:
    theirs = tuned(networks, kind, "adapter_houlsby", size=SIZE)
    held = dict(theirs.named_modules())

    def change(name: str, linear: Any) -> Behind:
        own = held[name].bottleneck
        parts = (own.down.weight, own.down.bias, own.up.weight, own.up.bias)
        return Behind(linear, *(p.detach().clone() for p in parts))

    mine = copy.deepcopy(networks[kind])
    each(mine, OUTPUTS[kind], change)
    assert (states(theirs) - states(networks[kind])).abs().max() > 1e-2
    same(states(mine), states(theirs))
    assert counts(theirs)[0] == 2 * LAYERS * (2 * SIZE * DIM + SIZE + DIM)


@pytest.mark.parametrize("kind", KINDS)
def test_tune_is_peft(networks: dict[str, Any], kind: str) -> None:
    """What tune makes of its settings is what one would ask `peft` for by hand."""
    asked = {
        "lora": peft.LoraConfig(r=SIZE, lora_alpha=ALPHA),
        "ia3": peft.IA3Config(),
        "prefix": peft.PrefixTuningConfig(num_virtual_tokens=SIZE, task_type="FEATURE_EXTRACTION"),
    }
    for method, config in asked.items():
        size = {} if method == "ia3" else {"size": SIZE}
        alpha = {"alpha": ALPHA} if method == "lora" else {}
        theirs = tuned(networks, kind, method, **size, **alpha)
        mine = peft.get_peft_model(copy.deepcopy(networks[kind]), config).double().eval()
        values = {n: p for n, p in theirs.named_parameters() if p.requires_grad}
        for name, parameter in mine.named_parameters():
            if parameter.requires_grad:
                parameter.data.copy_(values.pop(name))
        assert not values
        same(states(mine), states(theirs))
