"""Training a Baichuan: what a step is, what a run of steps is, and how it survives; `model.train` is the face."""
