#!/usr/bin/env bats
# The way between an emitter and the broker.

load common
export LAB_ENGINE=runc

# The host's end of CONTAINER's link.
link() {
    lab_in ip -o link | awk -F '[ :@]+' -v n="$(lab_docker exec "$1" cat /sys/class/net/eth0/iflink)" '$1 == n { print $2 }'
}

rules() {
    lab_in iptables --wait "$1" INPUT --source "$2" --jump DROP
    lab_in iptables --wait "$1" OUTPUT --destination "$2" --jump DROP
}

# after_down MS NAME: its link is down for so long.
after_down() {
    local link
    link=$(link "$2")
    lab_in ip link set "$link" down
    let_pass "$1"
    lab_in ip link set "$link" up
}

mend() {
    lab_in iptables --flush INPUT
    lab_in iptables --flush OUTPUT
    lab_kill slowproxy || true
}

# The daemon has heard of a new session of NAME since the mark.
back_again() {
    log_has "(up|session) name=$1 "
}

@test "link down for 3 s: the name stays" {
    start near
    wait_up near
    steady near "$(address near)"
    injected "link down for 3 s"
    after_down 3000 near
    let_pass 7000
    steadied near
}

# bats test_tags=fast
@test "link down for longer than the heartbeat, without a grace: gone, and back with the link" {
    start far --env CALLSIGN_HEARTBEAT=2
    wait_up far
    injected "link down, heartbeat 2 s"
    lab_in ip link set "$(link far)" down
    gone_within 8000 far
    injected "link up again"
    lab_in ip link set "$(link far)" up
    there_within 6000 far "$(address far)"
    resolves_to far.docker "$(address far)"
}

@test "link down for longer than the heartbeat, within lost_grace: the name stays" {
    configure_daemon 'registry { lost_grace = 12 }'
    start held --env CALLSIGN_HEARTBEAT=2
    wait_up held
    steady held "$(address held)"
    injected "link down for 10 s, heartbeat 2 s, lost_grace 12 s"
    log_mark
    after_down 10000 held
    # The will has fired; without the new session the name would go when the grace is over.
    let_pass 14000
    steadied held
    resolves_to held.docker "$(address held)"
}

@test "link down for 60 s, heartbeat 10 s, within lost_grace" {
    configure_daemon 'registry { lost_grace = 60 }'
    start held
    wait_up held
    steady held "$(address held)"
    injected "link down for 60 s, heartbeat 10 s, lost_grace 60 s"
    after_down 60000 held
    let_pass 50000
    steadied held
}

@test "packets are dropped both ways for 4 s: the name stays" {
    start deaf
    wait_up deaf
    steady deaf "$(address deaf)"
    injected "packets dropped both ways for 4 s"
    rules --insert "$(address deaf)"
    let_pass 4000
    rules --delete "$(address deaf)"
    let_pass 8000
    steadied deaf
}

host_deaf() {
    lab_in iptables --wait "$1" INPUT --in-interface lo --protocol tcp --dport 5672 --jump DROP
    lab_in iptables --wait "$1" INPUT --in-interface lo --protocol tcp --sport 5672 --jump DROP
}

resync_is() {
    [[ $(lab_in callsignctl status --json | jq --raw-output .resync.state) == "$1" ]]
}

# It took what it could not hear for silence, though its heartbeats had not noticed anything yet.
# bats test_tags=fast
@test "the host hears nothing for 10 s from the middle of a resync on: who answers meanwhile stays, who has died goes" {
    start answers
    start dies
    wait_up answers
    wait_up dies
    steady answers "$(address answers)"
    # Neither of them hears the roll call yet.
    rules --insert "$(address answers)"
    rules --insert "$(address dies)"
    log_mark
    rabbitmqctl close_all_user_connections callsignd test >/dev/null
    poll_until 5000 log_has "connected broker="
    poll_until 5000 resync_is running
    injected "host deaf for 10 s in a resync"
    host_deaf --insert
    rules --delete "$(address answers)"
    lab_in kill -9 "$(container_pid dies)"
    let_pass 10000
    host_deaf --delete
    # TCP tries again after up to as long as it was in vain; a late answer leaves the others 4 s more; and a dead one whom nobody heard die.
    gone_within $((10000 + 10000 + 4000 + 2000)) dies
    log_has "the broker was not heard for"
    resync_is "done"
    steadied answers
}

