"""What a training of CPI makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from baselines.cpi.examples import Examples
from baselines.cpi.network import CPINetwork
from baselines.cpi.settings import CPISettings

_POSE_WEIGHT = 0.1  # of any size: the pose head's loss moves nothing but the head


def losses(
    network: CPINetwork, examples: Examples, settings: CPISettings, redrawn_codes: Tensor | None = None
) -> tuple[Tensor, dict[str, float]]:
    """The loss to go down on, and its parts: ``error`` of the drawings, ``auxiliary`` of the inputs made anew
    from them (both squared, per pixel, standardised), and ``pose_right``, the share of poses the head tells.

    Yim et al. (2015) add the squared errors of the two tasks.  With ``redrawn_codes`` (R,) the first R
    sources are first turned to these poses by the network itself, and turned on from there.
    """
    codes = torch.eye(network.architecture.poses, device=examples.source.device)
    source, own = examples.source, examples.own
    if redrawn_codes is not None and len(redrawn_codes):
        source, own = _redrawn(network, source, own, redrawn_codes, codes)
    remote = codes[examples.codes]
    drawn, recovery, hidden = network.main(source, remote)
    made, digits = network.auxiliary(drawn, recovery)
    told = network.pose(hidden.detach())
    error = (drawn.float() - examples.target).square().mean()
    auxiliary = (made.float() - source).square().mean()
    returned = (digits.float() - remote).square().mean()
    pose = functional.cross_entropy(told.float(), own)
    loss = error + settings.auxiliary * (auxiliary + settings.remote * returned) + _POSE_WEIGHT * pose
    right = (told.detach().argmax(1) == own).float().mean()
    parts = {"error": error, "auxiliary": auxiliary, "pose_right": right}
    return loss, {name: float(value.detach()) for name, value in parts.items()}


def _redrawn(
    network: CPINetwork, source: Tensor, own: Tensor, poses: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """Sources and their poses with the first rows replaced by drawings of them in ``poses``."""
    count = len(poses)
    with torch.no_grad():
        drawings = network.main(source[:count], codes[poses])[0].to(source.dtype)
    return torch.cat([drawings, source[count:]]), torch.cat([poses, own[count:]])
