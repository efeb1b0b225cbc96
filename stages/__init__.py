"""What is done to documents: text kernels, filters, near-duplicates, selection. Arrow in, Arrow out; no files, no scheduler."""
