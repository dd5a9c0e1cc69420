"""Train the small network that proposes faces, on rendered heads in rendered scenes.

    python training/proposals.py --head-model PATH [--minutes 30] [--heads FOLDER] [--out WEIGHTS]

PATH is the packed ICT-FaceKit head model.  Heads of every pose up to the profile, in every light, some in
hats and glasses, are rendered once into the folder HEADS and pasted, at every size and lean, over drawn
shoulders into scenes: those of the demo, shapes, letters, noise, and much enlarged parts of other heads.
Then come blur, noise, low contrast and JPEG.  Seeds are fixed; how far a training gets in so many minutes
depends on the machine.
"""

from __future__ import annotations

import io
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demo"))

from scenery import NO_PEOPLE, PLACES, background

from facedata.rendered.accessories import HATS, sample_glasses, sample_hat
from facedata.rendered.camera import Camera, View, sample_lights
from facedata.rendered.head_model import load_head_model
from facedata.rendered.mesh import Material, Rng
from facedata.rendered.person import Head, Posed, pose_person, sample_expression, sample_person
from facedata.rendered.photograph import sample_background, sample_tone
from faces.proposals import FACE, STRIDE, WEIGHTS, ProposalNetwork, load_proposal_network
from faces.sheet import font
from faces.types import Floats, Pixels

SIDE, RAYS, FRAME = 112, 1.5, 32.0  # pixels of a rendered head, rays per pixel, cm across
CHUNKS, PEOPLE, POSES, LIGHTS = 10, 50, 5, 2
# Where dlib's network sees the face in that frame: its side, and its centre by sine of yaw and pitch.
BOX, CENTRE, BY_YAW, BY_PITCH = 55.0, (56.0, 58.5), 4.0, -11.0

CANVAS, BATCH, RATE = 96, 64, 2e-3
SMALLER, LARGER = 19.0, 30.0  # pixels: faces that a level answers for
UNSURE = (15.0, 38.0)  # faces for which it may answer or not
NEAR, AROUND = 0.17, 0.4  # of a face: answers that belong to it, and that may

Scene = tuple[Floats, list[tuple[float, float, float]]]
"""A picture (CANVAS, CANVAS) 0..255, and centre and width of each face on it."""


def render_heads(head: Head, chunk: int) -> dict[str, NDArray[np.generic]]:
    """Render heads (n, 2, SIDE, SIDE) uint8, grey and outline, and their yaw and pitch (n, 2), degrees."""
    heads, angles = [], []
    for number in range(PEOPLE):
        rng = np.random.default_rng([7, chunk, number])
        person = sample_person(rng, head, glasses_share=0.3, low_hair_share=0.5)
        if rng.random() < 0.25:
            person = replace(person, hat=sample_hat(rng, str(rng.choice(HATS)), spread=2.0))
        if person.glasses is not None and rng.random() < 0.4:
            person = replace(person, glasses=sample_glasses(rng, dark=True))
        posed = pose_person(person, head, sample_expression(rng, 0.6))
        for _ in range(POSES):
            yaw, pitch, roll = rng.uniform(-95, 95), rng.normal(0, 14), rng.normal(0, 12)
            heads += taken(posed, yaw, pitch, roll, rng)
            angles += [(yaw, pitch)] * LIGHTS
    return {"heads": np.array(heads), "angles": np.array(angles, np.float32)}


def taken(posed: Posed, yaw: float, pitch: float, roll: float, rng: Rng) -> list[Pixels]:
    """Take a head from one side in several lights, each (2, SIDE, SIDE) uint8."""
    eyes, nose = posed.landmarks[[36, 39, 42, 45]].mean(0), posed.landmarks[33]
    target = np.asarray((eyes + nose) / 2 + np.array([0, 0, -5.0]), np.float32)
    side = round(SIDE * RAYS)
    view = View(posed, Camera(yaw, pitch, roll, rng.uniform(60, 250), side, side / FRAME, target))
    pictures = []
    for light in sample_lights(rng, 0.7, LIGHTS, None):
        radiance = view.radiance(light, rng)
        skin = radiance[view.hits.material == Material.SKIN]
        tone = sample_tone(rng, float(np.percentile(skin, 85)) if len(skin) else 0.5)
        both = np.zeros((2, side * side), np.float32)
        both[:, view.hits.ray] = np.stack([tone(radiance), np.ones_like(radiance)])
        small = [
            np.asarray(Image.fromarray(one.reshape(side, side)).resize((SIDE, SIDE), Image.Resampling.BOX))
            for one in both
        ]
        pictures.append((np.clip(np.array(small), 0, 1) * 255 + 0.5).astype(np.uint8))
    return pictures


