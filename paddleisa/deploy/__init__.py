"""Deployment: exported files, and the inference engines that compute a network elsewhere than in Paddle's dygraph."""
