"""Recurrent layers and cells."""

import math
import warnings
from typing import Any

from ..autograd import Tensor
from ..ops import recurrent
from ..ops.creation import empty
from ..ops.joining import cat, stack
from ..ops.matmul import linear
from ..ops.stochastic import dropout as _dropout
from . import init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

State = tuple[Tensor | None, ...]  # h, and c of an LSTM; None for zeros

# ---------------------------------------------------------------------------------------------------------------
# Layers.


class RNNBase(Module):
    """What the recurrent layers share: layers upon layers, in one or both directions, over padded or packed sequences.

    input: (T, N, input_size), (N, T, input_size) with ``batch_first``, (T, input_size), or a PackedSequence; ``hx`` the
    state at the start, (layers * directions, N, H), zero unless given; -> the output of the last layer at all steps,
    (T, N, directions * H), and the state at the end. ``dropout`` acts on the output of all layers but the last.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options()
        self._names: list[list[str]] = []  # of the weights, by layer and direction
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                self._add_weights(layer, suffix, device, dtype)
        self.reset_parameters()

    def _check_options(self) -> None:
        if not 0 <= self.dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={self.dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        if not isinstance(self.input_size, int):
            raise TypeError(f"input_size should be of type int, got: {type(self.input_size).__name__}")
        if self.input_size <= 0:
            raise ValueError("input_size must be greater than zero")
        if not isinstance(self.hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(self.hidden_size).__name__}")
        if self.hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                f"proj_size should be a positive integer or zero to disable projections, got: {self.proj_size}"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    def _add_weights(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        rows, outputs = recurrent.GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        inputs = self.input_size if layer == 0 else outputs * (2 if self.bidirectional else 1)
        shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, outputs)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        for name, shape in shapes.items():
            self.register_parameter(f"{name}_l{layer}{suffix}", Parameter(empty(shape, device=device, dtype=dtype)))
        self._names.append([f"{name}_l{layer}{suffix}" for name in shapes])

    def reset_parameters(self) -> None:
        """Draw new starting values: uniform in +-1 / sqrt(hidden_size)."""
        _start(self)

    def flatten_parameters(self) -> None:
        """Nothing: the weights need not lie in one piece of memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights, by layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def forward(self, input: Any, hx: Any = None) -> Any:
        if isinstance(input, PackedSequence):
            return self._over_packed(input, hx)
        if input.ndim not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.ndim}D instead")
        batched, dim = input.ndim == 3, 0 if self.batch_first else 1
        self._check_hidden_dims(hx, batched)
        x = input if batched else input.unsqueeze(dim)
        steps = x.transpose(0, 1) if self.batch_first else x
        length, samples, features = steps._array.shape
        if length == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        state = self._state(hx if batched or hx is None else _map(hx, lambda each: each.unsqueeze(1)), samples, x)
        self._check_input(steps)
        output, state = self._run(steps.reshape(length * samples, features), [samples] * length, state)
        output = output.reshape(length, samples, output._array.shape[1])
        output = output.transpose(0, 1) if self.batch_first else output
        if not batched:
            output, state = output.squeeze(dim), tuple(each.squeeze(1) for each in state)
        return output, self._as_hidden(state)

    def _over_packed(self, input: PackedSequence, hx: Any) -> Any:
        data, batch_sizes, order, back = input
        sizes = batch_sizes.tolist()
        self._check_hidden_dims(hx, True)
        state = self._state(
            hx if hx is None or order is None else _map(hx, lambda each: each[:, order]), sizes[0], data
        )
        self._check_input(data)
        output, state = self._run(data, sizes, state)
        state = state if back is None else tuple(each[:, back] for each in state)
        return PackedSequence(output, batch_sizes, order, back), self._as_hidden(state)

    def _run(self, data: Tensor, sizes: list[int], state: State) -> tuple[Tensor, tuple[Tensor, ...]]:
        """All layers.  data: (sum of sizes, I), state: of (layers * directions, N, H), or None for zeros."""
        directions = 2 if self.bidirectional else 1
        starts = tuple((None,) * len(self._names) if each is None else each.unbind() for each in state)
        ends = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                data = _dropout(data, self.dropout, self.training)
            outputs = []
            for direction in range(directions):
                at = layer * directions + direction
                start = tuple(each[at] for each in starts)
                output, end = recurrent.run(self.mode, data, sizes, start, self._weights(at), direction == 1)
                outputs.append(output)
                ends.append(end)
            data = cat(outputs, 1) if directions > 1 else outputs[0]
        return data, tuple(_stacked(parts) for parts in zip(*ends, strict=True))

    def _weights(self, at: int) -> tuple[Any, ...]:
        """(w_ih, w_hh, b_ih, b_hh, w_hr), None where absent."""
        found = {name.partition("_l")[0]: getattr(self, name) for name in self._names[at]}
        return tuple(found.get(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))

    def _state(self, hx: Any, samples: int, x: Tensor) -> State:
        """The state at the start, checked; None for zeros."""
        if hx is None:
            return (None, None) if self.mode == "LSTM" else (None,)
        given = tuple(hx) if self.mode == "LSTM" else (hx,)
        features = (self.proj_size or self.hidden_size, self.hidden_size)
        for i, (each, size) in enumerate(zip(given, features, strict=False)):
            expected = (len(self._names), samples, size)
            if each._array.shape != expected:
                which = f"hidden[{i}]" if self.mode == "LSTM" else "hidden"
                raise RuntimeError(f"Expected {which} size {expected}, got {list(each.shape)}")
            if each.dtype != x.dtype:
                raise RuntimeError(
                    f"Input and hidden tensors are not the same dtype, found input tensor with {x.dtype} and hidden "
                    f"tensor with {each.dtype}"
                )
        return given

    def _as_hidden(self, state: tuple[Tensor, ...]) -> Any:
        return state if self.mode == "LSTM" else state[0]

    def _check_input(self, x: Tensor) -> None:
        if x._array.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x._array.shape[-1]}"
            )
        weight = getattr(self, self._names[0][0])
        if x.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                f"input.to({weight.dtype}), or convert model: model.to({x.dtype})"
            )

    def _check_hidden_dims(self, hx: Any, batched: bool) -> None:
        if hx is None:
            return
        wanted, kind = (3, "batched 3-D") if batched else (2, "unbatched 2-D")
        found = [each.ndim for each in (hx if self.mode == "LSTM" else (hx,))]
        if any(each != wanted for each in found):
            what = "hx and cx" if self.mode == "LSTM" else "hx"
            given = ", ".join(f"{each}-D" for each in found)
            raise RuntimeError(f"For {kind} input, {what} should also be {wanted}-D but got {given} tensor")

    def extra_repr(self) -> str:
        parts = [
            f"{self.input_size}, {self.hidden_size}",
            f"proj_size={self.proj_size}" if self.proj_size else "",
            f"num_layers={self.num_layers}" if self.num_layers != 1 else "",
            "bias=False" if not self.bias else "",
            "batch_first=True" if self.batch_first else "",
            f"dropout={self.dropout}" if self.dropout else "",
            "bidirectional=True" if self.bidirectional else "",
        ]
        return ", ".join(part for part in parts if part)


