"""mapping.yaml: what a plan says of itself."""

from __future__ import annotations

from ruamel.yaml import YAML

from tests.program.jobs import built, conv, job, linear, place
from tests.reliability.probe import SMALL, residual
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


def test_no_key_can_be_wrapped():
    """A key of two words may be broken over two lines, and then reads back no more."""

    def keys(value):
        if isinstance(value, dict):
            for key, each in value.items():
                yield key
                yield from keys(each)
        for each in value if isinstance(value, list) else ():
            yield from keys(each)

    plan, _ = built(residual(), residual().load(0), *SMALL)
    document = YAML(typ="safe").load(mapping_text(plan))
    assert [key for key in keys(document) if len(str(key).split()) > 1] == []
