"""Calling a compiled kernel, or keeping the call for a captured step that will repeat it."""


def launch(kernel, *arguments):
    """Call a compiled kernel."""
    return kernel(*arguments)
