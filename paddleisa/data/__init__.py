"""Data before it is trained on: preparing it, checking it, generating it."""
