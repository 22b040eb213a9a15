"""Side-by-side measurements; see the module of each."""
