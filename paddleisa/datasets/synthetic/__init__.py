"""Street scenes drawn with exact labels."""
