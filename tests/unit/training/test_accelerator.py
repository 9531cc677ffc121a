"""Several processes: who takes which batch, and that together they do what one does alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_training import Tiny, batches_of

from recnb.errors import InputError
from recnb.training import Training, train
from recnb.training.accelerator import Share, own_accelerator

SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch
from tiny_training import Tiny, batches_of
from recnb.training import Training, train

home, rank = Path(sys.argv[1]), os.environ["RANK"]
noise = sys.argv[2] == "noise"
settings = Training(epochs=3, lr=0.05, lr_encoder=0.02, accumulate=int(sys.argv[3]), device="cpu",
                    checkpoint=home / "run", checkpoint_every=2)


def kill(epoch, step, n_steps, loss):
    if sys.argv[4] == "kill" and (epoch, step) == (2, 1):
        os.kill(os.getpid(), signal.SIGKILL)  # the main process; the launcher ends the other one


torch.manual_seed(int(rank))
module = Tiny(seed=int(rank), noise=noise)  # the first process's weights hold
done = train(module, batches_of, settings, lambda m: float(m.users.weight.sum()) + int(rank), kill)
torch.save([module.state_dict(), done.n_epochs, done.best, done.history], home / f"rank{rank}")
"""


def test_shares():
    letters = "abcdefgh"
    for make in (str, list, lambda x: Stream(x)):
        for n in (1, 2, 3):
            shares = [Share(make(letters), p, n) for p in range(n)]
            assert {len(s) for s in shares} == {8 // n}
            rounds = zip(*(s.after(0) for s in shares), strict=True)
            assert "".join(x for r in rounds for x in r) == letters[: 8 // n * n]
            for s in shares:
                assert list(s.after(2)) == list(s.after(0))[2:]
                assert list(s.after(len(s))) == []


class Stream:
    """Known length, no places."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)


def test_an_explicit_device_with_several_processes(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr("recnb.training.accelerator.choose_device", lambda d: d)
    with (
        pytest.raises(InputError, match="device 'cuda:1' with several processes"),
        own_accelerator(Training(device="cuda:1")),
    ):
        pass


def launch(home: Path, noise: bool, accumulate: int, kill: bool = False) -> None:
    """Two processes on the CPU, started by `accelerate launch`."""
    script = home / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    command += ["--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", str(script), str(home)]
    command += ["noise" if noise else "plain", str(accumulate), "kill" if kill else "go"]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    # --cpu would ask for MPI; with the flag in the environment the processes use gloo
    env = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS="1", ACCELERATE_USE_CPU="true")
    done = subprocess.run(
        command, env=env | {"GLOO_SOCKET_IFNAME": "lo"}, capture_output=True, text=True, timeout=180
    )
    assert (done.returncode != 0) == kill, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path):
    """Killed once and resumed. Batch k goes to process k mod 2 and the fifth is left out, so that one
    process which averages over two batches does the same."""
    launch(tmp_path, noise=False, accumulate=1, kill=True)
    assert not (tmp_path / "rank0").exists() and (tmp_path / "run" / "checkpoint.pt").exists()
    launch(tmp_path, noise=False, accumulate=1)
    first, second = (torch.load(tmp_path / f"rank{rank}") for rank in (0, 1))
    assert first[1:] == second[1:]
    assert all(torch.equal(t, second[0][n]) for n, t in first[0].items())
    alone = Tiny(noise=False)
    done = train(
        alone,
        lambda epoch: batches_of(epoch)[:4],
        Training(epochs=3, lr=0.05, lr_encoder=0.02, accumulate=2, device="cpu"),
        lambda m: float(m.users.weight.sum()),
    )
    assert done.n_epochs == first[1] and [r["steps"] for r in first[3]] == [2, 2, 2]
    for name, weight in alone.state_dict().items():
        if name not in ("seen", "level"):
            torch.testing.assert_close(first[0][name], weight, rtol=1e-5, atol=1e-5, msg=name)
