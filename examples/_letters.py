"""A recurrent network that reads letters: what it makes of a text, what it writes, and how far back it learns."""

import numpy as np

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn
from tinygrad_fr.autograd import grad

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
EMBEDDING = 64  # numbers that stand for a letter

Memory = torch.Tensor | tuple[torch.Tensor, ...]  # what a cell remembers: h, and of an LSTM also c


class LetterNetwork(nn.Module):
    """Letters to scores of the letter after each: an embedding, recurrent layers, a linear layer."""

    def __init__(self, cell: str, letters: int, hidden: int, layers: int = 1):
        super().__init__()
        self.embedding = nn.Embedding(letters, EMBEDDING)
        self.recurrent = CELLS[cell](EMBEDDING, hidden, layers)
        self.output = nn.Linear(hidden, letters)

    def forward(self, x: torch.Tensor, memory: Memory) -> tuple[torch.Tensor, Memory]:
        """The scores, and what is remembered after the last letter.  (T, N), memory -> (T*N, letters), memory."""
        hidden, memory = self.recurrent(self.embedding(x), memory)
        return self.output(hidden.flatten(0, 1)), memory

    def empty_memory(self, columns: int) -> Memory:
        """Zeros, with which ``columns`` texts begin.  -> (layers, columns, hidden), for an LSTM two of them."""
        h, c = self.output.weight.new_zeros(2, self.recurrent.num_layers, columns, self.recurrent.hidden_size)
        return (h, c) if isinstance(self.recurrent, nn.LSTM) else h


def parts_of(memory: Memory) -> tuple[torch.Tensor, ...]:
    """(h,), or (h, c)."""
    return memory if isinstance(memory, tuple) else (memory,)


def remember(memory: Memory, new: Memory) -> None:
    """Write what is ``new`` into ``memory``, without how it came about: gradients end here."""
    for old, part in zip(parts_of(memory), parts_of(new), strict=True):
        old.copy_(part.detach())


def forget(memory: Memory) -> None:
    for part in parts_of(memory):
        part.zero_()


@torch.no_grad()
def write(network: LetterNetwork, prompt: np.ndarray, length: int, temperature: float) -> np.ndarray:
    """Go on after the prompt, letter by letter: each is drawn with softmax(scores / temperature), then read.

    A low temperature keeps to what is likeliest, a high one makes all letters alike. The stand-in, letter 0, is never
    drawn.  prompt: (P,) -> (length,).  RuntimeError: the scores are not numbers.
    """
    network.eval()
    letters = np.zeros(length, np.int64)
    scores, memory = network(torch.tensor(prompt).long().unsqueeze(1), network.empty_memory(1))
    for i in range(length):
        probabilities = F.softmax(scores[-1, 1:] / temperature, dim=0)
        letters[i] = 1 + torch.multinomial(probabilities, 1).item()
        scores, memory = network(torch.tensor([[letters[i]]]), memory)
    return letters


def gradient_norms(network: LetterNetwork, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """How much the loss after the last letter depends on what was remembered before each, in each column.

    That is the norm of its gradient for h, and for c where there is one, taken together.  x: (T, N), y: (N,) -> (T, N).
    """
    memory, remembered = network.empty_memory(x.shape[1]), []
    for part in parts_of(memory):
        part.requires_grad_()
    for letters in x:
        remembered.append(parts_of(memory))
        scores, memory = network(letters.unsqueeze(0), memory)
    loss = F.cross_entropy(scores, y, reduction="sum")
    gradients = torch.stack(grad(loss, [part for parts in remembered for part in parts]))
    parts = gradients.double().unflatten(0, (len(x), -1))  # (T, parts, layers, N, H); squares of floats might be 0
    return parts.norm(dim=(1, 2, 4)).numpy()
