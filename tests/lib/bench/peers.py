"""Who is measured: Callsign, its peers from Debian's packages, and the baseline of the original design.

Each peer says how a container of it is started, and how its names are watched (dnswatch's options and the full name).
"""
import json
import os
import subprocess

from .lab import TESTS, wait_until

PLAIN = "bench-plain:1"
IDLE = ["sh", "-c", "trap exit TERM; sleep 1000 & wait"] # process 1 ends on SIGTERM only if it says so
PEER_NET = "bench-peer"
NETWORK = "bench"
# The machine's programs, for peers that need more than busybox in the container.
MACHINE = [word for folder in ("/usr", "/lib", "/lib64", "/etc/alternatives") if os.path.exists(folder)
           for word in ("--volume", f"{folder}:{folder}:ro")]


class Peer:
    """name; the packages that it is in; how long to wait for a name to go (s) before it counts as never."""
    name = "?"
    packages = ()
    gone_s = 10
    process = None # what runs on the host for this peer alone

    def __init__(self, lab):
        self.lab = lab

    def start(self):
        """What it needs on the host. RuntimeError: it cannot be measured here, and why."""

    def stop(self):
        pass

    def pid(self):
        """The host's process, as the machine counts; None without one."""
        return None if self.process is None else self.lab.child(self.process)

    def run_words(self, container):
        """docker run …, after its own options."""
        return [PLAIN, *IDLE]

    def run(self, container):
        self.lab.docker("run", "--detach", "--hostname", container, "--name", container, *self.run_words(container))

    def watch_words(self):
        """What stands before dnswatch's verb."""
        return ["dnswatch"]

    def full_name(self, container):
        return f"{container}.docker"

    def watch(self, verb, containers, seconds, interval_us=200):
        """A dnswatch for all of them; its output has a line `NS NAME` for each."""
        words = self.watch_words()
        options = ["-t", str(int(seconds * 1000)), "-i", str(interval_us)]
        names = [self.full_name(container) for container in containers]
        return self.lab.spawn([*words, *options, "-m", verb, *names], stdout=subprocess.PIPE)


class Callsign(Peer):
    name = "callsign"

    def run_words(self, container):
        return ["lab:1", "sleep", "1000"]


class Agent(Peer):
    """callsign-agent: the image carries nothing, its runtime tells the agent."""
    name = "callsign-agent"

    def run_words(self, container):
        return ["--runtime", "callsign", PLAIN, *IDLE]


class Rawdns(Peer):
    """Asks Docker at each question. In a network namespace of its own, since it insists on port 53."""
    name = "rawdns"
    packages = ("rawdns",)

    def start(self):
        configuration = f"{self.lab.folder}/rawdns.json"
        with open(configuration, "w", encoding="ascii") as file:
            json.dump({"docker.": {"type": "containers", "socket": "unix:///run/docker.sock"}}, file)
        self.lab.run(["ip", "netns", "add", PEER_NET])
        self.lab.run(["ip", "-n", PEER_NET, "link", "set", "lo", "up"])
        self.process = self.lab.spawn([*self.inside(), "rawdns", configuration], log="rawdns")

    def stop(self):
        self.lab.end(self.process)
        self.lab.run(["ip", "netns", "delete", PEER_NET])

    @staticmethod
    def inside():
        return ["nsenter", f"--net=/run/netns/{PEER_NET}"]

    def watch_words(self):
        return [*self.inside(), "dnswatch", "-s", "127.0.0.1"]


class LibraryPeer(Peer):
    """Its names are found by the C library: a module in nsswitch.conf."""
    hosts = "files"

    def watch_words(self):
        path = f"{self.lab.folder}/nsswitch.{self.name}"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"passwd: files\ngroup: files\nhosts: {self.hosts}\n")
        script = 'mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "-", path, "dnswatch", "-g"]


class NssDocker(LibraryPeer):
    name = "libnss-docker"
    packages = ("libnss-docker",)
    hosts = "docker"


class DockerDns(Peer):
    """Docker's own name server, which answers in networks that the user made, and there alone. What it does not know it asks the container's
    own name server, so that has to answer at once: a dnsmasq that knows nothing."""
    name = "docker-dns"
    asker = "bench-asker"
    gateway = "198.19.0.1"
    ignorant = None

    def start(self):
        self.lab.docker("network", "create", "--subnet", "198.19.0.0/16", "--gateway", self.gateway, NETWORK)
        self.ignorant = self.lab.spawn(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-resolv", "--no-hosts",
                                        f"--listen-address={self.gateway}", "--bind-interfaces", "--local=/#/", "--pid-file="],
                                       log="docker-dns-ignorant")
        self.lab.docker("run", "--detach", "--network", NETWORK, "--dns", self.gateway, "--name", self.asker, PLAIN, "sleep", "100000")

    def stop(self):
        self.lab.remove([self.asker])
        self.lab.end(self.ignorant)
        self.lab.docker("network", "rm", NETWORK)

    def run_words(self, container):
        return ["--network", NETWORK, PLAIN, *IDLE]

    def watch_words(self):
        pid = self.lab.docker("inspect", "--format", "{{.State.Pid}}", self.asker)
        return ["nsenter", "--target", pid, "--net", "dnswatch", "-e", "-s", "127.0.0.11"]

    def full_name(self, container):
        return container