def _stacked(parts: Any) -> Tensor:
    """(N, H) of all layers and directions -> (layers * directions, N, H)."""
    return stack(parts) if len(parts) > 1 else parts[0].unsqueeze(0)


def _map(hx: Any, function: Any) -> Any:
    return tuple(map(function, hx)) if isinstance(hx, (tuple, list)) else function(hx)


def _start(module: Any) -> None:
    """Draw the parameters of a module uniformly in +-1 / sqrt(hidden_size)."""
    bound = 1 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0.0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNN(RNNBase):
    """h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or relu of it; see `RNNBase`.  Source: Elman, 1990."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, 0, device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory; the state is (h, c), h projected to ``proj_size`` if that is not 0; see `RNNBase`.

    Source: Hochreiter and Schmidhuber, 1997; Sak et al., 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device,
            dtype,
        )  # fmt: skip


class GRU(RNNBase):
    """Gated recurrent units; see `RNNBase`.  Source: Cho et al., 2014."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )


# ---------------------------------------------------------------------------------------------------------------
# Cells.


class RNNCellBase(Module):
    """What the cells share: one step.  (N, input_size), of (N, hidden_size) -> the next state; without N too."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows, like = num_chunks * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty(rows, input_size, **like))
        self.weight_hh = Parameter(empty(rows, hidden_size, **like))
        self.register_parameter("bias_ih", Parameter(empty(rows, **like)) if bias else None)
        self.register_parameter("bias_hh", Parameter(empty(rows, **like)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values: uniform in +-1 / sqrt(hidden_size)."""
        _start(self)

    def _next(self, mode: str, input: Tensor, hx: Any) -> tuple[Tensor, ...]:
        """The state after one step."""
        if input.ndim not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        batched = input.ndim == 2
        x = input if batched else input.unsqueeze(0)
        if x._array.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {x._array.shape[1]} expected {self.input_size}")
        if hx is None:
            state = recurrent.initial_state(mode, (x._array.shape[0], self.hidden_size), 0, x.dtype)
        else:
            state = tuple(self._checked(i, each, x, batched) for i, each in enumerate(hx))
        from_input = linear(x, self.weight_ih, self.bias_ih)
        state = recurrent.CELLS[mode](from_input, state, self.weight_hh, self.bias_hh, None)
        return state if batched else tuple(each.squeeze(0) for each in state)

    def _checked(self, i: int, hidden: Tensor, x: Tensor, batched: bool) -> Tensor:
        if hidden.ndim != (2 if batched else 1):
            raise ValueError(
                f"{self._get_name()}: Expected hidden to be {'2D' if batched else '1D'}, as the input is, got "
                f"{hidden.ndim}D instead"
            )
        hidden = hidden if batched else hidden.unsqueeze(0)
        if hidden._array.shape[0] != x._array.shape[0]:
            raise RuntimeError(
                f"Input batch size {x._array.shape[0]} doesn't match hidden{i} batch size {hidden._array.shape[0]}"
            )
        if hidden._array.shape[1] != self.hidden_size:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {hidden._array.shape[1]}, expected {self.hidden_size}"
            )
        return hidden

    def extra_repr(self) -> str:
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        parts = [
            f"{self.input_size}, {self.hidden_size}",
            f"bias={self.bias}" if not self.bias else "",
            f"nonlinearity={nonlinearity}" if nonlinearity != "tanh" else "",
        ]
        return ", ".join(part for part in parts if part)


class RNNCell(RNNCellBase):
    """h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or relu of it.  (N, I), (N, H) -> (N, H); without N too."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        mode = f"RNN_{self.nonlinearity.upper()}"
        return self._next(mode, input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`.  (N, I), ((N, H), (N, H)) -> (N, H), (N, H); without N too."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        return self._next("LSTM", input, hx)


class GRUCell(RNNCellBase):
    """One step of `GRU`.  (N, I), (N, H) -> (N, H); without N too."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._next("GRU", input, None if hx is None else (hx,))[0]
