"""Readers for sets of faces that their holders may not pass on: each turns the original layout of a set into
a labelled folder of ready crops."""
