"""Jobs as Ray tasks, on this machine or on a cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import threadpoolctl

from recnb.errors import InputError
from recnb.optional import check_installed

RETRIES = 5  # of a job whose worker was killed
_LOCAL = re.compile(r"local:([1-9]\d{0,3})")
# seconds that Ray Serve gives its proxy to start: few on a busy machine
_PATIENT = ("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S")
_NOBODY = (
    "start one with ray start --head; where it asks for a token, as Ray from 2.59 on does, set RAY_AUTH_MODE=token "
    "here too, and RAY_AUTH_TOKEN to what ray get-auth-token says there"
)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class RayWorkers:
    """Ray's workers; to be used in a ``with`` block.

    Parameters
    ----------
    address : str
        ``local:N`` starts N workers on this machine and ends them afterwards; ``ray://HOST:PORT`` or ``HOST:PORT`` is a
        cluster that runs already, whose machines have this version of recnb; ``auto`` the one that this process knows.

    Raises
    ------
    InputError
        Another address, no Ray here, or nothing answers there.

    Notes
    -----
    A job is a pure function of its arguments. One whose worker is killed is run again elsewhere, up to five times, and
    every result that has come is kept, so that nothing is lost but what that worker was at. A worker uses as many
    threads as this process would: sums of floating-point numbers depend on it in their last digits.

    Examples
    --------
    >>> with RayWorkers("local:2") as workers:  # doctest: +SKIP
    ...     dict(workers.each(lambda shared, x: shared + x, 10, [(1,), (2,)]))
    {0: 11, 1: 12}
    """

    def __init__(self, address: str) -> None:
        check_installed("workers", "ray")
        local = _LOCAL.fullmatch(address)
        if (
            local is None
            and address != "auto"
            and not re.fullmatch(r"(ray://)?[\w.\-\[\]:]+:\d+", address)
        ):
            raise InputError(
                f"--workers {address[:80]}", mend="write local:2, ray://HOST:10001 or HOST:6379"
            )
        self.address, self._n = address, int(local[1]) if local else 0
        self._ours = False

    def __enter__(self) -> RayWorkers:
        import ray

        if ray.is_initialized():
            return self
        common: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": "ERROR",
            "runtime_env": {"env_vars": dict.fromkeys(_THREADS, str(threads()))},
        }
        if self._n:
            # Ray's own rule lets workers wait for everything else on the machine
            common["_system_config"] = {"worker_niceness": 0}
            common |= {"num_cpus": self._n, "include_dashboard": False}
            for name in _PATIENT:
                os.environ.setdefault(name, "60")
        else:
            common["address"] = self.address
        try:
            _started(common, tries=3 if self._n else 1)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(f"no Ray at {self.address} ({reason})", mend=_NOBODY) from None
        self._ours = True
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        if self._ours:
            ray.shutdown()
            self._ours = False

    def each(
        self, function: Callable[..., Any], shared: Any, jobs: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """The number and the result of each job, as they are done: ``function(shared, *job)``.

        Parameters
        ----------
        function : callable
            Importable by name where the workers are.
        shared : object
            Sent to each machine once.
        jobs : sequence of tuples of arguments

        Raises
        ------
        InputError
            As the job raised it.
        """
        import ray

        if not jobs:
            return
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(function)
        place = ray.put(shared)
        waiting = {task.remote(place, *job): number for number, job in enumerate(jobs)}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            try:
                result = ray.get(ready)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, InputError):
                    raise error.cause from None
                raise
            yield waiting.pop(ready), result


def _started(settings: dict[str, Any], tries: int) -> None:
    """Start or find Ray; on a busy machine it gives up after half a minute, and is started again."""
    import ray

    for left in reversed(range(tries)):
        try:
            ray.init(**settings)
            return
        except Exception as error:  # Ray has no class of its own for it
            ray.shutdown()
            if not left or "timed out during startup" not in str(error):
                raise


def threads() -> int:
    """Threads that a product of matrices takes in this process."""
    return max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1)
