"""Functions of the package that take what functions of nn.functional take in another order, as PyTorch's operators do.

``cudnn_enabled`` says how a GPU would compute; here it changes nothing.
"""

from ..autograd.binding import public
from . import adaptive_pooling, normalization, recurrent
from . import embedding as _embedding
from .matmul import linear


@public(method=False)
def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """The rows of the table that ``indices`` name; a negative ``padding_idx`` is none.  (N, D), (*) int -> (*, D)."""
    padding_idx = padding_idx if padding_idx >= 0 else None
    return _embedding.embedding(indices, weight, padding_idx, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


@public(method=False)
def adaptive_max_pool1d(input, output_size):
    """The largest elements of ``output_size`` windows, and their places.  (N, C, L) -> twice (N, C, output_size)."""
    return adaptive_pooling.adaptive_max_pool1d(input, output_size, return_indices=True)


@public(method=False)
def batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled):
    """Each channel normalised over all else, in training by its own mean and variance.  (N, C, *) -> (N, C, *)."""
    return normalization.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@public(method=False)
def instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled):
    """Each channel of each sample normalised over its own elements.  (N, C, *) -> (N, C, *)."""
    return normalization.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


@public(method=False)
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    """Normalised over the last axes, which have ``normalized_shape``.  (*, *shape) -> (*, *shape)."""
    return normalization.layer_norm(input, normalized_shape, weight, bias, eps)


@public(method=False)
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    """Each of ``num_groups`` groups of channels of each sample normalised.  (N, C, *) -> (N, C, *)."""
    return normalization.group_norm(input, num_groups, weight, bias, eps)


@public(method=False)
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an LSTM from the state ``hx`` = (h, c).  (N, I), twice (N, H) -> twice (N, H)."""
    return recurrent.lstm_cell(linear(input, w_ih, b_ih), hx, w_hh, b_hh, None)


@public(method=False)
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a GRU.  (N, I), (N, H) -> (N, H)."""
    return _next_state("GRU", input, hx, w_ih, w_hh, b_ih, b_hh)


@public(method=False)
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """tanh(W_ih input + b_ih + W_hh hx + b_hh).  (N, I), (N, H) -> (N, H)."""
    return _next_state("RNN_TANH", input, hx, w_ih, w_hh, b_ih, b_hh)


@public(method=False)
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """relu(W_ih input + b_ih + W_hh hx + b_hh).  (N, I), (N, H) -> (N, H)."""
    return _next_state("RNN_RELU", input, hx, w_ih, w_hh, b_ih, b_hh)


def _next_state(mode, input, hx, w_ih, w_hh, b_ih, b_hh):
    return recurrent.CELLS[mode](linear(input, w_ih, b_ih), (hx,), w_hh, b_hh, None)[0]
