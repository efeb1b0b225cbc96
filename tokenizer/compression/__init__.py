"""How well tokenizers compress: measures over held-out texts, their intervals, what pieces look like, and what a vocabulary costs."""
