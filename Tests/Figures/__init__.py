"""Figures of the code's structure, counted in its text."""
