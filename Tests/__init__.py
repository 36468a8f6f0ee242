"""What of the tests is not Swift: trials of the whole (Acceptance), measurements (Benchmarks), figures of the code (Figures), checks of the
pages (Documents), and what they share (Harness).
"""
