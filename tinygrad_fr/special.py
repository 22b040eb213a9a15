"""Special functions, by the names of torch.special.  ``import tinygrad_fr.special``."""

from .ops.activation import log_softmax, sigmoid, softmax
from .ops.exponential import exp2, expm1, log1p, logit, xlogy
from .ops.reduce import logsumexp
from .ops.rounding import round
from .ops.special import digamma, erf, erfc, erfinv, lgamma, polygamma
from .ops.trigonometric import sinc

expit, gammaln, psi = sigmoid, lgamma, digamma

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlogy",
]
