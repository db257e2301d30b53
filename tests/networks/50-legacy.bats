#!/usr/bin/env bats
# The older wire format, both ways, against programs that know nothing else (tests/lib/legacy.py): old containers with a new host, new
# containers with an old host.

load common
export LAB_ENGINE=runc

EXCHANGE=my-docker-network

# Whoever uses the exchange declares it, so everyone needs these (docs/legacy.md).
setup_file() {
    : >"$LAB/secret/more-rights" # the lab's broker takes its definitions anew whenever it starts
    allow callsignd "^($EXCHANGE|callsign(\.will|\.rollcall|\.host\.lab)?)\$" \
        "^(callsign|callsign\.rollcall|callsign\.host\.lab|amq\.default)\$" "^($EXCHANGE|callsign(\.rollcall|\.host\.lab)?)\$"
    allow emit "^($EXCHANGE|callsign\.will\..*)\$" "^($EXCHANGE|callsign|callsign\.will|callsign\.will\..*)\$" \
        '^(callsign\.will\..*|callsign\.will|callsign\.rollcall)$'
    allow red "^($EXCHANGE|amq\.gen.*)\$" "^($EXCHANGE|amq\.gen.*)\$" "^($EXCHANGE|amq\.gen.*)\$"
}

teardown_file() {
    rm "$LAB/secret/more-rights"
    allow callsignd '^callsign(\.will|\.rollcall|\.host\.lab)?$' '^(callsign|callsign\.rollcall|callsign\.host\.lab|amq\.default)$' \
        '^callsign(\.rollcall|\.host\.lab)?$'
    allow emit '^callsign\.will\..*' '^(callsign|callsign\.will|callsign\.will\..*)$' \
        '^(callsign\.will\..*|callsign\.will|callsign\.rollcall)$'
    allow red '^callsign\.will\.red\-.*' '^(callsign|callsign\.will|callsign\.will\.red\-.*)$' \
        '^(callsign\.will\.red\-.*|callsign\.will|callsign\.rollcall)$'
    amqp admin delete-exchange "$EXCHANGE"
}

allow() {
    [[ ! -e $LAB/secret/more-rights ]] || printf '%s %s %s %s\n' "$@" >>"$LAB/secret/more-rights"
    rabbitmqctl -q set_permissions -p callsign "$@"
}

mend() {
    old_stop
}

# ---- old programs, as the tenant red ----

# old NAME VERB…: one in the background; its output goes to NAME.old.
old() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'echo $$ >"$1"; shift; exec /usr/bin/python3 "$@"' - "$BATS_TEST_TMPDIR/$name.oldpid" "$TESTS_DIR/lib/legacy.py" \
        --user red --password-file "$LAB/secret/red" "$@" >"$BATS_TEST_TMPDIR/$name.old" 2>&1 3>&- &
    poll_until 10000 test -s "$BATS_TEST_TMPDIR/$name.old"
}

# old_signal NAME SIGNAL
old_signal() {
    lab_in kill "-$2" "$(<"$BATS_TEST_TMPDIR/$1.oldpid")"
}

