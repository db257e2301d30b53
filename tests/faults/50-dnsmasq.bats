#!/usr/bin/env bats
# dnsmasq is not there, comes and goes, or is not what its pid file says. No foreign process is ever signalled.

load common
export LAB_ENGINE=runc

PID_FILE=$LAB/run/dnsmasq/dnsmasq.pid

@test "not running when the daemon starts" {
    start early
    wait_up early
    lab_stop callsignd dnsmasq
    part_callsignd_start
    wait_log 'dnsmasq: cannot be told'
    start meanwhile
    poll_until 5000 in_hosts_file meanwhile
    part_dnsmasq_start
    part_dnsmasq_wait
    injected "dnsmasq started after the daemon"
    there_within 2000 meanwhile "$(address meanwhile)"
    resolves_to early.docker "$(address early)"
    start later
    there_within 3000 later "$(address later)"
}

in_hosts_file() {
    records | grep -qE "[[:space:]]$1\.docker([[:space:]]|\$)"
}

# restarted HOW COMMAND
restarted() {
    start before
    wait_up before
    "$2" dnsmasq
    start meanwhile
    poll_until 5000 in_hosts_file meanwhile
    part_dnsmasq_start
    part_dnsmasq_wait
    injected "dnsmasq back after $1"
    there_within 2000 meanwhile "$(address meanwhile)"
    resolves_to before.docker "$(address before)"
    start later
    there_within 3000 later "$(address later)"
}

@test "restarted" {
    restarted SIGTERM lab_stop
}

# bats test_tags=fast
@test "kill -9" {
    restarted "kill -9" lab_kill
}

# pid_file_case WHAT: the pid file is as it was made; names go on once it is right again.
pid_file_case() {
    local pid
    pid=$(lab_pid dnsmasq)
    # The process that it knows must be another one, or it would go on using that.
    lab_restart callsignd
    injected "pid file $1"
    start held
    poll_until 5000 in_hosts_file held
    let_pass 1500
    wait_log 'dnsmasq: '
    printf '%s\n' "$pid" >"$PID_FILE"
    injected "pid file right again, after it was $1"
    there_within 2000 held "$(address held)"
}

@test "pid file missing" {
    rm "$PID_FILE"
    pid_file_case missing
}

@test "pid file empty" {
    : >"$PID_FILE"
    pid_file_case empty
}

@test "pid file stale" {
    printf '4000000\n' >"$PID_FILE"
    pid_file_case stale
}

# bats test_tags=fast
@test "pid file of another process, which is left alone" {
    # It would end by a SIGHUP.
    lab_spawn victim sleep 1000
    cp "$LAB/pid/victim" "$PID_FILE"
    pid_file_case "of another process"
    lab_pid victim >/dev/null
    lab_kill victim
}

@test "pid file with words in it" {
    printf 'not a number\n' >"$PID_FILE"
    pid_file_case "no number"
}

@test "a storm of SIGHUP from elsewhere" {
    start calm
    wait_up calm
    steady calm "$(address calm)"
    injected "200 SIGHUPs in a second"
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'for i in {1..200}; do kill -HUP "$1"; sleep 0.005; done' - "$(lab_pid dnsmasq)"
    injected "after 200 SIGHUPs in a second"
    start more
    there_within 2000 more "$(address more)"
    steadied calm
}

@test "dnsmasq does not read our file: said, and well again by itself" {
    lab_stop dnsmasq
    dnsmasq_files
    sed -i 's/^addn-hosts=.*//' "$LAB/etc/dnsmasq.d/callsign"
    lab_spawn dnsmasq dnsmasq --keep-in-foreground --log-facility=- --conf-file=/etc/dnsmasq.conf
    part_dnsmasq_wait
    log_mark
    start unread
    injected "dnsmasq without addn-hosts"
    settled "said so" 6000 log_has 'does not read /run/callsign/hosts'
    lab_stop dnsmasq
    part_dnsmasq_start
    part_dnsmasq_wait
    injected "dnsmasq with addn-hosts again"
    there_within 2000 unread "$(address unread)"
    wait_log 'dnsmasq: '
}
