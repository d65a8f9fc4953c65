"""What a chip's authors published of it: figures to set beside the model's."""

from __future__ import annotations

from tlm.config.problems import validated
from tlm.config.quantities import Section


class Published(Section):
    """One figure; ``ours`` names the model's figure beside it, the page that has it, or none."""

    what: str
    value: str
    ours: str
    source: str


class _Block(Section):
    published: list[Published]


def published_figures(block: object, where: str) -> tuple[Published, ...]:
    """The figures in a chip file's list ``published``; ``where`` names the file.

    Raises:
        ConfigError: a figure lacks a key or has an unknown one; one line for each problem.
    """
    return tuple(validated(_Block, {"published": block}, where).published)
