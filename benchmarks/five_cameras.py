"""Rehearse a training on a small labelled set of one's own: few people, five cameras, many lights.

    python benchmarks/five_cameras.py ict_facekit.npz --out sets/cameras [--people 65] [--train 32]

Renders people as a studio with five cameras would take them, in the manner of CMU PIE (Sim et al. 2002): one
in front, one on either side, one above and one below, each under the 20 lights of the rig.  Three cameras
share a yaw and differ in tilt by little, so that canonicalisation easily takes one for another.  The labels
call the cameras c05, c07, c09, c29 and, in front, 0.  The head is held as the person holds it, the same for
all cameras at once; hair, spectacles and expressions differ, and landmarks err.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cli.console import RichProgress, say
from cli.guard import run_script
from facedata.rendered.accessories import sample_glasses
from facedata.rendered.camera import sample_lights
from facedata.rendered.person import Head, Person, Shape, pose_person, sample_expression, sample_person
from facedata.rendered.photograph import Tone, Variety
from facedata.rendered.recipes import RotationRecipe, Shots, crop_view, take_crop
from facedata.rendered.sets import render_set

CAMERAS = {"c05": (24.0, 0.0), "c07": (0.0, 12.0), "c09": (0.0, -12.0), "0": (0.0, 0.0), "c29": (-24.0, 0.0)}
"""Yaw and pitch of a head that looks straight ahead, degrees, by the word that labels have for it."""


@dataclass(frozen=True)
class FiveCameras(RotationRecipe):
    """Five cameras under each of the rig's lights, all at once: the head is held alike for all."""

    kind = "five cameras"

    variety: Variety = field(
        default_factory=lambda: Variety(yaw=4.0, pitch=4.0, roll=2.0, expression=0.3, crop_error=0.012)
    )

    @property
    def views(self) -> list[tuple[str, dict[str, Any]]]:
        """What the views are called, and the words of each."""
        return [(f"camera-{word}", {"pose": word}) for word in CAMERAS]

    def people(self, head: Head, index: int) -> list[Person]:
        """Draw person ``index``; a third wear spectacles, and hair falls into the crop."""
        rng = np.random.default_rng([self.seed, index, 50])
        person = sample_person(rng, head, natural=True)
        return [replace(person, glasses=sample_glasses(rng, dark=False) if rng.random() < 0.3 else None)]

    def render(self, head: Head, index: int, *, large: bool = False) -> Shots:
        """Render all pictures (views, lights) of a person; there are no larger ones."""
        rng = np.random.default_rng([self.seed, index, 51])
        variety, (person,) = self.variety, self.people(head, index)
        face = sample_expression(rng, variety.expression)
        posed = pose_person(person, head=head, shape=Shape(person.coefficients, head), expression=face)
        held = rng.normal(0, (variety.yaw, variety.pitch, variety.roll))
        views = [
            crop_view(posed, self.geometry, 200.0, yaw=yaw + held[0], pitch=pitch + held[1], roll=held[2])
            for yaw, pitch in CAMERAS.values()
        ]
        lights = sample_lights(rng, 0.0, self.lights, self.numbers)
        take = partial(take_crop, geometry=self.geometry, variety=variety, wall=0.25, rng=rng)
        crops = [[take(view, Tone()(view.radiance(light, rng))) for light in lights] for view in views]
        return Shots(np.array(crops, np.uint8))


def main() -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(description="Render people as a studio with five cameras takes them.")
    parser.add_argument("head_model", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--people", type=int, default=65)
    parser.add_argument("--train", type=int, default=32, help="people of split train; the others test")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    count = render_set(
        wanted.out,
        FiveCameras(seed=wanted.seed),
        wanted.head_model,
        people=wanted.people,
        train=wanted.train,
        progress=RichProgress(),
    )
    say(f"{wanted.out}: {count:,} pictures.")


if __name__ == "__main__":
    sys.exit(run_script(main))