def scenery(rng: Rng) -> list[Image.Image]:
    """Draw scenes without people: those of the demo, shapes and textures."""
    scenes = []
    for place in (*PLACES.values(), *NO_PEOPLE.values()):
        for size in (260, 420):
            light = background(place, size, size, rng).mean(axis=2)
            scenes.append(np.clip(light / max(np.percentile(light, 98), 1e-3), 0, 1) ** 0.45 * 255)
    scenes += [sample_background(rng, 256) * 255 for _ in range(60)]
    for _ in range(40):  # noise whose amplitude falls with the frequency, as in pictures of nature
        size = 256
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))) + 1 / size
        spectrum = np.fft.fft2(rng.normal(size=(size, size))) / frequency ** rng.uniform(0.5, 1.6)
        texture = np.fft.ifft2(spectrum).real
        scenes.append(128 + texture / texture.std() * rng.uniform(10, 60))
    drawn = [Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8)) for scene in scenes]
    return drawn + [clutter(scene.copy(), rng) for scene in (*drawn, *drawn[-100:])]


def clutter(picture: Image.Image, rng: Rng) -> Image.Image:
    """Draw shapes, lines, stripes and letters of any size over a picture."""
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(30, 150))):
        x, y = rng.uniform(-0.1, 1, 2) * picture.width
        across, down = np.exp(rng.uniform(np.log(3), np.log(90), 2))
        grey, kind = int(rng.integers(256)), rng.integers(5)
        if kind == 0:
            draw.ellipse((x, y, x + across, y + down), fill=grey)
        elif kind == 1:
            draw.rectangle((x, y, x + across, y + down), fill=grey)
        elif kind == 2:
            draw.line((x, y, *rng.uniform(0, picture.width, 2)), fill=grey, width=int(rng.integers(1, 6)))
        elif kind == 3:
            for stripe in range(int(rng.integers(3, 10))):
                top = y + stripe * down / 8
                draw.line((x, top, x + across, top), fill=grey, width=max(1, int(down / 16)))
        else:
            letters = "".join(chr(int(code)) for code in rng.integers(33, 126, 4))
            draw.text((x, y), letters, fill=grey, font=font(int(max(6, down / 2))))
    return picture


def dress(picture: Image.Image, face: tuple[float, float, float], rng: Rng) -> None:
    """Draw shoulders below where a face will be, perhaps with a collar and a tie."""
    (x, y, width), draw = face, ImageDraw.Draw(picture)
    x += rng.normal(0, 0.1) * width
    half, top = rng.uniform(0.9, 1.6) * width, y + rng.uniform(0.55, 0.85) * width
    draw.ellipse((x - half, top, x + half, top + 3 * width), fill=int(rng.integers(256)))
    if rng.random() < 0.6:
        open_to, down = rng.uniform(0.15, 0.4) * width, top + rng.uniform(0.5, 1.2) * width
        draw.polygon([(x - open_to, top), (x + open_to, top), (x, down)], fill=int(rng.integers(256)))
        if rng.random() < 0.5:
            tie = rng.uniform(0.05, 0.12) * width
            draw.rectangle((x - tie, top + 0.1 * width, x + tie, down + width), fill=int(rng.integers(256)))


