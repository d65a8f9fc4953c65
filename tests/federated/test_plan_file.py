"""Plans: short ones are enough, and mistakes are answered in one line with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tlm.errors import TlmError
from tlm.federated.plan import FederatedPlan
from tlm.federated.plan_file import load_plan
from tlm.federated.preparation import prepare_federation
from tlm.workload.federated import is_federated


def plan_file(place: Path, text: str, recording: str = "fed") -> str:
    """The path of a plan whose second line is the first of ``text``."""
    path = place / "plan.yaml"
    path.write_text(f"recording: {place / recording}\n{text}\n")
    return str(path)


def test_the_name_of_a_recording_is_a_plan(place: Path) -> None:
    """As is a plan that says no more: all else has a default."""
    named, written = load_plan(str(place / "fed")), load_plan(plan_file(place, ""))
    assert named.plan == written.plan
    assert (named.workers, named.plan.rounds, named.plan.protocol) == (3, 3, "fedavg")
    assert named.iterations(2, 1) == 5 and named.samples(2) == 80
    assert named.chip(1) == "neuromc-20" and named.plan.has_server


def test_more_workers_than_recorded_repeat_the_recorded(place: Path) -> None:
    """Worker 4 of five is recorded worker 1 once more."""
    prepared = prepare_federation(plan_file(place, "workers: 5"))
    assert prepared.loaded.recorded_worker(4) == 1
    assert prepared.places[4] == prepared.places[1]
    assert len(prepared.tasks) == 3 * 2


def test_every_worker_may_have_its_chip(place: Path) -> None:
    """A list by worker; the same job on another chip is another run."""
    text = "chip: [neuromc-20, neuromc-1, neuromc-20, neuromc-1, neuromc-20]\nworkers: 5"
    prepared = prepare_federation(plan_file(place, text))
    assert [task.chip for task in prepared.tasks[::2]] == [
        "neuromc-20", "neuromc-1", "neuromc-20", "neuromc-1", "neuromc-20",
    ]  # fmt: skip
    assert len({task.folder for task in prepared.tasks}) == len(prepared.tasks) == 10


PLAN_2, PLAN_3 = "plan.yaml:2: ", "plan.yaml:3: "


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("worker: 3", PLAN_2 + 'worker: unknown key; did you mean "workers"?'),
        ("workers: 0", PLAN_2 + "workers: expected 1 or more, got 0"),
        ("rounds: 9", PLAN_2 + "rounds: recorded are 4, got 9; lower it"),
        ("protocol: gossip", PLAN_2 + "protocol: expected 'fedavg' or 'data-parallel'"),
        ("network:\n  bandwidth: 3", PLAN_3 + "network.bandwidth: expected a rate of data"),
        ("network:\n  bandwidth: 3 Gbits", PLAN_3 + "network.bandwidth: expected a rate of data"),
        ("network:\n  loss: 0.9", PLAN_3 + "network.loss: expected 0.5 or less, got 0.9"),
        ("slow: {worker7: 2.0}", PLAN_2 + "slow.worker7: there is none; they are worker0 to"),
        ("slow: {bob: 2.0}", "slow.bob: expected the name of a worker, such as worker0"),
        ("slow: {worker1: 0.5}", PLAN_2 + "slow.worker1: expected 1.0 or more, got 0.5"),
        ("drop: {worker1: {round: 2, at: 0.5}}", PLAN_2 + "drop: who aggregates would wait for"),
        ("deadline: 1 s\ndrop: {worker1: {round: 2, at: 50%}}",
         PLAN_3 + "drop.worker1.at: expected a number, got '50%'"),
        ("deadline: 1 s\ndrop: {worker1: {round: 4, at: 0.5}}",
         PLAN_3 + "drop.worker1.round: there are 3 rounds, got 4"),
        ("network: {topology: ring}\naggregator: server", "aggregator: a ring has no server"),
        ("protocol: data-parallel\ndeadline: 1 s", "deadline: data-parallel training waits for"),
        ("overlap: true\nvariant: {compression: top-0.1}", PLAN_2 + "overlap: top-0.1 sends the"),
        ("protocol: data-parallel\nvariant: {compression: top-0.1}",
         PLAN_3 + "variant.compression: sums of gradients cannot be sent as top-0.1"),
        ("variant: {compression: zip}",
         PLAN_2 + "variant.compression: got 'zip'; recorded of dirichlet are none, fp16, top-0.1"),
        ("variant: {split: odd}", PLAN_2 + "variant.split: got 'odd'; recorded are dirichlet, iid"),
        ("chip: [neuromc-20, neuromc-1]", PLAN_2 + "chip: expected one, or 3, one a worker; got 2"),
        ("chip: neuromc-21", PLAN_2 + 'chip "neuromc-21": no preset or file of that name'),
        ("server: {adds_per_s: 0}", PLAN_2 + "server.adds_per_s: expected more than 0.0, got 0"),
        ("network: {loss: .nan}", PLAN_2 + "network.loss: expected a number below 2^63, got nan"),
        ("network: {packet: 0 B}", PLAN_2 + "network.packet: expected a number of bytes of more"),
        ("network: {bit_energy: -1 nJ}", PLAN_2 + "network.bit_energy: expected an energy of zero"),
        ("network: {latency: 5}", PLAN_2 + "network.latency: expected a time with its unit"),
        ("chip: []", PLAN_2 + "chip: expected one, or 3, one a worker; got 0"),
        ("drop: {worker1: {round: 1}}", "drop.worker1.at: missing; add it"),
        ("deadline: 0 s", PLAN_2 + "deadline: expected more than zero"),
        ("rounds: -1", PLAN_2 + "rounds: expected 1 or more, got -1"),
        ("variant: iid", PLAN_2 + "variant: expected a group of keys, got 'iid'"),
        ("recording: fed", PLAN_2 + 'duplicate key "recording"'),
        ("seed: &a 1", PLAN_2 + "an anchor or alias is not accepted"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(place: Path, text: str, says: str) -> None:
    """Exit code 2: where, what, what was expected."""
    with pytest.raises(TlmError) as caught:
        prepare_federation(plan_file(place, text))
    message = str(caught.value)
    assert "\n" not in message and caught.value.exit_code == 2
    assert says in message, message


def test_a_name_with_a_slash_behind_it_is_the_name(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shell completes a folder; where there is such a folder, that is meant."""
    monkeypatch.chdir(tmp_path)
    assert is_federated("fed-mnist/")
    assert load_plan("fed-mnist/").recording.folder == load_plan("fed-mnist").recording.folder
    shutil.copytree(place / "fed", tmp_path / "fed-mnist")
    assert load_plan("fed-mnist/").recording.workers == 3


