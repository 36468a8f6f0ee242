"""Trials of the whole by real clients, by hostile ones, by its own description, and as Compose runs it."""
