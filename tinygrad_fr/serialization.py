"""`save` and `load`: tensors, and the dicts, lists and numbers around them, in a safetensors file.

The tensors stand in the file by name; its metadata holds one entry more, ``tinygrad_fr``: the version of this form, a
checksum, and as JSON the structure in which the tensors belong. What JSON cannot say stands in it as ``{tag: body}``:

    {"dict": [[key, value], ...]}, also "OrderedDict"         {"tuple": [...]}, also "Size"
    {"tensor": name}, and {"leaf": name} if it requires grad  {"int": hex}, {"float": hex}, {"str": hex}

Nothing is ever unpickled: a file can hold no code.
"""

import json
import math
import os
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from .autograd import Size, Tensor, dtypes
from .autograd.device import check_device
from .autograd.device import device as Device
from .autograd.tensor import wrap
from .utils.files import replacing

_ENTRY = "tinygrad_fr"  # of the metadata
_FORM = "tinygrad_fr 1 "  # what its value begins with
_RESERVED = "__metadata__"  # no tensor of a safetensors file may have this name
_MAX_DEPTH = 100
_EXACT_INTEGERS = 2**63  # larger ones are written in hexadecimal, whose length Python does not limit

_DTYPES = {
    "F32": dtypes.float32, "F64": dtypes.float64, "I64": dtypes.int64, "I32": dtypes.int32, "I16": dtypes.int16,
    "I8": dtypes.int8, "U8": dtypes.uint8, "BOOL": dtypes.bool_,
}  # fmt: skip


