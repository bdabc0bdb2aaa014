"""The catalogue of published and shipped models."""
