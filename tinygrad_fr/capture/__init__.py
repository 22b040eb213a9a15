"""compile(): record a step once, then replay it without its Python."""

from .compiled import compile

__all__ = ["compile"]
