"""Token counts, training, compression reports and packed shards; filled by its own part of the system."""
