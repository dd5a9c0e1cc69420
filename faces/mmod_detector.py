"""The default detector: two quick ways propose places, dlib's neural detector judges them.

What dlib's network costs grows with the pixels that it looks at, and a face must be 80 pixels wide for it.
So it looks at a whole photograph only as far as that is cheap: at all of a small one, at a small copy of a
large one.  For the smaller faces of the latter places are proposed, and the network looks at these: by dlib's
HOG filters, which know frontal faces well and cost too much for the smallest, and by a small network of our
own, which knows heads from every side.  If no face surely stands upright, the photograph may have been
turned: then small copies are looked at in the other three ways.  (Some faces that lie on their side are
upright ones to the network, not surely.)
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import chain, zip_longest

import numpy as np
from PIL import Image

from faces.boxes import overlap
from faces.detect import Find, View, best_of_each, cut, same_face, smallest_face
from faces.dlib_detector import HogFilters, model_file
from faces.landmarks import FivePoints
from faces.mmod import WINDOW, find_faces, load_mmod_network
from faces.proposals import load_proposal_network, propose
from faces.types import Box, DetectedFace, Landmarks, Photo, Pixels

# Pixels of the finest level that the network looks at as a whole: all of a photograph, a copy of a larger
# one, a copy turned.  With its pyramid it takes 0.28 µs for one.
_WHOLE, _COPY, _TURNED = 300_000, 130_000, 90_000
_CONFIRMED, _SURE = 0.2, 0.9  # confidence of the network
_TURNED_LEAST, _TURNED_MORE = 0.5, 0.2  # confidence that another way must have, and more than the upright one
_FILTERS_FROM = 2.3  # smallest faces: the filters cost 50 ns a pixel, where a face must be 80 pixels wide
_PROPOSED_BY_FILTERS, _PROPOSED_BY_NETWORK = -0.8, 0.0  # scores of the filters, log-odds
_SAME_PLACE = 0.6  # intersection over union
_BATCH, _AT_LEAST = 16, 32  # proposals judged at a time, surest first; so many if none before was confirmed
_PATCH_FACE = 96  # pixels of a proposed face in the patch that the network looks at
# Pixels of the patch and levels of the pyramid.  The network looks further than the first patch reaches, so
# its confidence there is only good for dropping what is no face at all.
_FIRST_LOOK, _SECOND_LOOK = (128, 3), (168, 3)
_HOPEFUL = -1.0


class MmodDetector:
    """Finds faces with dlib's network in torch; deterministic, on the processor.

    ``min_face`` is the width in pixels down to which faces are looked for; 0: what ``smallest_face`` says.
    """

    name = "dlib-mmod"

    def __init__(self, *, min_face: int) -> None:
        self._min_face = min_face
        self._network = load_mmod_network(model_file("mmod_human_face_detector.dat"))
        self._proposals = load_proposal_network()
        self._five_points = FivePoints(model_file("shape_predictor_5_face_landmarks.dat"))

    @cached_property
    def _filters(self) -> HogFilters:
        return HogFilters()  # takes a third of a second to open, and small photographs do without

    def detect(self, photo: Photo) -> list[DetectedFace]:
        """Find every face, largest first; ``score`` is the network's confidence, 0.2 to about 1.2."""
        faces = self._upright(Image.fromarray(photo.pixels))
        best = max((face.score for face in faces), default=0.0)
        if best < _SURE:
            faces = self._turned(photo, max(_TURNED_LEAST, best + _TURNED_MORE)) or faces
        return sorted(faces, key=lambda face: -face.box.area)

    def _upright(self, colour: Image.Image) -> list[DetectedFace]:
        grey = colour.convert("L")
        finds = self._finds(colour, grey)
        return [
            DetectedFace(find.box, landmarks, find.score)
            for find in best_of_each(finds)
            if (landmarks := self._five_points.find(grey, find.box)) is not None
        ]

    def _finds(self, colour: Image.Image, grey: Image.Image) -> list[Find]:
        smallest = smallest_face(self._min_face, colour.width, colour.height)
        scale, pixels = WINDOW / smallest, colour.width * colour.height
        if pixels * scale * scale <= _WHOLE:
            return self._seen(colour, scale, _CONFIRMED)
        scale = min(1.0, math.sqrt(_COPY / pixels))
        finds = self._seen(colour, scale, _CONFIRMED)
        proposed = self._proposed(grey, smallest, 1.2 * WINDOW / scale)
        for first in range(0, len(proposed), _BATCH):
            some = [
                box
                for box in proposed[first : first + _BATCH]
                if not any(same_face(box, find.box) for find in finds)
            ]
            confirmed = self._judged(colour, some)
            if not confirmed and first + _BATCH >= _AT_LEAST:
                break
            finds += confirmed
        return finds

    def _proposed(self, grey: Image.Image, smallest: float, largest: float) -> list[Box]:
        """Places that may show faces of these sizes, the surest of both ways by turns."""
        scale = WINDOW / (_FILTERS_FROM * smallest)
        by_filters = best_of_each(self._filters.find(grey, scale, _PROPOSED_BY_FILTERS))
        by_network = propose(
            self._proposals, grey, smallest=smallest, largest=largest, threshold=_PROPOSED_BY_NETWORK
        )
        boxes: list[Box] = []
        for one in chain(*zip_longest(by_filters, by_network)):
            if one is not None and not any(overlap(one.box, box) > _SAME_PLACE for box in boxes):
                boxes.append(one.box)
        return boxes

    def _seen(self, colour: Image.Image, scale: float, threshold: float) -> list[Find]:
        """What the network sees in the whole of a photograph enlarged ``scale`` times."""
        view = cut(colour, Box(0, 0, colour.width, colour.height), scale)
        [finds] = find_faces(self._network, view.pixels[None], threshold=threshold)
        return [Find(view.in_photo(*find.box.sides), find.score) for find in finds]

    def _judged(self, colour: Image.Image, proposed: list[Box]) -> list[Find]:
        """What the network sees in these places."""
        seen = self._looked_at(colour, proposed, *_FIRST_LOOK, _HOPEFUL)
        hopeful = [box for box, finds in zip(proposed, seen, strict=True) if finds]
        return list(chain(*self._looked_at(colour, hopeful, *_SECOND_LOOK, _CONFIRMED)))

    def _looked_at(
        self, colour: Image.Image, boxes: list[Box], side: int, levels: int, threshold: float
    ) -> list[list[Find]]:
        """What the network sees that overlaps with each box, in patches ``side`` pixels wide around them."""
        if not boxes:
            return []
        patches = np.empty((len(boxes), side, side, 3), np.uint8)
        regions = []
        for patch, box in zip(patches, boxes, strict=True):
            half = side / 2 * box.width / _PATCH_FACE
            x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
            regions.append(Box(x - half, y - half, x + half, y + half))
            patch[:] = _patch(colour, regions[-1], side)
        found = []
        looked = find_faces(self._network, patches, threshold=threshold, levels=levels)
        for finds, region, box in zip(looked, regions, boxes, strict=True):
            view = View(patches[0], side / region.width, region.left, region.top)
            placed = [Find(view.in_photo(*find.box.sides), find.score) for find in finds]
            found.append([find for find in placed if overlap(find.box, box) > 0.2])
        return found

    def _turned(self, photo: Photo, least: float) -> list[DetectedFace]:
        """The faces of a photograph turned as shows them best; none if no way shows one ``least`` as sure."""
        pixels = photo.width * photo.height
        scale = min(2.0, math.sqrt(_TURNED / pixels))
        small = cut(Image.fromarray(photo.pixels), Box(0, 0, photo.width, photo.height), scale)
        best, quarters = least, 0
        for turn in (1, 3, 2):
            looked_at = np.ascontiguousarray(np.rot90(small.pixels, turn))
            [finds] = find_faces(self._network, looked_at[None], threshold=best)
            if finds:
                best, quarters = finds[0].score, turn
        if not quarters:
            return []
        turned = np.ascontiguousarray(np.rot90(photo.pixels, quarters))
        faces = self._upright(Image.fromarray(turned))
        return [_turned_back(face, quarters, photo) for face in faces]


