"""Every function of nn.functional whose results are recorded, compiled: other values at each call, bit for bit."""

import pytest

import tinygrad_fr as torch
from tests.nn import golden
from tinygrad_fr.nn import functional as F

from .harness import assert_same, snapshot

CASES = [case for kind in ("losses", "functions", "activations") for case in golden.RECORDED[kind]]
CALLS = 4


def changed(argument, differentiated, call):
    """The argument with other values at each call: real numbers moved, classes in another order."""
    if not isinstance(argument, torch.Tensor):
        return argument
    if not argument.is_floating_point():
        return argument.flip(0) if argument.ndim and call % 2 else argument
    return argument * (1 - call / 16) if differentiated else argument


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("case", CASES, ids=golden.name)
def test_compiled_is_eager(case):
    options = {key: golden.value(each) for key, each in case["options"].items()}
    name = case["function"]

    def function(*arguments):
        result = getattr(F, name)(*arguments, **options)
        wanted = [each for each in arguments if isinstance(each, torch.Tensor) and each.requires_grad]
        return result * 1, torch.autograd.grad(result, wanted, result.detach() * 0.5 + 1)

    compiled = torch.compile(function)
    for call in range(CALLS):
        pairs = list(zip(map(golden.value, case["arguments"]), case["differentiated"], strict=True))
        arguments = [changed(each, wanted, call) for each, wanted in pairs]
        for argument, (_, wanted) in zip(arguments, pairs, strict=True):
            if wanted:
                argument.requires_grad_()
        assert_same(snapshot(compiled(*arguments)), snapshot(function(*arguments)), where=f"call {call + 1}")
