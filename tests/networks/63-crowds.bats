#!/usr/bin/env bats
# A name that more containers share than an answer over UDP has room for: so many at a time, in turn, whole and without "ask by TCP", which musl before
# 1.2.4 does not do.

load common
# shellcheck source=tests/lib/haproxy.bash
source "$BATS_TEST_DIRNAME/../lib/haproxy.bash"
# shellcheck source=tests/lib/zones.bash
source "$BATS_TEST_DIRNAME/../lib/zones.bash"

COUNT=40

setup_file() {
    haproxy_install
    "$TESTS_DIR/lib/packages" musl-tools knot
    musl-gcc -static -O1 -o "$LAB/run/lookups" "$TESTS_DIR/tools/lookups.c"
}

teardown() {
    mend
    lab_stop haproxy knot
    rm -f "$HAPROXY_MAP"
    configuration_restore
    own_end
    common_teardown
}

# announce NAME ADDRESS…: one container's worth, without a connection of its own, and for longer than a case takes on a busy machine.
announce() {
    local instance addresses body
    instance=$(new_instance)
    addresses=$(printf '","%s' "${@:2}")
    echo "$1 $instance" >>"$BATS_TEST_TMPDIR/instances"
    body=$(up_body "$1" "${addresses:3}" "$instance")
    amqp emit publish callsign "up.$1" "${body/\"lease\":60/\"lease\":600}"
}

# All that announce() has announced goes.
mend() {
    local name instance
    [[ -e $BATS_TEST_TMPDIR/instances ]] || return 0
    while read -r name instance; do
        amqp emit publish callsign "down.$name" "$(down_body "$name" "$instance")"
    done <"$BATS_TEST_TMPDIR/instances"
}

announce_all() {
    local i
    for ((i = 1; i <= COUNT; i++)); do
        announce crowd "198.18.77.$i" "$(printf 'fd00:c5::77:%x' "$i")"
    done
}

# asked FAMILY [OPTION…]: the addresses over UDP, as musl asks; "tc" if the answer is cut.
asked() {
    lab_in dig +noedns +notcp +ignore +time=2 +tries=1 "${@:2}" "@$LAB_ADDRESS" crowd.docker "$1" | awk -v type="$1" '
        /^;; flags:/ && / tc[ ;]/ { print "tc" }
        $4 == type { print $5 }' | sort -u
}

number_is() {
    [[ $(asked "$1" | wc -l) == "$2" && $(asked "$1") != *tc* ]]
}

# What is to be so all that while.
meanwhile() {
    :
}

# Each of them has had its turn, by what is seen from now on. A change that is written anyway takes the next ones along after five seconds.
all_have_their_turn() {
    local changes=0 deadline=$((SECONDS + 60))
    : >"$BATS_TEST_TMPDIR/seen"
    while (($(sort -u "$BATS_TEST_TMPDIR/seen" | wc -l) < 2 * COUNT)); do
        ((SECONDS < deadline)) || return 1
        asked A >"$BATS_TEST_TMPDIR/a"
        asked AAAA >"$BATS_TEST_TMPDIR/aaaa"
        # At every time as many as there is room for, and no cut answer.
        [[ $(wc -l <"$BATS_TEST_TMPDIR/a") == "$1" && $(wc -l <"$BATS_TEST_TMPDIR/aaaa") == "$2" ]]
        not grep -q tc "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/aaaa"
        meanwhile
        cat "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/aaaa" >>"$BATS_TEST_TMPDIR/seen"
        announce "other$((changes += 1))" "198.18.78.$changes"
        wait_resolves "other$changes.docker" "198.18.78.$changes"
    done
}

instances_are() {
    [[ $(lab_in callsignctl list --json | jq '[.[] | select(.name == "crowd")] | length') == "$1" ]]
}

