"""Random draws: shapes, dtypes, ranges, and the same draws from the same seed. Distributions: tests/kernels."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import gradcheck

DRAWS = {
    "rand": lambda generator: torch.rand(3, 2, generator=generator),
    "randn": lambda generator: torch.randn((3, 2), generator=generator),
    "rand_like": lambda generator: torch.rand_like(torch.zeros(3), generator=generator),
    "randn_like": lambda generator: torch.randn_like(torch.zeros(3), generator=generator),
    "randint": lambda generator: torch.randint(0, 1000, (5,), generator=generator),
    "randperm": lambda generator: torch.randperm(20, generator=generator),
    "normal": lambda generator: torch.normal(1.0, 2.0, (4,), generator=generator),
    "normal of tensors": lambda generator: torch.normal(torch.zeros(3), torch.ones(3), generator=generator),
    "bernoulli": lambda generator: torch.bernoulli(torch.full((50,), 0.5), generator=generator),
    "multinomial": lambda generator: torch.multinomial(torch.ones(50), 9, generator=generator),
    "multinomial, replaced": lambda generator: torch.multinomial(torch.ones(50), 9, True, generator=generator),
    "uniform_": lambda generator: torch.zeros(5).uniform_(-1, 1, generator=generator),
    "normal_": lambda generator: torch.zeros(5).normal_(generator=generator),
    "exponential_": lambda generator: torch.zeros(5).exponential_(2.0, generator=generator),
    "geometric_": lambda generator: torch.zeros(50).geometric_(0.3, generator=generator),
    "cauchy_": lambda generator: torch.zeros(5).cauchy_(generator=generator),
    "log_normal_": lambda generator: torch.zeros(5).log_normal_(generator=generator),
    "random_": lambda generator: torch.zeros(5).random_(generator=generator),
    "randint_like": lambda generator: torch.randint_like(torch.zeros(9), 1000, generator=generator),
    "bernoulli_": lambda generator: torch.zeros(50).bernoulli_(0.5, generator=generator),
}


@pytest.fixture(autouse=True)
def state_is_put_back():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.mark.parametrize("name", DRAWS)
def test_the_seed_fixes_the_draws(name):
    draw = DRAWS[name]
    torch.manual_seed(5)
    first, second = draw(None), draw(None)
    torch.manual_seed(5)
    assert draw(None).tolist() == first.tolist()
    assert draw(None).tolist() == second.tolist()
    assert first.tolist() != second.tolist()
    assert draw(torch.Generator().manual_seed(5)).tolist() == first.tolist()


def test_dropout_is_fixed_too():
    torch.manual_seed(1)
    first = torch.dropout(torch.ones(50), 0.5)
    torch.manual_seed(1)
    assert torch.dropout(torch.ones(50), 0.5).tolist() == first.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_ranges(dtype):
    x = torch.rand(1000, dtype=dtype)
    assert x.dtype is dtype
    assert 0 <= x.min().item() < x.max().item() < 1
    assert torch.zeros(1000, dtype=dtype).uniform_(2, 3).min().item() >= 2
    assert torch.rand(()).shape == ()
    assert torch.randn(0, 3).shape == (0, 3)
    for draw in (torch.rand, torch.randn, lambda size: torch.randint(3, (size,))):
        with pytest.raises(RuntimeError, match="negative dimension -1"):
            draw(-1)
    with pytest.raises(RuntimeError, match="floating point"):
        torch.rand(2, dtype=torch.int64)


def test_integers():
    x = torch.randint(-2, 3, (1000,))
    assert x.dtype is torch.int64
    assert set(x.tolist()) == {-2, -1, 0, 1, 2}
    assert torch.randint(4, (2, 3)).shape == torch.randint(4, size=(2, 3)).shape == (2, 3)
    assert torch.randint(high=4, low=3, size=(2,)).tolist() == [3, 3]
    with pytest.raises(TypeError, match="size"):
        torch.randint(4)
    assert torch.randint(4, (2,), dtype=torch.int32).dtype is torch.int32
    assert sorted(torch.randperm(100).tolist()) == list(range(100))
    assert torch.randperm(0).shape == (0,)
    with pytest.raises(RuntimeError, match="from=3 >= to=3"):
        torch.randint(3, 3, (2,))


def test_normal():
    assert torch.normal(torch.tensor([100.0, -100.0]), 1e-3).tolist() == pytest.approx([100, -100], abs=0.1)
    assert torch.normal(5.0, torch.zeros(3)).tolist() == [5, 5, 5]
    with pytest.raises(TypeError, match="size"):
        torch.normal(0.0, 1.0)
    with pytest.raises(RuntimeError, match=r"std >= 0\.0"):
        torch.zeros(2).normal_(0, -1)


def test_bernoulli_and_multinomial():
    assert torch.bernoulli(torch.tensor([0.0, 1.0])).tolist() == [0, 1]
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(RuntimeError, match="p_in >= 0"):
            torch.bernoulli(torch.tensor([bad]))
    assert torch.multinomial(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), 1).tolist() == [[1], [0]]
    assert torch.tensor([0.0, 1.0]).multinomial(1).tolist() == [1]
    assert sorted(torch.multinomial(torch.ones(5), 5).tolist()) == [0, 1, 2, 3, 4]
    assert set(torch.multinomial(torch.tensor([0.0, 2.0, 1.0]), 300, True).tolist()) == {1, 2}
    with pytest.raises(RuntimeError, match="without replacement"):
        torch.multinomial(torch.tensor([1.0, 0.0]), 2)
    with pytest.raises(RuntimeError, match="probability tensor"):
        torch.multinomial(torch.tensor([-1.0, 1.0]), 1)


def test_dropout():
    x = torch.ones(4000, requires_grad=True)
    y = torch.dropout(x, 0.25)
    kept = y._array != 0
    assert 0.70 < kept.mean() < 0.80
    np.testing.assert_allclose(y._array[kept], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad._array, y._array)  # by the same mask
    assert torch.dropout(x, 0.5, training=False) is x
    assert torch.dropout(x, 0.0).tolist() == x.tolist()
    assert not torch.dropout(x, 1.0).sum().item()
    with pytest.raises(ValueError, match="between 0 and 1"):
        torch.dropout(x, 1.5)


def test_second_derivative_of_dropout():
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)

    def program(x):
        torch.manual_seed(3)
        return torch.dropout(x * x, 0.4) ** 2

    assert gradcheck(program, [x])


def test_draws_in_place_cut_the_graph():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.uniform_()
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        x.normal_()


def test_distributions_of_what_overwrites():
    torch.manual_seed(3)
    x = torch.empty(20000, dtype=torch.float64)
    assert x.exponential_(4.0).mean().item() == pytest.approx(0.25, abs=0.01)
    assert x.min().item() >= 0
    assert x.geometric_(0.25).mean().item() == pytest.approx(4, abs=0.1)
    assert x.min().item() == 1
    assert x.cauchy_(2.0, 0.5).sort().values[10000].item() == pytest.approx(2, abs=0.05)
    assert x.log_normal_(1.0, 0.5).log().mean().item() == pytest.approx(1, abs=0.02)
    assert x.log().std().item() == pytest.approx(0.5, abs=0.02)


def test_integers_that_overwrite():
    assert set(torch.zeros(100).random_(2, 4).tolist()) == {2, 3}
    assert set(torch.zeros(100, dtype=torch.int64).random_(2).tolist()) == {0, 1}
    assert torch.zeros(1000, dtype=torch.uint8).random_().max().item() > 200
    assert set(torch.zeros(100, dtype=torch.bool).random_().tolist()) == {False, True}
    assert torch.randint_like(torch.zeros(2, 3), 4, 5).tolist() == [[4] * 3] * 2
    assert torch.bernoulli(torch.zeros(3), 1.0).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x.exponential_(0.0),
        lambda x: x.geometric_(1.0),
        lambda x: x.cauchy_(0.0, -1.0),
        lambda x: x.log_normal_(0.0, -1.0),
        lambda x: x.random_(3, 3),
        lambda x: torch.normal(0.0, -1.0, (2,)),
        lambda x: torch.normal(x, -torch.ones(2)),
    ],
)
def test_parameters_that_are_refused(draw):
    with pytest.raises(RuntimeError, match="expects"):
        draw(torch.zeros(2))
