"""Can the checker see? Daemons with one deliberate fault each: chaos has to report every one of them."""
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

MINUTES = 5   # at most, for each; it ends with the first wrong name
SEED = 1


class Fault(NamedTuple):
    name: str
    what: str
    file: str
    right: str
    wrong: str


FAULTS = (
    Fault("lost", "believes no will", "host/registry/registry.c",
          "\tnode_lost(registry, node, now_ms);\n", "\t(void)node_lost;\n"),
    Fault("session", "believes the will of any session", "host/registry/registry.c",
          "node == NULL || !node->fact.has_session || !ident_equal(&node->fact.session, &message->session)", "node == NULL"),
    Fault("broker", "forgets all when it loses the broker", "host/registry/sync.c",
          "\tgraveyard_raise(registry, now_ms);\n}",
          "\tHASH_ITER(hh, registry->nodes, node, next)\n\t\tnode_remove(registry, node, \"lost\", false, now_ms);\n}"),
    Fault("restart", "forgets all when it is restarted", "host/loop.c",
          "\tregistry_restore(loop->registry, message, user, until_ms, clock_ms());\n",
          "\t(void)loop, (void)message, (void)user, (void)until_ms;\n"),
    Fault("signal", "tells dnsmasq no more after twenty times", "host/sinks/dnsmasq/reload.c",
          "process_signal(&reload->process, SIGHUP)", "process_signal(&reload->process, reload->stats.signals < 20 ? SIGHUP : 0)"),
    Fault("address", "takes the address of a name's last life", "host/registry/registry.c",
          "\tgraveyard_forget(registry, &message->instance);\n\tif (!user_has_room(registry, user, NULL, message))\n",
          "\tstatic struct announcement stale;\n\tstruct node *old;\n\n"
          "\tDL_FOREACH(registry->graveyard, old) {\n\t\tif (strcmp(old->fact.name, message->name) != 0)\n\t\t\tcontinue;\n"
          "\t\tstale = *message;\n\t\tstale.naddresses = old->fact.naddresses;\n"
          "\t\tmemcpy(stale.addresses, old->fact.addresses, old->fact.naddresses * sizeof *old->fact.addresses);\n"
          "\t\tmessage = &stale;\n\t\tbreak;\n\t}\n"
          "\tif (!user_has_room(registry, user, NULL, message))\n"),
    Fault("file", "cuts the hosts file before it replaces it", "shared/atomicfile.c",
          "rename(file->dot_path, file->path) == -1",
          "(truncate(file->path, 60) + usleep(3000) == 1 || rename(file->dot_path, file->path) == -1)"),
    Fault("agent", "is an agent that takes nothing over from the one before", "container/agent/agent.c",
          "\tagent_take_over(agent);\n", "\t(void)agent_take_over;\n"),
)


def make(fault, build):
    """A copy of the build, with the fault in it. The programs but the daemon and the agent are as they were."""
    folder = f"{build}/chaos-{fault.name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    for part in ("src", "host"):
        shutil.copytree(f"{build}/{part}", f"{folder}/{part}", symlinks=True)
    os.symlink(f"{build}/static", f"{folder}/static")
    path = f"{folder}/src/{fault.file}"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(fault.right) != 1:
        sys.exit(f"chaos: {fault.file} has no longer the one place where fault {fault.name} belongs: {fault.right!r}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(fault.right, fault.wrong))
    subprocess.run(["make", "--silent", "-C", f"{folder}/host", "host/callsignd", "container/agent/callsign-agent"], check=True, stdout=subprocess.DEVNULL)
    return folder


def caught(fault, program, build):
    """Whether chaos found fault, and what it said."""
    folder = make(fault, build)
    try:
        run = subprocess.run([sys.executable, program, "--until-wrong", "--minutes", str(MINUTES), "--seed", str(SEED),
                              *(["--agent"] if fault.name == "agent" else [])],
                             env={**os.environ, "CALLSIGN_BUILD": folder}, check=False, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True)
    finally:
        shutil.rmtree(folder)
    lines = [line for line in run.stdout.split("\n") if line.startswith("WRONG at ")]
    if run.returncode == 1 and lines:
        return True, lines[0]
    return False, f"not seen in {MINUTES} minutes" if run.returncode == 0 else f"the lab failed: {run.stderr[-1000:]}"


def self_test(program, build, wanted):
    """How many it did not see."""
    missed = 0
    for fault in FAULTS:
        if wanted and fault.name not in wanted:
            continue
        seen, said = caught(fault, program, build)
        missed += not seen
        print(f"{'ok' if seen else 'FAIL'} a daemon that {fault.what}: {said}", flush=True)
    return missed
