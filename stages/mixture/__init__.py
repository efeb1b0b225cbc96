"""How much of each domain and language a corpus gives to training: shares, held-out documents, and mixtures learned from small models."""
