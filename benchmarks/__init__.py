"""Side-by-side measurements: ``python -m benchmarks NAME``. README.md says how they are made and how to read them.

A benchmark is a module of this package with

    TITLE             what is measured, as the heading of the figure
    LIBRARIES         who takes part, by the labels of `libraries`; the first is tinygrad_fr
    THREADS           the thread counts to try; each library is quoted at its best one
    cases(label)      {case: function to be timed}, for one library; what a function returns is for the tests

and where it needs them

    figures(cases)    {case: numbers that every library must compute alike}, looked at before anything is timed
    floors()          {case: its kernels}, if "floor" is among its libraries
    PACE              how long a case is timed, other than `harness.USUAL`
    more_rows(rows, results)   rows beside those that every benchmark has
    show(rows, markdown)       the rows as text to read, instead of one table
    draw(rows, title, caption, path)   the figure, instead of bars

All arrays are float32 and contiguous, and every library computes on the same numbers.
"""

NAMES = (
    *("overhead", "matmul", "activations", "softmax_ce", "optim", "conv"),
    *("mlp", "cnn", "rnn", "epoch", "scaling", "startup"),
)
