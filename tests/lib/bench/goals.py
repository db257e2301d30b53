"""The figures against what they are to be. Each goal: what, the goal in words, how its value is found in the results, and whether that is good.

A value that the results do not have (an experiment that failed, or was not run) is said to be missing, never left out.
"""
from .takes import EMITTER, OVER_TLS, SMALL

CALLSIGN, AGENT, RAWDNS = "callsign", "callsign-agent", "rawdns"


def rows(results, experiment):
    return results[experiment]["rows"]


def figure(results, experiment, row, column, which=None):
    value = rows(results, experiment)[row][column]
    return value if which is None else value[which]


def starting(which):
    """Of callsign to rawdns, container started to name resolving."""
    return lambda results: ratio(figure(results, "life", CALLSIGN, "started", which), figure(results, "life", RAWDNS, "started", which))


def ratio(one, other):
    return round(one / other, 3)


def never(results, experiment, row, column):
    return figure(results, experiment, row, column, "never")


def all_never(results, peer=CALLSIGN):
    """Of a peer's containers, those whose names never came or never went."""
    return sum(value["never"] for value in rows(results, "life")[peer].values())


def agent_later(how):
    """By how many ms an agent's name goes later than an emitter's, medians of the same run."""
    return lambda results: round(figure(results, "life", AGENT, how, "median") - figure(results, "life", CALLSIGN, how, "median"), 2)


def agents(column):
    return lambda results: next(row[column] for row in rows(results, "agents").values() if column in row)


def at(experiment, row, column, which=None):
    return lambda results: figure(results, experiment, row, column, which)


def command_shares(results):
    """0 is among the medians that the pairs allow, as ms by which it is missed."""
    row = rows(results, "command")["difference of a pair"]
    low, high = row["the median is at least"], row["and at most (95 %)"]
    return 0.0 if low <= 0 <= high else low if low > 0 else high


def first_row(results, experiment, beginning):
    return next(row for name, row in rows(results, experiment).items() if name.startswith(beginning))


def announced(results):
    return next(row["value"]["median"] for name, row in rows(results, "announcements").items() if "from a full queue" in name)


def churning(results):
    return next(row for name, row in rows(results, "churn").items() if name.startswith("half of it") and "changes/s" in name)


def churn_share(results):
    return ratio(churning(results)["a second"], rows(results, "churn")["half of it, at rest"]["a second"])


def linear(results):
    """How much the daemon's part grows from 10,000 names to 100,000, beside the tenfold that it may."""
    small, large = (rows(results, "change")[f"{count} names"]["delivery to file in place"]["median"] for count in (10000, 100000))
    return ratio(large, small)


def wake_ups(results):
    return figure(results, "rest", "callsignd", "wake-ups a minute")


def at_most(limit, unit=""):
    return f"≤ {limit:,}{unit}", lambda value: value <= limit


def below(limit, unit=""):
    return f"< {limit:,}{unit}", lambda value: value < limit


def above(limit, unit=""):
    return f"> {limit:,}{unit}", lambda value: value > limit


def at_least(limit, unit=""):
    return f"≥ {limit:,}{unit}", lambda value: value >= limit


def exactly(limit):
    return f"{limit}", lambda value: value == limit


def gone(how):
    return [(f"{how}, FinishedAt to NXDOMAIN, median", *at_most(0, " ms"), at("life", CALLSIGN, how, "median")),
            (f"{how}, 95th percentile", *below(3, " ms"), at("life", CALLSIGN, how, "p95"))]


def memory(count, limit_mb):
    return f"callsignd, resident at {count:,} names", *below(limit_mb * 1000, " kB"), at("memory", f"{count} names", "resident kB")


def change(count, limit_ms):
    return (f"one change among {count:,} names, the daemon's own part, median", *below(limit_ms, " ms"),
            at("change", f"{count} names", "delivery to file in place", "median"))


def broker(what, limit):
    """Whatever counts were measured: that of the most emitters."""
    return (f"broker, {what}", *exactly(limit), lambda results: round(list(rows(results, "broker").values())[-1][what], 2))


