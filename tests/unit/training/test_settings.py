"""Settings: each wrong one is named, and nothing but what changes weights identifies a training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.training import Training


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs=0; a whole number of at least 1"),
        ({"epochs": 2.0}, "epochs=2.0; a whole"),
        ({"epochs": True}, "epochs=True; a whole"),
        ({"accumulate": 0}, "accumulate=0"),
        ({"patience": 0}, "patience=0"),
        ({"stop_after": 11}, "stop_after=11 of epochs=10"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**40}, "seed=1099511627776; at most"),
        ({"lr": 0}, "lr=0; a number above 0"),
        ({"lr": "high"}, "lr='high'"),
        ({"lr_encoder": float("nan")}, "lr_encoder=nan"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1; a number at least 0"),
        ({"warmup": 1.0}, "warmup=1.0; a number at least 0 and below 1"),
        ({"clip": 0}, "clip=0; a number above 0"),
        ({"optimizer": "adam"}, "optimizer='adam'; use one of adamw, adafactor"),
        ({"schedule": "step"}, "schedule='step'; use one of constant, linear, cosine"),
        ({"precision": "float16"}, "precision='float16'; use one of float32, bfloat16, auto"),
        ({"track": ("mlflow",)}, "track='mlflow'; use one of tensorboard, wandb"),
        ({"track": "tensorboard"}, "track='tensorboard' without logs"),
        ({"checkpoint_every": 5}, "checkpoint_every without checkpoint"),
    ],
)
def test_wrong_settings(wrong, message):
    with pytest.raises(InputError, match=r".") as caught:
        Training(**wrong)
    assert message in str(caught.value)


def test_plain_values(tmp_path):
    settings = Training(epochs=np.int64(4), lr=np.float32(0.5), checkpoint=tmp_path, logs=tmp_path)
    assert json.loads(json.dumps(settings.to_dict()))["checkpoint"] == str(tmp_path)
    assert type(settings.epochs) is int and type(settings.lr) is float


def test_what_identifies_a_training(tmp_path):
    base = Training()
    free = Training(checkpoint=tmp_path, checkpoint_every=3, track="tensorboard", logs=tmp_path)
    assert base.identity() == free.identity()
    for change in ({"lr": 0.1}, {"seed": 1}, {"patience": None}, {"stop_after": 3}, {"clip": None}):
        assert Training(**change).identity() != base.identity()
