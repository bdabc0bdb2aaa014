"""What can compute a network: files it is exported to, and runtimes that read them."""
