"""Mappings of inference: estimated by the forward pass alone."""

from pathlib import Path

import pytest

from tlm.running.preparation import place_job
from tlm.running.request import RunRequest
from tlm.running.runner import run_job


@pytest.mark.parametrize("job", ["mnist-fc", "mnist-csnn-bn", "nmnist-cnn"])
def test_the_estimate_of_inference_is_near_its_simulation(job: str, tmp_path: Path) -> None:
    """Time, bytes and energy within 15 %: nothing of BP, WG and update is left in them."""
    chosen = place_job(RunRequest(job, mode="inference")).plan.chosen
    assert chosen is not None
    run = run_job(job, out=tmp_path / "run", trace="off", mode="inference").summary
    assert chosen.best.estimate.time_ps == pytest.approx(run.time.makespan_ps, rel=0.15)
    assert chosen.best.estimate.energy_pj == pytest.approx(run.energy.total_pj, rel=0.15)
    assert chosen.best.estimate.dram_bytes == pytest.approx(run.dram.nbytes, rel=0.15)


def test_inference_keeps_more_in_the_cores_than_training() -> None:
    """Weights of every layer stay, also in memories that training would fill."""
    trained = place_job(RunRequest("cifar-vgg8")).plan.layers
    inferring = place_job(RunRequest("cifar-vgg8", mode="inference")).plan.layers
    stay = [sum(each.stored.W == "memory" for each in layers) for layers in (trained, inferring)]
    assert stay[0] <= stay[1] == len(inferring)
    for each in inferring:
        assert each.state == "dropped" and each.stored.S == (
            "memory" if each.consumers and all(r.stored.inputs == "memory" for r in each.consumers)
            else "dram"
        )  # fmt: skip
