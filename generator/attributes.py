"""What can be wished for, as data: groups of named values such as ``pose``: -45 ... +45.

An *attribute vector* (A,) is what the network reads: the groups' parts one after the other, each the shares
of its values, which sum to one (Ghodrati et al. 2015, section 3.1, where there is a single group).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facedata.labelled import number_of
from faces.errors import WishError
from faces.types import Floats, Ints

_MOST_VALUES = 256  # every gallery face is drawn once for each of them
# Everyday names of the accessory sets' values, and those of several of them.
EVERYDAY = {
    "cap": "hat-1",
    "brimmed-hat": "hat-2",
    "knitted-hat": "hat-3",
    "round-glasses": "glasses-1",
    "square-glasses": "glasses-2",
    "sunglasses": "glasses-3",
}
_FEW = 36  # combinations of values of several attributes that are drawn all
_OPPOSITES = {"left": "right", "right": "left"}  # in a mirror
SEVERAL = {
    "spectacles": ("glasses-1", "glasses-2"),
    "glasses": ("glasses-1", "glasses-2", "glasses-3"),
    "hat": ("hat-1", "hat-2", "hat-3"),
}
_CALLED = {value: name for name, value in EVERYDAY.items()}


def everyday(value: str) -> str:
    """Return the name that people know a value by: ``sunglasses`` for ``glasses-3``; most have only one."""
    return _CALLED.get(value, value)


@dataclass(frozen=True)
class AttributeGroup:
    """A named attribute and its values, in the order of their one-hot places.

    Raises ValueError if one is empty, double or with spaces at its ends, or if the name holds a "=".
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

    def meant(self, word: str) -> list[int]:
        """Return the places of the values that a word means: a value, its everyday name, a name of several
        such as ``hat``, or a number ("30" for "+30").

        Raises WishError that lists the values and, for numbers, names the nearest.
        """
        wanted = word.strip().replace("\N{MINUS SIGN}", "-").casefold()
        plain = wanted.replace(" ", "-")
        called = [wanted, plain, EVERYDAY.get(plain)]
        for names in ([wanted], called, SEVERAL.get(plain, ())):
            found = [place for place, value in enumerate(self.values) if value.casefold() in names]
            if found:
                return found
        numbers, number = self.numbers, number_of(wanted)
        hint = ""
        if numbers and number is not None:
            distance, nearest = min((abs(one - number), place) for place, one in enumerate(numbers))
            if not distance:
                return [nearest]
            hint = f"the nearest is {self.values[nearest]}; "
        listed = ", ".join(
            f"{value} ({_CALLED[value]})" if value in _CALLED else value for value in self.values
        )
        raise WishError(f"There is no {self.name} {word.strip()!r}; {hint}choose one of: {listed}.")

    @cached_property
    def numbers(self) -> tuple[float, ...] | None:
        """The numbers that the values stand for, in their order; None unless all of them are numbers."""
        numbers = [number for value in self.values if (number := number_of(value)) is not None]
        return tuple(numbers) if len(numbers) == len(self.values) else None

    def spread(self, word: str) -> Floats:
        """Return the share of each value (values,) float32 in what a word means, in all 1.

        A name of several values is spread evenly over them, a number between two values over both, the nearer
        one getting the larger part: +20 of -45 ... +45 in steps of 15 is 2/3 of +15 and 1/3 of +30.  Raises
        WishError as ``meant`` does.
        """
        found = np.zeros(len(self.values), np.float32)
        number = number_of(word.strip().replace("\N{MINUS SIGN}", "-"))
        if self.numbers is None or number is None or not min(self.numbers) <= number <= max(self.numbers):
            meant = self.meant(word)
            found[meant] = 1 / len(meant)
            return found
        order = np.argsort(self.numbers)
        numbers = np.array(self.numbers)[order]
        found[order] = [np.interp(number, numbers, one_hot) for one_hot in np.eye(len(numbers))]
        return found


