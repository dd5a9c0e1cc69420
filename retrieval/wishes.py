"""A wish in the words of the weights, or what to do where they do not know it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from faces.errors import WishError
from faces.types import Ints
from index import Encoding
from retrieval.encoder import Encoder
from retrieval.places import default_collection


def codes_of(wish: Mapping[str, str], encoder: Encoder, folder: Path, encoding: Encoding) -> Ints:
    """All codes (K,) int64 that fulfil a wish.

    ``folder`` and ``encoding`` are the collection's.  Raises WishError; where other weights that come along
    know the wish, it gives the command with which the collection learns it.
    """
    try:
        return encoder.vocabulary.codes(wish)
    except WishError:
        from generator.checkpoint import weights_for, weights_knowing

        able = weights_knowing(wish)
        if able:
            raise WishError(_advice(wish, able[0], folder, encoding)) from None
        known = {group.name.casefold() for group in encoder.vocabulary.groups}
        if any(name.casefold() not in known for name in wish):
            weights_for(wish)  # says what there is, which is more than these weights know
        raise


def _advice(wish: Mapping[str, str], weights: str, folder: Path, encoding: Encoding) -> str:
    words = " and ".join(f"{name} {value}" for name, value in wish.items())
    return (
        f"The collection was made with {encoding.weights_name}, which cannot draw {words}; run "
        f"`{_command(weights, folder)}` once and search again (`{_command(encoding.source, folder)}` leads "
        "back)."
    )


def _command(weights: str, folder: Path) -> str:
    where = [] if folder == default_collection() else ["--collection", str(folder)]
    return shlex.join(["anotheryou", "reindex", "--weights", weights, *where])
