"""Number formats: a name or a width, and what each key of ``precision`` sizes."""

import pytest

from tlm.config import load_chip
from tlm.config.resolved import resolved_yaml
from tlm.counts.core_arrays import arrays_of
from tlm.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "bits"),
    [("fp8", 8), ("FP16", 16), ("bf16", 16), ("fp32", 32), ("int8", 8), ("13 bit", 13)],
)
def test_a_format_is_its_width_and_keeps_its_name(text: str, bits: int) -> None:
    """What is loaded sizes as the width, and is written out so that it loads again."""
    loaded = load_chip("neuromc-20", [f"precision.weight={text}"])
    assert loaded.config.precision.weight == bits
    assert f'weight: "{text.lower()}"' in resolved_yaml(loaded)


@pytest.mark.parametrize("text", ["fp17", "65 bit", "0 bit", "-8 bit", "16"])
def test_what_is_no_format_is_refused_with_those_there_are(text: str) -> None:
    """One line, with the list of names."""
    with pytest.raises(ConfigError) as caught:
        load_chip("neuromc-20", [f"precision.gradient={text}"])
    assert "fp8, fp16, bf16, fp32, int8, int16, int32" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("text", "positions"), [("fp16", 256), ("fp32", 128), ("fp8", 512)])
def test_partial_sums_are_sized_by_their_own_key(text: str, positions: int) -> None:
    """64 Kib hold vectors of 16 sums of that width; gradients have no part in it."""
    sums = load_chip("neuromc-20", [f"precision.partial_sum={text}"]).config
    assert arrays_of(sums).positions == positions
    narrow = load_chip("neuromc-20", ["precision.gradient=8 bit"]).config
    assert arrays_of(narrow).positions == 256