def hides(face: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Tell whether one head, or its shoulders, may hide another face."""
    (x, y, width), (other_x, other_y, _) = face, other
    below = other_y > y and abs(other_x - x) < 1.8 * width
    return below or np.hypot(other_x - x, other_y - y) < width


class Composer:
    """Draws training pictures from heads and scenes."""

    def __init__(self, heads: Pixels, angles: Floats, rng: Rng) -> None:
        self.heads, self.angles, self.rng = heads, angles, rng
        self.scenes = scenery(rng)

    def scene(self) -> Scene:
        """Compose one picture."""
        rng = self.rng
        picture = self._ground()
        if rng.random() < 0.35:  # an ear, a neck, an eye: parts of a head far too large
            picture, _ = self._paste(picture, float(np.exp(rng.uniform(np.log(55), np.log(260)))))
        faces = []
        for _ in range(rng.choice([0, 1, 2, 3], p=[0.15, 0.4, 0.3, 0.15])):
            low, high = (SMALLER, LARGER) if rng.random() < 0.7 else (8.0, 60.0)
            picture, face = self._paste(picture, float(np.exp(rng.uniform(np.log(low), np.log(high)))))
            faces = [other for other in faces if not hides(face, other)]
            faces.append(face)
        return self._photographed(picture), faces

    def batch(self) -> tuple[Tensor, Tensor]:
        """Compose pictures (B, 1, CANVAS, CANVAS), and what the network should answer (B, 5, h, w).

        That is 1 for a face, 0 for none; 1 if it counts; and where the face lies, as the network says it.
        """
        scenes = [self.scene() for _ in range(BATCH)]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in scenes])[:, None])
        return pictures, torch.from_numpy(np.stack([answers(faces) for _, faces in scenes]))

    def _ground(self) -> Image.Image:
        rng = self.rng
        scene = self.scenes[rng.integers(len(self.scenes))]
        side = int(min(scene.width, CANVAS * np.exp(rng.uniform(-0.7, 0.9))))
        left, top = rng.integers(0, scene.width - side + 1), rng.integers(0, scene.height - side + 1)
        ground = scene.resize(
            (CANVAS, CANVAS), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
        )
        return ground.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else ground

    def _paste(self, picture: Image.Image, width: float) -> tuple[Image.Image, tuple[float, float, float]]:
        """Paste a head with a face so wide; returns the picture, and centre and width of the face."""
        rng = self.rng
        number = rng.integers(len(self.heads))
        yaw, pitch = np.radians(self.angles[number])
        grey, outline = (Image.fromarray(one) for one in self.heads[number])
        if width < BOX / 2:  # sampling alone would alias
            grey, outline = grey.reduce(2), outline.reduce(2)
        frame = grey.width / SIDE  # pixels per pixel of a head
        centre = np.array([CENTRE[0] + BY_YAW * np.sin(yaw), CENTRE[1] + BY_PITCH * np.sin(pitch)])
        mirrored = rng.random() < 0.5
        angle, zoom = np.radians(rng.uniform(-25, 25)), BOX / width
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * zoom
        if mirrored:
            turn[0] *= -1
        at = rng.uniform(-0.05, 1.05, 2) * CANVAS
        matrix = np.concatenate([turn, (centre - turn @ at)[:, None]], axis=1) * frame
        picture = picture.copy()
        dress(picture, (float(at[0]), float(at[1]), width), rng)
        grey, outline = (
            one.transform((CANVAS, CANVAS), Image.Transform.AFFINE, tuple(matrix.ravel().tolist()), 2)
            for one in (grey, outline)
        )
        return Image.composite(grey, picture, outline), (float(at[0]), float(at[1]), width)

    def _photographed(self, picture: Image.Image) -> Floats:
        """Blur, low contrast, noise and JPEG."""
        rng = self.rng
        if rng.random() < 0.5:
            picture = picture.filter(ImageFilter.GaussianBlur(abs(rng.normal(0, 0.8))))
        levels = np.asarray(picture, np.float32)
        if rng.random() < 0.6:
            levels = (levels / 255) ** np.float32(np.exp(rng.normal(0, 0.35))) * 255
            levels = levels * np.float32(rng.uniform(0.2, 1.0))
            levels += np.float32(rng.uniform(0, 255 - float(levels.max())))
        if rng.random() < 0.6:
            levels = levels + rng.normal(size=levels.shape).astype(np.float32) * abs(rng.normal(0, 8))
        if rng.random() < 0.5:
            memory = io.BytesIO()
            eight_bits = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
            eight_bits.save(memory, "JPEG", quality=int(rng.integers(30, 96)))
            levels = np.asarray(Image.open(memory), np.float32)
        return np.clip(levels, 0, 255).astype(np.float32)


def answers(faces: list[tuple[float, float, float]]) -> Floats:
    """Say what the network should answer for these faces, (5, h, w); see ``Composer.batch``."""
    side = CANVAS // STRIDE
    y, x = np.mgrid[0:side, 0:side] * STRIDE + STRIDE / 2
    wished = np.zeros((5, side, side), np.float32)
    wished[1] = 1
    for face_x, face_y, width in faces:
        distance = np.hypot(x - face_x, y - face_y) / width
        if UNSURE[0] < width < UNSURE[1]:
            wished[1][distance < AROUND] = 0
        if SMALLER <= width <= LARGER:
            on = distance < max(NEAR, STRIDE * 0.71 / width)
            wished[0][on], wished[1][on] = 1, 1
            offsets = (x - face_x, y - face_y)
            for number, offset in enumerate(offsets, start=2):
                wished[number][on] = -offset[on] / FACE
            wished[4][on] = np.log(width / FACE)
    return wished


def loss_of(given: Tensor, wished: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017) of the odds, absolute error of the places."""
    face, counts, places = wished[:, 0], wished[:, 1], wished[:, 2:]
    surprise = F.binary_cross_entropy_with_logits(given[:, 0], face, reduction="none")
    missed = (1 - torch.exp(-surprise)) ** 2
    focal = (surprise * missed * counts * (1 + 3 * face)).sum() / face.sum().clamp(min=1)
    error = ((given[:, 1:] - places).abs().sum(dim=1) * face).sum() / face.sum().clamp(min=1)
    return focal + 0.5 * error


def train(
    head_model: Annotated[Path, typer.Option(help="ICT-FaceKit, packed.")],
    heads: Annotated[Path, typer.Option(help="Folder for the rendered heads.")] = Path("heads"),
    minutes: Annotated[float, typer.Option(help="Processor time.")] = 30.0,
    start_from: Annotated[Path | None, typer.Option(help="Weights to go on from.")] = None,
    seed: int = 1,
    out: Annotated[Path, typer.Option(help="The weights.")] = WEIGHTS,
) -> None:
    """Render what is missing, train, and write the weights."""
    heads.mkdir(parents=True, exist_ok=True)
    model: Head | None = None
    for chunk in range(CHUNKS):
        if not (heads / f"{chunk:02d}.npz").exists():
            model = model or Head(load_head_model(head_model))
            np.savez(heads / f"{chunk:02d}.npz", **render_heads(model, chunk))  # type: ignore[arg-type]
    parts = [np.load(path) for path in sorted(heads.glob("*.npz"))]
    rng = np.random.default_rng(seed)
    composer = Composer(*(np.concatenate([part[key] for part in parts]) for key in ("heads", "angles")), rng)
    torch.manual_seed(seed)
    network = ProposalNetwork() if start_from is None else load_proposal_network(start_from).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    began, step, average, share = time.process_time(), 0, 0.0, 0.0
    while share < 1:
        share = min(1.0, (time.process_time() - began) / (60 * minutes))
        optimiser.param_groups[0]["lr"] = (
            RATE * min(1.0, (step + 1) / 200) * (1.02 + np.cos(np.pi * share)) / 2
        )
        pictures, wished = composer.batch()
        loss = loss_of(network(pictures.contiguous(memory_format=torch.channels_last)), wished)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        step, average = step + 1, 0.98 * average + 0.02 * float(loss.detach())
        if step % 200 == 0:
            print(f"{step} steps, {share:.0%}, loss {average / (1 - 0.98**step):.3f}", flush=True)
            save(network, out)
    save(network, out)


def save(network: ProposalNetwork, out: Path) -> None:
    """Write the weights."""
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: values.contiguous() for name, values in network.state_dict().items()}, out)


if __name__ == "__main__":
    typer.run(train)
