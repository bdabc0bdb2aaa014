"""Measuring a model on a data set, and predicting images."""
