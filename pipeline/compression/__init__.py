"""`corpus tokenizer compare`, `inspect` and `sweep`: texts are read, measured, and shown as tables, JSON and one page."""
