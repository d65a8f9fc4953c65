"""Mapping files: what is read back, and what is refused by name."""

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.program.graphs import builder, recurrent, window, workload
from tests.program.jobs import conv, job, linear, loaded_chip, place
from tlm.errors import MappingError
from tlm.placement.choices import grids_of, read_choices
from tlm.storage.mapping_file import choice_text, mapping_text
from tlm.workload.operand import Term


def small_job():
    """Two layers, of which the first has 40 channels of 8 x 8, pooled."""
    first = conv((3, 8, 8), 40, 3, padding=1, pool=2)
    return job(first, linear(640, 10), batch=4)


def wide_loop():
    """A convolution of the input beside its own 32 channels of the step before."""
    net = builder((3, 6, 5))
    frames = Term(-1, (window((3, 6, 5)),))
    recurrent(net, (3, [frames]), (32, [Term(0, delay=1)]), channels=32, kernel=3)
    return net.layers[0]


@pytest.fixture(scope="module")
def plan():
    """The small job on the preset."""
    return place(*small_job())


def read(folder, text, chip=None):
    """The grids that a mapping file's text stands for, for the small job."""
    path = folder / "mapping.yaml"
    path.write_text(text)
    choices = read_choices(path)
    return grids_of(choices, small_job()[0], chip or loaded_chip().config, str(path))


def test_a_plans_own_file_gives_its_grids_and_settings(plan, tmp_path):
    """The whole file, and the part that only holds the choices."""
    grids = plan.grids
    assert read(tmp_path, mapping_text(plan)) == grids
    text = choice_text(plan.workload, plan.chip, grids, {"by": "hand"})
    assert read(tmp_path, text) == grids
    choices = read_choices(tmp_path / "mapping.yaml")
    assert choices.mapping == plan.chip.mapping.model_dump()


def test_an_edited_file_moves_cuts_and_cores(plan, tmp_path):
    """48 + 16 instead of what was chosen, on cores of one's own choice."""
    document = YAML(typ="safe").load(mapping_text(plan))
    document["layers"][0]["cuts"] = {
        "channels": [0, 32, 40], "samples": [0, 4], "rows": [0, 8], "input_rows": [0, 8],
    }  # fmt: skip
    document["layers"][0]["cores"] = [19, 7]
    path = tmp_path / "edited.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(document, file)
    grids = grids_of(read_choices(path), small_job()[0], loaded_chip().config, str(path))
    parts = grids[0].slices()
    assert [(part.core, part.neurons.channels) for part in parts] == [(19, (0, 32)), (7, (32, 40))]


CUTS = "cuts: {channels: [0, 40], samples: [0, 4], rows: [0, 8], input_rows: [0, 8]}"
FILE = f"""\
schema: tlm-mapping
schema_version: 2
workload: random
chip: neuromc-20
mapping: {{schedule: layerwise}}
layers:
- name: conv1
  {CUTS}
  cores: [3]
- name: linear2
  cuts: {{channels: [0, 10], samples: [0, 2, 4], rows: [0, 1], input_rows: [0, 1]}}
  cores: [0, 1]
"""


