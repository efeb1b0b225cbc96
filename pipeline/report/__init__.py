"""The report of a run: one page that shows what was kept, what was dropped and why, made from the ledger and the summary."""
