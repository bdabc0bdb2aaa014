"""Somebody's own photographs and annotations, whatever their layout, made into a data set with a config to train on."""