# --- saving --------------------------------------------------------------------------------------------------------


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write ``obj`` to ``f``, a path or a binary file open for writing, as a safetensors file.

    ``obj`` is a Tensor, str, int, float, bool, None, or a dict (also OrderedDict), list or tuple (also Size) of such,
    to any depth up to 100; keys of dicts are str, numbers, None, or tuples of them. `load` gives the same back. A
    Parameter, like every Tensor, comes back as a Tensor with its ``requires_grad``; a view as its own elements; the
    same Tensor in two places as one Tensor; a subclass of a number or of str (``numpy.float64``, an IntEnum) as the
    plain value. A dict of str -> Tensor, such as a ``state_dict``, keeps its keys as the names in the file, which
    every other reader of safetensors understands.

    A path is written whole or not at all. TypeError for anything else, saying where in ``obj`` it is; ValueError for
    a structure that contains itself or is too deep or too long; OSError where the file cannot be written.
    """
    _refuse(
        "save() writes a safetensors file, no pickle and no zip file",
        pickle_module=pickle_module is not None,
        pickle_protocol=pickle_protocol != 2,
        _use_new_zipfile_serialization=not _use_new_zipfile_serialization,
    )
    if not (hasattr(f, "write") or isinstance(f, (str, os.PathLike))):
        raise TypeError(f"expected a path or a binary file to save to, got {type(f).__name__}")
    content = _serialized(obj)
    if hasattr(f, "write"):
        _write(f, content)
        return
    with replacing(f) as file:
        _write(file, content)


def _write(file: Any, content: bytes) -> None:
    """Write all of ``content``; an unbuffered file takes a part at a time."""
    rest = memoryview(content)
    while rest:
        written = file.write(rest)
        if written is None:  # a writer that does not count
            return
        rest = rest[written:]


def _serialized(obj: Any) -> bytes:
    """The content of the file."""
    import safetensors
    import safetensors.numpy

    encoder = _Encoder(obj)
    structure = json.dumps(encoder.encode(obj, ()), separators=(",", ":"))
    arrays = encoder.arrays
    form = f"{_FORM}{_checksum(structure, arrays):08x} {structure}"
    try:
        return safetensors.numpy.save(arrays, {_ENTRY: form})
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"cannot save the structure around the tensors, {len(form)} characters: {error}. A safetensors file has "
            "room for 100 million; make tensors of long lists of numbers"
        ) from None


class _Encoder:
    """Turns an object into JSON, and gathers the arrays of its tensors under their names in the file."""

    def __init__(self, obj: Any):
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}  # by id of a tensor's array
        self._open: set[int] = set()  # ids of the containers around the present one
        self._is_flat = _is_flat(obj)

    def encode(self, value: Any, path: tuple[Any, ...]) -> Any:
        """``value``, which stands at ``path`` in the object, as JSON."""
        if isinstance(value, Tensor):
            return {"leaf" if value.requires_grad else "tensor": self._name(value._array, path)}
        if type(value) in _CONTAINERS:
            return self._encode_container(value, path)
        return _encode_scalar(value, path)

    def _encode_container(self, value: Any, path: tuple[Any, ...]) -> Any:
        if id(value) in self._open:
            raise ValueError(f"cannot save {_where(path)}: it contains itself")
        if len(path) >= _MAX_DEPTH:
            raise ValueError(f"cannot save {_where(path[:3])}...: it is nested more than {_MAX_DEPTH} levels deep")
        self._open.add(id(value))
        if isinstance(value, dict):
            body = [[_encode_key(key, path), self.encode(each, (*path, key))] for key, each in value.items()]
        else:
            body = [self.encode(each, (*path, i)) for i, each in enumerate(value)]
        self._open.remove(id(value))
        tag = _CONTAINERS[type(value)]
        return {tag: body} if tag else body

    def _name(self, array: np.ndarray, path: tuple[Any, ...]) -> str:
        """The name under which ``array`` stands in the file; it is put there at its first occurrence.

        In a flat dict at every occurrence: another reader looks for each key.
        """
        known = self._names.get(id(array))
        if known is None or self._is_flat:
            name = self._unused(".".join(str(key) for key in path) or "tensor", verbatim=self._is_flat)
            self.arrays[name] = np.asarray(array, order="C")
            known = self._names.setdefault(id(array), name)
        return known

    def _unused(self, name: str, verbatim: bool) -> str:
        """``name``, or as near to it as makes a name that is valid and not taken."""
        valid = name.encode("utf-8", "backslashreplace").decode()
        unused, count = valid, 1
        while unused in self.arrays or unused == _RESERVED:
            count += 1
            unused = f"{valid}#{count}"
        return unused


def _is_flat(obj: Any) -> bool:
    """Whether ``obj`` is a dict of str -> Tensor."""
    return (
        type(obj) in (dict, OrderedDict)
        and all(type(key) is str for key in obj)
        and all(isinstance(value, Tensor) for value in obj.values())
    )


_CONTAINERS = {dict: "dict", OrderedDict: "OrderedDict", tuple: "tuple", Size: "Size", list: ""}


def _encode_key(key: Any, path: tuple[Any, ...]) -> Any:
    """A key of the dict at ``path`` as JSON: a number, a string or None, or a tuple of such."""
    try:
        if type(key) is tuple:
            return {"tuple": [_encode_scalar(each, path) for each in key]}
        return _encode_scalar(key, path)
    except TypeError:
        raise TypeError(
            f"cannot save the key {key!r} of {_where(path)}: it is of type {_type_name(key)}; expected a str, int, "
            "float, bool, None or a tuple of them"
        ) from None


def _encode_scalar(value: Any, path: tuple[Any, ...]) -> Any:
    """A number, a string or None as JSON; TypeError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        value = int.__index__(value)
        return value if -_EXACT_INTEGERS <= value < _EXACT_INTEGERS else {"int": hex(value)}
    if isinstance(value, float):
        value = float.__float__(value)
        return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
    if isinstance(value, str):
        value = str.__str__(value)
        return value if _is_unicode(value) else {"str": value.encode("utf-8", "surrogatepass").hex()}
    raise TypeError(
        f"cannot save {_where(path)}: it is of type {_type_name(value)}; expected a dict, list, tuple, str, int, "
        f"float, bool, None or Tensor{_advice(value)}"
    )


