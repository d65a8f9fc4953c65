"""Random chips run random jobs: each pair ends ok with every law kept, or is refused in words.

``python -m tests.reliability.pairs --n 5000`` is the full form; it prints a line for each pair
that ends in any other way, with all that is needed to make it again.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.reliability.chips import chips, pruned_weights
from tests.reliability.kernels import differences_of
from tests.reliability.networks import jobs
from tlm.compiled.sources import why_missing
from tlm.errors import TlmError
from tlm.running.runner import RunResult, run_job
from tlm.workload.drawn.kinds import ACTIVITY_KINDS, ActivityKind
from tlm.workload.inference import STOPS, Stop
from tlm.workload.model import Workload

OK, REFUSED, OTHER = "ok", "refused", "other"
SECONDS = 300  # after which a run counts as hanging, on a machine that is busy
MEMORY_BYTES = 2 << 30  # more than the process has when a run begins
LONGEST_LINE = 600  # of a refusal


class Pair(NamedTuple):
    """A job on a chip: what of its sparsity is used, a trace level, which weights are zero.

    With ``stop`` it is inference that stops so, of the first ``batch`` samples.
    """

    chip: list[str]
    job: Workload
    activity: ActivityKind
    level: str
    weights: str = "dense"
    stop: Stop | None = None
    batch: int | None = None


def pairs() -> st.SearchStrategy[Pair]:
    """Any chip with any job; one in three has weights pruned, or in another organisation.

    One in three is inference.
    """
    # Most as recorded: the others are the same masks with nothing skipped, or all ones.
    activity = st.sampled_from(("recorded",) * 6 + ACTIVITY_KINDS[1:])
    level = st.sampled_from(("off", "phase", "transaction"))
    stop = st.sampled_from((None, None, None, None, *STOPS))
    drawn = st.tuples(chips(), jobs(), activity, level, pruned_weights(), stop)
    return drawn.map(lambda parts: Pair(parts[0] + parts[4][0], *parts[1:4], parts[4][1], parts[5]))


def run_pair(pair: Pair, out: Path, kernel: str) -> RunResult:
    """Run a pair on a kernel into the folder ``out``; raises TlmError where it is refused."""
    chip, job, activity, level, weights, stop, batch = pair
    return run_job(
        job,
        overrides=chip,
        out=out,
        trace=level,
        activity=activity,
        weights=weights,
        mode="training" if stop is None else "inference",
        stop=stop or "all-steps",
        batch=batch,
        kernel=kernel,
    )


def outcome(pair: Pair) -> tuple[str, str]:
    """How a pair ends, and the reason; where there are two kernels, it ends alike on both."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = run_pair(pair, Path(folder) / "run", "simpy")
            if why_missing() is None:
                compiled = run_pair(pair, Path(folder) / "compiled", "compiled")
                if unlike := differences_of(result, compiled):
                    return OTHER, f"kernels differ in {', '.join(unlike)}"
        except TlmError as error:
            told = str(error)
            plain = bool(told) and all(0 < len(line) < LONGEST_LINE for line in told.splitlines())
            refused = error.exit_code == 2 and plain and not (Path(folder) / "run").exists()
            return (REFUSED if refused else OTHER), f"{type(error).__name__}: {told}"
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            told = f"{type(error).__name__}: {error} in {frames[-1].name}, {frames[-1].filename}"
            return OTHER, f"{told}:{frames[-1].lineno}"
    broken = result.summary.broken
    return (OK, "") if result.ok else (OTHER, f"INVALID: {', '.join(broken)}; {broken}")


def outcome_apart(pair: Pair) -> tuple[str, str]:
    """:func:`outcome` in a process of its own, with limits to its time and memory."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, hard))
            signal.alarm(SECONDS)
            os.write(writing, "\n".join(outcome(pair)).encode("utf-8", "replace"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as text:
        end, _, reason = text.read().partition("\n")
    _, status = os.waitpid(child, 0)
    return (end, reason) if end else (OTHER, f"ended without a word, status {status}")


def run(number: int, start: int = 0, show: Callable[[str], object] = print) -> Counter[str]:
    """Try so many pairs; counts the ends and the reasons, shows what should not have been."""
    found: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=number, phases=[Phase.generate], database=None, derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(pairs())
    def one(pair: Pair) -> None:
        end, reason = outcome_apart(pair)
        found[end] += 1
        if end == OTHER:
            show(f"OTHER {reason}\n  {pair!r}")
        elif end == REFUSED:
            found[reason] += 1

    one()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=100, help="pairs of one seed")
    parser.add_argument("--start", type=int, default=0, help="first seed")
    asked = parser.parse_args()
    total: Counter[str] = Counter()
    for batch, first in enumerate(range(0, asked.n, asked.batch)):
        total += run(min(asked.batch, asked.n - first), asked.start + batch)
        ends = {end: total[end] for end in (OK, REFUSED, OTHER)}
        print(f"{min(asked.n, first + asked.batch)} pairs: {ends}", flush=True)
    sys.exit(total[OTHER] > 0)
