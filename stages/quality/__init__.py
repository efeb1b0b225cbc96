"""The quality model: how much a text resembles good ones, and which of its sentences do not. Trained by `corpus quality train`."""