def _is_unicode(text: str) -> bool:
    """Whether ``text`` is free of halves of characters, which JSON would join or lose."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _advice(value: Any) -> str:
    """What to save in place of a value that cannot be saved."""
    if isinstance(value, np.ndarray):
        return "; make a Tensor of it with torch.from_numpy(...)"
    if isinstance(value, np.generic):
        return "; make a number of it with .item()"
    if hasattr(value, "state_dict"):
        return "; save its state_dict()"
    plain = next((kind for kind in (dict, list, tuple) if isinstance(value, kind)), None)
    return f"; make it plain with {plain.__name__}(...)" if plain else ""


def _where(path: tuple[Any, ...]) -> str:
    """``['model']['layers'][2]``."""
    return "".join(f"[{key!r}]" for key in path) or "the object"


def _refuse(why: str, **options: bool) -> None:
    """NotImplementedError for the first option that was given."""
    for name, given in options.items():
        if given:
            raise NotImplementedError(f"the argument {name} is not supported: {why}; leave it out")


def _checksum(structure: str, arrays: dict[str, np.ndarray]) -> int:
    """CRC-32 of the structure and of every array with its name, type and shape."""
    total = zlib.crc32(structure.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {array.dtype.name} {array.shape}".encode(), total)
        total = zlib.crc32(array.data, total)
    return total


# --- loading -------------------------------------------------------------------------------------------------------


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """What `save` wrote to ``f``, a path or a binary file open for reading; every tensor in memory of its own.

    A safetensors file of another program gives a dict of str -> Tensor. ``map_location`` may be the CPU;
    ``weights_only`` makes no difference, for nothing is ever unpickled.

    RuntimeError: the file is damaged or no safetensors file; NotImplementedError: it holds a tensor of a type that
    does not exist here, such as bfloat16; OSError: it cannot be read.
    """
    _check_location(map_location)
    _refuse(
        "load() reads a safetensors file, no pickle, into memory of its own",
        pickle_module=pickle_module is not None,
        mmap=bool(mmap),
        **dict.fromkeys(pickle_load_args, True),
    )
    content, name = _read(f)
    try:
        return _deserialized(content)
    except _Damaged as error:
        raise RuntimeError(f"cannot load {name}: {error}") from None
    except NotImplementedError as error:
        raise NotImplementedError(f"cannot load {name}: {error}") from None


class _Damaged(Exception):
    """What is wrong with the content of a file, and what to do."""


def _check_location(map_location: Any) -> None:
    if map_location is not None and not isinstance(map_location, (str, int, Device)):
        raise NotImplementedError(
            f"load() does not support a map_location of type {type(map_location).__name__}: every tensor is loaded "
            "to the CPU; use map_location='cpu'"
        )
    check_device(map_location)


def _read(f: Any) -> tuple[bytes, str]:
    """The content of ``f``, and what to call it in an error."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return file.read(), repr(os.fspath(f))
    if not hasattr(f, "read"):
        raise TypeError(f"expected a path or a binary file to load from, got {type(f).__name__}")
    content = f.read()
    if not isinstance(content, (bytes, bytearray)):
        raise TypeError(f"expected a file open in binary mode ('rb'), but read() gave {type(content).__name__}")
    return bytes(content), repr(getattr(f, "name", f))


def _deserialized(content: bytes) -> Any:
    """The object in the content of a file."""
    import safetensors

    try:
        entries = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise _Damaged(_what_else(content, error)) from None
    form = _form(content)
    arrays = {name: _array(name, **entry) for name, entry in entries}
    if form is None:
        return {name: wrap(array) for name, array in arrays.items()}
    return _Decoder(_checked(form, arrays), arrays).decoded()


def _what_else(content: bytes, error: Exception) -> str:
    """Why ``content`` is no safetensors file."""
    if not content:
        return "the file is empty; was its writing interrupted?"
    if content.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return (
            "it looks like a pickle of PyTorch, and pickles, which can run any code, are never read. In PyTorch, "
            "convert the weights: safetensors.torch.save_file(torch.load(path), 'weights.safetensors')"
        )
    return f"it is no safetensors file, or it is cut off or damaged ({error}); take another copy of it"


