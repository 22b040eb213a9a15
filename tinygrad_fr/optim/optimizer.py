"""What all optimisers share: groups of parameters with their options, the state of each parameter, saving both."""

import copy
import functools
import itertools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..autograd import Tensor, enable_grad
from ..autograd.hooks import RemovableHandle, add_hook
from ..autograd.mode import tell_read, thread
from ..autograd.tensor import wrap
from ..ops.optim import clear_grad, new_launch

Group = dict[str, Any]
NUMBERS = {"step", "mu_product", "eta", "mu"}  # states that are one number; all others are like the parameter


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """``step`` with the hooks of the optimiser around it."""

    @functools.wraps(step)
    def hooked(self: "Optimizer", *args: Any, **kwargs: Any) -> Any:
        self._has_stepped = True
        if not (self._step_pre_hooks or self._step_post_hooks):
            return step(self, *args, **kwargs)
        tell_read("the step hooks of an optimizer")
        given = (self, *args)
        for hook in tuple(self._step_pre_hooks.values()):
            changed = hook(self, given, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(f"a step pre hook must return None or (new_args, new_kwargs), got {changed!r}")
                given, kwargs = changed
        result = step(*given, **kwargs)
        for hook in tuple(self._step_post_hooks.values()):
            hook(self, given, kwargs)
        return result

    return hooked


class Optimizer:
    """The base of the optimisers.

    ``params`` are Tensors, or (name, Tensor) pairs, or dictionaries with 'params' and options of their own;
    ``defaults`` are the options of the groups that do not say otherwise. ``param_groups[i]['lr']`` may be assigned at
    any time.

    A subclass says in ``_hyper_names`` which numbers its update op reads as data, in ``_data_options`` which options
    may change without another launch, and updates a group in ``_update(group, hyper, launch)``.
    """

    _hyper_names: tuple[str, ...] = ()
    _data_options: tuple[str, ...] = ()  # of a group: those that only ever reach the update through its data
    _switch_options: tuple[str, ...] = ()  # of those: where 0 and other numbers are different launches

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got a Tensor of shape {list(params.shape)}"
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._hyper: list[tuple[tuple[float, ...], Tensor]] = []  # by group: the values, and the array that holds them
        self._launches: list[Any] = []  # by group
        self._has_stepped = False  # whether step() was called, which the first step of a scheduler should come after
        self._step_pre_hooks: dict[int, Callable[..., Any]] = {}
        self._step_post_hooks: dict[int, Callable[..., Any]] = {}
        self._saving_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._saving_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._loading_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._loading_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    # --- groups --------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with options of their own, such as layers that begin to be trained."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        given = param_group["params"]
        if isinstance(given, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        group = {**param_group, "params": [given] if isinstance(given, Tensor) else list(given)}
        _take_names_out(group)
        _check_parameters(group["params"])
        self._check_against_others(group)
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.param_groups.append(group)

    def _check_against_others(self, group: Group) -> None:
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            with_names = "with" if "param_names" in group else "without"
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {with_names} names to the optimizer"
            )
        known = set(itertools.chain.from_iterable(other["params"] for other in self.param_groups))
        if not known.isdisjoint(group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to 0."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_grad(p, set_to_none)

    # --- a step --------------------------------------------------------------------------------------------------

    @_with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients. ``closure``, if given, computes the loss anew; it is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        before = thread.mode
        thread.mode = before.without_grad
        try:
            hypers = self._refreshed_hyper()
            for group, hyper, launch in zip(self.param_groups, hypers, self._launches[: len(hypers)], strict=True):
                self._update(group, hyper, launch)
        finally:
            thread.mode = before
        return loss

    def _update(self, group: Group, hyper: Tensor, launch: Any) -> None:
        """Update the parameters of one group, outside the graph; ``launch`` keeps what is known of their arrays."""
        raise NotImplementedError(f"{type(self).__name__} must say how it updates a group, in _update")

    def _refreshed_hyper(self) -> list[Tensor]:
        """For each group the float64 array of its options, with what has been assigned to them since."""
        self._refresh_hyper()
        return [hyper for _, hyper in self._hyper[: len(self.param_groups)]]

    def _refresh_hyper(self) -> None:
        self._has_stepped = True  # a replay calls this, and not step()
        while len(self._hyper) < len(self.param_groups):
            self._hyper.append(((), wrap(np.empty(len(self._hyper_names)))))
            self._launches.append(new_launch())
        for i, group in enumerate(self.param_groups):
            values = self._hyper_values(group)
            known, hyper = self._hyper[i]
            if values != known:
                hyper._array[:] = values
                self._hyper[i] = (values, hyper)

    def _hyper_values(self, group: Group) -> tuple[float, ...]:
        return tuple([group[name] for name in self._hyper_names])

    # --- hooks ---------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return other (args, kwargs)."""
        return add_hook(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return add_hook(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict`; ``prepend`` puts it before the others."""
        return _add_saving_hook(self._saving_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after `state_dict`; it may return another one."""
        return _add_saving_hook(self._saving_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before `load_state_dict`; it may return another one."""
        return _add_saving_hook(self._loading_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after `load_state_dict`."""
        return _add_saving_hook(self._loading_post_hooks, hook, prepend)

    # --- saving and loading --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """{'state': {number: {...}}, 'param_groups': [{..., 'params': [numbers]}]}, where parameters are numbered."""
        for hook in self._saving_pre_hooks.values():
            hook(self)
        numbers = {p: i for i, p in enumerate(self._all_parameters())}
        groups = [{**group, "params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        for group in groups:
            group["params"] = group.pop("params")  # last, as PyTorch has it
        state = {numbers[p]: entries for p, entries in self.state.items()}
        return self._changed_by(self._saving_post_hooks, {"state": state, "param_groups": groups})

    def _changed_by(self, hooks: Mapping[int, Callable[..., Any]], state_dict: Mapping[str, Any]) -> Any:
        """A state_dict as the hooks, which may return another one, leave it."""
        for hook in hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the options and the state that `state_dict` gave; parameters correspond by their order."""
        state_dict = self._changed_by(self._loading_pre_hooks, dict(state_dict))
        saved = copy.deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved)}, and the optimizer has {len(self.param_groups)}"
            )
        for group, other in zip(self.param_groups, saved, strict=True):
            if len(group["params"]) != len(other["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"{len(other['params'])} parameters, not {len(group['params'])}"
                )
        numbers = itertools.chain.from_iterable(other["params"] for other in saved)
        parameters = dict(zip(numbers, self._all_parameters(), strict=True))
        self.state = defaultdict(dict)
        for number, entries in state_dict["state"].items():
            p = parameters[number]
            self.state[p] = {name: _loaded(name, value, p) for name, value in entries.items()}
        for group, other in zip(self.param_groups, saved, strict=True):
            group.update({**other, "params": group["params"]})
        for hook in self._loading_post_hooks.values():
            hook(self)

    def _all_parameters(self) -> Iterable[Tensor]:
        return itertools.chain.from_iterable(group["params"] for group in self.param_groups)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [""] * (i > 0) + [f"Parameter Group {i}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def _add_saving_hook(
    hooks: OrderedDict[int, Callable[..., Any]], hook: Callable[..., Any], prepend: bool
) -> RemovableHandle:
    handle = add_hook(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _take_names_out(group: Group) -> None:
    """Part (name, Tensor) pairs into 'params' and 'param_names'."""
    named = [isinstance(each, tuple) for each in group["params"]]
    if not any(named):
        return
    if not all(named):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    group["param_names"] = [name for name, _ in group["params"]]
    group["params"] = [p for _, p in group["params"]]


def _check_parameters(params: list[Any]) -> None:
    for p in params:
        if not isinstance(p, Tensor):
            raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
        if not p.is_leaf:
            raise ValueError("can't optimize a non-leaf Tensor: it was computed from others; detach() it first")
    if len(set(params)) != len(params):
        warnings.warn("optimizer contains a parameter group with duplicate parameters", stacklevel=4)


def _loaded(name: str, value: Any, p: Tensor) -> Any:
    """A copy of a saved value; tensors, but for the count of steps and its like, in the type of the parameter."""
    value = copy.deepcopy(value)
    if isinstance(value, Tensor) and name not in NUMBERS and value.is_floating_point():
        return value.to(p.dtype)
    return value


def check_at_least_zero(what: str, value: float) -> None:
    """ValueError ``Invalid <what>: <value>`` unless value >= 0."""
    if not value >= 0.0:
        raise ValueError(f"Invalid {what}: {value}")


def check_betas(betas: tuple[float, float]) -> None:
    """ValueError unless both are in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def refuse(**options: Any) -> None:
    """NotImplementedError for the first option that is set."""
    for name, value in options.items():
        if value:
            raise NotImplementedError(f"{name}={value!r} is not supported")
