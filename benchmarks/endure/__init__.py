"""What is done to a collection by ``benchmarks/endurance.py`` and, in a short form, by the tests."""
