"""The loop: what a step does, which epoch is kept, and what it leaves as it was."""

from __future__ import annotations

import random
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import Tiny, batches_of, same

from recnb.errors import InputError
from recnb.training import Training, train


def by_hand(module: Tiny, settings: Training, groups) -> None:
    """AdamW written out in torch, without accelerate, schedule or clipping."""
    offered = {g["name"]: list(g["params"]) for g in module.parameter_groups()}
    flat = [p for p in module.parameters() if p.ndim == 1]
    flat_ids = {id(p) for p in flat}
    rows = []
    for name, params in offered.items():
        lr = settings.lr_encoder if name == "encoder" else settings.lr
        decay = 0.0 if name == "tables" else settings.weight_decay
        rows += [
            {"params": [p], "lr": lr, "weight_decay": 0.0 if id(p) in flat_ids else decay}
            for p in params
        ]
    optimiser = torch.optim.AdamW(rows)
    for group in groups:
        optimiser.zero_grad()
        torch.stack([module(batch) for batch in group]).mean().backward()
        optimiser.step()


def test_the_steps_are_those_of_adamw(quick):
    settings = replace(
        quick, epochs=2, warmup=0.0, schedule="constant", clip=None, weight_decay=0.1
    )
    ours, theirs = Tiny(noise=False), Tiny(noise=False)
    done = train(ours, batches_of, settings)
    theirs.train()
    by_hand(theirs, settings, [[b] for epoch in (0, 1) for b in batches_of(epoch)])
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)
    assert done.n_epochs == 2 and done.best is None
    assert [row["epoch"] for row in done.history] == [1, 2]
    assert [row["steps"] for row in done.history] == [5, 5]


def test_accumulation_is_the_big_batch(quick, monkeypatch):
    """Steps of 2, 2 and 1 batches: the last one is the mean over one."""
    settings = replace(quick, epochs=1, warmup=0.0, schedule="constant", clip=None, accumulate=2)

    def joined(epoch):
        parts = [dict(b, extra=False) for b in batches_of(epoch)]
        out = []
        for at in (0, 2, 4):
            group = parts[at : at + 2]
            tensors = {n: torch.cat([b[n] for b in group]) for n in ("users", "items", "ratings")}
            out.append({**tensors, "extra": False})
        return out

    gradients, step = [], torch.optim.AdamW.step

    def watch(self, closure=None):
        groups = [
            p.grad.clone() for g in self.param_groups for p in g["params"] if p.grad is not None
        ]
        gradients.append(groups)
        return step(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", watch)
    small, big = Tiny(noise=False), Tiny(noise=False)
    a = train(small, lambda e: [dict(b, extra=False) for b in batches_of(e)], settings)
    b = train(big, joined, replace(settings, accumulate=1))
    assert a.history[0]["steps"] == b.history[0]["steps"] == 3
    torch.testing.assert_close(gradients[:3], gradients[3:], rtol=1e-3, atol=1e-5)
    for (name, x), y in zip(small.named_parameters(), big.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-5, msg=name)
    assert not same(small, Tiny(noise=False))


def test_clipping(quick, monkeypatch):
    free, held = Tiny(noise=False), Tiny(noise=False)
    base = replace(quick, epochs=1, optimizer="adafactor")
    train(free, batches_of, replace(base, clip=None))
    train(held, batches_of, replace(base, clip=1e9))
    assert same(free, held)  # a wide clip does nothing, to the bit
    norms = []
    step = torch.optim.Adafactor.step

    def watch(self, closure=None):
        grads = [p.grad for g in self.param_groups for p in g["params"] if p.grad is not None]
        norms.append(torch.stack([g.norm() for g in grads]).norm().item())
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adafactor, "step", watch)
    train(Tiny(noise=False), batches_of, replace(base, clip=0.01))
    np.testing.assert_allclose(norms, [0.01] * 5, rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_what_gets_no_gradient_stays(quick, optimizer):
    """`unused` has a gradient in the first batch only: decay and momentum must not move it later."""
    settings = replace(
        quick, optimizer=optimizer, weight_decay=0.5, epochs=1, warmup=0.0, schedule="constant"
    )
    first, rest = [dict(b, extra=n == 0) for n, b in enumerate(batches_of(0))], Tiny(noise=False)
    one = Tiny(noise=False)
    train(one, lambda e: first[:1], settings)
    train(rest, lambda e: first, settings)
    assert torch.equal(one.unused.weight, rest.unused.weight)
    assert not torch.equal(one.unused.weight, Tiny().unused.weight)
    assert not torch.equal(one.encoder.weight, rest.encoder.weight)


def test_the_best_epoch_is_kept(quick):
    values = iter([0.1, 0.5, 0.3, 0.4, 0.2, 0.9])
    seen = []

    def validate(module):
        assert not module.training and not torch.is_grad_enabled()
        seen.append({n: t.clone() for n, t in module.state_dict().items()})
        return next(values)

    module = Tiny()
    done = train(module, batches_of, replace(quick, epochs=6, patience=3), validate)
    assert (done.n_epochs, done.best, len(done.history)) == (2, 0.5, 5)
    assert [row["value"] for row in done.history] == [0.1, 0.5, 0.3, 0.4, 0.2]
    assert all(torch.equal(t, seen[1][n]) for n, t in module.state_dict().items())
    assert not torch.equal(module.users.weight, seen[4]["users.weight"])
    assert not module.training


def test_no_patience_runs_all(quick):
    values = iter([3.0, 2.0, 1.0])
    done = train(Tiny(), batches_of, replace(quick, patience=None), lambda m: next(values))
    assert len(done.history) == 3 and done.n_epochs == 1


def test_a_refit_takes_the_same_steps(quick):
    """The best epoch found, run again with `stop_after`, gives the weights of that epoch."""
    found, again, other = Tiny(), Tiny(), Tiny()
    values = iter([1.0, 2.0, 0.0])
    done = train(found, batches_of, quick, lambda m: next(values))
    train(again, batches_of, replace(quick, stop_after=done.n_epochs))
    train(other, batches_of, replace(quick, epochs=done.n_epochs))
    assert done.n_epochs == 2 and same(found, again) and not same(found, other)


def test_seeds(quick):
    runs = [Tiny(), Tiny(), Tiny()]
    for module, seed in zip(runs, (0, 0, 1), strict=True):
        train(module, batches_of, replace(quick, seed=seed))
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])


