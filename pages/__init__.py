"""The pages of ``anotheryou serve``: search, photographs and library, and the same as JSON under /api."""
