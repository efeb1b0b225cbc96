"""The mixture in a run: what is set apart before anything is decided, and the weights of what is kept, after everything is."""
