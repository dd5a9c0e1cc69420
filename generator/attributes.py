"""What can be wished for, as data: groups of named values such as ``pose``: -45 ... +45.

A *code* is the index of a combination of values, one of each group; the network reads it as the groups'
one-hot vectors one after the other (Ghodrati et al. 2015, section 3.1, where there is a single group).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facedata.labelled import number_of
from faces.errors import WishError
from faces.types import Floats, Ints

_MAX_COMBINATIONS = 1024  # every gallery face is drawn once for each of them
# What the values of the accessory sets are called besides, where a group has them.
EVERYDAY = {
    "cap": "hat-1",
    "brimmed-hat": "hat-2",
    "knitted-hat": "hat-3",
    "round-glasses": "glasses-1",
    "square-glasses": "glasses-2",
    "sunglasses": "glasses-3",
}


@dataclass(frozen=True)
class AttributeGroup:
    """A named attribute and its values, in the order of their one-hot places.

    Names and values are words without spaces at their ends; names hold no "=".  Raises ValueError where one
    is empty or double.
    """

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        for word in (self.name, *self.values):
            if not isinstance(word, str) or not word or word != word.strip():
                raise ValueError(f"{word!r} is no name for an attribute or a value")
        if "=" in self.name:
            raise ValueError(f"the attribute name {self.name!r} holds a '='")
        if not self.values or len({value.casefold() for value in self.values}) < len(self.values):
            raise ValueError(f"the attribute {self.name!r} needs values, each given once")

    def find(self, word: str) -> str:
        """The value that a word means: itself, its everyday name ("sunglasses" for "glasses-3"), or, for
        numbers, any way of writing it ("30" for "+30").

        Raises WishError that lists the values and, for numbers, names the nearest.
        """
        wanted = word.strip().replace("\N{MINUS SIGN}", "-")
        meant = EVERYDAY.get(wanted.casefold().replace(" ", "-"))
        for value in self.values:
            if value.casefold() == wanted.casefold() or value == meant:
                return value
        known, number = self._numbers(), number_of(wanted)
        hint = ""
        if known and number is not None:
            nearest = min(known, key=lambda value: abs(known[value] - number))
            if known[nearest] == number:
                return nearest
            hint = f"the nearest is {nearest}; "
        raise WishError(f"There is no {self.name} {word.strip()!r}; {hint}choose one of: {self._listed()}.")

    def _numbers(self) -> dict[str, float]:
        numbers = {value: number_of(value) for value in self.values}
        return {value: number for value, number in numbers.items() if number is not None}

    def _listed(self) -> str:
        called = {value: name for name, value in EVERYDAY.items()}
        return ", ".join(f"{value} ({called[value]})" if value in called else value for value in self.values)


@dataclass(frozen=True)
class Vocabulary:
    """All groups that a network knows.  Raises ValueError where there is none or a name is double."""

    groups: tuple[AttributeGroup, ...]

    def __post_init__(self) -> None:
        names = [group.name.casefold() for group in self.groups]
        if not names or len(set(names)) < len(names):
            raise ValueError("a vocabulary needs attributes, each given once")
        if int(np.prod([float(len(group.values)) for group in self.groups])) > _MAX_COMBINATIONS:
            raise ValueError(f"the attributes have more than {_MAX_COMBINATIONS:,} combinations")

    @property
    def size(self) -> int:
        """The length of the one-hot vectors together: what the network takes in."""
        return sum(len(group.values) for group in self.groups)

    @cached_property
    def combinations(self) -> tuple[tuple[str, ...], ...]:
        """All tuples of one value per group, the last group changing fastest; a code is an index of them."""
        return tuple(itertools.product(*(group.values for group in self.groups)))

    def group(self, name: str) -> AttributeGroup:
        """The group of that name; raises WishError that lists the names."""
        wanted = name.strip().casefold()
        for group in self.groups:
            if group.name.casefold() == wanted:
                return group
        names = ", ".join(group.name for group in self.groups)
        raise WishError(f"These weights know no {name.strip()!r}; choose one of: {names}.")

    def code(self, wish: Mapping[str, str]) -> int:
        """The code of ``{"pose": "+30"}``, which must name every group.

        Raises WishError for unknown or missing names and unknown values.
        """
        found = self.codes(wish)
        if len(found) != 1:
            missing = ", ".join(group.name for group in self.groups if group.name not in self.named(wish))
            raise WishError(f"The wish leaves open which {missing} is meant; name it as well.")
        return int(found[0])

    def codes(self, wish: Mapping[str, str]) -> Ints:
        """All codes (K,) int64, ascending, that fulfil a wish; groups it does not name are left open.

        Raises WishError for unknown names and values.
        """
        named = self.named(wish)
        agree = [
            code
            for code, combination in enumerate(self.combinations)
            if all(
                named.get(group.name, value) == value
                for group, value in zip(self.groups, combination, strict=True)
            )
        ]
        return np.array(agree, np.int64)

    def named(self, wish: Mapping[str, str]) -> dict[str, str]:
        """A wish such as ``{"Pose": "30"}`` in this vocabulary's own words, ``{"pose": "+30"}``.

        Raises WishError for unknown names and values.
        """
        named = {}
        for name, word in wish.items():
            group = self.group(name)
            named[group.name] = group.find(word)
        return named

    def change(self, code: int, wish: Mapping[str, str]) -> int:
        """The code that fulfils a wish and else is as ``code``: what it does not name stays as it is.

        Raises WishError for unknown names and values, ValueError for a code that there is not.
        """
        return self.code({**self.label(code), **self.named(wish)})

    def label(self, code: int) -> dict[str, str]:
        """What a code stands for, ``{"pose": "+30"}``; raises ValueError for a code that there is not."""
        if not 0 <= code < len(self.combinations):
            raise ValueError(f"there is no code {code}; there are {len(self.combinations)}")
        return {group.name: value for group, value in zip(self.groups, self.combinations[code], strict=True)}

    def one_hot(self, codes: Ints) -> Floats:
        """The network's input for codes (N,) int64: (N, size) float32 of zeros and, per group, a one.

        Raises ValueError for codes of another form or that there are not.
        """
        codes = np.asarray(codes)
        if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(f"codes must be (N,) integers, not {codes.dtype} {codes.shape}")
        if len(codes) and not 0 <= codes.min() <= codes.max() < len(self.combinations):
            raise ValueError(f"codes must lie in 0..{len(self.combinations) - 1}")
        return self._table[codes]

    @cached_property
    def _table(self) -> Floats:
        """(combinations, size) float32: the one-hot vector of every code."""
        table = np.zeros((len(self.combinations), self.size), np.float32)
        places = np.unravel_index(np.arange(len(table)), [len(group.values) for group in self.groups])
        first = 0
        for group, place in zip(self.groups, places, strict=True):
            table[np.arange(len(table)), first + place] = 1.0
            first += len(group.values)
        return table


def parse_wishes(texts: Sequence[str]) -> dict[str, str]:
    """Wishes such as ``["pose=+30"]`` as ``{"pose": "+30"}``, names in small letters, values as they are.

    Raises WishError where one is not of the form NAME=VALUE or two have the same name.
    """
    wish: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        name = name.strip().casefold()
        if not name or not separator:
            raise WishError(f"A wish has the form NAME=VALUE, such as pose=+30, not {text!r}.")
        if name in wish:
            raise WishError(f"{name} is wished for twice; name it once.")
        wish[name] = value.strip()
    return wish
