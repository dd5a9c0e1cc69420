"""The photograph's own detail in a drawing: an appearance flow from one to the other.

Both stages draw small pictures, and much of the likeness is lost with the pixels.  An appearance flow (Zhou,
Tulsiani, Sun, Malik and Efros 2016, *View Synthesis by Appearance Flow*, arXiv 1605.03557) tells for each
place of a drawing which place of the photograph shows the same, and how surely.  The photograph's pixels are
moved there, in its own resolution and colour; what it does not show, such as the far cheek or the sunglasses
that were wished for, stays as it is drawn.  It looks at nothing but the crop and the drawing, so that it
serves all weights whose crops have its size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from faces.errors import WeightsError
from faces.files import write_durably
from faces.types import Pixels
from generator.available import FLOW_FILE, SHIPPED, find_weights, first_line
from generator.checkpoint import digest_tensors, read_tensors

_WIDTHS = (32, 64, 96, 128)
_REACH = 0.25  # sides that a number of 1 moves, so that the flow is learned no faster than the rest
_BATCH = 16
_BRIGHTER = 1.5  # at most, colours are made so many times brighter
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow makes grey of colours


class FlowNetwork(nn.Module):
    """An encoder and a decoder with connections between equal sizes (Ronneberger et al. 2015, *U-Net*).

    At first it moves nothing and is undecided everywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(*pair) for pair in pairwise((2, *_WIDTHS)))
        upwards = pairwise(reversed(_WIDTHS))
        self.up = nn.ModuleList(_block(below + maps, maps) for below, maps in upwards)
        self.out = nn.Conv2d(_WIDTHS[0], 3, 3, padding=1)
        for parameter in (self.out.weight, self.out.bias):
            if parameter is not None:
                nn.init.zeros_(parameter)

    def forward(self, crops: Tensor, drawings: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised crops and drawings (B, 1, S, S) to the flow (B, 2, S, S), in sides of the picture to
        the right and down, and to how surely the photograph shows a place, (B, 1, S, S) log-odds."""
        x, kept = torch.cat([crops, drawings], 1), list[Tensor]()
        for block in self.down:
            x = functional.max_pool2d(x, 2) if kept else x
            x = block(x)  # (B, 32, S, S), (B, 64, S/2, S/2), (B, 96, S/4, S/4), (B, 128, S/8, S/8)
            kept.append(x)
        for block, beside in zip(self.up, reversed(kept[:-1]), strict=True):
            wider = functional.interpolate(x, size=beside.shape[2:], mode="nearest")
            x = block(torch.cat([wider, beside], 1))
        found: Tensor = self.out(x)
        return _REACH * found[:, :2], found[:, 2:]


def _block(maps_in: int, maps_out: int) -> nn.Sequential:
    first, second = (nn.Conv2d(maps, maps_out, 3, padding=1) for maps in (maps_in, maps_out))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def move(photographs: Tensor, flow: Tensor, surely: Tensor) -> tuple[Tensor, Tensor]:
    """Move photographs (B, C, P, P) as the network says.

    Returns them (B, C, P, P), and how much of each place is theirs and not the drawing's, (B, 1, P, P) 0..1.
    """
    side = photographs.shape[-1]
    along, share = enlarge(flow, side), torch.sigmoid(enlarge(surely, side))
    places = (torch.arange(side, device=flow.device) + 0.5) / side * 2 - 1
    still = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1)  # (P, P, 2)
    moved = functional.grid_sample(
        photographs, still + 2 * along.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )
    return moved, share


def enlarge(pictures: Tensor, side: int) -> Tensor:
    """Enlarge pictures or maps (B, C, S, S) smoothly to (B, C, P, P)."""
    return functional.interpolate(pictures, size=(side, side), mode="bicubic", align_corners=False)


def coloured(drawings: Tensor, beneath: Tensor) -> Tensor:
    """Give grey drawings (B, 1, P, P) the colours (B, 3, P, P) of what they are drawn over, levels 0..255.

    The colours are those of the surroundings, lest eyes shine through sunglasses.  The grey of the result is
    the drawing's.
    """
    reach = beneath.shape[-1] // 16
    soft = functional.pad(beneath, (reach, reach, reach, reach), mode="replicate")
    for around in ((2 * reach + 1, 1), (1, 2 * reach + 1)):  # five times quicker than both at once
        soft = functional.avg_pool2d(soft, around, stride=1)
    grey = (soft * torch.tensor(_LUMA, device=soft.device)[:, None, None]).sum(1, keepdim=True)
    ratio = (drawings / grey.clamp_min(1)).clamp(0, _BRIGHTER)
    return soft * ratio + (drawings - grey * ratio)


@dataclass(frozen=True)
class AppearanceFlow:
    """Puts a photograph's own detail into its drawings.

    ``size`` is the side of crops and drawings, ``learned`` the ids of the weights by whose drawings it was
    trained.
    """

    network: FlowNetwork
    mean: float
    std: float
    size: int
    learned: tuple[str, ...] = ()

    def __call__(self, photographs: Pixels, crops: Pixels, drawings: Pixels) -> Pixels:
        """Return drawings (N, P, P, 3) uint8 RGB of faces (N, P, P, 3) uint8 RGB.

        ``crops`` (N, S, S) uint8 are the same faces as the drawing network saw them, ``drawings`` (N, S, S)
        uint8 what it drew.  Raises ValueError if the sizes are others.
        """
        count, side = len(photographs), photographs.shape[1]
        small = (count, self.size, self.size)
        if crops.shape != small or drawings.shape != small or photographs.shape != (count, side, side, 3):
            raise ValueError(f"faces {photographs.shape}, {crops.shape} and {drawings.shape} do not fit")
        found = np.empty_like(photographs)
        with torch.inference_mode():
            for start in range(0, count, _BATCH):
                part = slice(start, start + _BATCH)
                wide = torch.from_numpy(photographs[part].astype(np.float32)).permute(0, 3, 1, 2)
                drawn = torch.from_numpy(drawings[part].astype(np.float32))[:, None]
                seen, sketched = (self._standardised(one[part]) for one in (crops, drawings))
                moved, share = move(wide, *self.network(seen, sketched))
                rest = coloured(enlarge(drawn, side).clamp(0, 255), moved)
                levels = (share * moved + (1 - share) * rest).round().clamp(0, 255)
                found[part] = levels.permute(0, 2, 3, 1).to(torch.uint8).numpy()
        return found

    def _standardised(self, pictures: Pixels) -> Tensor:
        return ((torch.from_numpy(pictures.astype(np.float32)) - self.mean) / self.std)[:, None]

    @property
    def digest(self) -> str:
        """Stands for all of it."""
        return _digest(self._words, self.network.state_dict())

    @property
    def _words(self) -> dict[str, object]:
        return {"mean": self.mean, "std": self.std, "size": self.size, "learned": list(self.learned)}

    def save(self, folder: Path) -> None:
        """Write it into a folder; raises OSError if that cannot be written to."""
        tensors = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        metadata = {"flow": json.dumps({**self._words, "digest": self.digest})}
        write_durably(folder / FLOW_FILE, save(tensors, metadata=metadata))


def _digest(words: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    return digest_tensors(json.dumps(words, sort_keys=True), tensors)


def load_flow(name_or_folder: str | Path) -> AppearanceFlow:
    """Read the appearance flow called so; raises WeightsError if there is none or it is damaged."""
    folder = find_weights(
        name_or_folder, SHIPPED, holding=FLOW_FILE, what="appearance flow", command="train-flow"
    )
    path = folder / FLOW_FILE
    try:
        found, tensors = read_tensors(path)
        words = json.loads(found["flow"])
        if words.pop("digest") != _digest(words, tensors):
            raise ValueError("it was changed or is damaged")
        network = FlowNetwork()
        network.load_state_dict(tensors)
        return AppearanceFlow(
            network.eval().requires_grad_(False),
            float(words["mean"]),
            float(words["std"]),
            int(words["size"]),
            tuple(map(str, words["learned"])),
        )
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(
            f"{path} cannot be used ({first_line(error)}); copy the whole folder again."
        ) from None
