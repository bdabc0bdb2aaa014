"""Downloads that resume and verify."""
