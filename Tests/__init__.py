"""What of the tests is not Swift: trials of the whole (Acceptance), measurements (Benchmarks), figures of the code (Figures), checks of the
pages (Documents), lists of special networks (Networks), and what they share (Harness).
"""
