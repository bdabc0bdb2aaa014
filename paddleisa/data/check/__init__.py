"""Is my data right: counts, pairs, label values, duplicates, damage."""
