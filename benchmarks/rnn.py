"""One training step of a net that predicts the next letter, with Adam: embedding, a recurrent layer, a linear layer.

65 letters, 128 hidden units, 64 steps of 32 random sequences; a cross-entropy of all their letters. Steps come first in
all arrays, (T, N, *), which is what suits PyTorch and JAX too.
"""

from typing import Any, NamedTuple

import numpy as np

from . import memory, training
from .training import Step

TITLE = "One training step of embedding, recurrent layer and linear layer with Adam, float32"
LIBRARIES = ("tinygrad_fr", "tinygrad_fr compiled", "torch", "torch fused", "torch compiled", "jax", "floor")
THREADS = (1, 2)
LR = 1e-4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}  # for how many vectors each cell multiplies its input and its state


class Shape(NamedTuple):
    """A cell by its name in nn, how many letters there are, and the numbers of units, steps and sequences."""

    cell: str
    letters: int = 65
    hidden: int = 128
    steps: int = 64
    batch: int = 32

    @property
    def weights(self) -> list[tuple[int, ...]]:
        """The shapes of the parameters, in PyTorch's order."""
        gates = GATES[self.cell] * self.hidden
        recurrent = [(gates, self.hidden), (gates, self.hidden), (gates,), (gates,)]
        return [(self.letters, self.hidden), *recurrent, (self.letters, self.hidden), (self.letters,)]


NETS = {cell: Shape(cell) for cell in GATES}

PACE, figures = training.PACE, training.losses
more_rows, show = memory.more_rows, memory.show


def cases(library: str) -> dict[str, Step]:
    """A step of each net."""
    return {case: step(library, shape) for case, shape in nets().items()}


def nets() -> dict[str, Shape]:
    """The net of each case."""
    return NETS


def small(shape: Shape) -> Shape:
    """A tiny net of the same kind."""
    return Shape(shape.cell, letters=5, hidden=3, steps=2, batch=2)


def step(library: str, shape: Shape) -> Step:
    """A training step on random letters, which are the same for every library."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, shape.letters, (shape.steps, shape.batch))
    y = generator.integers(0, shape.letters, x.size)
    return training.step(library, _net(shape), x, y, LR)


def _net(shape: Shape) -> training.Net:
    generator, bound = np.random.default_rng(0), shape.hidden**-0.5
    parameters = [generator.uniform(-bound, bound, each).astype(np.float32) for each in shape.weights]
    return training.Net(lambda torch: _model(torch, shape), lambda *each: _jax_scores(shape.cell, *each), parameters)


def _model(torch: Any, shape: Shape) -> Any:
    nn = torch.nn

    class NextLetter(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(shape.letters, shape.hidden)
            self.recurrent = getattr(nn, shape.cell)(shape.hidden, shape.hidden)
            self.linear = nn.Linear(shape.hidden, shape.letters)

        def forward(self, x):
            outputs, _ = self.recurrent(self.embedding(x))
            return self.linear(outputs.flatten(0, 1))

    return NextLetter()


# --- JAX ---------------------------------------------------------------------------------------------------------


def _jax_scores(cell: str, parameters: Any, x: Any) -> Any:
    """(T, N) -> (T*N, letters). What the input contributes is computed for all steps in one product."""
    import jax
    import jax.numpy as jnp

    table, w_input, w_state, b_input, b_state, w, b = parameters
    advance = _JAX_CELLS[cell]

    def move(state: Any, from_input: Any) -> Any:
        state = advance(from_input, state[0] @ w_state.T + b_state, *state)
        return state, state[0]

    nothing = jnp.zeros((x.shape[1], table.shape[1]))
    start = (nothing,) * (2 if cell == "LSTM" else 1)
    _, outputs = jax.lax.scan(move, start, table[x] @ w_input.T + b_input)
    return outputs.reshape(-1, outputs.shape[-1]) @ w.T + b


def _jax_rnn(from_input: Any, from_state: Any, h: Any) -> Any:
    import jax.numpy as jnp

    return (jnp.tanh(from_input + from_state),)


def _jax_lstm(from_input: Any, from_state: Any, h: Any, c: Any) -> Any:
    import jax
    import jax.numpy as jnp

    i, f, g, o = jnp.split(from_input + from_state, 4, 1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _jax_gru(from_input: Any, from_state: Any, h: Any) -> Any:
    import jax
    import jax.numpy as jnp

    (r_x, z_x, n_x), (r_h, z_h, n_h) = jnp.split(from_input, 3, 1), jnp.split(from_state, 3, 1)
    n = jnp.tanh(n_x + jax.nn.sigmoid(r_x + r_h) * n_h)
    z = jax.nn.sigmoid(z_x + z_h)
    return (n + z * (h - n),)


_JAX_CELLS = {"RNN": _jax_rnn, "LSTM": _jax_lstm, "GRU": _jax_gru}


# --- the floor ---------------------------------------------------------------------------------------------------


def floors() -> Any:
    """The kernels of each case."""
    return {case: training_step(shape) for case, shape in nets().items()}


def training_step(shape: Shape) -> Any:
    """Forward: rows of the table, the input's product for all steps, then step by step that of the state.

    Backward: step by step the gradient of the state; for all steps at once those of both weights and of the input, then
    of the table. And the linear layer in both passes, the loss, Adam.
    """
    from . import floor

    hidden, gates = shape.hidden, GATES[shape.cell] * shape.hidden
    rows = shape.steps * shape.batch
    table = shape.letters * hidden
    at_each_step = shape.batch * (gates + hidden)  # the gates, kept for backward, and the state
    return [
        floor.kernel(0, 2 * rows * hidden),
        floor.product(rows, hidden, gates, gates),
        *shape.steps * [floor.product(shape.batch, hidden, gates, at_each_step)],
        *floor.dense(rows, (hidden, shape.letters), of_data=False),
        floor.cross_entropy(rows, shape.letters),
        *shape.steps * [floor.product(shape.batch, gates, hidden, at_each_step)],
        *2 * [floor.product(gates, rows, hidden, gates)],
        floor.product(rows, gates, hidden),
        floor.kernel(0, rows * hidden + table),
        floor.adam(sum(int(np.prod(each)) for each in shape.weights)),
    ]
