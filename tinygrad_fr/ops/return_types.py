"""The named tuples that ops of several results give; they print as in PyTorch."""

from collections import namedtuple


def _return_type(name, *fields):
    """A named tuple of tensors that prints one a line, under the name of its op."""
    return type(name, (namedtuple(name, fields),), {"__slots__": (), "__repr__": _describe, "__module__": __name__})


def _describe(results):
    lines = ",\n".join(f"{field}={value!r}" for field, value in zip(results._fields, results, strict=True))
    return f"tinygrad_fr.return_types.{type(results).__name__}(\n{lines})"


max = _return_type("max", "values", "indices")
min = _return_type("min", "values", "indices")
median = _return_type("median", "values", "indices")
nanmedian = _return_type("nanmedian", "values", "indices")
mode = _return_type("mode", "values", "indices")
sort = _return_type("sort", "values", "indices")
topk = _return_type("topk", "values", "indices")
kthvalue = _return_type("kthvalue", "values", "indices")
cummax = _return_type("cummax", "values", "indices")
cummin = _return_type("cummin", "values", "indices")
linalg_slogdet = _return_type("linalg_slogdet", "sign", "logabsdet")
aminmax = _return_type("aminmax", "min", "max")
