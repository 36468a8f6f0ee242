"""What is not written in Swift of the tests: trials of the whole (Acceptance), measurements (Benchmarks), figures of the code (Figures)."""
