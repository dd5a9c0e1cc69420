"""Who is ahead: ours against every rival that is told no more than ours, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.figures.words import row_words
from evaluation.recall import KS
from evaluation.results import Interval, RowRecord

OURS = "ours-features"
ALL_VALUES = "ours-all-values"


@dataclass(frozen=True)
class Duel:
    """Ours against the best rival at one K, recall in percent; ``overlap`` says that the intervals do."""

    k: int
    ours: float
    rival: float
    name: str
    overlap: bool

    @property
    def ahead(self) -> bool:
        return self.ours > self.rival

    @property
    def word(self) -> str:
        """``ahead``, ``level`` or ``behind``, which is what ours is."""
        return "ahead" if self.ahead else "level" if self.ours == self.rival else "behind"


@dataclass(frozen=True)
class Verdict:
    """A criterion's duels in the order of K, none where no rival was measured, and what they come to."""

    criterion: int
    duels: tuple[Duel, ...]
    sentence: str

    @property
    def ahead(self) -> bool:
        """Whether ours is ahead at every K."""
        return bool(self.duels) and all(duel.ahead for duel in self.duels)


def is_rival(row: RowRecord) -> bool:
    """Whether a row is another method that is told no true values and could be measured."""
    return row.available and not row.told and not row.row.startswith("ours-")


def verdict(rows: Sequence[RowRecord], criterion: int) -> Verdict | None:
    """The verdict on one criterion from the rows of one set of faces; None where ours was not measured."""
    rows = [row for row in rows if row.criterion == criterion]
    ours = next((row for row in rows if row.row == OURS and row.available), None)
    if ours is None:
        return None
    rivals = [row for row in rows if is_rival(row)]
    if not rivals:
        reached = ", ".join(f"{ours.recall[k]:.1f} % (R@{k})" for k in KS)
        return Verdict(criterion, (), f"Ours: {reached}. No rival that is told as little was measured.")
    duels = _duels(ours, rivals)
    sentence = _sentence(ours, rivals, duels)
    every = next((row for row in rows if row.row == ALL_VALUES and row.available), None)
    if every is not None:
        sentence += f" With every value drawn: {_sentence(every, rivals, _duels(every, rivals))}"
    return Verdict(criterion, duels, sentence)


def left_out(rows: Sequence[RowRecord]) -> dict[str, list[str]]:
    """The rows that could not be measured, as words, by why."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if not row.available and row_words(row.row) not in reasons.setdefault(row.unavailable, []):
            reasons[row.unavailable].append(row_words(row.row))
    return reasons


def _duels(ours: RowRecord, rivals: Sequence[RowRecord]) -> tuple[Duel, ...]:
    return tuple(_duel(ours, rivals, k) for k in KS)


def _duel(ours: RowRecord, rivals: Sequence[RowRecord], k: int) -> Duel:
    best = max(rivals, key=lambda row: row.recall[k])
    overlap = _overlap(ours.interval.get(k), best.interval.get(k))
    return Duel(k, ours.recall[k], best.recall[k], row_words(best.row), overlap)


def _sentence(ours: RowRecord, rivals: Sequence[RowRecord], duels: Sequence[Duel]) -> str:
    count = "the one rival" if len(rivals) == 1 else f"all {len(rivals)} rivals"
    if all(duel.ahead for duel in duels):
        return f"Ours is ahead of {count} of the same information at every K."
    parts = []
    won = [f"R@{duel.k}" for duel in duels if duel.ahead]
    if won:
        parts.append(f"Ours is ahead of {count} of the same information at {_listed(won)}.")
    for duel in duels:
        if duel.ahead:
            continue
        k = duel.k
        ahead = [row for row in rivals if row.recall[k] >= ours.recall[k]]
        named = [
            f"{row_words(row.row)} ({row.recall[k]:.1f} %)"
            for row in sorted(ahead, key=lambda row: -row.recall[k])
        ]
        level = duel.rival == duel.ours
        stays = "is level" if level else "stays ahead" if len(named) == 1 else "stay ahead"
        close = "; the intervals overlap" if duel.overlap and not level else ""
        parts.append(f"At R@{k} {_listed(named)} {stays} against our {duel.ours:.1f} %{close}.")
    return " ".join(parts)


def _overlap(one: Interval | None, other: Interval | None) -> bool:
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
