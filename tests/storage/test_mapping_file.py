"""mapping.yaml: what a plan says of itself."""

from __future__ import annotations

from ruamel.yaml import YAML

from tests.program.jobs import conv, job, linear, place
from tlm.storage.mapping_file import mapping_text


def small_plan():
    """Two layers on the preset."""
    first = conv((3, 8, 8), 20, 3, padding=1, pool=2)
    return place(*job(first, linear(320, 10), batch=4))


def test_identical_plans_give_identical_text():
    """No order or address depends on anything but the plan."""
    assert mapping_text(small_plan()) == mapping_text(small_plan())


def test_the_text_is_yaml_and_names_every_layer_and_tensor():
    """Splits, array and addresses can be read back."""
    plan = small_plan()
    text = mapping_text(plan)
    document = YAML(typ="safe").load(text)
    assert document["schema"] == "tlm-mapping"
    assert document["derived"]["array"]["positions_per_block"] == plan.arrays.positions
    assert [layer["name"] for layer in document["layers"]] == ["conv1", "linear2"]
    for tensor in plan.addresses.tensors.values():
        assert tensor.name in text
