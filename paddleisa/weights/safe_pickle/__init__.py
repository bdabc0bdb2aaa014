"""Reading pickles without running anything that they name."""
