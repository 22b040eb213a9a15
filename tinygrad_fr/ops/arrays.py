"""What functions on arrays share."""

import numpy as np


def deliver(result, out):
    """``result`` as an array; or ``out``, where there is one, with the result in it."""
    if out is ... or out is None:
        return np.asarray(result)
    out[...] = result
    return out
