"""Each method trains what it says and nothing else; adapters merge, travel and switch."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from recnb.data import splits  # noqa: E402
from recnb.encoders import TextEncoder  # noqa: E402
from recnb.encoders.text.tower import TextTower  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.models.two_tower.model import TwoTower  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from recnb.tuning.bank import Adapter, AdapterBank  # noqa: E402
from recnb.tuning.merging import save_merged  # noqa: E402
from recnb.tuning.methods import MERGEABLE, METHODS, budget_of, counts, depth_of, tune  # noqa: E402
from tests.unit.encoders.conftest import write_model  # noqa: E402
from tests.unit.models.two_tower.test_two_tower import small, texts, weights, world  # noqa: E402

INSIDE = [name for name, m in METHODS.items() if m.depth != "none"]
SMALL = [name for name in INSIDE if name not in ("full", "top_layers")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {kind: write_model(root / kind, kind) for kind in ("bert", "gpt2", "qwen2")}


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folders: dict[str, Path]) -> None:
    monkeypatch.setenv("RECNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECNB_ENCODER", str(folders["bert"]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def open_network(folder: Path):
    return TextEncoder(folder, normalise=False).model


def run(network, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, 18, (3, 5), generator=rng)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    found = network(input_ids=ids, attention_mask=mask).last_hidden_state
    return found[:, -5:], mask


def train_a_little(network, steps: int = 3) -> None:
    torch.manual_seed(1)
    target = torch.randn(3, 5, 16)
    chosen = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(chosen, lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        states, mask = run(network)
        ((states - target) ** 2 * mask[..., None]).mean().backward()
        optimiser.step()


@pytest.mark.parametrize("kind", ["bert", "gpt2", "qwen2"])
@pytest.mark.parametrize("method", INSIDE)
def test_trains_its_own_weights_and_no_other(folders, kind: str, method: str) -> None:
    network = open_network(folders[kind])
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    pointers = {p.data_ptr(): n for n, p in network.named_parameters()}
    torch.manual_seed(0)
    tuned = tune(network, method, size=4, n_layers=1 if method == "top_layers" else None)
    trained, total = counts(tuned)
    assert 0 < trained <= total
    if method == "full":
        assert trained > 0.9 * total
    start, _ = run(tuned)
    train_a_little(tuned)
    end, _ = run(tuned)
    assert not torch.allclose(start, end, atol=1e-4), "training moved nothing"
    # the weights the network came with: those that are frozen have not changed by one bit
    checked = 0
    for name, parameter in tuned.named_parameters():
        own = pointers.get(parameter.data_ptr())
        if own is not None and not parameter.requires_grad:
            assert torch.equal(parameter, before[own]), name
            checked += 1
    if method not in ("full",):
        assert checked > 0


@pytest.mark.parametrize("method", ["lora", "dora", "adapter_houlsby", "adapter_pfeiffer"])
def test_starts_as_the_network_was(folders, method: str) -> None:
    plain, _ = run(open_network(folders["bert"]))
    torch.manual_seed(0)
    tuned, _ = run(tune(open_network(folders["bert"]), method))
    torch.testing.assert_close(tuned, plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        # bert of 2 layers, 16 dimensions; see write_model for the width of the feed-forward part
        ("lora", 2 * 2 * (16 * 4 + 4 * 16)),
        ("adapter_pfeiffer", 2 * (2 * 16 * 4 + 4 + 16)),
        ("adapter_houlsby", 2 * 2 * (2 * 16 * 4 + 4 + 16)),
        ("prompt", 4 * 16),
        ("prefix", 4 * 2 * 2 * 16),
        ("layer_norm", (1 + 2 * 2) * 2 * 16),
    ],
)
def test_counts_are_exact(folders, method: str, wanted: int) -> None:
    assert counts(tune(open_network(folders["bert"]), method, size=4))[0] == wanted


def test_depth_leaves_lower_layers_alone(folders) -> None:
    tuned = tune(open_network(folders["bert"]), "lora", n_layers=1)
    trained = [n for n, p in tuned.named_parameters() if p.requires_grad]
    assert trained and all("layer.1." in n for n in trained)
    assert depth_of("top_layers", 6) == 2
    with pytest.raises(InputError, match="reaches all"):
        depth_of("prompt", 6, 2)


def test_what_does_not_exist_is_one_line(folders) -> None:
    with pytest.raises(InputError, match="one of"):
        tune(open_network(folders["bert"]), "lorra")
    with pytest.raises(InputError, match="name its matrices"):
        tune(open_network(folders["bert"]), "lora", targets="no_such")
    with pytest.raises(InputError, match="at least 1"):
        tune(open_network(folders["bert"]), "lora", size=0)


@pytest.mark.parametrize("method", [m for m in SMALL if METHODS[m].depth != "all"])
def test_kept_lower_layers_change_nothing(folders, method: str) -> None:
    """Only the top layer adapted: states from kept lower layers equal those of the whole network."""
    made = []
    for trained in (2, 1):
        torch.manual_seed(0)
        encoder = TextEncoder(folders["bert"], normalise=False)
        tower = TextTower(
            encoder,
            texts(8),
            trained=trained,
            adapt=lambda network: tune(network, method, size=4, n_layers=1),
        )
        with torch.no_grad():
            for number, parameter in enumerate(tower.trained_parameters()):
                gen = torch.Generator().manual_seed(number)
                parameter.add_(torch.randn(parameter.shape, generator=gen) * 0.1)
        made.append(tower.all_states())
    torch.testing.assert_close(made[0], made[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", list(METHODS))
def test_two_tower_learns_is_saved_and_scores_new_items(method: str, tmp_path: Path) -> None:
    ds = world()
    settings = {"method": method, "n_epochs": 2, "seed": 3}
    if METHODS[method].size:
        settings["size"] = 4
    model = small(**settings).fit(ds)
    users = np.arange(ds.n_users)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_allclose(again.score(users), model.score(users), atol=1e-5)
    # a new item with the words of a known one has its score
    table = ds.items.reset_index()[["item_id", "title"]].iloc[[25, 26]]
    table = table.assign(item_id=["new1", "new2"])
    more = again.with_items(table)
    np.testing.assert_allclose(
        more.score(users)[:, -2:], model.score(users)[:, [25, 26]], atol=1e-3
    )
    trained, total = model.parameters()
    assert 0 < trained <= total
    assert (model.tuned_parameters() > 0) == (method != "head_only")
    assert small(**settings).fit(ds).score(users).tobytes() == model.score(users).tobytes()


@pytest.mark.parametrize("method", MERGEABLE)
def test_merged_scores_equal(method: str) -> None:
    ds = world()
    model = small(method=method, n_epochs=2, lr_encoder=0.02).fit(ds)
    merged = model.merged()
    users = np.arange(ds.n_users)
    table = ds.items.reset_index()[["item_id", "title"]].iloc[:5]
    table = table.assign(item_id=[f"n{k}" for k in range(5)])
    one, other = (m.with_items(table).score(users)[:, -5:] for m in (model, merged))
    np.testing.assert_allclose(one, other, atol=1e-5)
    untuned = small(method="head_only", n_epochs=2).fit(ds)
    assert np.abs(untuned.score(users)[:, :5] - one).max() > 1e-3  # the method did something
    with pytest.raises(InputError, match="nothing that merges"):
        small(method="bitfit", n_epochs=1).fit(ds).merged()


def adapter_of(method: str, seed: int, folder: Path) -> Adapter:
    torch.manual_seed(seed)
    encoder = TextEncoder(folder, normalise=False)
    network = tune(encoder.model, method, size=4)
    train_a_little(network, steps=2 + seed)
    arrays = {n: p.detach().numpy() for n, p in network.named_parameters() if p.requires_grad}
    base = {"name": encoder.name, "checksum": encoder.checksum, "dim": encoder.dim}
    settings = {"size": 4, "alpha": None, "targets": None, "n_layers": None}
    return Adapter(method, settings, base, arrays)


def alone(adapter: Adapter, folder: Path, sentences: list[str]) -> np.ndarray:
    tower = TextTower(
        TextEncoder(folder, normalise=False),
        sentences,
        trained=2,
        adapt=lambda network: tune(network, adapter.method, **adapter.settings),
        tuned=adapter.arrays,
    )
    return tower.all_states()[tower.place][:, -1].numpy()


@pytest.mark.parametrize("method", SMALL)
def test_bank_switches_and_routes(folders, method: str, tmp_path: Path) -> None:
    bank = AdapterBank(TextEncoder(folders["bert"], normalise=False))
    wanted = {}
    for seed in (0, 1):
        adapter = adapter_of(method, seed, folders["bert"])
        adapter.save(tmp_path / str(seed))
        bank.add(f"d{seed}", tmp_path / str(seed))
        wanted[f"d{seed}"] = alone(adapter, folders["bert"], texts(6))
    routes = ["d0", "d1", "d1", "d0", "d0", "d1"]
    found = bank.encode(texts(6), routes)
    for row, name in enumerate(routes):
        np.testing.assert_allclose(found[row], wanted[name][row], atol=1e-5)
    assert np.abs(wanted["d0"] - wanted["d1"]).max() > 1e-3
    start = time.perf_counter()
    bank.use("d0")
    assert time.perf_counter() - start < 0.05
    half = bank.average({"d0": 1, "d1": 1})
    for place in half.arrays:
        both = [adapter_of(method, s, folders["bert"]).arrays[place] for s in (0, 1)]
        np.testing.assert_allclose(half.arrays[place], sum(both) / 2, atol=1e-6)


def test_bank_refuses_what_does_not_fit(folders, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", "bert", seed=5)
    bank = AdapterBank(TextEncoder(folders["bert"], normalise=False))
    with pytest.raises(InputError, match="trained on"):
        bank.add("wrong", adapter_of("lora", 0, other))
    bank.add("right", adapter_of("lora", 0, folders["bert"]))
    with pytest.raises(InputError, match="the bank holds lora"):
        bank.add("ia3", adapter_of("ia3", 0, folders["bert"]))
    with pytest.raises(InputError, match="no adapter 'x'"):
        bank.use("x")
    with pytest.raises(InputError, match=r"no adapter.json here"):
        Adapter.load(tmp_path / "nothing")
    adapter_of("lora", 0, folders["bert"]).save(tmp_path / "cut")
    data = (tmp_path / "cut" / "adapter.safetensors").read_bytes()
    (tmp_path / "cut" / "adapter.safetensors").write_bytes(data[:50])
    with pytest.raises(InputError, match="no readable adapter"):
        Adapter.load(tmp_path / "cut")


@pytest.mark.parametrize("method", MERGEABLE)
def test_merged_folder_opens_like_any_other(folders, method: str, tmp_path: Path) -> None:
    base = TextEncoder(folders["bert"], normalise=False)
    before = base.encode(texts(6))
    adapter = adapter_of(method, 0, folders["bert"])
    wanted = alone(adapter, folders["bert"], texts(6))
    for _ in range(2):  # the second takes the place of the first
        folder = save_merged(base, adapter, tmp_path / "merged")
    opened = TextEncoder(folder, normalise=False)
    np.testing.assert_allclose(opened.encode(texts(6)), wanted, atol=1e-5)
    assert np.abs(wanted - before).max() > 1e-3, "the adapter does something"
    assert opened.n_parameters == base.n_parameters and opened.checksum != base.checksum
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_what_cannot_be_merged_is_refused(folders, tmp_path: Path) -> None:
    base = TextEncoder(folders["bert"], normalise=False)
    with pytest.raises(InputError, match="does not merge"):
        save_merged(base, adapter_of("prefix", 0, folders["bert"]), tmp_path / "out")
    other = write_model(tmp_path / "other", "bert", seed=5)
    with pytest.raises(InputError, match="trained on"):
        save_merged(base, adapter_of("lora", 0, other), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_tower_gives_its_adapter(folders, tmp_path: Path) -> None:
    model = small(method="lora", size=4, n_epochs=1).fit(world())
    bank = AdapterBank(TextEncoder(folders["bert"], normalise=False, max_tokens=32))
    bank.add("ratings", model.adapter())
    own = model._state.tower(model.open_encoder(), texts(4))
    np.testing.assert_allclose(
        bank.encode(texts(4), "ratings"), own.all_states()[own.place][:, -1].numpy(), atol=1e-5
    )
    for unfitted in (small(method="lora").adapter, small(method="lora").merged):
        with pytest.raises(InputError, match="not fitted"):
            unfitted()
    with pytest.raises(InputError, match="leaves the language model"):
        small(n_epochs=1).fit(world()).adapter()


@pytest.mark.parametrize("kind", ["bert", "gpt2", "qwen2"])
@pytest.mark.parametrize("method", ["lora", "dora", "adalora"])
def test_all_linear_leaves_out_what_no_vector_passes(folders, kind: str, method: str) -> None:
    network = tune(open_network(folders[kind]), method, size=2, targets="all-linear")
    added = [name for name, _ in network.named_parameters() if "lora_" in name]
    assert added and not [name for name in added if "pooler" in name]
    train_a_little(network)
    budget = budget_of(network)
    if budget is not None:
        budget.lay_out(9)
        budget.step()


def test_adalora_spends_its_budget_and_survives_a_kill(tmp_path: Path, monkeypatch) -> None:
    ds = world()
    settings = {"method": "adalora", "size": 2, "n_epochs": 12, "items_per_batch": 4}
    whole = small(**settings).fit(ds)
    ranks = whole._network.budget.ranks()
    assert sum(ranks.values()) == 2 * len(ranks)  # the mean rank is the one asked for
    import recnb.training.loop as loop

    step, calls = loop._step, []

    def dies(*args):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(loop, "_step", dies)
    killed = small(**settings, checkpoint=str(tmp_path / "c"))
    with pytest.raises(KeyboardInterrupt):
        killed.fit(ds)
    monkeypatch.setattr(loop, "_step", step)
    resumed = small(**settings, checkpoint=str(tmp_path / "c")).fit(ds)
    assert np.array_equal(weights(resumed), weights(whole))


def test_side_adapter_never_runs_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = world()
    small(method="side_adapter", n_epochs=1).fit(ds)  # states are in the cache now
    monkeypatch.setattr(
        "recnb.encoders.text.encoder.open_model",
        lambda *a, **k: pytest.fail("the encoder was opened"),
    )
    model = small(method="side_adapter", n_epochs=2).fit(ds)
    assert model._network.tower.network is None
    with pytest.raises(InputError, match="one state"):
        TwoTower(method="side_adapter", head="weighted_sum").fit(ds)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose rows are whole blocks of 4-bit weights."""
    return write_model(tmp_path_factory.mktemp("wide") / "bert", "bert", dim=64)


