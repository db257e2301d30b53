#!/usr/bin/env bats
# A hook: a command that is told of every change of the names, and what it may do to the daemon (nothing).

load common
export LAB_ENGINE=runc

D=$LAB/run/hook # /run/hook in there

setup() {
    common_setup
    mkdir -p "$D"
    rm -rf "${D:?}"/*
    chown "$LAB_CALLSIGN_ID" "$D"
}

# script LINE…: what the hook is from now on.
script() {
    {
        printf '#!/bin/sh\n'
        printf '%s\n' "$@"
    } >"$D/new"
    chmod 0755 "$D/new"
    mv "$D/new" "$D/script"
}

# hook [LINE…]: the daemon with a hook of the name `test` that runs the script, and these keys.
hook() {
    configure_daemon 'hook "test" {' '    command = { "/run/hook/script" }' "$@" '}'
}

# told EXPRESSION: whether it holds (in Python) of the last document that the script kept, d, and its changes as lists of names: added, changed, removed.
told() {
    [[ -e $D/out ]] && python3 -c '
import json, sys
with open(sys.argv[1], encoding="ascii") as file:
    d = json.load(file)
names = {kind: [entry["name"] for entry in entries] for kind, entries in d["changes"].items()}
sys.exit(not eval(sys.argv[2], {"d": d, **names}))' "$D/out" "$1"
}

wait_told() {
    poll_until 10000 told "$1" || {
        printf 'never told: %s\n' "$1"
        cat "$D/out"
        return 1
    }
}

# announce NAME ADDRESS: without a container; prints the instance.
announce() {
    local instance
    instance=$(new_instance)
    amqp admin publish callsign "up.$1" "$(up_body "$1" "$2" "$instance" ',"ports":{"http":9090}')"
    printf '%s\n' "$instance"
}

withdraw() {
    amqp admin publish callsign "down.$1" "$(down_body "$1" "$2")"
}

KEEP='cat >/run/hook/out.new && mv /run/hook/out.new /run/hook/out'

# bats test_tags=fast
@test "a hook is told of a container, by name and whole, when it comes and when it goes" {
    script "$KEEP"
    hook
    wait_told 'd["v"] == 1 and d["first"] and d["names"] == [] and d["host"] == "lab" and d["domains"] == ["docker"]'
    start web
    injected "docker run has returned"
    settled "the hook is told" 2000 told 'added == ["web"] and d["names"][0]["fqdn"] == "web.docker"'
    wait_told 'd["names"][0]["addresses"][0] == "'"$(address web)"'" and d["names"][0]["user"] == "emit" and not d["first"]'
    lab_docker stop --time 5 web >/dev/null
    wait_told 'd["names"] == [] and removed == ["web"] and added == []'
    run -0 lab_in callsignctl status
    grep -qE 'sink +hook test: ok' <<<"$output"
}

@test "changes while it runs are told together by the next run" {
    script "$KEEP" 'echo run >>/run/hook/runs' 'while [ ! -e /run/hook/go ]; do sleep 0.05; done'
    hook
    poll_until 5000 test -e "$D/runs"
    for i in 1 2 3 4 5 6; do
        announce "coalesced$i" "198.18.200.$i" >"$D/instance$i"
    done
    wait_resolves coalesced6.docker 198.18.200.6 # dnsmasq does not wait for it
    [[ $(wc -l <"$D/runs") == 1 ]]
    touch "$D/go"
    wait_told 'len(added) == 6'
    [[ $(wc -l <"$D/runs") == 2 ]]
    for i in 1 2 3 4 5 6; do
        withdraw "coalesced$i" "$(<"$D/instance$i")"
    done
}

@test "a failing hook holds up nobody, says so, and is told again what it missed" {
    local instance
    script 'echo "I will not" >&2' 'exit 7'
    hook 'retry = 1'
    poll_until 5000 log_has 'hook=test says "I will not"'
    instance=$(announce missed 198.18.200.10)
    wait_resolves missed.docker 198.18.200.10
    run -1 lab_in callsignctl status
    grep -qE 'sink +hook test: in trouble' <<<"$output"
    grep -qE 'warning:.*hook test: command /run/hook/script has failed.*exit status 7' <<<"$output"
    run -0 lab_in callsignctl doctor
    grep -qE '^warning +sinks +hook test' <<<"$output"
    script "$KEEP"
    wait_told 'added == ["missed"] and d["names"][0]["ports"] == {"http": 9090}'
    lab_in callsignctl status >/dev/null
    withdraw missed "$instance"
}

# Whether deliveries wait for the daemon's acknowledgement.
some_unacked() {
    (($(unacked_count) > 0))
}

none_unacked() {
    (($(unacked_count) == 0))
}

unacked_count() {
    rabbitmqctl -q list_queues -p callsign name messages_unacknowledged | awk '$1 == "callsign.host.lab" { print $2 }'
}

@test "a required hook that fails holds the acknowledgements back until it succeeds" {
    local instance
    script "$KEEP"
    hook 'required = true' 'retry = 1'
    wait_told 'd["first"]'
    script 'exit 1'
    instance=$(announce held 198.18.200.11)
    wait_resolves held.docker 198.18.200.11
    poll_until 5000 some_unacked
    script "$KEEP"
    wait_told 'added == ["held"]'
    poll_until 10000 none_unacked
    withdraw held "$instance"
}

hook_processes() {
    lab_in pgrep -c -f '^/bin/sh /run/hook/script' || true
}

no_hook_processes() {
    [[ $(hook_processes) == 0 ]]
}

@test "a hook that hangs is ended at its deadline, whatever it started" {
    script "trap '' TERM" "sh -c \"trap '' TERM; while :; do sleep 1; done\" &" 'while :; do sleep 1; done'
    hook 'timeout = 0.5' 'retry = 3600'
    wait_log 'hook=test failed.*did not end within 500 ms' 15000
    poll_until 5000 no_hook_processes
}

runs_are() {
    [[ $(wc -l <"$D/runs") == "$1" ]]
}

@test "a daemon killed with -9 leaves no second hook beside the next one's" {
    script 'if ! mkdir /run/hook/only; then echo twice >>/run/hook/twice; fi' "trap 'sleep 0.3; rmdir /run/hook/only; exit 0' TERM" \
        'echo run >>/run/hook/runs' 'while [ ! -e /run/hook/go ]; do sleep 0.05; done' 'rmdir /run/hook/only' 'touch /run/hook/done'
    hook
    for kill in 1 2 3; do
        poll_until 10000 runs_are "$kill"
        lab_kill callsignd
        lab_start callsignd
    done
    poll_until 10000 runs_are 4
    touch "$D/go"
    poll_until 5000 test -e "$D/done"
    [[ ! -e $D/twice ]]
}

@test "it is nobody special, and gets nothing of the daemon's" {
    script 'id -u >/run/hook/id' 'ls /proc/self/fd >/run/hook/fds' 'grep -E "^(Cap|NoNew)" /proc/self/status >/run/hook/status' \
        'cat /etc/callsign/password >/run/hook/password' 'env >/run/hook/env' "$KEEP"
    hook
    wait_told 'd["first"]'
    [[ $(<"$D/id") == "$LAB_CALLSIGN_ID" ]]
    [[ $(tr '\n' ' ' <"$D/fds") == "0 1 2 3 " ]]
    grep -qx 'NoNewPrivs:.1' "$D/status"
    grep -qx 'CapEff:.0*' "$D/status"
    not grep -q PASSWORD "$D/env"
}

@test "several hooks by reload: made, changed, removed" {
    script "$KEEP"
    hook
    wait_told 'd["first"]'
    callsignd_files
    printf '%s\n' 'hook "one" { command = { "/bin/sh", "-c", "cat >/run/hook/one" } }' \
        'hook "two" { command = { "/bin/sh", "-c", "cat >/run/hook/two" } }' >>"$LAB/etc/callsign/callsignd.conf"
    lab_signal callsignd HUP
    poll_until 5000 test -s "$D/one"
    poll_until 5000 test -s "$D/two"
    wait_log 'sink="hook test" is not configured any more'
    run -0 lab_in callsignctl status --json
    [[ $(grep -oE '"name": "(dnsmasq|hook [a-z]+)"' <<<"$output") == $'"name": "dnsmasq"\n"name": "hook one"\n"name": "hook two"' ]]
}

@test "a wrong section is refused with its line" {
    local conf=$LAB/etc/callsign/other.conf
    callsignd_files
    for wrong in 'command = { }' 'command = { "sh" }' 'command = { "/bin/true" } timeout = 0' 'command = { "/bin/true" } retry = 0.5' \
        'command = { "/bin/true" } user = "root"'; do
        {
            cat "$LAB/etc/callsign/callsignd.conf"
            printf 'hook "x" {\n    %s\n}\n' "$wrong"
        } >"$conf"
        run -2 lab_in callsignd -c /etc/callsign/other.conf --check-config
        grep -qE 'other.conf:[0-9]+: ' <<<"$output"
    done
    printf 'hook "../x" { command = { "/bin/true" } }\n' | cat "$LAB/etc/callsign/callsignd.conf" - >"$conf"
    run -2 lab_in callsignd -c /etc/callsign/other.conf --check-config
    grep -q "hook's name" <<<"$output"
}
