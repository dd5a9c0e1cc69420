"""The model card: what a checkpoint is, for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template

from generator.config import ModelConfig

_TEMPLATE = Template("""# $name

Draws a face anew with one thing changed ($attributes), and gives the features by which anotheryou
finds photographs of that person.  Two convolutional encoder-decoders after Ghodrati, Jia, Pedersoli and
Tuytelaars, "Towards Automatic Image Editing: Learning to See another You" (2015), $parameters weights.

| | |
|---|---|
| weights | `$weights_id` |
| takes | a grey face of $size × $size pixels, eyes at $eye_y of its height, nose base $nose_distance below |
| standardised by | mean $mean, deviation $std (grey levels 0-255) |
| features | layer `$feature_layer` of the second network |
| recipe | $preset |
| made with | anotheryou $version |

## Wishes

$wishes

## Data

$data

## Measured

$metrics

## Use and limits

Load it with `load_generator`, or name it with `--weights`.  It knows only faces cropped as above and the
values listed; a face far from those it was trained on is drawn badly.  What it draws is a query for a search,
not a likeness: do not take it for a photograph of anybody, and do not use it to identify people without their
consent.
""")


def model_card(config: ModelConfig, *, name: str, weights_id: str, parameters: int, version: str) -> str:
    """Return the card as Markdown."""
    groups = config.vocabulary.groups
    return _TEMPLATE.substitute(
        name=name,
        attributes=", ".join(group.name for group in groups),
        parameters=f"{parameters:,}",
        weights_id=weights_id,
        size=config.geometry.size,
        eye_y=config.geometry.eye_y,
        nose_distance=config.geometry.nose_distance,
        mean=f"{config.mean:.2f}",
        std=f"{config.std:.2f}",
        feature_layer=config.architecture.feature_layer,
        preset=config.preset or "not recorded",
        version=version,
        wishes="\n".join(f"- {group.name}: {', '.join(group.values)}" for group in groups),
        data=_listed(config.data),
        metrics=_listed(config.metrics),
    )


def _listed(table: Mapping[str, object]) -> str:
    lines = [
        f"- {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
    ]
    return "\n".join(lines) or "Not recorded."
