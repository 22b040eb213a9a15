"""What a network that predicts letters is measured by: counting which letters followed the few before them."""

import numpy as np

PRIORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)


class NGram:
    """The probability of a letter after the n - 1 before it, for each n from 0 to ``order``; p_0 is uniform.

        p_n(x | context) = (count(context x) + a_n p_{n-1}(x | shorter context)) / (count(context) + a_n)

    That is as if a_n more letters had been seen after each context, in the shares that the shorter context gives: what
    was seen often is trusted, what was seen seldom is left to shorter contexts. The a_n are those of PRIORS with which
    the validation text, which is not counted, has the least cross-entropy.  Source: MacKay and Peto, 1995.
    """

    def __init__(self, train: np.ndarray, validation: np.ndarray, letters: int, order: int):
        self.letters = letters
        self.tables: list[tuple[Counts, Counts]] = []  # for n = 1, 2, ...: of n letters, and of their contexts
        self.priors: list[float] = []  # a_1, a_2, ...
        p = self._uniform(validation)
        for n in range(1, order + 1):
            followed = self._pieces(train, n)
            self.tables.append((Counts(followed), Counts(followed // letters)))
            refined = {prior: self._refine(p, validation, n, prior) for prior in PRIORS}
            self.priors.append(min(PRIORS, key=lambda prior: cross_entropy(refined[prior])))
            p = refined[self.priors[-1]]

    def probabilities(self, text: np.ndarray) -> list[np.ndarray]:
        """What p_0, p_1, ... give to each letter of a text; where it begins, contexts are short.  (L,) -> of (L,)."""
        found = [self._uniform(text)]
        for n, prior in enumerate(self.priors, start=1):
            found.append(self._refine(found[-1], text, n, prior))
        return found

    def _uniform(self, text: np.ndarray) -> np.ndarray:
        return np.full(len(text), 1 / self.letters)

    def _refine(self, p: np.ndarray, text: np.ndarray, n: int, prior: float) -> np.ndarray:
        """From what p_{n-1} gives to each letter to what p_n gives.  (L,) -> (L,)."""
        pieces = self._pieces(text, n)
        counts, contexts = self.tables[n - 1]
        refined = (counts.of(pieces) + prior * p[n - 1 :]) / (contexts.of(pieces // self.letters) + prior)
        return np.concatenate([p[: n - 1], refined])

    def _pieces(self, text: np.ndarray, n: int) -> np.ndarray:
        """Each n letters that follow each other, as one number whose digits they are.  (L,) -> (L-n+1,) int64."""
        numbers = np.zeros(max(0, len(text) - n + 1), np.int64)
        for place in range(n):
            numbers = numbers * self.letters + text[place : place + len(numbers)]
        return numbers


class Counts:
    """How often each number occurs among ``numbers``."""

    def __init__(self, numbers: np.ndarray):
        self.numbers, self.counts = np.unique(numbers, return_counts=True)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[places] == numbers, self.counts[places], 0)


def cross_entropy(p: np.ndarray) -> float:
    """The mean of -log p, in nats; but for the first letter, which nothing comes before.  (L,) -> float."""
    return float(-np.log(p[1:]).mean())
