"""Photographs, the faces in them, and the types and errors that everybody shares."""

import os

# Threads that wait for one another by spinning starve whatever else runs, our own workers too: a search
# beside two busy processes takes twenty times as long.  Libraries read this when they are loaded, later.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
