"""What happens when: a random schedule that a seed repeats. Nothing here looks at what the lab does."""
import random
from typing import NamedTuple

EMITTERS = 20     # plain emitter processes, each in a network namespace of its own
CONTAINERS = 3    # real ones: dearer, and their starts take half a second
PLAIN = 3         # likewise, but with nothing of ours in them: named by the agent
QUIET_S = 10.0    # the last seconds of a run: nothing new is broken, and all of it must be right


class Event(NamedTuple):
    at: float     # seconds from the beginning
    lane: str     # events of one lane happen one after the other; a lane that is late does not hold up the others
    verb: str
    args: tuple = ()

    def __str__(self):
        return f"{self.at:8.2f} s  {self.lane:<8} {self.verb} {' '.join(str(arg) for arg in self.args)}"


def slot_heartbeat_s(slot):
    return (10, 3)[slot % 2]


def slot_renew_s(slot):
    return (120, 10)[slot // 2 % 2]


def slot_name(rng, slot):
    """Mostly its own; at times one that another may have too, or one that this address never had before."""
    dice = rng.random()
    if dice < 0.12:
        return f"shared{rng.randrange(3)}"
    if dice < 0.22:
        return f"guest{rng.randrange(40)}"
    return f"c{slot}"


def emitters(rng, end):
    """Starts and ends of every kind, some of them while the link is down."""
    running, busy = {}, {}
    for slot in range(EMITTERS):
        yield Event(0.05 * slot, "emitter", "start", (slot, slot_name(rng, slot)))
        running[slot] = True
        busy[slot] = 3.0
    now = 3.0
    while (now := now + rng.expovariate(1 / 0.4)) < end:
        slot = rng.randrange(EMITTERS)
        if busy[slot] > now:
            continue
        if not running[slot]:
            yield Event(now, "emitter", "start", (slot, slot_name(rng, slot)))
            running[slot], busy[slot] = True, now + rng.choice((0.0, 0.5, 4.0))
            continue
        verb = rng.choices(("kill", "stop", "crash", "pause", "link", "silent", "tear"),
                           (25, 20, 20, 12, 15, 8, 12 if slot_heartbeat_s(slot) < 5 else 0))[0]
        busy[slot] = now + rng.choice((0.1, 0.5, 3.0))
        if verb in ("kill", "stop"):
            yield Event(now, "emitter", verb, (slot,))
            running[slot] = False
        elif verb == "crash":  # and its supervisor starts it again, on the same address
            again = now + rng.choice((0.0, 0.2, 1.0))
            yield Event(now, "emitter", "kill", (slot,))
            yield Event(again, "emitter", "start", (slot, slot_name(rng, slot)))
            busy[slot] = again + 1
        elif verb == "tear":  # its old session's will fires after up to three heartbeats, and must not act
            yield Event(now, "emitter", "tear", (slot,))
            busy[slot] = now + 3.5 * slot_heartbeat_s(slot)
        else:
            back = now + rng.choice((0.5, 1.5, 4.0, 9.0))
            yield Event(now, "emitter", "pause" if verb == "pause" else "cut", (slot,))
            if verb == "silent":  # it dies while nobody can hear of it
                yield Event(now + 0.3, "emitter", "kill", (slot,))
                running[slot] = False
            yield Event(back, "emitter", "resume" if verb == "pause" else "mend", (slot,))
            busy[slot] = back + 0.5


def containers(rng, end, lane="docker", first=0, count=CONTAINERS, gap=2.5):
    running = {}
    now = 1.0
    while (now := now + rng.expovariate(1 / gap)) < end:
        slot = first + rng.randrange(count)
        if not running.get(slot):
            yield Event(now, lane, "run", (slot, f"box{slot}"))
            running[slot] = True
            continue
        verb = rng.choice(("docker-kill", "docker-stop", "docker-restart", "kill-9"))
        yield Event(now, lane, verb, (slot,))
        running[slot] = verb == "docker-restart"


# Each with its weight, and how long it may last.
BROKER = (
    ("stop-app", 4, (0.0, 3.0)), ("kill-broker", 3, (0.0, 4.0)), ("end-broker", 2, (0.0, 2.0)),
    ("close-connections", 4, (0.0,)), ("close-emitters", 3, (0.0,)), ("drain", 2, (0.0, 3.0)), ("alarm", 3, (2.0, 12.0, 25.0)),
)
HOST = (
    ("kill-daemon", 6, (0.0, 0.3, 4.0)), ("end-daemon", 2, (0.0, 1.0)), ("reload", 2, (0.0,)), ("bad-reload", 2, (0.0,)),
    ("kill-dnsmasq", 3, (0.0, 2.0)), ("hup-storm", 2, (1.0,)), ("deaf-daemon", 3, (1.0, 6.0)), ("freeze-daemon", 2, (1.0, 5.0)),
)
# Away for less than lost_grace, and no longer still than the broker has patience with its heartbeat.
AGENT = (
    ("kill-agent", 6, (0.0,)), ("end-agent", 3, (0.0,)), ("agent-away", 5, (0.5, 1.0, 1.5)), ("freeze-agent", 2, (0.5, 2.0)),
)


def faults(rng, lane, table, first, gap, end):
    now = first
    while True:
        now += gap + rng.expovariate(1 / 5.0)
        verb, _, lengths = rng.choices(table, [row[1] for row in table])[0]
        length = rng.choice(lengths)
        if now + length >= end:
            return
        yield Event(now, lane, verb, (length,))
        now += length


def schedule(seed, seconds, agent=False):
    end = seconds - QUIET_S
    lanes = [
        emitters(random.Random(f"{seed}/emitters"), end),
        containers(random.Random(f"{seed}/containers"), end),
        # Between two of the broker's everybody has time to come back: a lease is lengthened by an outage only once.
        faults(random.Random(f"{seed}/broker"), "broker", BROKER, 2.0, 9.0, end - 15),
        faults(random.Random(f"{seed}/host"), "host", HOST, 1.0, 3.0, end - 5),
    ]
    if agent:
        lanes.append(containers(random.Random(f"{seed}/plain"), end, "plain", CONTAINERS, PLAIN, 1.5))
        lanes.append(faults(random.Random(f"{seed}/agent"), "agent", AGENT, 1.5, 2.0, end - 5))
    return sorted((event for lane in lanes for event in lane), key=lambda event: event.at)
