"""Faces rendered from a morphable head: people without end, in any pose and light.

From the bottom up: ``head_model`` and ``mesh`` (with the ray caster), ``skin`` (paint and noise), ``hair``,
``accessories`` (hats and glasses), ``person``, ``camera`` (and lights), ``photograph`` (what a cheap
camera does to a picture), ``recipes`` (which pictures of a person), ``sets`` (whole sets on disk).
"""