# bats test_tags=fast
@test "it dies while nobody can hear of it, and another takes its address" {
    local ip
    start silent --env CALLSIGN_HEARTBEAT=2
    wait_up silent
    ip=$(address silent)
    rules --insert "$ip"
    injected "kill -9 while packets are dropped, heartbeat 2 s"
    lab_in kill -9 "$(container_pid silent)"
    gone_within 8000 silent
    rules --delete "$ip"
    lab_docker rm --force silent >/dev/null
    injected "another on that address"
    start heir
    there_within 2000 heir "$(address heir)"
}

@test "connection reset: back at once, and no second record" {
    start torn --env CALLSIGN_HEARTBEAT=2
    wait_up torn
    injected "connection reset"
    lab_in iptables --wait --insert INPUT --source "$(address torn)" --protocol tcp --dport 5672 --jump REJECT --reject-with tcp-reset
    # Its next heartbeat is answered with a reset.
    let_pass 1500
    mend
    there_within 7500 torn "$(address torn)"
    resolves_to torn.docker "$(address torn)"
}

@test "the broker ends its channel: back within a second" {
    start chan
    wait_up chan
    log_mark
    injected "every channel of the broker is ended"
    rabbitmqctl eval 'lists:foreach(fun(P) -> exit(P, chaos) end, rabbit_channel:list_local()).' >/dev/null
    settled "a new session announced" 6000 resolves_again chan
    resolves_to chan.docker "$(address chan)"
}

resolves_again() {
    resolves_to "$1.docker" "$(address "$1")" && lab_docker exec "$1" callsign-emit --healthcheck
}

# bats test_tags=fast
@test "the broker deletes its mailbox: the name stays, and there is a new one" {
    local mailbox
    start box
    wait_up box
    mailbox=$(mailboxes box)
    [[ -n $mailbox ]]
    steady box "$(address box)"
    injected "mailbox deleted"
    amqp admin delete-queue "$mailbox"
    settled "a new mailbox" 8000 another_mailbox box "$mailbox"
    steadied box
    resolves_to box.docker "$(address box)"
    lab_in kill -9 "$(container_pid box)"
    injected "kill -9 after that"
    gone_within 1000 box
}

mailboxes() {
    rabbitmqctl --quiet list_queues --vhost callsign --no-table-headers name | grep -F "callsign.will.$1." || true
}

another_mailbox() {
    local now
    now=$(mailboxes "$1")
    [[ -n $now && $now != "$2" ]]
}

# What a broker that is far, or has much to do, adds to each turn. The name resolves by the first message; the will must need no answer to it.
# bats test_tags=fast
@test "killed as soon as its name resolves, half a second away from the broker: gone, and not by its lease" {
    lab_spawn slowproxy /usr/bin/python3 "$TESTS_DIR/lib/slowproxy.py" 5673 5672 500
    local pid
    start brief --env CALLSIGN_URLS=amqp://emit@gateway:5673/callsign
    pid=$(container_pid brief)
    wait_up brief
    injected "kill -9 of process 1 at its first answer, 500 ms away from the broker"
    lab_in kill -9 "$pid"
    gone_within 2000 brief
    log_has 'gone name=brief why="lost"'
}

# Not by netem, which many kernels lack: a proxy delays, and iptables loses.
@test "200 ms of delay and 5 % loss: announced within 6 s, and the name stays" {
    lab_spawn slowproxy /usr/bin/python3 "$TESTS_DIR/lib/slowproxy.py" 5673 5672 100
    for side in sport dport; do
        lab_in iptables --wait --insert INPUT --protocol tcp --"$side" 5673 --match statistic --mode random --probability 0.025 --jump DROP
        lab_in iptables --wait --insert OUTPUT --protocol tcp --"$side" 5673 --match statistic --mode random --probability 0.025 --jump DROP
    done
    injected "200 ms delay, 5 % loss"
    start slow --env CALLSIGN_URLS=amqp://emit@gateway:5673/callsign --env CALLSIGN_RENEW=5
    there_within 6000 slow "$(address slow)"
    # The full announcement takes more turns than the provisional one.
    settled "announced in full" 10000 lab_docker exec slow callsign-emit --healthcheck
    steady slow "$(address slow)"
    let_pass 20000
    steadied slow
}
