"""Faces rendered from a morphable head: people without end, in any pose and light.

From the bottom up: ``head_model`` and ``mesh`` (with the ray caster), ``procedural`` (noise), ``skin``,
``hair``, ``hats`` and ``glasses``, ``person``, ``light`` and ``camera``, ``photograph`` (what a cheap camera
does to a picture), ``crops`` (views of one person under lights), ``rotation`` and ``accessories`` (which
views), ``sets`` (whole sets on disk).
"""
