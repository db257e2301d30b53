"""What must be true: which name has which address, since when, and for how long a wrong answer is forgiven.

A pair of a name and an address is LIVE, DEAD, or OPEN: either answer is right, for instance between a signal and the death of the
process. A live pair that was seen in DNS after its bound is settled: no fault but those that say so may take it away again, not for one answer.
"""
import threading
import time

LIVE, DEAD, OPEN = "live", "dead", "open"
NEVER = float("inf")

# Bounds in seconds. Where nothing is broken the product needs some milliseconds; this is what a busy test machine is allowed.
START_S = 1.0          # from an emitter's start to its name
DEATH_S = 1.0          # from its death to the name's end
RETURN_S = 6.0         # from a broker's, link's or process's return: emitters try at least each 5 s
RESYNC_S = 8.0 + 2.0   # resync_timeout, and what docs/reliability adds to it, after the last that came back
DAEMON_S = 2.0         # from a daemon's restart
AGENT_DEATH_S = 1.0    # from the agent's, until what died meanwhile is gone
AGENT_START_S = 2.5    # and until what began is there: what no hook told it of it looks for after 1 s
BLINK_S = 1.0          # a broker that closes connections fires every will
SILENT_HEARTBEATS = 3  # a dead one that nobody could hear goes when the broker gives up
MASS_LOSS = 20         # of more than these the host does not believe that they died, and says so: they stay until their leases end
LEASE_S = 360.0 + 60.0 # the longest one, and what an outage adds to it


class Pair:
    def __init__(self, name, address):
        self.name, self.address = name, address
        self.state, self.since = DEAD, 0.0
        self.due = 0.0             # not before this can it be wrong
        self.settled = False
        self.settled_at = 0.0
        self.seen = None           # when DNS first agreed with the state
        self.absent_since = None   # a blink that is being measured
        self.reported = False
        self.by_agent = False      # it says what becomes of this one, and not the container itself
        self.has_ended = False     # at least once
        self.spared_until = 0.0    # an end of it is not believed: see Model.spares()
        self.calm = False          # nothing was broken when the state changed: its latency is a figure

    def __str__(self):
        return f"{self.name} {self.address}"


