"""Which of the weights that come along know what is wished for.

A wish maps attributes to values, ``{"pose": "+30"}``; here a value None stands for any.
"""

from __future__ import annotations

from collections.abc import Mapping

from faces.errors import WishError
from generator.attributes import Vocabulary
from generator.checkpoint import CONFIG_FILE, SHIPPED, read_config, shipped_names

PREFERRED = ("rotation-32", "accessories-32")
"""For photographs.  Others are for the paper's protocols and serve where only they know a wish."""


def weights_knowing(wish: Mapping[str, str | None]) -> list[str]:
    """Names of the weights that know a whole wish, the best for photographs first."""
    names = sorted(shipped_names(), key=lambda name: (name not in PREFERRED, name))
    return [name for name in names if _knows(_vocabulary(name), wish)]


def weights_for(wish: Mapping[str, str | None]) -> str:
    """Name of the weights to draw a wish with.

    Raises WishError where none know it, saying what there is.
    """
    found = weights_knowing(wish)
    if found:
        return found[0]
    for attribute, value in wish.items():
        alone = weights_knowing({attribute: None})
        if not alone:
            known = {group.name for name in shipped_names() for group in _vocabulary(name).groups}
            raise WishError(
                f"No weights that come along know {attribute!r}; choose one of: {', '.join(sorted(known))}."
            )
        if value is not None and not weights_knowing({attribute: value}):
            _vocabulary(alone[0]).group(attribute).find(value)  # says what there is
    raise WishError(f"No weights that come along know {' and '.join(wish)} together; wish for one at a time.")


def _knows(vocabulary: Vocabulary, wish: Mapping[str, str | None]) -> bool:
    try:
        for attribute, value in wish.items():
            group = vocabulary.group(attribute)
            if value is not None:
                group.find(value)
    except WishError:
        return False
    return True


def _vocabulary(name: str) -> Vocabulary:
    return read_config(SHIPPED / name / CONFIG_FILE)[0].vocabulary
