"""The lab, as the benchmark uses it: everything that is started is ended again by its pid."""
import datetime
import os
import signal
import subprocess
import time

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


COMMAND_S = 180 # no single command takes so long, unless something is wrong


class Lab:
    """A lab that runs (tests/lab up). Commands are given as lists of words."""

    def __init__(self):
        user = os.geteuid()
        temporary = os.environ.get("TMPDIR", "/tmp")
        self.folder = os.environ.setdefault("CALLSIGN_LAB", f"{temporary}/callsign-bench-{user}")
        self.build = os.environ.setdefault("CALLSIGN_BUILD", f"{temporary}/callsign-build-{user}")
        self.tools = f"{self.build}/host/tests/tools"
        self.running = []
        self.nsenter = []
        self.docker_environment = {**os.environ, "DOCKER_CONFIG": f"{self.folder}/docker-client"}

    def up(self):
        subprocess.run([f"{TESTS}/lab", "up"], check=True, stdout=subprocess.DEVNULL)
        with open(f"{self.folder}/init", encoding="ascii") as file:
            init = file.read().split()[0]
        path = ":".join([f"{self.build}/host/host", self.tools, f"{self.build}/host/tests/bench", os.environ["PATH"]])
        self.nsenter = ["nsenter", "--target", init, "--mount", "--uts", "--ipc", "--net", "--pid", "--root",
                        "env", "-C", "/", f"PATH={path}", "LANG=C.UTF-8", f"HOME={self.folder}"]

    def down(self):
        for process in reversed(self.running):
            self.end(process)
        subprocess.run([f"{TESTS}/lab", "down"], check=True)

    def run(self, command, **options):
        """The output of a command inside the lab. CalledProcessError if it fails."""
        options.setdefault("timeout", COMMAND_S)
        return subprocess.run([*self.nsenter, *command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout

    def spawn(self, command, log=None, **options):
        """A long-running command inside the lab."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options["start_new_session"] = True
        if log is not None:
            with open(f"{self.folder}/log/{log}", "ab") as file:
                options.update(stdout=file, stderr=file)
                process = subprocess.Popen([*self.nsenter, *command], **options)
        else:
            process = subprocess.Popen([*self.nsenter, *command], text=True, **options)
        self.running.append(process)
        return process

    def child(self, process):
        """What spawn started, as the machine counts: nsenter's only child, if it forked, and that one's, if it did."""
        pid = process.pid
        while True:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = file.read().split()
            if len(children) != 1:
                return pid
            pid = int(children[0])

    def end(self, process, how=signal.SIGTERM):
        """End what spawn started. nsenter waits for the command, its child: both are one process group."""
        if process in self.running:
            self.running.remove(process)
        if process.poll() is None:
            os.killpg(process.pid, how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def docker(self, *words, check=True):
        return subprocess.run(["docker", "-H", f"unix://{self.folder}/run/docker.sock", *words], check=check, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.docker_environment,
                              timeout=COMMAND_S).stdout.strip()

    def moments(self, containers, field):
        """StartedAt or FinishedAt of each, in ns since 1970."""
        return [nanoseconds(stamp) for stamp in self.docker("inspect", "--format", "{{.State." + field + "}}", *containers).split()]

    def moment(self, container, field):
        return self.moments([container], field)[0]

    def remove(self, containers):
        if containers:
            self.docker("rm", "--force", *containers)

    def part_pid(self, part):
        """A part's pid, as the lab counts."""
        with open(f"{self.folder}/pid/{part}", encoding="ascii") as file:
            return int(file.read())

    def process_status(self, pid):
        """/proc/PID/status of a process inside the lab, as a dictionary."""
        text = self.run(["cat", f"/proc/{pid}/status"])
        return {key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())}

    def cpu_ms(self, pid):
        """Processor time that a process of the lab has used, all its threads, in ms: by the scheduler's account, in ns. /proc/PID/stat counts
        ticks of 10 ms."""
        text = self.run(["sh", "-c", f"cat /proc/{pid}/task/*/schedstat"])
        return sum(int(line.split()[0]) for line in text.splitlines()) / 1e6

    def shell(self, words):
        """A function of tests/lib/lab.bash, for instance ["lab_restart", "callsignd"]."""
        script = f'source "{TESTS}/lib/lab.bash"; "$@"'
        return subprocess.run(["bash", "-c", script, "-", *words], check=True, text=True, stdout=subprocess.PIPE,
                              timeout=COMMAND_S).stdout

    def broker(self, *words):
        """rabbitmqctl."""
        return self.shell(["rabbitmqctl", "--quiet", *words])

    def amqp(self, *words):
        """tests/lib/amqp.py as admin."""
        return self.run(["/usr/bin/python3", f"{TESTS}/lib/amqp.py", "--user", "admin", "--password-file", f"{self.folder}/secret/admin",
                         *words])


def nanoseconds(stamp):
    """Since 1970, of a date as Docker writes it, which has up to nine digits of a second."""
    whole, fraction = stamp.rstrip("Z").split(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 10 ** 9 + int(fraction.ljust(9, "0")[:9])


def wait_until(condition, seconds, what):
    """Until condition() is true. RuntimeError says what did not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
