"""Hypothesis without deadlines: the first example of a kernel's test compiles the kernel."""

from hypothesis import settings

settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")
