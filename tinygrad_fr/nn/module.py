"""Module: a function with parameters, made of other such functions.

What is assigned to a module's attributes is kept in three dictionaries: Parameters, buffers (tensors that are part of
the state but not trained) and submodules. Everything else here walks through them.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..autograd import Tensor, dtypes, no_grad
from ..autograd.device import check_device
from ..autograd.hooks import RemovableHandle, add_hook
from ..ops.convert import _is_device
from ..ops.optim import clear_grad
from .backward_hooks import BackwardCall
from .parameter import Buffer, Parameter
from .state_dict import HasState

_MEMBERS = ("_parameters", "_buffers", "_modules")


class Module(HasState):
    """The base of every layer and every model.

    A subclass calls ``super().__init__()`` before it assigns its parameters and submodules, and computes in
    ``forward``. Calling the module runs ``forward`` and the hooks around it.
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]  # of Module | None

    def __init__(self):
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        own["_modules"] = {}
        own["_forward_pre_hooks"] = OrderedDict()  # of (hook, with_kwargs)
        own["_forward_hooks"] = OrderedDict()
        own["_backward_hooks"] = OrderedDict()  # of (hook, whether it is a pre-hook)
        own["_state_hooks"] = {}

    # --- calling -------------------------------------------------------------------------------------------------

    def forward(self, *input: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass says it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._forward_hooks or self._forward_pre_hooks or self._backward_hooks:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            told = _as_wrong_type(error)
            _note_where(told, self)
            if told is error:
                raise
            raise told from error

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in tuple(self._forward_pre_hooks.values()):
            args, kwargs = self._after_pre_hook(hook, with_kwargs, args, kwargs)
        backward = BackwardCall(self, tuple(self._backward_hooks.values())) if self._backward_hooks else None
        args = args if backward is None else backward.enter(args)
        result = self.forward(*args, **kwargs)
        for hook, with_kwargs in tuple(self._forward_hooks.values()):
            replaced = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            result = result if replaced is None else replaced
        return result if backward is None else backward.leave(result)

    def _after_pre_hook(self, hook, with_kwargs, args, kwargs):
        """The arguments after ``hook`` has seen, and perhaps replaced, them."""
        replaced = hook(self, args, kwargs) if with_kwargs else hook(self, args)
        if replaced is None:
            return args, kwargs
        if not with_kwargs:
            return replaced if isinstance(replaced, tuple) else (replaced,), kwargs
        if not isinstance(replaced, tuple) or len(replaced) != 2:
            raise RuntimeError(
                f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {replaced}."
            )
        return replaced

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns, unless None, replaces the arguments.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)`` and returns None or (args, kwargs).
        """
        return _add_module_hook(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, result)`` after ``forward``; what it returns, unless None, replaces the result.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, result)``.
        """
        if always_call:
            raise NotImplementedError("register_forward_hook(always_call=True) is not supported")
        return _add_module_hook(self._forward_hooks, (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` once backward has the gradients of the positional arguments.

        Both are tuples, with None in the place of what is no tensor; a tuple that it returns replaces ``grad_input``.
        Writing in place into the arguments or results of such a call is refused.
        """
        return _add_module_hook(self._backward_hooks, (hook, False), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` once backward has the gradients of the results, before it goes on.

        A tuple that it returns replaces ``grad_output``.
        """
        return _add_module_hook(self._backward_hooks, (hook, True), prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        raise NotImplementedError(
            "register_backward_hook is not supported: PyTorch deprecated it; use register_full_backward_hook"
        )

    # --- members -------------------------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter that is read as ``module.name``; None is a parameter that is absent."""
        self._check_new_member("parameter", "_parameters", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_type_name(param)}' object to parameter '{name}' (nn.Parameter or None required)"
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state, and of ``state_dict`` if ``persistent``, but not trained."""
        self._check_new_member("buffer", "_buffers", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (Tensor or None required)")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Add a submodule that is read as ``module.name``."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_new_member("module", "_modules", name)
        self._modules[name] = module

    def register_module(self, name: str, module: "Module | None") -> None:
        """Another name of `add_module`."""
        self.add_module(name, module)

    def _check_new_member(self, kind: str, members: str, name: Any) -> None:
        if members not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_type_name(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[members]:
            raise KeyError(f"attribute '{name}' already exists")

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__  # written out, not as a loop: models come here for every submodule that they call
        if "_modules" in own:
            if name in own["_modules"]:
                return own["_modules"][name]
            if name in own["_parameters"]:
                return own["_parameters"][name]
            if name in own["_buffers"]:
                return own["_buffers"][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._forget(name, "_parameters", "parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._forget(name, "_modules", "module")
            self._modules[name] = value
        elif isinstance(value, Buffer):
            self._forget(name, "_buffers", "buffer")
            self.register_buffer(name, value, value.persistent)
        elif not self._replaced_member(name, value):
            object.__setattr__(self, name, value)

    def _forget(self, name: str, members: str, kind: str) -> None:
        """Take away what was called ``name`` so far, to make place for a member of ``members``."""
        if members not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        self.__dict__.pop(name, None)
        for other in _MEMBERS:
            if other != members:
                self.__dict__[other].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _replaced_member(self, name: str, value: Any) -> bool:
        """Put None, or a tensor in the place of a buffer, where a member called ``name`` is; False if there is none."""
        own = self.__dict__
        for kind, takes, said in _REPLACEMENTS:
            if name in own.get(kind, ()):
                if value is not None and not (takes and isinstance(value, takes)):
                    raise TypeError(f"cannot assign '{_type_name(value)}' as {said[0]} '{name}' ({said[1]} expected)")
                own[kind][name] = value
                return True
        return False

    def __delattr__(self, name: str) -> None:
        for kind in _MEMBERS:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if name.isidentifier())

    # --- walking through them ------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set["Module"] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """(name, module) for the module itself, called ``prefix``, and all below it, each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        """The module itself and all below it, each once unless ``remove_duplicate`` is False."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """(name, module) for the modules directly below, each once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator["Module"]:
        """The modules directly below, each once."""
        for _, child in self.named_children():
            yield child

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter), of the modules below as well if ``recurse``; a shared one comes once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, of the modules below as well if ``recurse``; a shared one comes once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(name, buffer), of the modules below as well if ``recurse``; a shared one comes once."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, of the modules below as well if ``recurse``; a shared one comes once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        owners = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in owners:
            for name, member in module.__dict__[kind].items():
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield _join(path, name), member

    def get_submodule(self, target: str) -> "Module":
        """The module at the path ``target``, such as 'layers.0'; the module itself for ''."""
        module = self
        for name in target.split(".") if target else ():
            module = _attribute(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: "Module", strict: bool = False) -> None:
        """Put ``module`` at the path ``target``; with ``strict`` only in the place of one that is there."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f'"module" is not an nn.Module, found {type(module)}')
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            self.get_submodule(target)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the path ``target``, such as 'layers.0.weight'."""
        path, _, name = target.rpartition(".")
        found = _attribute(self.get_submodule(path), name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the path ``target``."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = _attribute(module, name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found

    # --- changing all of them ------------------------------------------------------------------------------------

    def train(self, mode: bool = True):
        """Set the module and all below to training, where dropout drops; returns the module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Set the module and all below to evaluation; returns the module."""
        return self.train(False)

    def apply(self, fn: Callable[["Module"], Any]):
        """Call ``fn`` on all modules below and then on the module itself; returns the module."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True):
        """Let all parameters want a gradient, or none; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to 0."""
        for parameter in self.parameters():
            clear_grad(parameter, set_to_none)

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False):
        """Convert all floating point parameters and buffers: ``to(dtype)``, ``to(device)``, ``to(tensor)``.

        The Parameter objects stay the same, so that an optimiser goes on with them; returns the module.
        """
        check_device(device)
        for each in args:
            if isinstance(each, Tensor):
                dtype = each.dtype
            elif _is_device(each):
                check_device(each)
            elif not isinstance(each, bool) and each is not None:
                dtype = each
        if dtype is None:
            return self
        kind = dtypes.as_dtype(dtype)
        if not kind.is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={kind}")
        return self._apply(lambda tensor: tensor.to(kind) if tensor.is_floating_point() else tensor)

    def float(self):
        """All floating point parameters and buffers as float32; returns the module."""
        return self.to(dtypes.float32)

    def double(self):
        """All floating point parameters and buffers as float64; returns the module."""
        return self.to(dtypes.float64)

    def half(self):
        """Raises: there is no float16 here."""
        raise NotImplementedError("half: float16 is not supported; the floating point types are float32 and float64")

    def bfloat16(self):
        """Raises: there is no bfloat16 here."""
        raise NotImplementedError("bfloat16 is not supported; the floating point types are float32 and float64")

    def type(self, dst_type: Any):
        """All parameters and buffers, also those of integers, as ``dst_type``; returns the module."""
        return self._apply(lambda tensor: tensor.to(dtypes.as_dtype(dst_type)))

    def to_empty(self, *, device: Any, recurse: bool = True):
        """Put memory without values in the place of all parameters and buffers; returns the module."""
        check_device(device)
        return self._apply(lambda tensor: tensor.new_empty(tensor.shape), recurse)

    def share_memory(self):
        """Raises: memory is not shared with other processes here."""
        raise NotImplementedError("share_memory is not supported: memory is not shared with other processes")

    def cpu(self):
        """The module itself: everything is on the CPU."""
        return self

    def cuda(self, device: Any = None):
        """Raises: there is no such device here."""
        check_device("cuda" if device is None else device)

    @no_grad()
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True):
        """Put ``fn(tensor)`` in the place of the values of all parameters, their gradients and the buffers."""
        for module in self.modules() if recurse else (self,):
            for parameter in module._parameters.values():
                if parameter is not None:
                    parameter.data = fn(parameter)
                    if parameter.grad is not None:
                        parameter.grad = fn(parameter.grad)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = fn(buffer)
        return self

    # --- printing ------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands in the parentheses of the module's repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        return in_parentheses(self._get_name(), lines + children)


# what may be assigned to the name of a member, beside a new one of its own kind and None
_REPLACEMENTS = (
    ("_parameters", (), ("parameter", "nn.Parameter or None")),
    ("_modules", (), ("child module", "nn.Module or None")),
    ("_buffers", Tensor, ("buffer", "nn.Buffer, Tensor or None")),
)


def in_parentheses(name: str, lines: Iterable[str]) -> str:
    """``name(...)`` with one line each of ``lines``, indented."""
    body = "".join(f"  {line}\n" for line in lines)
    return f"{name}(\n{body})" if body else f"{name}()"


def indented(text: str) -> str:
    """``text`` with all lines but the first indented."""
    return text.replace("\n", "\n  ")


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _type_name(value: Any) -> str:
    return str(value.type()) if type(value) is Tensor else type(value).__name__


def _attribute(module: Module, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`") from None


def _add_module_hook(hooks: "OrderedDict[Any, Any]", entry: Any, prepend: bool) -> RemovableHandle:
    handle = add_hook(hooks, entry)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _as_wrong_type(error: Exception) -> Exception:
    """The error itself; or a TypeError, where a layer asked what is no Tensor for what only a Tensor has."""
    if not isinstance(error, AttributeError) or error.name not in ("_array", "is_floating_point"):
        return error
    return TypeError(
        f"expected a Tensor, not {type(error.obj).__name__}; torch.as_tensor makes one of an array or a list"
    )


def _note_where(error: Exception, module: Module) -> None:
    """Add to a traceback in which module, and as what in the modules around it, the error came up."""
    if "_modules" not in module.__dict__:  # super().__init__() was not called
        return
    inner = error.__dict__.get("_raised_in")
    if inner is None:
        about = indented(repr(module)) if not module._modules else module._get_name()
        error.add_note(f"  in the module {about}")
    else:
        names = [name for name, child in module._modules.items() if child is inner]
        error.add_note(f"  which is {names[0]!r} of {module._get_name()}" if names else f"  in {module._get_name()}")
    error.__dict__["_raised_in"] = module
