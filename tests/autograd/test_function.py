"""autograd.Function: ops of the user's own."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import Function, gradcheck, gradgradcheck
from tinygrad_fr.autograd.function import once_differentiable


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


class Cube(Function):
    """Saves an input; its backward can be differentiated."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


class Exp(Function):
    """Saves its result."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class ExpAndDouble(Function):
    """Two results, of which one is saved."""

    @staticmethod
    def forward(ctx, x):
        e, d = x.exp(), x * 2
        ctx.save_for_backward(e)
        return e, d

    @staticmethod
    def backward(ctx, g_exp, g_double):
        (e,) = ctx.saved_tensors
        return g_exp * e + g_double * 2


class Scale(Function):
    """In the form of setup_context, with a number among the inputs."""

    @staticmethod
    def forward(x, factor):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.factor = inputs

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


@pytest.mark.parametrize("function", [Cube.apply, Exp.apply, ExpAndDouble.apply, lambda x: Scale.apply(x, 2.5)])
def test_derivatives(function):
    x = leaf(0.5, -1.2, 2.0)
    assert gradcheck(function, [x])
    assert gradgradcheck(function, [x])


def test_a_saved_result_is_differentiated_along_with_the_result():
    x = leaf(0.5)
    e, d = ExpAndDouble.apply(x)
    (g,) = torch.autograd.grad(e * e * d, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x)
    value = torch.tensor(0.5, dtype=torch.float64).exp().item()
    assert g.item() == pytest.approx(2 * value**2 * 1.0 + value**2 * 2)
    assert h.item() == pytest.approx(4 * value**2 * 1.0 + 4 * value**2 + 4 * value**2)


def test_one_of_two_results_may_go_unused():
    x = leaf(1.0, 2.0)
    _, d = ExpAndDouble.apply(x)
    d.sum().backward()
    assert x.grad.tolist() == [2, 2]


class TellsNone(Function):
    seen = None

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, a, b):
        TellsNone.seen = (a is None, b is None)
        return a * 2 if b is None else b * 3


def test_gradients_that_are_not_materialised():
    x = leaf(1.0)
    TellsNone.apply(x)[0].sum().backward()
    assert TellsNone.seen == (False, True)
    assert x.grad.tolist() == [2]


class Product(Function):
    needs = None

    @staticmethod
    def forward(ctx, x, y, note):
        ctx.save_for_backward(x, None, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, nothing, y = ctx.saved_tensors
        assert nothing is None
        Product.needs = ctx.needs_input_grad
        return g * y if ctx.needs_input_grad[0] else None, g * x if ctx.needs_input_grad[1] else None, None


def test_needs_input_grad():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    Product.apply(x, y.detach(), "a note").sum().backward()
    assert Product.needs == (True, False, False)
    assert x.grad.tolist() == [3, 4]
    assert y.grad is None
    Product.apply(x, y, 7).sum().backward()
    assert Product.needs == (True, True, False)
    assert y.grad.tolist() == [1, 2]


def test_no_graph_where_none_is_wanted():
    assert not Cube.apply(torch.ones(2)).requires_grad
    with torch.no_grad():
        assert not Cube.apply(leaf(1.0)).requires_grad
    out = Cube.apply(leaf(1.0))
    assert out.requires_grad
    assert "Cube" in repr(out.grad_fn)


class SortedWithPlaces(Function):
    @staticmethod
    def forward(ctx, x):
        places = torch.tensor(x.detach().numpy().argsort())
        ctx.mark_non_differentiable(places)
        ctx.save_for_backward(places)
        return x[places], places

    @staticmethod
    def backward(ctx, g, _):
        (places,) = ctx.saved_tensors
        out = torch.zeros_like(g)
        out[places] = g
        return out


def test_results_without_a_gradient():
    x = leaf(3.0, 1.0, 2.0)
    values, places = SortedWithPlaces.apply(x)
    assert not places.requires_grad
    assert values.tolist() == [1, 2, 3]
    (values * torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)).sum().backward()
    assert x.grad.tolist() == [100, 1, 10]


class DoubleInPlace(Function):
    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx, g):
        return g * 2


def test_mark_dirty():
    x = leaf(1.0, 2.0)
    y = x * 3
    saved = y * y
    out = DoubleInPlace.apply(y)
    assert out is y
    assert y.tolist() == [6, 12]
    (g,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    assert g.tolist() == [6, 6]
    with pytest.raises(RuntimeError, match="'mul'"):
        saved.sum().backward()
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        DoubleInPlace.apply(leaf(1.0))


def test_mark_dirty_through_a_view():
    x = leaf(1.0, 2.0)
    base = x * 3
    DoubleInPlace.apply(base[:1])
    base.sum().backward()
    assert x.grad.tolist() == [6, 3]


class Identity(Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return g * 10


def test_an_input_as_result_gets_a_tensor_of_its_own():
    x = leaf(1.0)
    y = Identity.apply(x)
    assert y is not x
    assert x.is_leaf
    y.backward()
    assert x.grad.tolist() == [10]


def test_a_saved_tensor_that_changes():
    x = leaf(1.0, 2.0)
    y = x * 1
    out = Cube.apply(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*Cube"):
        out.sum().backward()
    e = Exp.apply(x)
    z = e * 1
    e.add_(1)
    with pytest.raises(RuntimeError, match="Exp"):
        z.sum().backward()


def test_saved_tensors_are_freed():
    out = Cube.apply(leaf(1.0)).sum()
    out.backward()
    with pytest.raises(RuntimeError, match=r"second time.*Cube"):
        out.backward()


def returning(make):
    class Made(Function):
        @staticmethod
        def forward(ctx, *xs):
            return sum(each.sum() for each in xs)

        @staticmethod
        def backward(ctx, g):
            return make(g)

    return Made.apply


def test_the_number_of_gradients_is_checked():
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(
        RuntimeError, match=r"MadeBackward returned an incorrect number of gradients \(expected 2, got 1\)"
    ):
        returning(lambda g: g)(x, y).backward()
    with pytest.raises(RuntimeError, match=r"expected 1, got 2"):
        returning(lambda g: (g, g))(x).backward()
    returning(lambda g: (g.expand(1), None, None))(x).backward()
    assert x.grad.tolist() == [1]


def test_the_gradients_are_checked():
    x = leaf(1.0, 2.0, 3.0)
    with pytest.raises(
        RuntimeError, match=r"invalid gradient at index 0 - got \[2\] but expected shape compatible with \[3\]"
    ):
        returning(lambda g: torch.ones(2))(x).backward()
    with pytest.raises(TypeError, match="float"):
        returning(lambda g: 1.0)(x).backward()
    returning(lambda g: torch.ones(4, 3, dtype=torch.float32))(x).backward()  # summed and converted
    assert x.grad.tolist() == [4, 4, 4]
    assert x.grad.dtype is torch.float64


def test_the_gradients_are_not_shared():
    kept = torch.full((2,), 5.0, dtype=torch.float64)
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    apply = returning(lambda g: (kept, kept))
    (apply(x, y) + apply(x, y)).backward()
    x.grad.mul_(100)
    assert kept.tolist() == [5, 5]
    assert y.grad.tolist() == [10, 10]


class OnceOnly(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x


def test_once_differentiable():
    x = leaf(3.0)
    (g,) = torch.autograd.grad(OnceOnly.apply(x), x, torch.ones(1, dtype=torch.float64))
    assert g.tolist() == [6]
    seed = torch.ones(1, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(OnceOnly.apply(x), x, seed, create_graph=True)
    assert g.tolist() == [6]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_ctx_carries_attributes_and_refuses_to_save_other_things():
    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward([x])
            return x

    with pytest.raises(TypeError, match="list"):
        Bad.apply(leaf(1.0))


def test_missing_methods():
    class Empty(Function):
        pass

    class NoBackward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    with pytest.raises(NotImplementedError, match="forward"):
        Empty.apply(leaf(1.0))
    with pytest.raises(NotImplementedError, match="backward"):
        NoBackward.apply(leaf(1.0)).backward()


def test_backward_inside_backward():
    """A checkpoint: the forward is computed again inside backward."""

    class Checkpoint(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                again = x.detach().requires_grad_()
                (inner,) = torch.autograd.grad(again.sin(), again, g)
            return inner

    x = leaf(0.5)
    Checkpoint.apply(x * 2).backward()
    assert x.grad.item() == pytest.approx(2 * torch.tensor(1.0, dtype=torch.float64).cos().item())