def _form(content: bytes) -> str | None:
    """Our entry of the metadata, which the library has found well-formed; None in a file of another program."""
    (length,) = struct.unpack_from("<Q", content)
    metadata = json.loads(content[8 : 8 + length]).get(_RESERVED) or {}
    # the entry is known by its name and by its beginning, so that damage to one of them is noticed
    ours = [value for name, value in metadata.items() if name == _ENTRY or value.startswith(_FORM)]
    return ours[0] if ours else None


def _array(name: str, *, dtype: str, shape: list[int], data: Any) -> np.ndarray:
    kind = _DTYPES.get(dtype)
    if kind is None:
        raise NotImplementedError(
            f"tensor {name!r} is of type {dtype}, expected one of {', '.join(_DTYPES)}; convert it where it was made "
            "(in PyTorch: tensor.float()) and save it again"
        )
    if kind is dtypes.bool_:
        return np.ndarray(shape, np.uint8, data) != 0  # a byte of True is 1, in every array
    return np.ndarray(shape, kind.numpy, data)


def _checked(form: str, arrays: dict[str, np.ndarray]) -> str:
    """The structure, after its checksum was found right."""
    if not form.startswith(_FORM):
        raise _Damaged(f"expected structure in the form {_FORM.strip()!r}, got {form[:20]!r}: damaged, or newer")
    checksum, _, structure = form.removeprefix(_FORM).partition(" ")
    if checksum != f"{_checksum(structure, arrays):08x}":
        raise _Damaged(
            "its content does not agree with its checksum: it was damaged, or changed by another program (which must "
            f"then drop the entry {_ENTRY!r} of the metadata); take another copy of it"
        )
    return structure


class _Decoder:
    """Makes the object from its structure. Nothing of the structure is trusted."""

    def __init__(self, structure: str, arrays: dict[str, np.ndarray]):
        self._structure = structure
        self._arrays = arrays
        self._tensors: dict[tuple[str, str], Tensor] = {}  # by tag and name
        self._versions: dict[str, list[int] | None] = {}  # by name: tensors of one array count its writes together
        self._read: dict[str, Callable[[Any, int], Any]] = {
            "dict": lambda body, depth: self._pairs(dict, body, depth),
            "OrderedDict": lambda body, depth: self._pairs(OrderedDict, body, depth),
            "tuple": lambda body, depth: tuple(self._items(body, depth)),
            "Size": lambda body, depth: Size(self._items(body, depth)),
            "tensor": lambda body, depth: self._tensor("tensor", body),
            "leaf": lambda body, depth: self._tensor("leaf", body),
            "int": lambda body, depth: int(body, 16),
            "float": lambda body, depth: struct.unpack(">d", bytes.fromhex(body))[0],
            "str": lambda body, depth: bytes.fromhex(body).decode("utf-8", "surrogatepass"),
        }

    def decoded(self) -> Any:
        try:
            return self._decode(json.loads(self._structure), 0)
        except (ValueError, TypeError, KeyError, RuntimeError, RecursionError, struct.error) as error:
            raise _Damaged(f"the structure in its metadata is wrong ({error}); take another copy of it") from None

    def _decode(self, node: Any, depth: int) -> Any:
        if isinstance(node, list):
            return self._items(node, depth)
        if not isinstance(node, dict):
            return node
        ((tag, body),) = node.items()
        return self._read[tag](body, depth)

    def _items(self, body: Any, depth: int) -> list[Any]:
        if depth > _MAX_DEPTH:
            raise ValueError(f"it is more than {_MAX_DEPTH} levels deep")
        return [self._decode(each, depth + 1) for each in _checked_list(body)]

    def _pairs(self, kind: type[dict[Any, Any]], body: Any, depth: int) -> dict[Any, Any]:
        return kind((key, value) for key, value in (self._items(pair, depth) for pair in _checked_list(body)))

    def _tensor(self, tag: str, name: str) -> Tensor:
        if (tag, name) not in self._tensors:
            tensor = self._tensors[tag, name] = wrap(self._arrays[name])
            tensor.requires_grad = tag == "leaf"
            tensor._version = self._versions.setdefault(name, tensor._version)
        return self._tensors[tag, name]


def _checked_list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise ValueError(f"expected a list, got {type(body).__name__}")
    return body
