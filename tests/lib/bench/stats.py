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


def median_bounds(values):
    """Between which the median lies with 95 % confidence, whatever the distribution: two of the values, counted from either end (the sign
    test's interval, by the normal approximation). The outermost where there are few."""
    ordered = sorted(values)
    off = max(0, math.floor((len(ordered) - 1.96 * math.sqrt(len(ordered))) / 2))
    return ordered[off], ordered[len(ordered) - 1 - off]


def summary(values):
    """None in values: it did not happen within the time that was waited."""
    seen = [value for value in values if value is not None]
    result = {"runs": len(values), "never": len(values) - len(seen)}
    if seen:
        result.update(median=round(median(seen), 3), p95=round(percentile(seen, 0.95), 3), lowest=round(min(seen), 3),
                      highest=round(max(seen), 3))
    return result
