"""Is one corpus better than another? The same small model is trained on each and asked what it makes of text that neither holds."""