@pytest.mark.parametrize("kind", ["int8", "nf4"])
@pytest.mark.parametrize("method", ["lora", "ia3", "adapter_houlsby", "prefix"])
def test_quantised_base(
    kind: str, method: str, tmp_path: Path, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    monkeypatch.setenv("RECNB_ENCODER", str(wide))
    ds = world()
    model = small(method=method, quantise=kind, n_epochs=2, lr_encoder=0.02).fit(ds)
    base = model._network.tower.network
    stored = {str(p.dtype) for n, p in base.named_parameters() if n.endswith("query.weight")}
    stored |= {str(p.dtype) for n, p in base.named_parameters() if "query.base_layer.weight" in n}
    assert stored == {"torch.int8" if kind == "int8" else "torch.uint8"}
    model.save(tmp_path / "model")
    users = np.arange(ds.n_users)
    table = ds.items.reset_index()[["item_id", "title"]].iloc[[25]].assign(item_id=["new"])
    again = load_model(tmp_path / "model").with_items(table)
    np.testing.assert_allclose(again.score(users)[:, -1], model.score(users)[:, 25], atol=1e-3)
    slow = {"method": method, "n_epochs": 1, "lr_encoder": 1e-8}
    exact, rounded = (small(**slow, quantise=q).fit(ds)._network.states for q in (None, kind))
    error = float((exact - rounded).norm() / exact.norm())
    assert 1e-5 < error < (0.05 if kind == "int8" else 0.3)  # near the full precision, and not it


def four_bits(layer) -> np.ndarray:
    """The weights that a 4-bit layer stands for, from its codes and scales alone."""
    from bitsandbytes.functional import dequantize_blockwise

    packed, state = layer.weight.data.flatten(), layer.weight.quant_state
    scales = (dequantize_blockwise(state.absmax, state.state2) + state.offset).numpy()
    codes = np.stack([packed.numpy() >> 4, packed.numpy() & 15], axis=1).ravel()
    values = state.code.numpy()[codes].reshape(-1, state.blocksize) * scales[:, None]
    return values.reshape(state.shape)


def test_every_4_bit_matrix_is_read_right(tmp_path: Path) -> None:
    """Also where rows are no whole blocks: these keep full precision."""
    pytest.importorskip("bitsandbytes")
    import bitsandbytes as bnb
    import transformers as hf

    from recnb.encoders.quantised import quantise

    torch.manual_seed(0)
    config = hf.BertConfig(
        vocab_size=9,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=80,
    )
    plain = hf.BertModel(config).eval()
    before = {
        n: m.weight.detach().clone() for n, m in plain.named_modules() if hasattr(m, "weight")
    }
    kinds: dict[type, int] = {}
    for name, layer in quantise(plain, "nf4").encoder.named_modules():
        if not isinstance(layer, torch.nn.Linear):
            continue
        kinds[type(layer)] = kinds.get(type(layer), 0) + 1
        weight = before[f"encoder.{name}"]
        if type(layer) is bnb.nn.Linear4bit:
            exact, weight = weight, torch.from_numpy(four_bits(layer))
            assert 0.05 < (exact - weight).norm() / exact.norm() < 0.15
        x = torch.randn(7, layer.in_features, requires_grad=True)
        found, right = layer(x), torch.nn.functional.linear(x, weight, layer.bias)
        torch.testing.assert_close(found, right, atol=1e-6, rtol=1e-6)
        slopes = [torch.autograd.grad(out.square().sum(), x)[0] for out in (found, right)]
        torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            torch.testing.assert_close(layer(x), right, atol=1e-6, rtol=1e-6)
    assert kinds == {bnb.nn.Linear4bit: 5, torch.nn.Linear: 1}


def test_a_model_without_whole_blocks_is_refused(folders: dict[str, Path]) -> None:
    pytest.importorskip("bitsandbytes")
    with pytest.raises(InputError, match="no matrix that nf4 can store"):
        small(method="lora", quantise="nf4", n_epochs=1).fit(world())


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_the_best_epoch_on_a_quantised_base_is_put_back(
    kind: str, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    monkeypatch.setenv("RECNB_ENCODER", str(wide))
    split = splits.random(world(), seed=0)
    model = small(method="lora", quantise=kind, n_epochs=2).fit(split.train, split.valid)
    assert model.n_epochs_ in (1, 2) and len(model.learning_) == 2


def test_quantised_weights_are_not_trained_or_merged() -> None:
    with pytest.raises(InputError, match="freezes the weights"):
        small(method="full", quantise="int8").fit(world())
    with pytest.raises(InputError, match="one of int8, nf4"):
        small(method="lora", quantise="int3", n_epochs=1).fit(world())


def test_a_kernel_that_nothing_uses_is_no_news(caplog):
    from importlib.util import find_spec

    heard = logging.getLogger("bitsandbytes.backends.cpu.ops")
    line = "Failed to load CPU gemm_4bit_forward from kernels-community: %s. Please"
    heard.warning(line, "No module named 'kernels'")
    heard.warning("another one")
    assert [record.getMessage() for record in caplog.records] == ["another one"]
    package = find_spec("bitsandbytes")
    if package is None or package.origin is None:
        pytest.skip("bitsandbytes is not installed")
    told = Path(package.origin).parent / "backends" / "cpu" / "ops.py"
    assert line in told.read_text(encoding="utf-8"), "it is said in other words now"
