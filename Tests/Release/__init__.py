"""Checks of what `make release` makes."""
