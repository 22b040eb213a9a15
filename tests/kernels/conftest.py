"""Settings of the kernel tests: no deadline, because the first call of a kernel compiles it."""

import hypothesis

hypothesis.settings.register_profile("kernels", deadline=None, max_examples=60)
hypothesis.settings.load_profile("kernels")
