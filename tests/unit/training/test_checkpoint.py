"""Checkpoints: what they refuse, what they keep, and that a stopped training goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_training import Tiny, batches_of, same

from recnb.errors import InputError
from recnb.training import forget, train
from recnb.training.checkpoint import FILE, fingerprint, place_of


class Stop(Exception):
    """Stands for a kill; the real one is in test_kill.py."""


def stop_at(epoch, step):
    def progress(e, s, n, loss):
        if (e, s) == (epoch, step):
            raise Stop

    return progress


@pytest.fixture
def stopped(quick, tmp_path):
    """Settings of a training that was stopped in its second epoch."""
    settings = replace(quick, checkpoint=tmp_path / "run", checkpoint_every=1)
    with pytest.raises(Stop):
        train(Tiny(), batches_of, settings, progress=stop_at(2, 3), data="d1")
    return settings


class Touched(Sequence):
    def __init__(self, epoch):
        self.batches, self.epoch = batches_of(epoch), epoch

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, place):
        TOUCHED.append((self.epoch, place))
        return self.batches[place]


TOUCHED: list = []


def test_done_batches_are_not_touched(stopped, quick):
    TOUCHED.clear()
    steps = []
    whole, resumed = Tiny(), Tiny()
    train(resumed, Touched, stopped, progress=lambda *a: steps.append(a[:2]), data="d1")
    # the very first one is looked at to know the data
    assert [(0, 0), (1, 3), (1, 4)] + [(2, n) for n in range(5)] == TOUCHED
    assert steps == [(2, 4), (2, 5)] + [(3, n) for n in range(1, 6)]
    train(whole, batches_of, quick)
    assert same(whole, resumed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.1}, "lr is 0.05 there and 0.1 here"),
        ({"lr": 0.1, "seed": 1}, "lr is 0.05 there and 0.1 here, seed is 0 there and 1 here"),
        ({"precision": "bfloat16"}, "precision is 'no' there and 'bf16' here"),
    ],
)
def test_other_settings_are_refused(stopped, change, message):
    with pytest.raises(InputError) as caught:
        train(Tiny(), batches_of, replace(stopped, **change), data="d1")
    assert message in str(caught.value) and FILE in str(caught.value)


def test_other_modules_data_and_batches_are_refused(stopped):
    class Other(Tiny):
        pass

    with pytest.raises(InputError, match=r"first weights is '.*' there and"):
        train(Tiny(seed=1), batches_of, stopped, data="d1")
    with pytest.raises(InputError, match=r"module is 'Tiny' there and '.*Other' here; repeat"):
        train(Other(), batches_of, stopped, data="d1")
    with pytest.raises(InputError, match="data is 'd1' there and 'd2' here; repeat"):
        train(Tiny(), batches_of, stopped, data="d2")
    with pytest.raises(InputError, match="batches is 5 there and 6 here; repeat"):
        train(Tiny(), lambda e: batches_of(e, n=6), stopped, data="d1")
    with pytest.raises(InputError, match="first batch is"):
        train(Tiny(), lambda e: batches_of(e + 1), stopped, data="d1")
    with pytest.raises(InputError, match="validation is False there and True here"):
        train(Tiny(), batches_of, stopped, lambda m: 1.0, data="d1")
    frozen = Tiny()
    frozen.encoder.requires_grad_(False)
    with pytest.raises(InputError, match="layout of the weights"):
        train(frozen, batches_of, stopped, data="d1")


def test_where_and_how_often_may_change(stopped, tmp_path):
    steps = []
    moved = replace(stopped, checkpoint_every=None)
    train(Tiny(), batches_of, moved, progress=lambda *a: steps.append(a[:2]), data="d1")
    assert steps[0] == (2, 4)


def test_a_finished_training_is_not_done_again(quick, tmp_path):
    settings = replace(quick, checkpoint=tmp_path / "run")
    values = iter([1.0, 3.0, 2.0])
    first, again = Tiny(), Tiny()
    done = train(first, batches_of, settings, lambda m: next(values))

    def never(*args):
        raise AssertionError("nothing is left to do")

    assert train(again, batches_of, settings, never, progress=never) == done
    assert same(first, again) and not again.training
    forget(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_forget_leaves_what_is_not_its_own(tmp_path):
    for name in (FILE, ".checkpoint.a1b2.pt", "notes.txt"):
        (tmp_path / name).touch()
    forget(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_broken_file_is_named(quick, tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match=f"{FILE}: no readable checkpoint"):
        train(Tiny(), batches_of, replace(quick, checkpoint=tmp_path))


def test_nothing_in_a_checkpoint_can_run(quick, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"identity": Trap()}, tmp_path / FILE)
    with pytest.raises(InputError, match="no readable checkpoint"):
        train(Tiny(), batches_of, replace(quick, checkpoint=tmp_path))
    assert not (tmp_path / "sprung").exists()


def test_frozen_weights_are_not_written(quick, tmp_path):
    module = Tiny()
    module.encoder.requires_grad_(False)
    train(module, batches_of, replace(quick, checkpoint=tmp_path))
    kept = torch.load(tmp_path / FILE, weights_only=True)["module"]
    assert "encoder.weight" not in kept and "users.weight" in kept and "seen" in kept


def test_each_fit_of_a_model_has_a_place_of_its_own():
    class Model:
        def __init__(self, **settings):
            self.settings = {"lr": 0.1, "seed": 0, "checkpoint": "kept"} | settings
            self.checkpoint = self.settings["checkpoint"]

        def get_params(self):
            return self.settings

    class Other(Model):
        pass

    one, two, three = (SimpleNamespace(digest=f"d{n}") for n in range(3))
    places = [
        place_of(Model(), one),
        place_of(Model(), two),
        place_of(Model(), one, two),  # validated
        place_of(Model(), one, three),
        place_of(Model(lr=0.2), one),
        place_of(Model(seed=1), one),
        place_of(Other(), one),
    ]
    assert len(set(places)) == len(places) and {str(Path(p).parent) for p in places} == {"kept"}
    again, moved = place_of(Model(), one), place_of(Model(checkpoint="else/where"), one)
    assert again == places[0] and Path(moved).name == Path(again).name  # a folder may be moved
    assert place_of(Model(checkpoint=None), one) is None


def test_fingerprints():
    half = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    values = [half, half.float(), half.reshape(2, 1), [half], {"a": half}, "a", b"a", None, 1, 1.5]
    assert len({fingerprint(v) for v in values}) == len(values)
    assert fingerprint(batches_of(0)) == fingerprint(batches_of(0)) != fingerprint(batches_of(1))
    assert fingerprint(object()) == fingerprint(object())  # not its address