def test_a_recording_that_is_not_there(place: Path) -> None:
    """By name, by folder, and a plan's file."""
    for source, says in (
        ("fed-mnits", 'unknown federated run "fed-mnits"'),
        (str(place / "none" / "fed"), "expected the folder of a federated run"),
        (str(place / "no.yaml"), "cannot be read: no such file"),
    ):
        with pytest.raises(TlmError, match=says):
            load_plan(source)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected keys with values (such as `recording: fed-mnist`)"),
        (b"- a\n", "expected keys with values"),
        (bytes(range(256)), "expected UTF-8 text; byte 128 is not"),
        (b"rounds: 2\n", "recording: missing; add it"),
        (b"recording: fed-mnits\n", 'plan.yaml:1: recording: unknown federated run "fed-mnits"'),
        (b"recording: [a]\n", "plan.yaml:1: recording: expected text"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """In one line with the file."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(TlmError) as caught:
        load_plan(str(path))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_plan_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """Its name ends as a file's does."""
    (tmp_path / "plan.yaml").mkdir()
    with pytest.raises(TlmError, match="cannot be read: no regular file"):
        load_plan(str(tmp_path / "plan.yaml"))


def test_the_plan_of_a_summary_is_the_plan_again(place: Path) -> None:
    """Every value keeps its unit, so that what a run asked for can be read back."""
    text = "server: {power: 2.5 W, adds_per_s: unlimited}\nlinks: {worker1: {latency: 3 us}}"
    plan = load_plan(plan_file(place, text + "\ndeadline: 70 ms\nslow: {worker0: 1.5}")).plan
    assert FederatedPlan.model_validate(plan.model_dump(mode="json")) == plan