GOALS = [
    ("started → resolves, median, to rawdns's", *at_most(1.0), starting("median")),
    ("started → resolves, 95th percentile, to rawdns's", *at_most(1.2), starting("p95")),
    ("names that never came or never went", *exactly(0), all_never),
    ("main to delivery, to a bare login, channel, publish", *at_most(1.15), at("delivery", SMALL, "ratio of medians")),
    ("the same, TLS built in", *at_most(1.15), at("delivery", EMITTER, "ratio of medians")),
    ("`docker run -d` with and without the emitter, ms off", "0 (95 % of medians)", lambda value: value <= 0, command_shares),
    *gone("docker kill"),
    *gone("kill -9"),
    ("docker stop, FinishedAt to NXDOMAIN, 95th percentile", *at_most(0, " ms"), at("life", CALLSIGN, "docker stop", "p95")),
    ("burst, lag, median", *below(15, " ms"), at("burst", CALLSIGN, "lag", "median")),
    ("burst, lag, 95th percentile", *below(40, " ms"), at("burst", CALLSIGN, "lag", "p95")),
    ("burst, lost", *exactly(0), lambda results: never(results, "burst", CALLSIGN, "lag")),
    ("burst, last death to all gone, longest", *below(50, " ms"), at("burst", CALLSIGN, "all gone", "highest")),
    ("burst, not all gone", *exactly(0), lambda results: never(results, "burst", CALLSIGN, "all gone")),
    ("emitter, static, without TLS, resident", *below(1100, " kB"), at("rest", SMALL, "resident kB")),
    ("emitter, static, connected over TLS, resident", *below(2000, " kB"), at("rest", OVER_TLS, "resident kB")),
    ("emitter, processor at rest in a day", *below(1, " s"), at("rest", EMITTER, "processor s a day")),
    ("the same over TLS", *below(1, " s"), at("rest", OVER_TLS, "processor s a day")),
    ("agent, started → resolves, median", *at_most(-20, " ms"), at("life", AGENT, "started", "median")),
    ("agent, started → resolves, 95th percentile", *at_most(0, " ms"), at("life", AGENT, "started", "p95")),
    ("agent, docker kill, FinishedAt to NXDOMAIN, median, to the emitter's", *at_most(0, " ms"), agent_later("docker kill")),
    ("agent, kill -9, the same", *at_most(0, " ms"), agent_later("kill -9")),
    ("agent, names that never came or never went", *exactly(0), lambda results: all_never(results, AGENT)),
    ("`docker run -d` with and without the agent, median", *at_most(3, " ms"),
     at("command", "with callsign-agent, difference of a pair", "docker run -d", "median")),
    ("agent, burst, lag, median", *at_most(0, " ms"), at("burst", AGENT, "lag", "median")),
    ("agent, burst, lag, 95th percentile", *at_most(15, " ms"), at("burst", AGENT, "lag", "p95")),
    ("agent, burst, lost", *exactly(0), lambda results: never(results, "burst", AGENT, "lag")),
    ("agent, resident, a container", *at_most(8, " kB"), agents("agent, kB each")),
    ("agent, broker's memory, a container", *at_most(10, " kB"), agents("broker, kB each")),
    ("agents, all announced at once", *at_most(2, " s"), agents("all announced after s")),
    ("agents, broker killed to all confirmed", *at_most(3, " s"), agents("broker killed, all confirmed after s")),
    memory(50, 4),
    memory(10000, 12),
    memory(100000, 80),
    # One each 5 s, half of a heartbeat: it sends one and takes one. Renewals of the three names that are there are not rest.
    ("callsignd, wake-ups a minute at rest", "≤ 12 for heartbeats, 2 a name for renewals", lambda value: value <= 12 + 3 * 2, wake_ups),
    ("announcements a second from a full queue, median", *at_least(60000), announced),
    ("10,000 ups, last confirm to all resolving, 95th percentile", *below(1000, " ms"),
     lambda results: first_row(results, "announcements", "10,000 ups: last confirm")["value"]["p95"]),
    change(10, 0.3), change(1000, 0.5), change(10000, 5), change(20000, 10), change(100000, 60),
    ("the daemon's part, 100,000 names to 10,000", *at_most(12), linear),
    ("dnsmasq under churn, queries lost", *exactly(0), lambda results: churning(results)["lost"]),
    ("dnsmasq under churn, wrong answers", *exactly(0), lambda results: churning(results)["wrong"]),
    ("dnsmasq under churn, 99th percentile", *below(25, " ms"), lambda results: churning(results)["99th percentile ms"]),
    ("dnsmasq under churn, throughput, to that at rest", *at_least(0.9), churn_share),
    broker("connections each", 1), broker("queues each", 1), broker("messages waiting each", 1),
    # Provisional up, will, up.
    broker("messages sent each, at boot", 3),
]


def check(results):
    """[{what, goal, value, met}]; value None: the figure is missing, and met is None."""
    table = []
    for what, goal, good, find in GOALS:
        try:
            value = find(results)
            table.append({"what": what, "goal": goal, "value": value, "met": bool(good(value))})
        except (KeyError, StopIteration, IndexError):
            table.append({"what": what, "goal": goal, "value": None, "met": None})
    return table