def draws() -> tuple:
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002


def test_random_states_are_left_as_they_were(quick):
    good, bad = Tiny(), Tiny()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    wanted = draws()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    train(good, batches_of, quick)
    with pytest.raises(InputError):
        train(bad, lambda epoch: [], quick)
    assert draws() == wanted


def test_who_else_draws_does_not_matter(quick):
    """Neither batches nor validation touch the random stream of the dropout."""

    def greedy(epoch):
        torch.manual_seed(epoch)
        draws()
        return batches_of(epoch)

    plain, beside = Tiny(), Tiny()
    rising = (iter([1.0, 2.0, 3.0]), iter([1.0, 2.0, 3.0]))
    train(plain, batches_of, quick, lambda m: next(rising[0]))
    train(beside, greedy, quick, lambda m: next(rising[1]) + 0 * draws()[0])
    assert same(plain, beside)


def test_cpu_sums_in_a_fixed_order_and_only_inside(quick):
    seen = []

    class Ask(Tiny):
        def forward(self, batch):
            seen.append(torch.are_deterministic_algorithms_enabled())
            return super().forward(batch)

    train(Ask(), batches_of, replace(quick, epochs=1))
    assert all(seen) and not torch.are_deterministic_algorithms_enabled()


def test_gathering_with_two_threads_is_repeatable(quick):
    """By default torch sums the gradient of `x[index]` in the order in which its threads come."""

    class Gather(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.x = torch.nn.Parameter(torch.ones(50, 384))

        def forward(self, batch):
            return (self.x[batch["index"]] * batch["w"]).sum()

    generator = torch.Generator().manual_seed(0)
    batch = {
        "index": torch.randint(0, 50, (4000,), generator=generator),
        "w": torch.randn(4000, 384, generator=generator),
    }
    threads, modules = torch.get_num_threads(), [Gather() for _ in range(4)]
    torch.set_num_threads(2)
    try:
        for module in modules:
            train(module, lambda epoch: [batch] * 2, replace(quick, epochs=1))
    finally:
        torch.set_num_threads(threads)
    assert all(same(modules[0], module) for module in modules[1:])


def test_progress(quick):
    calls = []
    train(
        Tiny(), batches_of, replace(quick, epochs=2, accumulate=2), None, lambda *a: calls.append(a)
    )
    assert [c[:3] for c in calls] == [(e, s, 3) for e in (1, 2) for s in (1, 2, 3)]
    assert all(np.isfinite(c[3]) for c in calls)


def test_the_end_of_an_epoch_is_told_before_its_value_and_draws_nothing(quick):
    told = []

    class Told(Tiny):
        def after_epoch(self):
            told.append("end")
            torch.rand(1)

    for validate in (None, lambda module: told.append("value") or 1.0):
        told.clear()
        plain, module = Tiny(), Told()
        train(plain, batches_of, replace(quick, epochs=2), validate)
        told.clear()
        step = lambda *where: told.append(where[1])  # noqa: E731
        train(module, batches_of, replace(quick, epochs=2), validate, progress=step)
        assert told == [1, 2, 3, 4, 5, "end", *["value"] * (validate is not None)] * 2
        assert same(plain, module)


def test_iterables_of_known_length(quick):
    class Stream:
        def __init__(self, epoch):
            self.batches = batches_of(epoch)

        def __len__(self):
            return len(self.batches)

        def __iter__(self):
            return iter(self.batches)

    a, b = Tiny(), Tiny()
    train(a, batches_of, quick)
    train(b, Stream, quick)
    assert same(a, b)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (lambda epoch: [], "epoch 1 has 0 batches for 1 process;"),
        (lambda epoch: batches_of(0) if epoch == 0 else [], "epoch 2 has 0 batches"),
        (lambda epoch: (b for b in batches_of(0)), r"batches of unknown number \(generator\)"),
    ],
)
def test_wrong_batches(quick, batches, message):
    with pytest.raises(InputError, match=message):
        train(Tiny(), batches, quick)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_loss_is_named(quick, bad):
    def batches(epoch):
        out = batches_of(epoch)
        if epoch == 1:
            out[2]["ratings"][0] = bad
        return out

    module = Tiny()
    with pytest.raises(InputError, match=rf"epoch 2, step 3 of 5: the loss is {bad}; lower lr"):
        train(module, batches, quick)
    assert all(torch.isfinite(p).all() for p in module.parameters())  # the step was not made


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_bad_gradient_is_named(quick, clip):
    class Root(Tiny):
        def forward(self, batch):
            return super().forward(batch) + torch.sqrt((self.unused.weight * 0).sum())

    with pytest.raises(InputError, match="epoch 1, step 1 of 5: the norm of the gradients is nan"):
        train(Root(), batches_of, replace(quick, clip=clip))


