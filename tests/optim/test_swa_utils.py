"""Averages of models: the mean of all, running averages, buffers."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.optim.swa_utils import (
    SWALR,
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)

VALUES = (2.0, 4.0, 9.0)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(2))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        return x * self.factor


def averaged(**options):
    """A model whose parameter was each of VALUES, and its averages after each."""
    model = Scale()
    average = AveragedModel(model, **options)
    found = []
    for value in VALUES:
        with torch.no_grad():
            model.factor.fill_(value)
            model.seen.fill_(value)
        average.update_parameters(model)
        found.append(average.module.factor[0].item())
    return average, found


MEAN = pytest.approx([2, 3, 5])
FADING = pytest.approx([2, 0.75 * 2 + 0.25 * 4, 0.75 * 2.5 + 0.25 * 9])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, MEAN),
        ({"avg_fn": get_swa_avg_fn()}, MEAN),
        ({"multi_avg_fn": get_swa_multi_avg_fn()}, MEAN),
        ({"avg_fn": get_ema_avg_fn(0.75)}, FADING),
        ({"multi_avg_fn": get_ema_multi_avg_fn(0.75)}, FADING),
        ({"avg_fn": lambda average, current, count: average * 0 + count}, [2, 1, 2]),
    ],
)
def test_averages(options, expected):
    average, found = averaged(**options)
    assert found == expected
    assert average.n_averaged == 3
    assert average.module.seen.item() == 9


def test_buffers_are_averaged_where_that_is_wanted():
    average, _ = averaged(use_buffers=True)
    assert average.module.seen.item() == pytest.approx(5)


def test_it_is_a_model_of_its_own():
    average, _ = averaged(device="cpu")
    assert average(torch.ones(2)).tolist() == pytest.approx([5, 5])
    assert sorted(average.state_dict()) == ["module.factor", "module.seen", "n_averaged"]
    average(torch.ones(2)).sum().backward()
    assert average.module.factor.grad.tolist() == [1, 1]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"Invalid decay value 1\.5"):
        get_ema_multi_avg_fn(1.5)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        AveragedModel(Scale(), avg_fn=get_swa_avg_fn(), multi_avg_fn=get_swa_multi_avg_fn())
    optimizer = optim.SGD([torch.ones(1)], lr=0.1)
    with pytest.raises(ValueError, match="instead got sin"):
        SWALR(optimizer, 0.1, anneal_strategy="sin")
    with pytest.raises(ValueError, match="equal or greater than 0, got -1"):
        SWALR(optimizer, 0.1, -1)
