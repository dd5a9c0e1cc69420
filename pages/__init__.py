"""The pages of ``anotheryou serve``: search, people and library, and the same as JSON under /api."""
