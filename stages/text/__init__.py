"""Compiled text kernels over Arrow buffers. They know bytes and arrays, nothing else; each has a plain reference in the tests."""
