#!/usr/bin/env bats
# No room for the hosts file, no place for it, no descriptors. The old file stays whole, there is one clear error, and it goes on by itself.

load common
export LAB_ENGINE=runc

# In a mount of its own, a tiny one, that the lab's dnsmasq reads.
setup() {
    log_mark
    SMALL=$LAB/run/small
    mkdir -p "$SMALL"
    lab_in mount -t tmpfs -o size=64k,mode=755 tmpfs /run/small
    lab_in mkdir /run/small/names
    lab_in chown --reference=/run/callsign /run/small /run/small/names # the user that the daemon runs as
    lab_stop callsignd dnsmasq
    dnsmasq_files
    sed -i 's#^addn-hosts=.*#addn-hosts=/run/small/names/hosts#' "$LAB/etc/dnsmasq.d/callsign"
    callsignd_files
    printf 'dnsmasq { hosts_file = "/run/small/names/hosts" }\n' >>"$LAB/etc/callsign/callsignd.conf"
    lab_spawn dnsmasq dnsmasq --keep-in-foreground --log-facility=- --conf-file=/etc/dnsmasq.conf
    part_dnsmasq_wait
    part_callsignd_start
    part_callsignd_wait
    start calm
    wait_up calm
    steady calm "$(address calm)"
}

mend() {
    lab_stop callsignd dnsmasq
    lab_in umount --lazy /run/small || true
    callsignd_files
    part_dnsmasq_start
    part_dnsmasq_wait
}

# fails_once: from the injection on, an error is logged once, though it is tried again each second.
fails_once() {
    wait_log "hosts file=/run/small/names/hosts cannot be written: $1"
    let_pass 2500
    [[ $(log_count 'cannot be written') == 1 ]]
    [[ -z $(resolve late.docker) ]]
    steadied calm
}

# bats test_tags=fast
@test "the file system is full" {
    lab_in dd if=/dev/zero of=/run/small/fill bs=1k 2>/dev/null || true
    injected "file system full"
    start late
    fails_once 'No space left'
    lab_in grep -q 'calm\.docker' /run/small/names/hosts
    [[ $(lab_in find /run/small -name '.*' -type f | wc -l) == 0 ]]
    lab_in rm /run/small/fill
    injected "room again"
    there_within 2000 late "$(address late)"
    resolves_to calm.docker "$(address calm)"
}

@test "the file system becomes read-only" {
    lab_in mount -o remount,ro /run/small
    injected "read-only file system"
    start late
    fails_once 'Read-only'
    lab_in mount -o remount,rw /run/small
    injected "writable again"
    there_within 2000 late "$(address late)"
}

@test "the directory is removed" {
    lab_in rm -r /run/small/names
    injected "directory of the hosts file removed"
    start late
    settled "written again, the directory made anew" 3000 lab_in grep -qs 'late\.docker' /run/small/names/hosts
    there_within 3000 late "$(address late)"
    resolves_to calm.docker "$(address calm)"
}

# descriptors PID NUMBER: as the user that it runs as, for whom no capability is needed.
descriptors() {
    local ids
    ids=$(lab_in stat -c '--reuid=%u --regid=%g' "/proc/$1/task")
    # shellcheck disable=SC2086 # split into words
    lab_in setpriv $ids --clear-groups prlimit --pid "$1" --nofile="$2:"
}

first_unused() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'for ((i = 0; ; i++)); do [[ -L /proc/$1/fd/$i ]] || break; done; echo "$i"' - "$1"
}

# bats test_tags=fast
@test "no descriptor is left" {
    local pid
    pid=$(lab_pid callsignd)
    descriptors "$pid" "$(first_unused "$pid")" # none to open the new file, or a socket for the question
    injected "EMFILE"
    start late
    wait_log 'Too many open files'
    let_pass 2500
    [[ $(log_count 'cannot be written: Too many open files') == 1 ]]
    (($(log_count 'Too many open files') <= 2)) # one for the file, one for the interfaces
    [[ $(lab_pid callsignd) == "$pid" ]]
    descriptors "$pid" 1024
    injected "descriptors again"
    there_within 3000 late "$(address late)"
    steadied calm
}

@test "no descriptor is left, and the broker comes back meanwhile" {
    local pid
    pid=$(lab_pid callsignd)
    rabbitmqctl close_all_connections --vhost callsign chaos >/dev/null
    descriptors "$pid" $(($(lab_in ls "/proc/$pid/fd" | wc -l) - 1))
    steady_stop
    start late
    let_pass 4000
    descriptors "$pid" 1024
    injected "descriptors again, after the connection was closed"
    there_within 6000 late "$(address late)"
    resolves_to calm.docker "$(address calm)"
}

resolves6() {
    [[ $(resolve "$1.docker" AAAA) == "$2" ]]
}

# A checker's wrapper is a script, and has no descriptor to be read from either.
# bats test_tags=fast,native
@test "an emitter has no descriptor to ask the kernel for its addresses: named once it has some" {
    start late --entrypoint sh -- -c 'ulimit -Sn 5 && exec callsign-emit'
    wait_output late 'name=late: its addresses cannot be read'
    let_pass 2500
    [[ -z $(resolve late.docker) ]]
    lab_in prlimit --pid "$(container_pid late)" --nofile=1024:
    injected "descriptors again"
    # By the connection's own address until the kernel has been asked for the others.
    there_within 6000 late "$(address late)"
    wait_output late 'name=late: its addresses can be read again'
    [[ $(output_count late 'cannot be read') == 1 ]]
    poll_until 6000 resolves6 late "$(address6 late)"
    steadied calm
}
