"""Data made and proved right before training: preparation of data sets, their check, and what a network sees."""
