"""A recorder that writes down what it hears."""

from tinygrad_fr.autograd.mode import Recorder


class Hearing(Recorder):
    """``calls``: (name, inputs, params, outputs) of every op call; ``reads``: how values left the tensors."""

    def __init__(self):
        self.calls = []
        self.reads = []

    def call(self, op, form, inputs, params, outputs, kept=()):
        self.calls.append((op.name + form, inputs, params, outputs))

    def read(self, how):
        self.reads.append(how)