class Avahi(LibraryPeer):
    """Multicast DNS: an avahi-daemon in each container and one on the host, asked through libnss-mdns."""
    name = "avahi"
    packages = ("avahi-daemon", "libnss-mdns")
    hosts = "mdns4_minimal"
    gone_s = 8 # a look-up that finds nobody takes 5 s to say so; what the host's daemon has cached it believes for two minutes

    def configuration(self, path, interfaces):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"[server]\nenable-dbus=no\nuse-ipv6=no\n{interfaces}[publish]\npublish-workstation=no\n[rlimits]\n")
        return path

    def start(self):
        path = self.configuration(f"{self.lab.folder}/avahi-host.conf", "allow-interfaces=docker0\n")
        self.configuration(f"{self.lab.folder}/avahi-container.conf", "")
        os.makedirs(f"{self.lab.folder}/run/avahi-daemon", exist_ok=True)
        self.process = self.lab.spawn(["avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", path], log="avahi")
        wait_until(lambda: os.path.exists(f"{self.lab.folder}/run/avahi-daemon/socket"), 10, "avahi-daemon's socket")

    def stop(self):
        self.lab.end(self.process)

    def run_words(self, container):
        configuration = f"{self.lab.folder}/avahi-container.conf"
        # It looks for its user also where it stays root.
        users = [word for path in ("/etc/passwd", "/etc/group") for word in ("--volume", f"{path}:{path}:ro")]
        return ["--tmpfs", "/run/avahi-daemon", *MACHINE, *users, "--volume", f"{configuration}:/avahi.conf:ro", PLAIN,
                "/usr/sbin/avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", "/avahi.conf"]

    def full_name(self, container):
        return f"{container}.local"


class Baseline(Peer):
    """The original design, written for this purpose: a python process at boot and at shutdown, and no will."""
    name = "baseline"
    gone_s = 3
    processes = ()

    def start(self):
        lab, folder = self.lab, f"{self.lab.folder}/baseline"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/hosts", "w", encoding="ascii"):
            pass
        dnsmasq = lab.spawn(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-resolv", "--no-hosts",
                             "--port=5300", "--listen-address=127.0.0.1", "--bind-interfaces", f"--addn-hosts={folder}/hosts",
                             f"--pid-file={folder}/pid", "--local=/docker/"], log="baseline-dnsmasq")
        consumer = lab.spawn(["env", f"BASELINE_URL={self.url('127.0.0.1')}", "/usr/bin/python3", f"{TESTS}/bench/baseline/consumer.py",
                              f"{folder}/hosts", f"{folder}/pid", "docker"], stdout=subprocess.PIPE)
        self.process, self.processes = consumer, (consumer, dnsmasq)
        if consumer.stdout.readline() != "consuming\n":
            raise RuntimeError("the baseline's consumer did not start")

    def stop(self):
        for process in self.processes:
            self.lab.end(process)

    def url(self, host):
        with open(f"{self.lab.folder}/secret/admin", encoding="ascii") as file:
            return f"amqp://admin:{file.read().strip()}@{host}/callsign"

    def run_words(self, container):
        script = ("trap '/usr/bin/python3 /baseline/emitter.py down; exit' TERM; /usr/bin/python3 /baseline/emitter.py up; "
                  "sleep 1000 & wait")
        return [*MACHINE, "--volume", f"{TESTS}/bench/baseline:/baseline:ro", "--env", f"BASELINE_URL={self.url('198.18.0.1')}", PLAIN,
                "sh", "-c", script]

    def watch_words(self):
        return ["dnswatch", "-s", "127.0.0.1", "-p", "5300"]


ALL = (Callsign, Agent, Rawdns, NssDocker, DockerDns, Avahi, Baseline)


def plain_image(lab):
    """busybox alone, as in lab:1, without an entrypoint."""
    root = f"{lab.folder}/image"
    with subprocess.Popen(["tar", "-C", root, "--owner=0", "--group=0", "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "-H", f"unix://{lab.folder}/run/docker.sock", "import", "-", PLAIN], check=True, stdin=tar.stdout,
                       stdout=subprocess.DEVNULL, env=lab.docker_environment)
