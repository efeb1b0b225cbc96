"""`corpus quality train`: from sources of good and of bad text to a model that the stage `quality` scores with."""
