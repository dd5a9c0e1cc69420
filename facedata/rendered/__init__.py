"""Faces rendered from a morphable head: people without end, in any pose and light.

From the bottom up: ``head_model`` and ``mesh`` (with the ray caster), ``paint``, ``skin``, ``hair``, ``hats``
and ``glasses``, ``person``, ``light`` and ``camera``, ``photograph``, ``larger`` (pictures for networks of
others), ``shoot`` (views under lights), ``rotation`` and ``accessories`` (the pictures of one person),
``sets`` (whole sets on disk).
"""
