"""Side-by-side measurements: ``python -m benchmarks NAME [--json FILE]``; `harness` says how they are made."""
