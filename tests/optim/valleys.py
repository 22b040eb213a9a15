"""Functions to minimise with LBFGS, for PyTorch (tests/golden/record_lbfgs.py) and for tinygrad_fr alike."""


def rosenbrock(p, q):
    """A bent valley; the minimum is 0, at ones."""
    return (100 * (q - p**2) ** 2 + (1 - p) ** 2).sum()


def bowl(p, q):
    """Steep in some directions, flat in others, and not quadratic."""
    return (p**2).sum() * 3 + ((p - q) ** 4).sum() + ((q * 0.3).exp() + (q * -0.3).exp()).sum()


CASES = {
    "bowl": (bowl, {}),
    "bowl, short steps": (bowl, {"lr": 0.2, "max_iter": 4, "history_size": 3}),
    "bowl, strong Wolfe": (bowl, {"line_search_fn": "strong_wolfe", "max_iter": 3}),
    "Rosenbrock, strong Wolfe": (rosenbrock, {"line_search_fn": "strong_wolfe", "max_iter": 5, "history_size": 4}),
    "Rosenbrock, few evaluations": (rosenbrock, {"line_search_fn": "strong_wolfe", "max_iter": 6, "max_eval": 5}),
    "Rosenbrock, long first step": (rosenbrock, {"line_search_fn": "strong_wolfe", "lr": 10.0, "max_iter": 4}),
}
STEPS = 8


def start(torch, name):
    """The parameters, the optimiser and its closure."""
    function, options = CASES[name]
    p = torch.tensor([-1.2, 0.7], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([1.0, -0.5], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([p, q], **options)

    def closure():
        optimizer.zero_grad()
        loss = function(p, q)
        loss.backward()
        return loss

    return p, q, optimizer, closure


def run(torch, name):
    """After each step: the loss that it returned, the parameters, and how many evaluations and steps there were."""
    p, q, optimizer, closure = start(torch, name)
    seen = []
    for _ in range(STEPS):
        loss = optimizer.step(closure).item()
        counts = [optimizer.state[p][key] for key in ("func_evals", "n_iter")]
        seen.append([loss, p.tolist(), q.tolist(), *counts])
    return seen
