"""Readers of sets that their holders may not pass on: each makes a labelled folder of ready crops."""