class Model:
    def __init__(self, begun):
        self.lock = threading.RLock()
        self.begun = begun
        self.pairs = {}
        self.broken = {}           # faults that hold up changes: what → since when
        self.live_floor = self.dead_floor = 0.0
        self.tail = 0.0            # somebody may still come back from the last outage until then
        self.blinking = set()      # the faults that fire wills of the living
        self.blink_until = 0.0
        self.alarm = False         # the broker takes no messages
        self.blink_floor = 0.0     # something else held up their return until then
        self.told_late = False     # wills of the living wait for a daemon that does not hear them; until all is mended
        self.unknown = set()       # names of containers whose address we have yet to learn
        self.unheard = 0           # ends since the last resync that was surely over
        self.agent_down = 0
        self.agent_back = 0.0      # since then; what became of containers while it was away is right some time later
        self.dns_down = 0
        self.dns_floor = 0.0
        self.violations = []
        self.figures = {"start": [], "death": [], "blink": [], "return": []}
        self.answers = self.reads = 0
        self.history = []
        self.until_wrong = False

    # ---- what happens ----

    def log(self, text):
        with self.lock:
            self.history.append((time.monotonic() - self.begun, text))

    def pair(self, name, address):
        return self.pairs.setdefault((name, address), Pair(name, address))

    def set(self, pair, state, bound=0.0, keep=False):
        """The pair is in this state from now on, and DNS must say so after `bound` at the latest. keep: it was settled and stays so."""
        with self.lock:
            now = time.monotonic()
            if state == DEAD:
                self.unheard = self.unheard + 1 if self.broken or now < self.dead_floor else 0
            pair.has_ended |= state == DEAD
            pair.state, pair.since, pair.due = state, now, now + bound
            pair.settled = pair.settled and keep and state == LIVE
            pair.seen = pair.absent_since = None
            pair.reported = False
            pair.calm = self.is_calm(now)

    def is_calm(self, now):
        return not self.broken and not self.dns_down and not self.agent_down \
            and now > max(self.live_floor, self.dead_floor, self.dns_floor, self.agent_back + AGENT_START_S)

    def breaks(self, what, blinks=False):
        """Nothing new gets through until it is mended; blinks: and what stands may be gone for up to BLINK_S."""
        with self.lock:
            # A daemon that starts, or hears again, believes what waits for it: by then the living may need all of RETURN_S to be back.
            self.told_late |= bool(self.blinking) if not blinks else bool(self.broken.keys() - self.blinking)
            self.broken[what] = time.monotonic()
            if blinks:
                self.blinking.add(what)

    def mended(self, what, within, comes_back):
        """within: from now on until what changed meanwhile is right. comes_back: emitters have to connect again."""
        with self.lock:
            now, since = time.monotonic(), self.broken.pop(what)
            self.live_floor = max(self.live_floor, now + within)
            self.tail = max(self.tail, now + (RETURN_S if comes_back else within))
            self.dead_floor = max(self.dead_floor, self.tail + RESYNC_S)
            if what in self.blinking:
                self.blinking.remove(what)
                self.blink_until = max(self.blink_until, now + RETURN_S)
            else:
                self.blink_floor = max(self.blink_floor, now + within)
                if self.blink_until >= since:
                    self.blink_until = max(self.blink_until, now + within)
            if self.told_late:
                self.blink_floor = self.blink_until = max(self.blink_floor, self.blink_until, now + RETURN_S)
                self.told_late = bool(self.broken)

    def closing(self, now):
        """The broker closes every connection, or has just done so."""
        with self.lock:
            return bool(self.blinking) or now < self.blink_until

    def one_returns(self):
        """Each that is confirmed lets a resync wait longer for the others."""
        with self.lock:
            now = time.monotonic()
            if self.broken or now < self.dead_floor:
                self.tail = max(self.tail, now + RETURN_S)
                self.dead_floor = max(self.dead_floor, self.tail + RESYNC_S)

    def spares(self, said):
        """
        A resync has ended, and more than half of all names were not announced again: the host takes that for a fault, and those that have ended stay until
        their leases do (docs/protocol.md, "Resync"). That many can only have ended where one outage came after the other. Where the same name has come
        back on the same address, the one before it shows when that ends, too.
        """
        with self.lock:
            self.log(f"host says: {said}")
            if self.unheard <= MASS_LOSS:
                self.report(None, f"callsignd spares the dead, though only {self.unheard} ended since the last resync: {said}")
            for pair in self.pairs.values():
                if pair.has_ended:
                    pair.spared_until = time.monotonic() + LEASE_S

    def dns_stops(self):
        with self.lock:
            self.dns_down += 1

    def dns_answers(self):
        with self.lock:
            self.dns_down -= 1
            self.dns_floor = time.monotonic() + DAEMON_S

    def agent_stops(self):
        with self.lock:
            self.agent_down += 1

    def agent_answers(self):
        with self.lock:
            self.agent_down -= 1
            self.one_returns()  # the next one confirms all that it has taken over
            self.agent_back = time.monotonic()

    # ---- what is seen ----

    def names(self):
        with self.lock:
            return {name for name, _ in self.pairs}

    def hot(self):
        """Names that have just changed."""
        with self.lock:
            now = time.monotonic()
            return {pair.name for pair in self.pairs.values() if pair.seen is None and now - pair.since < 15}

    def dns(self, name, addresses, asked):
        """An answer for `name` to a question that was asked at that time."""
        with self.lock:
            now = time.monotonic()
            self.answers += 1
            for address in addresses:
                if (name, address) not in self.pairs and name not in self.unknown:
                    self.report(None, f"{name} answers {address}, which nobody ever announced")
            for pair in [pair for pair in self.pairs.values() if pair.name == name]:
                self.judge(pair, pair.address in addresses, asked, now)

    def judge(self, pair, present, asked, now):
        if pair.state == OPEN or asked < pair.since:
            return
        if (pair.state == LIVE) == present:
            self.right(pair, asked, now)
        elif pair.state == LIVE:
            self.absent(pair, asked, now)
        elif asked > self.forgiven(pair, self.dead_floor):
            self.report(pair, f"{pair} still answers {now - pair.since:.2f} s after its end")

    def forgiven(self, pair, floor):
        if self.broken or (pair.by_agent and self.agent_down):
            return NEVER
        agent_floor = self.agent_back + (AGENT_START_S if pair.state == LIVE else AGENT_DEATH_S)
        return max(pair.due, floor, self.dns_floor, agent_floor if pair.by_agent else 0.0, self.held_until(pair),
                   pair.spared_until if pair.state == DEAD else 0.0)

    def held_until(self, pair):
        """
        Between two users an address stays with whoever has it until that one goes (docs/protocol.md, "The view"): Docker gives it to another container at
        once, and that one's name waits as long as the end of any before may be unknown (of some it was never seen that they were served: they waited, too).
        """
        if pair.state != LIVE:
            return 0.0
        return max((self.forgiven(other, self.dead_floor) + START_S for other in self.pairs.values()
                    if other.address == pair.address and other.by_agent != pair.by_agent and other.state != LIVE), default=0.0)

    def right(self, pair, asked, now):
        if pair.absent_since is not None:
            if pair.absent_since > self.blink_floor and not self.broken.keys() - self.blinking:
                self.figures["blink"].append(now - pair.absent_since)
            pair.absent_since = None
        if pair.seen is None:
            pair.seen = now
            if pair.calm and self.is_calm(now):
                self.figures["start" if pair.state == LIVE else "death"].append(now - pair.since)
        # Before it is due what answers may be the last of an older life, which is yet to end.
        if pair.state == LIVE and not pair.settled and asked > self.forgiven(pair, self.live_floor):
            pair.settled, pair.settled_at = True, now

    def absent(self, pair, asked, now):
        if not pair.settled:
            if asked > self.forgiven(pair, self.live_floor):
                self.report(pair, f"{pair} does not answer {now - pair.since:.2f} s after its start")
            return
        if pair.absent_since is None:
            pair.absent_since = asked
        may_blink = self.blinking or pair.absent_since < self.blink_until
        held_up = self.broken.keys() - self.blinking
        until = NEVER if held_up else max(pair.absent_since, self.blink_floor) + BLINK_S
        if not may_blink or now > until:
            self.report(pair, f"{pair} lives, was served, and is gone"
                        + (f" for {now - pair.absent_since:.2f} s" if may_blink else ""))

    def no_answer(self, name, waited):
        with self.lock:
            if not self.dns_down and time.monotonic() > self.dns_floor:
                self.report(None, f"dnsmasq does not answer for {name}, for {waited:.1f} s")

    def hosts_file(self, pairs, began):
        """Which pairs a whole hosts file holds, that was opened at that time."""
        with self.lock:
            self.reads += 1
            for key, pair in self.pairs.items():
                if pair.settled and pair.settled_at < began and pair.since < began and key not in pairs \
                        and not self.blinking and began > self.blink_until and pair.absent_since is None:
                    self.report(pair, f"{pair} lives, was served, and is not in the hosts file")

    def enough(self):
        return self.until_wrong and self.violations

    def report(self, pair, text):
        if pair is not None:
            if pair.reported:
                return
            pair.reported = True
        at = time.monotonic() - self.begun
        self.history.append((at, "WRONG: " + text))
        self.violations.append((at, text, pair))
        print(f"at {at:.2f} s: {text}", flush=True)  # what led to it comes with the report
