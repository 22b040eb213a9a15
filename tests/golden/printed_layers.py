"""The layers whose printed form is recorded and compared; of whichever library ``nn`` belongs to."""


def printed_layers(nn):
    """One of each, with its defaults or the arguments that print differently."""
    return [
        nn.Identity(),
        nn.Flatten(),
        nn.Unflatten(1, (2, 2)),
        nn.Dropout(0.2),
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.ReLU6(),
        nn.LeakyReLU(),
        nn.ELU(),
        nn.SELU(),
        nn.SiLU(),
        nn.Hardtanh(),
        nn.Softplus(),
        nn.Softsign(),
        nn.Tanh(),
        nn.Tanhshrink(),
        nn.LogSigmoid(),
        nn.Softmax(dim=1),
        nn.Softmin(dim=1),
        nn.LogSoftmax(dim=1),
        nn.MSELoss(),
        nn.L1Loss(),
        nn.HuberLoss(),
        nn.SmoothL1Loss(),
        nn.KLDivLoss(),
        nn.HingeEmbeddingLoss(),
        nn.BCELoss(),
        nn.BCEWithLogitsLoss(),
        nn.NLLLoss(),
        nn.CrossEntropyLoss(),
    ]
