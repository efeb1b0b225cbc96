"""The inspector: a local page that searches a run's documents, shows what was cut from them and why, and tries other thresholds."""
