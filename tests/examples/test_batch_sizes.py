"""examples/batch_sizes.py: the three methods of gradient descent differ where the course says they do."""

from itertools import pairwise

import batch_sizes
import pytest

from .idx_files import write_mnist


def test_the_table_and_the_figure(tmp_path, capsys):
    data = write_mnist(tmp_path / "mnist", train=100, test=20)
    assert batch_sizes.main(["--data", str(data), "--epochs", "3", "--out", str(tmp_path / "out.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:5]}
    updates = {name: row[2] for name, row in rows.items()}
    assert updates == {"batch": "3", "mini-batch": "12", "stochastic": "300"}
    losses = {name: float(row[4]) for name, row in rows.items()}
    assert losses["stochastic"] < losses["mini-batch"] < losses["batch"] < 2.3
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_path_starts_before_the_first_update_and_ends_after_the_last(tmp_path):
    from tinygrad_fr.utils.data import TensorDataset

    digits = batch_sizes.load_digits(write_mnist(tmp_path, train=70))
    x, y = digits.train.tensors
    model = batch_sizes.build_network([784, 4, 10])
    path = batch_sizes.descend(batch_sizes.METHODS[1], TensorDataset(digits.standardise(x), y), model, epochs=2)
    assert [(point.epochs, point.updates) for point in path] == [(i / 3, i) for i in range(7)]
    assert all(a.seconds < b.seconds for a, b in pairwise(path))


def test_bad_arguments_and_data(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        batch_sizes.main(["--epochs", "none"])
    assert exit.value.code == 2
    assert batch_sizes.main(["--data", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
