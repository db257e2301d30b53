#!/usr/bin/env bats
# callsignd dies, restarts, finds a strange hosts file or configuration, or stays away for long. With CALLSIGN_BY=agent its containers carry nothing.

load common
[[ ${CALLSIGN_BY-} == agent ]] || export LAB_ENGINE=runc

setup() {
    log_mark
    start calm
    wait_up calm
    steady calm "$(address calm)"
}

# The daemon's own configuration again, whatever was made of it.
mend() {
    touch "$BATS_TEST_TMPDIR/stop" # of a reader that a failure left behind
    callsignd_files
}

# kill_often TIMES: kill -9 at random moments while emitters come and go, a reader looking at the hosts file all the while.
kill_often() {
    local i
    load_start 20 -p load
    load_ready 20000
    load_say churn 6
    /usr/bin/python3 "$TESTS_DIR/lib/hostswatch.py" "$HOSTS" "$BATS_TEST_TMPDIR/stop" >"$BATS_TEST_TMPDIR/reads" 3>&- 7>&- &
    READER=$!
    for ((i = 0; i < $1; i++)); do
        poll_until $((RANDOM % 1500)) false || true
        lab_kill callsignd
        part_callsignd_start
    done
    load_say churn 0
    injected "the last of $1 times kill -9 while names come and go"
    # All 20 live: what is there beside them has died without a message, or its message is in the queue.
    settled "20 names, and no others" 10000 names_are 20
    touch "$BATS_TEST_TMPDIR/stop"
    wait "$READER"
    figure "$(<"$BATS_TEST_TMPDIR/reads")"
    steadied calm
}

# bats test_tags=fast
@test "kill -9 at 12 random moments" {
    kill_often 12
}

@test "kill -9 at 100 random moments" {
    kill_often 100
}

# bats test_tags=fast
@test "SIGTERM, and things change meanwhile" {
    start dies
    wait_up dies
    lab_stop callsignd
    [[ -n $(resolve dies.docker) ]]
    lab_in kill -9 "$(container_pid dies)"
    start comes
    part_callsignd_start
    injected "restart after SIGTERM"
    there_within 2000 comes "$(address comes)"
    gone_within 2000 dies
    steadied calm
}

@test "SIGHUP with a good and with a broken configuration" {
    configure_daemon 'registry { conflict = newest }'
    injected "SIGHUP with a broken configuration"
    sed -i 's/conflict = newest/conflict = best/' "$LAB/etc/callsign/callsignd.conf"
    log_mark
    lab_signal callsignd HUP
    wait_log 'callsignd.conf:[0-9]+:.*conflict'
    wait_log 'is not taken'
    start more
    injected "a container has started after a broken configuration" # docker's own time is not ours
    there_within 1500 more "$(address more)"
    steadied calm
}

# restart_with CONTENT-COMMAND: the daemon is away, the hosts file becomes what the command prints, the daemon starts. What lives answers again.
restart_with() {
    steady_stop
    lab_stop callsignd
    eval "$2" >"$BATS_TEST_TMPDIR/content"
    cat "$BATS_TEST_TMPDIR/content" >"$HOSTS"
    part_callsignd_start
    injected "start with $1 hosts file"
    settled "calm.docker there, and nothing else" 10000 only_calm
}

only_calm() {
    resolves_to calm.docker "$(address calm)" && [[ $(records | grep -vc '[[:space:]]calm\.docker') == 0 ]]
}

@test "started with an empty hosts file" {
    restart_with "an empty" ":"
}

@test "started with a cut hosts file" {
    restart_with "a cut" "head -c -30 '$HOSTS'"
}

@test "started with a foreign hosts file" {
    restart_with "a foreign" "printf '%s\n' '127.0.0.1 localhost' '203.0.113.9 www.example.com # instance=00 session=00 user=x'"
}

# bats test_tags=fast
@test "started with a hostile hosts file" {
    restart_with "a hostile" hostile
}

# Ours in form, with names that are not, an address that may not be announced, a very long line, NULs, and somebody else's name.
hostile() {
    local i id=0190163d8694739b9ce1b5a4b1a1a1a
    sed -n 1,3p "$HOSTS"
    printf '198.18.7.7 ghost.docker # instance=%s1 session=%s1 user=emit\n' "$id" "$id"
    printf '127.0.0.1 evil.docker # instance=%s2 session=%s2 user=emit\n' "$id" "$id"
    printf '198.18.7.8 www.example.com # instance=%s3 session=%s3 user=emit\n' "$id" "$id"
    printf '198.18.7.9 a%%0ab.docker # instance=%s4 session=%s4 user=emit\n' "$id" "$id"
    printf '198.18.7.9 nul\0.docker # instance=%s5 session=%s5 user=emit\n' "$id" "$id"
    printf '198.18.7.9 '
    for ((i = 0; i < 3000; i++)); do printf 'long%d.docker ' "$i"; done
    printf '# instance=%s6 session=%s6 user=emit\n' "$id" "$id"
}

@test "a second daemon on the same pid file is refused, and the first goes on" {
    injected "a second daemon"
    run lab_in timeout 10 callsignd --foreground -c /etc/callsign/callsignd.conf
    [[ $status -ne 0 && $status -ne 124 ]] # 124: it ran on
    start more
    injected "a container has started after a second daemon's attempt"
    there_within 1500 more "$(address more)"
    steadied calm
}

@test "away for longer than its queue lives" {
    callsignd_files
    printf 'queue { expires = 60 }\n' >>"$LAB/etc/callsign/callsignd.conf"
    lab_restart callsignd
    start dies
    wait_up dies
    lab_stop callsignd
    # What the broker does when the time is over.
    amqp admin delete-queue callsign.host.lab
    lab_in kill -9 "$(container_pid dies)"
    start comes
    part_callsignd_start
    injected "restart after the queue has expired"
    there_within 6000 comes "$(address comes)"
    gone_within 10000 dies
    steadied calm
}
