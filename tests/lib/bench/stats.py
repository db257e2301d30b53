"""Figures from runs: medians and percentiles, never means; these machines are shared."""
import math


def percentile(values, share):
    """The smallest value that at least this share of all are at or below."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def summary(values):
    """None in values: it did not happen within the time that was waited."""
    seen = [value for value in values if value is not None]
    result = {"runs": len(values), "never": len(values) - len(seen)}
    if seen:
        result.update(median=round(median(seen), 3), p95=round(percentile(seen, 0.95), 3), lowest=round(min(seen), 3),
                      highest=round(max(seen), 3))
    return result