def test_a_file_written_by_hand_is_enough(tmp_path):
    """Nothing is needed that a person could not know."""
    assert [grid.cores for grid in read(tmp_path, FILE)] == [(3,), (0, 1)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tlm-mapping", "tlm-trace", "schema: expected 'tlm-mapping'"),
        ("schema_version: 2", "schema_version: 1", "schema_version: expected 2"),
        ("cores: [3]", "cores: [3]\n  colour: red", "layers.0.colour: unknown key; known are name"),
        ("samples: [0, 4]", "samples: [0, 4], sample: 4", "cuts.sample: unknown key; did you mean"),
        ("schedule: layerwise", "shedule: layerwise", "mapping.shedule: unknown key; known are"),
        ("workload: random", "workload: mnist", "written for 'mnist', not for random"),
        ("conv1", "conv2", "expected conv1, linear2 in this order, but 'conv2' differs"),
        ("channels: [0, 40]", "channels: [0, 32, 16, 40]", "channels: expected cuts that rise"),
        ("channels: [0, 40]", "channels: [0, 16, 16, 40]", "channels: expected cuts that rise"),
        ("channels: [0, 40]", "channels: [16, 40]", "cuts that rise from 0 to 40, got .16, 40."),
        ("channels: [0, 40]", "channels: [0, 32]", "cuts that rise from 0 to 40"),
        ("channels: [0, 40]", "channels: [0, 20, 40]", "cuts at multiples of 16, got 20"),
        ("channels: [0, 40]", "channels: [0, 1.5]", "channels.1: expected a whole number"),
        ("channels: [0, 40]", "channels: all", "channels: expected a list, got 'all'"),
        ("rows: [0, 8], i", "rows: [0, 3, 8], i", "rows: expected cuts at multiples of 2, got 3"),
        ("rows: [0, 8], i", "rows: [0, 4, 8], i", "input_rows: expected 3 cuts, as of rows"),
        ("input_rows: [0, 8]", "input_rows: [0, 7]", "do not fall from 0 to 8, got .0, 7."),
        ("cores: [0, 1]", "cores: [0]", "the cuts make 2 slices, but 1 cores are listed"),
        ("cores: [0, 1]", "cores: [0, 20]", "there is no core 20; the chip's are 0 to 19"),
        ("cores: [0, 1]", "cores: [0, -1]", "there is no core -1"),
        ("cores: [0, 1]", "cores: [5, 5]", "core 5 holds two slices of a layer"),
        ("cores: [3]", "cores: &a [3]", "an anchor or alias is not accepted"),
        ("workload: random", "workload: random\nworkload: random", "given twice"),
        ("layers:", "layers: !!python/tuple", "the tag .* is not accepted"),
    ],
)
def test_what_is_wrong_is_named_on_one_line(old, new, message, tmp_path):
    """File, layer, key, what was expected; nothing is placed."""
    assert old in FILE
    with pytest.raises(MappingError, match=message) as caught:
        read(tmp_path, FILE.replace(old, new, 1))
    assert "\n" not in str(caught.value)
    assert "mapping.yaml" in str(caught.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    """No file, not text, not YAML, too large."""
    with pytest.raises(MappingError, match="cannot be read"):
        read_choices(tmp_path / "absent.yaml")
    path = tmp_path / "odd.yaml"
    for content in (b"\xff\xfe", b"{", b"- 1", np.random.default_rng(0).bytes(2 << 20)):
        path.write_bytes(content)
        with pytest.raises(MappingError, match=r"odd\.yaml"):
            read_choices(path)


@pytest.mark.parametrize("cut", ["channels", "rows"])
def test_a_layer_that_reads_itself_is_cut_along_samples_alone(cut, tmp_path):
    """A file that cuts its channels or rows is refused; one that does not is read."""
    chip, looped = loaded_chip().config, workload([wide_loop()], batch=4)
    cuts = {"channels": [0, 32], "samples": [0, 2, 4], "rows": [0, 6], "input_rows": [0, 6]}
    path = tmp_path / "mapping.yaml"

    def grids(cuts, cores):
        path.write_text(
            "schema: tlm-mapping\nschema_version: 2\nworkload: graph\nchip: neuromc-20\n"
            f"mapping: {{}}\nlayers:\n- {{name: conv0, cuts: {cuts}, cores: {cores}}}\n"
        )
        return grids_of(read_choices(path), looped, chip, str(path))

    [grid] = grids(cuts, [0, 1])
    assert grid.split.batch == 2
    halved = {"channels": [0, 16, 32], "rows": [0, 3, 6]}
    with pytest.raises(MappingError, match=f"{cut}: expected cuts at multiples of"):
        grids(cuts | {cut: halved[cut], "input_rows": [0, 3, 6]}, [0, 1, 2, 3])