# crowd_is_served A AAAA: so many at a time.
crowd_is_served() {
    log_mark
    announce_all
    poll_until 5000 number_is A "$1"
    poll_until 5000 number_is AAAA "$2"
    # By TCP it is no other answer: who asks again gets the same.
    [[ $(asked A +tcp | wc -l) == "$1" ]]
    run -0 lab_in /run/lookups crowd.docker 200
    [[ $output == 0 ]]
    all_have_their_turn "$1" "$2"
    [[ $(log_count "name=crowd.docker has IPv4 addresses=.*room for $1: so many are served at a time, in turn") == 1 ]]
    [[ $(log_count "name=crowd.docker has IPv6 addresses=.*room for $2: so many are served at a time, in turn") == 1 ]]
    run -0 lab_in callsignctl why crowd
    [[ $output == *"crowd.docker has $COUNT IPv4 addresses, and an answer over UDP has room for $1: so many are served at a time, in turn"* ]]
    [[ $output == *"crowd.docker has $COUNT IPv6 addresses, and an answer over UDP has room for $2: so many are served at a time, in turn"* ]]
    [[ $(lab_in callsignctl status --json | jq .dnsmasq.names_in_turn) == 2 ]]
    # Those whose turn it is not are in the file all the same, for the next start.
    lab_restart callsignd
    poll_until 5000 instances_are "$COUNT"
    poll_until 5000 number_is A "$1"
    poll_until 5000 number_is AAAA "$2"
}

# bats test_tags=fast
@test "crowds: a name with 40 addresses of each family is served 30 and 17 at a time, in turn" {
    crowd_is_served 30 17
}

@test "crowds: with a dnsmasq of our own, which is asked by way of the host's, 27 and 15" {
    own_begin
    crowd_is_served 27 15
}

# ---- who has no answer to fit into ----

# addresses FAMILY: of the crowd, sorted.
addresses() {
    local i
    for ((i = 1; i <= COUNT; i++)); do
        if [[ $1 == A ]]; then printf '198.18.77.%d\n' "$i"; else printf 'fd00:c5::77:%x\n' "$i"; fi
    done | sort
}

zone_has_all() {
    [[ $(zone_dig knot crowd.docker A) == "$(addresses A)" && $(zone_dig knot crowd.docker AAAA) == "$(addresses AAAA)" ]]
}

# Whose names the addresses are, of both families in the same zone's server, each by itself.
reverse_has_all() {
    local asked=() i
    for ((i = 1; i <= COUNT; i++)); do asked+=(-x "198.18.77.$i"); done
    [[ $(lab_in dig +short +time=1 +tries=2 "@${ZONE_ADDRESS[knot]}" "${asked[@]}" | grep -cx 'crowd\.docker\.') == "$COUNT" ]]
}

# Its members are addressed in IPv4.
map_has_all() {
    [[ $(haproxy_map | sed -n 's,^[0-9]*/http@crowd\.docker \(.*\):80$,\1,p' | sort) == "$(addresses A)" ]] &&
        haproxy_map | grep -qx "http@crowd.docker $COUNT"
}

page() {
    lab_in curl --silent --show-error --max-time 10 "http://127.0.0.1:9123$1"
}

# Each instance has a row of its own there.
page_has_all() {
    [[ $(page / | grep -o '198\.18\.77\.[0-9]*' | sort -u) == "$(addresses A)" ]]
}

why_has_all() {
    local why
    why=$(lab_in callsignctl why --json crowd) && [[ $(jq -r '.claims[].addresses[]' <<<"$why" | grep '^198' | sort) == "$(addresses A)" &&
        $(jq -r '.claims[].addresses[]' <<<"$why" | grep ':' | sort) == "$(addresses AAAA)" ]]
}

all_have_all() {
    zone_has_all && reverse_has_all && map_has_all && page_has_all && why_has_all
}

@test "crowds: a zone, HAProxy's map, the page and callsignctl why have all of a name's addresses, whoever's turn it is" {
    local lines
    zone_files knot
    lab_start knot
    zone_mark knot docker "$ZONE_REVERSE"
    mapfile -t lines < <(zone_section knot)
    configure_daemon "${lines[@]}" 'haproxy { socket = "/run/haproxy/callsign.sock" }' 'metrics { listen = "127.0.0.1:9123" }'
    lab_start haproxy
    announce_all
    poll_until 5000 number_is A 30
    poll_until 10000 zone_has_all
    poll_until 5000 map_has_all
    reverse_has_all
    page_has_all
    why_has_all
    # shellcheck disable=SC2317 # all_have_their_turn calls it
    meanwhile() {
        all_have_all
    }
    all_have_their_turn 30 17
    # One goes: from all of them.
    COUNT=39
    mend_last
    poll_until 5000 zone_has_all
    poll_until 5000 map_has_all
    page_has_all
    poll_until 5000 number_is A 30
}

# The last one that announce_all has announced.
mend_last() {
    local instance
    instance=$(awk '$1 == "crowd" { last = $2 } END { print last }' "$BATS_TEST_TMPDIR/instances")
    amqp emit publish callsign down.crowd "$(down_body crowd "$instance")"
}
