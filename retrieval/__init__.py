"""The engine and what is done with it: index folders, find people as wished, edit faces."""
