"""The process and its files: environment, atomic files, concurrency, signals, ranks."""