@dataclass(frozen=True)
class Vocabulary:
    """All groups that a network knows.  Raises ValueError if there is none or a name is double."""

    groups: tuple[AttributeGroup, ...]

    def __post_init__(self) -> None:
        names = [group.name.casefold() for group in self.groups]
        if not names or len(set(names)) < len(names):
            raise ValueError("a vocabulary needs attributes, each given once")
        if self.size > _MOST_VALUES:
            raise ValueError(f"the attributes have more than {_MOST_VALUES} values")

    @property
    def size(self) -> int:
        """A, the length of an attribute vector."""
        return sum(len(group.values) for group in self.groups)

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where each group's values stand in an attribute vector, by its name."""
        ends = np.cumsum([len(group.values) for group in self.groups]).tolist()
        return {
            group.name: slice(end - len(group.values), end)
            for group, end in zip(self.groups, ends, strict=True)
        }

    @property
    def few(self) -> bool:
        """Whether a face can be drawn with every combination of values."""
        return len(self.groups) == 1 or math.prod(len(group.values) for group in self.groups) <= _FEW

    @cached_property
    def mirrored(self) -> Ints | None:
        """Where in an attribute vector the value stands that each becomes when a picture is mirrored, (A,):
        signed numbers change sign, left and right their places, other words stay.

        None if a group has a value without its opposite, so that mirrored pictures would show what the
        vocabulary does not know.
        """
        found: list[int] = []
        for group in self.groups:
            numbers = group.numbers
            for value in group.values:
                opposite: str | None = _OPPOSITES.get(value, value)
                if numbers is not None and min(numbers) < 0:
                    number = -numbers[group.values.index(value)]
                    opposite = group.values[numbers.index(number)] if number in numbers else None
                if opposite not in group.values:
                    return None
                found.append(self.places[group.name].start + group.values.index(opposite))
        return np.array(found, np.int64)

    def vector(self, wish: Mapping[str, str], own: Floats | None = None) -> Floats:
        """Return the attribute vector (A,) float32 of a wish: one-hot by group, a number between two values
        spread over both (``AttributeGroup.spread``).

        What is not wished for stays as in ``own`` (A,).  Raises WishError for unknown names and values, and
        if a group is neither wished for nor in ``own``.
        """
        wished = {self.group(name).name: word for name, word in wish.items()}
        missing = [name for name in self.places if name not in wished]
        if missing and own is None:
            raise WishError(f"The wish leaves open which {', '.join(missing)} is meant; name it as well.")
        found = np.zeros(self.size, np.float32) if own is None else own.astype(np.float32)
        for name, word in wished.items():
            found[self.places[name]] = self.group(name).spread(word)
        return found

    def group(self, name: str) -> AttributeGroup:
        """Return the group of that name; raises WishError that lists the names."""
        wanted = name.strip().casefold()
        for group in self.groups:
            if group.name.casefold() == wanted:
                return group
        names = ", ".join(group.name for group in self.groups)
        raise WishError(f"These weights know no {name.strip()!r}; choose one of: {names}.")

    def vectors(self, values: Ints) -> Floats:
        """Return the attribute vectors (N, A) float32 of ``values`` (N, G): a place in each group."""
        ones = (np.eye(len(group.values), dtype=np.float32) for group in self.groups)
        return np.concatenate([one[places] for one, places in zip(ones, values.T, strict=True)], axis=1)

    def words(self, values: Ints) -> dict[str, str]:
        """Return what ``values`` (G,), a place in each group, stand for: ``{"pose": "+30"}``."""
        return {
            group.name: group.values[place] for group, place in zip(self.groups, values.tolist(), strict=True)
        }


def parse_wishes(texts: Sequence[str]) -> dict[str, str]:
    """Read ``["pose=+30"]`` as ``{"pose": "+30"}``; raises WishError for another form or a double name."""
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
