"""Decontamination: which questions of evaluation sets stand in the corpus, and what is done about it.

`benchmarks` reads the sets, `index` prepares their questions, `scan` looks for them in texts, `stage` decides.
"""
