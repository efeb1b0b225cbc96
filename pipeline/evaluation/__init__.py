"""`corpus evaluate`: held-out texts and question files through a model, figures with intervals, rows for those who count themselves."""
