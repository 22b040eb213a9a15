"""What a module saves and loads: its parameters, buffers and extra state, and those of the modules below."""

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..autograd import Tensor, no_grad
from ..autograd.hooks import RemovableHandle, add_hook
from .parameter import Parameter

_EXTRA_STATE = "_extra_state"


class _IncompatibleKeys(namedtuple("_IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `Module.load_state_dict` returns: the names that only one side had."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


class HasState:
    """The part of `Module` that gives its state as a dictionary, and takes it back."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]  # of Module | None
    _non_persistent_buffers_set: set[str]
    _state_hooks: dict[str, OrderedDict[Any, Any]]  # by when they are called, made at their first use
    named_modules: Callable[..., Any]

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """An OrderedDict of path -> tensor: the parameters and persistent buffers of the module and all below.

        The tensors share memory with the module's, outside the graph unless ``keep_vars``.
        """
        state = OrderedDict() if destination is None else destination
        for hook in self._hooks_of_state("before saving"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of_state("after saving"):
            hook(self, state, prefix, {})
        return state

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Enter what the module itself, without those below, has into ``destination``."""
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not HasState.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def get_extra_state(self) -> Any:
        """What a subclass wants in the ``state_dict`` beside its tensors."""
        raise RuntimeError("a module that is given extra state must define get_extra_state() and set_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError("a module that is given extra state must define get_extra_state() and set_extra_state()")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False):
        """Copy the values of ``state_dict`` into the parameters and buffers; returns (missing_keys, unexpected_keys).

        RuntimeError names every size that differs and, if ``strict``, every key that only one side has. With
        ``assign`` the tensors of ``state_dict`` take the place of the module's, whose dtype they need not have.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        state_dict = OrderedDict(state_dict)  # hooks may change it
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        known: set[str] = set()
        modules = list(self.named_modules(remove_duplicate=False))
        for path, module in modules:
            prefix = path and f"{path}."
            for hook in module._hooks_of_state("before loading"):
                hook(module, state_dict, prefix, {}, strict, missing, unexpected, errors)
            known.update(module._load_from_state_dict(state_dict, prefix, assign, missing, errors))
        unexpected += [key for key in state_dict if key not in known]
        incompatible = _IncompatibleKeys(missing, unexpected)
        for _, module in reversed(modules):
            for hook in module._hooks_of_state("after loading"):
                hook(module, incompatible)
        if strict:
            errors = [*_key_errors("Missing", missing), *_key_errors("Unexpected", unexpected), *errors]
        if errors:
            raise RuntimeError(
                "Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__, "\n\t".join(errors))
            )
        return incompatible

    def _load_from_state_dict(self, state_dict, prefix: str, assign: bool, missing: list[str], errors: list[str]):
        """Load what the module itself, without those below, has; note what went wrong; give the keys it knows."""
        known = []
        for name, tensor in self._own_state():
            key = prefix + name
            known.append(key)
            if key not in state_dict:
                missing.append(key)
            else:
                error = self._load_tensor(name, tensor, state_dict[key], key, assign)
                errors.extend([] if error is None else [error])
        if type(self).set_extra_state is not HasState.set_extra_state:
            key = prefix + _EXTRA_STATE
            known.append(key)
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            else:
                missing.append(key)
        return known

    def _load_tensor(self, name: str, tensor: Tensor, value: Any, key: str, assign: bool) -> str | None:
        """Load one value; the words for what is wrong with it, if anything is."""
        if not isinstance(value, Tensor):
            return f'While copying the parameter named "{key}", expected a Tensor but received {type(value)}'
        if value._array.shape != tensor._array.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
                f"the shape in current model is {tensor.shape}."
            )
        if not assign:
            with no_grad():
                tensor.copy_(value)
        elif isinstance(tensor, Parameter) and not isinstance(value, Parameter):
            self._parameters[name] = Parameter(value, requires_grad=tensor.requires_grad)
        else:
            setattr(self, name, value)
        return None

    # --- hooks ---------------------------------------------------------------------------------------------------

    def _add_state_hook(self, when: str, hook: Callable[..., Any]) -> RemovableHandle:
        return add_hook(self._state_hooks.setdefault(when, OrderedDict()), hook)

    def _hooks_of_state(self, when: str) -> tuple[Callable[..., Any], ...]:
        return tuple(self._state_hooks[when].values()) if when in self._state_hooks else ()

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before `state_dict` looks at the module."""
        return self._add_state_hook("before saving", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, {})`` once `state_dict` holds the module and all below it."""
        return self._add_state_hook("after saving", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook before `load_state_dict` loads the module; it may change the ``state_dict``, which is a copy.

        ``hook(module, state_dict, prefix, {}, strict, missing_keys, unexpected_keys, error_msgs)``
        """
        return self._add_state_hook("before loading", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` once all is loaded; the lists of keys in it may be changed."""
        return self._add_state_hook("after loading", hook)


def _key_errors(what: str, keys: list[str]) -> list[str]:
    quoted = ", ".join(f'"{key}"' for key in keys)
    return [f"{what} key(s) in state_dict: {quoted}. "] if keys else []
