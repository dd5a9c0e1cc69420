"""Commands killed at random moments: nothing that was stored is lost, nothing is doubled."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from endure.processes import run, run_killed
from endure.survey import survey
from faces.progress import Progress, underway
from index.sqlite import CATALOG

_IN_A_ROW = 5  # kills until the command is run to its end


@dataclass(frozen=True)
class Command:
    """What is killed: ``run`` does it to a collection, in the round of this number.

    ``prepare`` makes work for it first, such as other photographs; ``result`` is the folder that it writes in
    that round.
    """

    name: str
    run: Callable[[Path, int], None]
    prepare: Callable[[int], None] = lambda number: None
    result: Callable[[Path, int], Path] = lambda collection, number: collection


@dataclass
class Tally:
    """What became of the trials of one class."""

    what: str
    tried: int = 0
    lost: int = 0
    doubled: int = 0
    stopped: int = 0  # commands that did not come to their end when run again, or readers that failed
    notes: list[str] = field(default_factory=list)

    def stop(self, note: str) -> None:
        """Count a failure and say what it was."""
        self.stopped += 1
        self.notes.append(f"{self.what}: {note.strip()[-2000:]}")


def kill(
    command: Command, place: Path, kills: int, chance: random.Random, progress: Progress | None = None
) -> Tally:
    """Kill a command so many times, some in a row, then run it to its end, and compare with one never killed.

    ``place`` is a folder for the two collections, which are kept for the next command.
    """
    killed, undisturbed = place / "killed", place / "undisturbed"
    tally, number = Tally(f"`kill -9` of {command.name}"), 0
    with underway(progress, tally.what, kills, "kills") as killing:
        while tally.tried < kills:
            number += 1
            command.prepare(number)
            work = partial(command.run, killed, number)
            expected = run(partial(command.run, undisturbed, number))
            if expected.status:
                tally.stop(expected.output)
                break
            result = command.result(killed, number)
            before = survey(result)
            for _ in range(_IN_A_ROW):
                watched = result / f"{CATALOG}-wal"
                ended = run_killed(work, chance, expected.seconds, watched)
                if ended.status == 0:
                    break
                if ended.status != -9:
                    tally.stop(ended.output)
                tally.tried += 1
                killing.advance()
                now = survey(result)
                tally.lost += now.lost_since(before)
                tally.doubled += now.doubled
                before = now
            if ended.status and (finished := run(work)).status:
                tally.stop(finished.output)
            now, never_killed = survey(result), survey(command.result(undisturbed, number))
            tally.lost += now.lost_since(before) + (never_killed.photos - now.photos).total()
            tally.lost += (never_killed.faces - now.faces).total()
            tally.doubled += now.doubled + (now.faces - never_killed.faces).total()
            if not now.equals(never_killed):
                tally.stop("it holds or answers something else than one that was never killed")
    return tally
