"""What a chip's authors published of it: figures to set beside the model's."""

from __future__ import annotations

from pydantic import ValidationError

from tlm.config.problems import problem_lines
from tlm.config.quantities import Section
from tlm.errors import ConfigError


class Published(Section):
    """One figure; ``ours`` names the model's figure beside it, the page that has it, or none."""

    what: str
    value: str
    ours: str
    source: str


class _Block(Section):
    published: list[Published]


def published_figures(block: object, where: str) -> tuple[Published, ...]:
    """Check a chip file's list ``published``; raises ConfigError, one line a problem."""
    try:
        return tuple(_Block.model_validate({"published": block}).published)
    except ValidationError as error:
        raise ConfigError("\n".join(problem_lines(error, _Block, lambda _: where))) from None
