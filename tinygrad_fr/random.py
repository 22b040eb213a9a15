"""tmp"""
import numpy as np
class Generator:
    def __init__(self): self._state=np.zeros(2,np.uint64)
default_generator=Generator()
__all__=["Generator"]
