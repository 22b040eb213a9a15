"""L-BFGS."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autograd import enable_grad, no_grad
from ..autograd.inplace import bump
from ..autograd.mode import tell_read
from ..autograd.tensor import wrap
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, check_at_least_zero


class LBFGS(Optimizer):
    """Newton's method with a Hessian that is estimated from the last ``history_size`` changes of the gradient.

    For whole batches and few parameters. A `step` takes up to ``max_iter`` steps and evaluates the closure, which it
    needs, up to ``max_eval`` times (default: max_iter * 1.25). ``line_search_fn``: None (each step is ``lr`` long) or
    'strong_wolfe'. It ends where no gradient is above ``tolerance_grad``, or loss or parameters change by less than
    ``tolerance_change``. One group of parameters alone.
    Source: Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        check_at_least_zero("learning rate", lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Update the parameters. ``closure`` computes the loss and its gradients anew; its first loss is returned."""
        tell_read("LBFGS")
        if self.param_groups[0]["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        with no_grad(), np.errstate(all="ignore"):
            return self._minimize(enable_grad()(closure))

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        state["func_evals"] += 1
        loss, g, evaluations = float(first_loss), self._gradient(), 1
        if np.abs(g).max() <= group["tolerance_grad"]:
            return first_loss
        for left in reversed(range(group["max_iter"])):
            state["n_iter"] += 1
            d = self._direction(state, g)
            t = group["lr"] * (min(1.0, 1.0 / np.abs(g).sum()) if state["n_iter"] == 1 else 1)
            start = Point(0.0, loss, g, np.dot(g, d))
            state.update(d=wrap(d), t=float(t), prev_flat_grad=wrap(g), prev_loss=loss)
            if start.slope > -group["tolerance_change"]:
                break
            here, count = self._go(closure, start, t, d, group["max_eval"] - evaluations, is_last=not left)
            loss, g = here.loss, here.gradient
            state["t"] = float(here.t)
            state["func_evals"] += count
            evaluations += count
            is_done = (
                evaluations >= group["max_eval"]
                or np.abs(g).max() <= group["tolerance_grad"]
                or np.abs(d * here.t).max() <= group["tolerance_change"]
                or abs(loss - start.loss) < group["tolerance_change"]
            )
            if is_done:
                break
        return first_loss

    def _go(
        self, closure: Callable[[], Any], start: Point, t: float, d: np.ndarray, most: int, is_last: bool
    ) -> tuple[Point, int]:
        """Go along ``d``: ``t`` far, or as far as the line search says. Gives where that is, and the evaluations.

        After the last step of that length nobody asks for the loss any more: it is left as it was.
        """
        if self.param_groups[0]["line_search_fn"] is not None:
            found, count = self._search(closure, start, t, d, most)
            self._move(found.t, d)
            return found, count
        self._move(t, d)
        if is_last:
            return start._replace(t=t), 0
        loss = float(closure())
        return Point(t, loss, self._gradient(), np.nan), 1

    def _direction(self, state: dict[str, Any], g: np.ndarray) -> np.ndarray:
        """Minus the gradient times the estimated inverse of the Hessian, which takes note of the last step."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -g
        self._remember(state, y=g - state["prev_flat_grad"]._array, s=state["d"]._array * g.dtype.type(state["t"]))
        changes = [each._array for each in state["old_dirs"]]
        steps = [each._array for each in state["old_stps"]]
        weights = [float(each) for each in state["ro"]]
        d, parts = -g, []
        for y, s, weight in zip(reversed(changes), reversed(steps), reversed(weights), strict=True):
            parts.append(s @ d * weight)
            d = d - parts[-1] * y
        d = d * float(state["H_diag"])
        for y, s, weight, part in zip(changes, steps, weights, reversed(parts), strict=True):
            d = d + (part - y @ d * weight) * s
        return d.astype(g.dtype)

    def _remember(self, state: dict[str, Any], y: np.ndarray, s: np.ndarray) -> None:
        """Add the change ``y`` of the gradient by the step ``s`` to the history."""
        curvature = y @ s
        if not curvature > 1e-10:
            return
        history = state["old_dirs"], state["old_stps"], state["ro"]
        for each, new in zip(history, (wrap(y), wrap(s), float(1.0 / curvature)), strict=True):
            if len(each) == self.param_groups[0]["history_size"]:
                each.pop(0)
            each.append(new)
        state["H_diag"] = float(curvature / (y @ y))

    def _search(
        self, closure: Callable[[], Any], start: Point, t: float, d: np.ndarray, most: int
    ) -> tuple[Point, int]:
        """Look for the best way to go along ``d``; the parameters stay where they are."""
        kept = [p._array.copy() for p in self.param_groups[0]["params"]]

        def evaluate(t: float) -> Point:
            self._move(t, d)
            loss, g = float(closure()), self._gradient()
            for p, array in zip(self.param_groups[0]["params"], kept, strict=True):
                p._array[...] = array
                bump(p)
            return Point(float(t), loss, g, np.dot(g, d))

        length = np.abs(d).max()
        return strong_wolfe(evaluate, start, t, length, 1e-9, most)

    # --- all parameters as one vector ----------------------------------------------------------------------------

    def _gradient(self) -> np.ndarray:
        """The gradients of all parameters, 0 where there is none.  -> (n,)."""
        params = self.param_groups[0]["params"]
        flat = [np.zeros(p.numel(), p._array.dtype) if p.grad is None else p.grad._array.ravel() for p in params]
        return np.concatenate(flat)

    def _move(self, t: float, d: np.ndarray) -> None:
        """Add ``t`` times ``d``, (n,), to the parameters."""
        begin = 0
        for p in self.param_groups[0]["params"]:
            part = d[begin : begin + p.numel()].reshape(p._array.shape)
            p._array[...] += p._array.dtype.type(t) * part
            bump(p)
            begin += p.numel()
