"""Published scores measured again: preflight, targets, the resumable loop, result, report."""
