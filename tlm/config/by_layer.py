"""Exceptions by layer: values of a key that hold for one layer, written as a list of texts."""

from __future__ import annotations


def by_layer(value: object, form: str) -> object:
    """Pairs of layer and value from a list of texts ``LAYER=VALUE``.

    Raises:
        ValueError: it is no such list; ``form`` says what is expected.
    """
    items = value if isinstance(value, list | tuple) else None
    if items is None or not all(isinstance(item, str) and "=" in item for item in items):
        raise ValueError(f"expected a list of {form}, got {value!r}")
    return tuple(tuple(item.rsplit("=", 1)) for item in items)


def shown_by_layer(pairs: tuple[tuple[str, str], ...]) -> list[str]:
    """The texts that :func:`by_layer` reads."""
    return [f"{layer}={value}" for layer, value in pairs]
