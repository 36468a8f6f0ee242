"""Measurements; docs/benchmarks.md has their results."""