def _patch(colour: Image.Image, region: Box, side: int) -> Pixels:
    """The part of a photograph within ``region``, (side, side, 3), black beyond the photograph."""
    zoom = region.width / side  # pixels of the photograph for one of the patch
    shrink = int(zoom)
    if shrink > 1:  # sampling alone would alias
        left, top = (math.floor(place) - shrink for place in (region.left, region.top))
        wide = (side + 4) * math.ceil(zoom)
        colour = colour.crop((left, top, left + wide, top + wide)).reduce(shrink)
        corner = (left, top, left, top)
        region = Box(*((place - one) / shrink for place, one in zip(region.sides, corner, strict=True)))
        zoom /= shrink
    matrix = (zoom, 0.0, region.left, 0.0, zoom, region.top)
    taken = colour.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(taken)


def _turned_back(face: DetectedFace, quarters: int, photo: Photo) -> DetectedFace:
    """A face of a photograph turned anticlockwise by so many quarters, as it lies in the photograph."""

    def back(x: float, y: float) -> tuple[float, float]:
        if quarters == 1:
            return photo.width - y, x
        if quarters == 2:
            return photo.width - x, photo.height - y
        return y, photo.height - x

    box, marks = face.box, face.landmarks
    (x0, y0), (x1, y1) = back(box.left, box.top), back(box.right, box.bottom)
    there = Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    points = (back(*point) for point in (marks.left_eye, marks.right_eye, marks.nose_base))
    return DetectedFace(there, Landmarks(*points), face.score)
