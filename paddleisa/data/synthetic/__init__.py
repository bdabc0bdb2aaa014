"""Generated data in the layouts of the official data sets."""
