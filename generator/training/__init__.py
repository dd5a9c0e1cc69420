"""Training: data, recipes, and a loop that survives being killed."""

from generator.training.data import TrainingData, join_sets, prepare, restrict_people
from generator.training.history import Entry
from generator.training.loop import train
from generator.training.recipes import PRESETS, Augmentation, Budget, Recipe, adjusted, recipe
from generator.training.run import Options

__all__ = [
    "PRESETS",
    "Augmentation",
    "Budget",
    "Entry",
    "Options",
    "Recipe",
    "TrainingData",
    "adjusted",
    "join_sets",
    "prepare",
    "recipe",
    "restrict_people",
    "train",
]
