"""Training: data, recipes, and a loop that survives being killed."""

from generator.training.data import (
    TrainingData,
    join_sets,
    mirrored_places,
    prepare,
    restrict_people,
    varying,
)
from generator.training.recipes import FEW_PEOPLE, Augmentation, Budget, Recipe, adjusted, recipe
from generator.training.state import Entry
from generator.training.trainer import Options
from generator.training.two_stage import train

__all__ = ["FEW_PEOPLE", "Augmentation", "Budget", "Entry", "Options", "Recipe", "TrainingData", "adjusted"]
__all__ += ["join_sets", "mirrored_places", "prepare", "recipe", "restrict_people", "train", "varying"]