old_stop() {
    local file
    for file in "$BATS_TEST_TMPDIR"/*.oldpid; do
        [[ ! -e $file ]] || lab_in kill -KILL "$(<"$file")" 2>/dev/null || true
    done
}

# heard NAME LINE: whether the old consumer NAME has printed that line.
heard() {
    grep -qxF "$2" "$BATS_TEST_TMPDIR/$1.old"
}

wait_heard() {
    poll_until 10000 heard "$@" || {
        printf '%s has not heard %s but:\n' "$@"
        cat "$BATS_TEST_TMPDIR/$1.old"
        return 1
    }
}

say() {
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/legacy.py" --user red --password-file "$LAB/secret/red" say "$1"
}

# bats test_tags=fast
@test "an old container comes and goes on a new host" {
    configure_daemon 'legacy = true'
    old web publish Web 198.18.201.1
    wait_resolves web.docker 198.18.201.1
    run -0 lab_in callsignctl list --json
    jq -e '.[] | select(.name == "web") | .user == "(legacy)" and .state == "confirmed" and .lease_left_s == null' <<<"$output"
    old_signal web TERM
    wait_gone web.docker
}

# bats test_tags=fast
@test "a new container with --legacy comes and goes on an old host, and on a new one" {
    configure_daemon 'legacy = true'
    old host consume
    start fresh --env CALLSIGN_LEGACY=1
    wait_heard host "$(address fresh):fresh:up"
    wait_up fresh
    poll_until 2000 lab_docker exec fresh callsign-emit --healthcheck
    local before
    before=$(address fresh)
    lab_docker stop --time 5 fresh >/dev/null
    wait_heard host "$before:fresh:down"
    wait_gone fresh.docker
}

@test "a new container with --legacy and nobody who listens waits for an old host" {
    amqp admin delete-exchange "$EXCHANGE"
    start early --env CALLSIGN_LEGACY=1
    wait_output early 'nobody listens to the older format'
    old host consume
    wait_heard host "$(address early):early:up"
    poll_until 2000 lab_docker exec early callsign-emit --healthcheck
}

@test "another address: down of the old one, then up of the new" {
    local pid before
    old host consume
    start moves --env CALLSIGN_LEGACY=1
    before=$(address moves)
    wait_heard host "$before:moves:up"
    pid=$(container_pid moves)
    lab_in nsenter --target "$pid" --net ip address add 198.18.202.2/15 dev eth0
    lab_in nsenter --target "$pid" --net ip address del "$before/16" dev eth0
    lab_in nsenter --target "$pid" --net ip route replace default via "$LAB_ADDRESS"
    wait_heard host 198.18.202.2:moves:up
    [[ $(grep moves "$BATS_TEST_TMPDIR/host.old" | tr '\n' ' ') == "$before:moves:up $before:moves:down 198.18.202.2:moves:up " ]]
}

@test "whoever comes first declares the exchange, and nobody minds" {
    amqp admin delete-exchange "$EXCHANGE"
    old first publish first 198.18.201.10
    configure_daemon 'legacy = true'
    old second publish second 198.18.201.11
    wait_resolves second.docker 198.18.201.11
    callsignd_files
    lab_signal callsignd HUP
    wait_log 'read again'
    amqp admin delete-exchange "$EXCHANGE"
    configure_daemon 'legacy = true'
    start third --env CALLSIGN_LEGACY=1
    wait_up third
    old fourth publish fourth 198.18.201.12
    wait_resolves fourth.docker 198.18.201.12
}

@test "the name of an old container that waits for another user's survives the daemon's restart" {
    local held
    configure_daemon 'legacy = true'
    held=$(new_instance)
    amqp admin publish callsign up.both "$(up_body both 198.18.201.30 "$held")"
    wait_resolves both.docker 198.18.201.30
    old both publish both 198.18.201.31
    wait_log 'both is held by user admin'
    lab_restart callsignd
    resolves_to both.docker 198.18.201.30
    amqp admin publish callsign down.both "$(down_body both "$held")"
    wait_resolves both.docker 198.18.201.31
    old_signal both TERM
    wait_gone both.docker
}

@test "names of old containers survive the daemon's restart and kill -9, and the broker's restart" {
    configure_daemon 'legacy = true'
    old web publish web 198.18.201.20
    start fresh --env CALLSIGN_LEGACY=1
    wait_resolves web.docker 198.18.201.20
    wait_up fresh
    lab_restart callsignd
    lab_kill callsignd
    lab_start callsignd
    resolves_to web.docker 198.18.201.20
    injected "the broker's restart"
    steady web 198.18.201.20
    lab_restart broker
    poll_until 60000 broker_listens
    steadied web
    # The exchange was not durable: both sides have made it anew.
    start after --env CALLSIGN_LEGACY=1
    wait_up after
    wait_output fresh 'announced name=fresh'
    say 198.18.201.20:web:down
    wait_gone web.docker
    lab_docker stop --time 5 fresh >/dev/null
    wait_gone fresh.docker
}

@test "whoever claims its address ends an old name, and a user's name stays his" {
    local instance
    configure_daemon 'legacy = true'
    say 198.18.201.30:old:up
    wait_resolves old.docker 198.18.201.30
    say 198.18.201.30:other:up
    wait_resolves other.docker 198.18.201.30
    wait_gone old.docker
    instance=$(new_instance)
    amqp admin publish callsign up.new "$(up_body new 198.18.201.30 "$instance")"
    wait_resolves new.docker 198.18.201.30
    wait_gone other.docker
    say 198.18.201.31:new:up
    wait_log 'refused user=\(legacy\) .*new is held by user admin'
    resolves_to new.docker 198.18.201.30
    amqp admin publish callsign down.new "$(down_body new "$instance")"
    wait_resolves new.docker 198.18.201.31
    say 198.18.201.31:new:down
}

@test "hostile bodies are refused whole, with a reason, and the policy holds" {
    configure_daemon 'legacy = true' 'user "(legacy)" {' '    names = { "old-*" }' '    subnets = { "198.18.201.0/24" }' '    max_names = 2' '}'
    for body in '198.18.201.1:web' '198.18.201.1:old-web:UP' '127.0.0.1:old-web:up' 'fd00::2:old-web:up' '198.18.201.1:old web:up' \
        $'198.18.201.1:old-web:up\n' '198.18.201.1:localhost:up' '{"v":1}' "$(head -c 3000 /dev/zero | tr '\0' a)"; do
        log_mark
        say "$body"
        wait_log 'refused user=\(legacy\) .*reason="older format'
    done
    say 198.18.201.1:web:up
    wait_log 'matches none of this user'
    say 198.18.99.1:old-web:up
    wait_log 'is in none of this user'
    say 198.18.201.1:old-a:up
    say 198.18.201.2:old-b:up
    wait_resolves old-b.docker 198.18.201.2
    say 198.18.201.3:old-c:up
    wait_log 'max_names'
    say 198.18.201.1:old-a:down
    say 198.18.201.2:old-b:down
    poll_until 5000 no_names
}

@test "an exchange of another kind, or no right to it, keeps nothing else from working" {
    amqp admin delete-exchange "$EXCHANGE"
    amqp admin declare-exchange "$EXCHANGE" fanout # durable
    configure_daemon 'legacy = true'
    wait_log 'legacy: the older format is not taken'
    poll_until 10000 broker_listens
    start web
    wait_up web
    run -1 lab_in callsignctl status
    grep -q 'warning:.* legacy: the older format is not taken' <<<"$output"
    amqp admin delete-exchange "$EXCHANGE"
    log_mark
    lab_signal callsignd HUP
    wait_log 'read again'
    say 198.18.201.40:old:up
    wait_resolves old.docker 198.18.201.40
    lab_in callsignctl status >/dev/null
    say 198.18.201.40:old:down
}

@test "legacy = false again: its names go, and what is still said is ignored" {
    configure_daemon 'legacy = true'
    say 198.18.201.50:old:up
    wait_resolves old.docker 198.18.201.50
    callsignd_files
    lab_signal callsignd HUP
    wait_gone old.docker
    say 198.18.201.50:old:up
    start web
    wait_up web
    no_name() { ! records | grep -q old; }
    no_name
}

@test "options that the older format cannot have" {
    run -2 lab_in env CALLSIGN_URLS=amqp://red:x@127.0.0.1/callsign callsign-emit --legacy --wait -- true
    run -0 lab_in env CALLSIGN_URLS=amqp://red:x@127.0.0.1/callsign CALLSIGN_LEGACY=1 callsign-emit --check-config
    run -2 lab_in env CALLSIGN_URLS=amqp://red:x@127.0.0.1/callsign CALLSIGN_LEGACY=1 callsign-emit --once up
    run -2 lab_in env CALLSIGN_URLS=amqp://red:x@127.0.0.1/callsign CALLSIGN_LEGACY=perhaps callsign-emit --check-config
}
