"""The console script: one file for each command."""