def test_a_bad_value_is_named(quick):
    with pytest.raises(InputError, match="epoch 1: the validation gives nan"):
        train(Tiny(), batches_of, quick, lambda m: float("nan"))


def test_a_loss_is_a_scalar(quick):
    class Wide(Tiny):
        def forward(self, batch):
            return super().forward(batch).repeat(3)

    with pytest.raises(InputError, match=r"loss of shape \(3,\)"):
        train(Wide(), batches_of, quick)


def test_trainings_of_other_precision_in_one_process(quick):
    """accelerate keeps its settings for the whole process; here each training has its own."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState, PartialState

    kinds = []

    class Ask(Tiny):
        def forward(self, batch):
            kinds.append(self.encoder(self.items).dtype)
            return super().forward(batch)

    states = [s._shared_state for s in (PartialState, AcceleratorState, GradientState)]
    mine = Accelerator(mixed_precision="bf16", cpu=True)
    before = [dict(s) for s in states]
    module = Ask()
    for precision, kind in (("bfloat16", torch.bfloat16), ("float32", torch.float32)) * 2:
        kinds.clear()
        train(module, batches_of, replace(quick, precision=precision, epochs=1))
        assert set(kinds) == {kind}
    kinds.clear()
    module(batches_of(0)[0])
    assert set(kinds) == {torch.float32} and "forward" not in vars(module)  # nothing is left on it
    assert [dict(s) for s in states] == before and mine.mixed_precision == "bf16"
    for state in states:
        state.clear()


def test_weights_stay_float32_under_bfloat16(quick):
    module = Tiny()
    train(module, batches_of, replace(quick, precision="bfloat16"))
    assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_gradient_checkpointing(quick):
    """Fewer activations, the same gradients; on during the training only."""
    from transformers import BertConfig, BertModel

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            config = BertConfig(
                vocab_size=11,
                hidden_size=8,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=8,
            )
            self.network = BertModel(config, add_pooling_layer=False)
            self.seen = []

        def checkpointing(self):
            return any(getattr(m, "gradient_checkpointing", False) for m in self.modules())

        def encoder_network(self):
            return self.network

        def forward(self, batch):
            self.seen.append(self.checkpointing())
            return self.network(input_ids=batch).last_hidden_state.mean() ** 2

    def batches(epoch):
        return [torch.randint(0, 11, (2, 5), generator=torch.Generator().manual_seed(epoch))] * 2

    plain, less = Reader(), Reader()
    train(plain, batches, replace(quick, epochs=1))
    train(less, batches, replace(quick, epochs=1, gradient_checkpointing=True))
    assert all(less.seen) and not any(plain.seen) and not less.checkpointing()
    for a, b in zip(plain.parameters(), less.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    less.requires_grad_(False)
    assert not less(batches(0)[0]).requires_grad


def test_gradient_checkpointing_needs_a_network(quick):
    with pytest.raises(InputError, match="Tiny has no encoder_network"):
        train(Tiny(), batches_of, replace(quick, gradient_checkpointing=True))


def test_tensorboard(quick, tmp_path):
    settings = replace(quick, epochs=2, track="tensorboard", logs=tmp_path, clip=None)
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = train(Tiny(), batches_of, settings, lambda m: 0.5, lambda *a: losses.append(a[3]))
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(tmp_path / "recnb"))
        events.Reload()
    assert {"loss", "gradient", "rate", "epoch/loss", "epoch/value"} <= set(
        events.Tags()["scalars"]
    )
    logged = events.Scalars("loss")
    assert [e.step for e in logged] == list(range(1, 11))
    np.testing.assert_allclose([e.value for e in logged], losses, rtol=1e-6)
    np.testing.assert_allclose(
        [e.value for e in events.Scalars("epoch/loss")],
        [r["loss"] for r in done.history],
        rtol=1e-6,
    )


def test_a_tracker_that_is_not_there(quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"track='wandb' needs wandb, .*; pip install wandb"):
        train(Tiny(), batches_of, replace(quick, track="wandb"))


def test_device_that_is_not_there(quick):
    with pytest.raises(InputError, match="unknown device 'quantum'"):
        train(Tiny(), batches_of, replace(quick, device="quantum"))
