"""Killed with SIGKILL at every step, and while a checkpoint is written: the same bits in the end.

One script does it all in processes that it forks, since starting torch takes longer than the trainings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = '''
import os, shutil, signal, sys
from dataclasses import replace
from pathlib import Path
import torch
from tiny_training import Tiny, batches_of
from recnb.training import Training, train
from recnb.training import checkpoint
from recnb.training.accelerator import own_accelerator

torch.set_num_threads(1)
# the first step imports much: once here, not in every child; no autograd, which does not survive a fork
warm = torch.nn.Parameter(torch.zeros(2, 2))
warm.grad = torch.ones(2, 2)
torch.optim.AdamW([warm]).step()
torch.optim.Adafactor([warm]).step()
with own_accelerator(Training(device="cpu")):
    pass
home, optimizer = Path(sys.argv[1]), sys.argv[2]
settings = Training(epochs=4, lr=0.05, lr_encoder=0.02, schedule="cosine", accumulate=2, patience=2,
                    optimizer=optimizer, checkpoint=home / "run", checkpoint_every=2, device="cpu")
VALUES = [0.2, 0.6, 0.4, 0.5]  # the second of four is the best, and two are worse after it


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def value(module, die_at=None):
    """Stands for a metric; that it depends on the weights would be seen in the weights."""
    epoch = round(module.seen.item() / 5)
    if epoch == die_at:
        die()
    return VALUES[epoch - 1]


def run(name, progress=None, validate=value, **changes):
    module = Tiny()
    done = train(module, batches_of, replace(settings, **changes), validate, progress, data="d")
    torch.save([module.state_dict(), done.n_epochs, done.best, done.history], home / name)


def half_way(state, file):
    whole(state, home / "whole")
    data = (home / "whole").read_bytes()
    file.write(data[: len(data) // 2])
    file.flush()
    COUNT.append(1)
    if len(COUNT) == 3:
        die()
    file.seek(0)
    file.write(data)


def slow_move(a, b):
    COUNT.append(1)
    if len(COUNT) == 3:
        die()
    move(a, b)
    if len(COUNT) == 4:
        die()


def forked(do):
    """The signal that ended it, 0 for none."""
    child = os.fork()
    if not child:
        try:
            do()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


COUNT, whole, move = [], torch.save, os.replace


def torn(part):
    if part == "write":
        torch.save = half_way
    else:
        os.replace = slow_move
        if part == "after":
            COUNT.append(1)  # the third call dies before, the fourth after the move
            COUNT.extend([1, 1])
    run("never")


assert forked(lambda: run("reference", checkpoint=None, checkpoint_every=None)) == 0
steps = [(e, s) for e in range(1, 5) for s in range(1, 4)]
kills = {f"step {at}": lambda at=at: run("never", lambda e, s, n, l: (e, s) == at and die()) for at in steps}
kills |= {f"validation {e}": lambda e=e: run("never", None, lambda m: value(m, e)) for e in (1, 3)}
kills |= {f"checkpoint {part}": lambda part=part: torn(part) for part in ("write", "before", "after")}
for name, kill in list(kills.items())[:: int(sys.argv[3])]:
    shutil.rmtree(home / "run", ignore_errors=True)
    assert forked(kill) == signal.SIGKILL, name
    assert not (home / "never").exists()
    assert forked(lambda: run("resumed")) == 0
    a, b = torch.load(home / "reference"), torch.load(home / "resumed")
    assert a[1:] == b[1:], (name, a[1:], b[1:])
    assert all(torch.equal(t, b[0][n]) for n, t in a[0].items()), name
    print(name)
# and one that is killed again and again
shutil.rmtree(home / "run", ignore_errors=True)
for at in [(1, 2), (1, 3), (2, 3), (3, 1), (4, 3)]:
    assert forked(lambda: run("never", lambda e, s, n, l: (e, s) >= at and die())) == signal.SIGKILL
assert forked(lambda: run("resumed")) == 0
b = torch.load(home / "resumed")
assert a[1:] == b[1:] and all(torch.equal(t, b[0][n]) for n, t in a[0].items())
assert a[1] == 2 and len(a[3]) == 4
print("all")
'''


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
@pytest.mark.parametrize(
    ("optimizer", "every", "n_kills"), [("adamw", 1, 12 + 2 + 3), ("adafactor", 7, 3)]
)
def test_killed_and_resumed(tmp_path, optimizer, every, n_kills):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), optimizer, str(every)],
        env=dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == n_kills + 1, done.stdout
