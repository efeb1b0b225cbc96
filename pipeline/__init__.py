"""The run: reading, planning, scheduling on Ray, ledger, outputs, and the `corpus` command. The only layer that does I/O."""
