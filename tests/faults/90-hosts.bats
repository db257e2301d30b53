#!/usr/bin/env bats
# Several hosts on one broker: each table equals the truth, whatever happens to one of them.

load common

# host_up N: another host beside the lab's own: callsignd and dnsmasq with files and addresses of their own. It reaches the broker at 127.0.0.N.
host_up() {
    local dir=$LAB/run/host$1 inside=/run/host$1
    mkdir -p "$dir"
    install -m 0600 "$LAB/secret/admin" "$dir/password"
    cat >"$dir/callsignd.conf" <<CONF
bus { urls = { "amqp://admin@127.0.0.$1/callsign" } password_file = "$inside/password" }
queue { name = "callsign.host.h$1" }
dnsmasq { hosts_file = "$inside/hosts" pid_file = "$inside/dnsmasq.pid" server = "127.0.0.$1" port = 5300 }
control { socket = "$inside/control.sock" }
pid_file = "$inside/callsignd.pid"
log_level = "debug"
CONF
    printf '%s\n' no-resolv no-hosts port=5300 "listen-address=127.0.0.$1" bind-interfaces "addn-hosts=$inside/hosts" \
        "pid-file=$inside/dnsmasq.pid" local=/docker/ >"$dir/dnsmasq.conf"
    chmod 0755 "$dir"
    lab_in chown --reference=/run/callsign "$inside" "$inside/password" # the user that the daemon runs as
    lab_spawn "dnsmasq$1" dnsmasq --keep-in-foreground --log-facility=- --conf-file="$inside/dnsmasq.conf"
    lab_spawn "callsignd$1" callsignd --foreground -c "$inside/callsignd.conf"
    poll_until 10000 queue_listens "callsign.host.h$1"
}

queue_listens() {
    amqp admin consumers "$1" 2>/dev/null | grep -qx '[1-9][0-9]*'
}

host_down() {
    lab_stop "callsignd$1" "dnsmasq$1" || true
    amqp admin delete-queue "callsign.host.h$1" || true
    rm -rf "$LAB/run/host$1"
}

# The way between host N and the broker.
cut() {
    lab_in iptables --wait "$1" INPUT --destination "127.0.0.$2" --protocol tcp --dport 5672 --jump DROP
    lab_in iptables --wait "$1" INPUT --source "127.0.0.$2" --protocol tcp --sport 5672 --jump DROP
}

setup() {
    log_mark
    host_up 2
    host_up 3
}

mend() {
    lab_in iptables --flush INPUT
    host_down 2
    host_down 3
}

# on HOST NAME: what host N (1: the lab's own) answers.
on() {
    if [[ $1 == 1 ]]; then
        resolve "$2.docker"
    else
        lab_in dig +short +time=2 +tries=2 -p 5300 "@127.0.0.$1" "$2.docker" A | sort
    fi
}

# all_say NAME ADDRESS: "" for none.
all_say() {
    [[ $(on 1 "$1") == "$2" && $(on 2 "$1") == "$2" && $(on 3 "$1") == "$2" ]]
}

host_says() {
    [[ $(on "$1" "$2") == "$3" ]]
}

# bats test_tags=fast
@test "three hosts agree on what comes and goes" {
    start one
    injected "a container starts, three hosts"
    settled "all three resolve it" 2000 all_say one "$(address one)"
    lab_in kill -9 "$(container_pid one)"
    injected "kill -9, three hosts"
    settled "gone from all three" 2000 all_say one ""
}

# cut_off SECONDS: host 2 hears nothing, while the world changes.
cut_off() {
    start stays
    start dies
    poll_until 5000 all_say stays "$(address stays)"
    poll_until 5000 all_say dies "$(address dies)"
    cut --insert 2
    start comes
    lab_in kill -9 "$(container_pid dies)"
    injected "host 2 cut off for $1 s: the others"
    settled "they go on" 2000 host_says 3 comes "$(address comes)"
    host_says 3 dies ""
    poll_until $((1000 * $1)) false || true
    host_says 2 stays "$(address stays)"
    [[ -n $(on 2 dies) && -z $(on 2 comes) ]] # it cannot know
    cut --delete 2
    injected "host 2 back after $1 s"
    settled "it knows the new one" $((6000 + 1000 * $1)) host_says 2 comes "$(address comes)"
    settled "it has forgotten the dead one" $((16000 + 1000 * $1)) host_says 2 dies ""
    all_say stays "$(address stays)"
}

# bats test_tags=fast
@test "one of three is cut off for 6 s" {
    cut_off 6
}

@test "one of three is cut off for a minute" {
    cut_off 60
}

@test "the broker restarts under three hosts, and one of them is restarted too" {
    start stays
    poll_until 5000 all_say stays "$(address stays)"
    start dies
    poll_until 5000 all_say dies "$(address dies)"
    lab_stop broker
    lab_kill callsignd3
    lab_in kill -9 "$(container_pid dies)"
    start comes
    all_say stays "$(address stays)"
    part_broker_start
    part_broker_wait
    lab_spawn callsignd3 callsignd --foreground -c /run/host3/callsignd.conf
    injected "broker back under three hosts"
    settled "the new one on all three" 6000 all_say comes "$(address comes)"
    settled "the dead one gone from all three" 16000 all_say dies ""
    all_say stays "$(address stays)"
}
