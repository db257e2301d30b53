#!/usr/bin/env bats
# How fast it is, as figures for the reader: nothing here fails because a machine is slow.
# bats file_tags=native

load common

ROUNDS=5 # tests/bench/run measures; here it is seen that there is something to be measured

# Milliseconds, with fractions, between Docker's timestamp of FIELD and a moment in ns since 1970. Negative: before it.
since() {
    local stamp
    stamp=$(lab_docker inspect --format "{{.State.$2}}" "$1")
    awk -v at="$3" -v stamp="$(date --date "$stamp" +%s%N)" 'BEGIN { printf "%.2f\n", (at - stamp) / 1e6 }'
}

# summary LABEL < numbers
summary() {
    figure "$(sort -n | awk -v label="$1" '{ v[NR] = $1 }
        END { printf "%s: median %.1f ms, lowest %.1f, highest %.1f (%d times)", label, (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2,
            v[1], v[NR], NR }')"
}

# watch present|absent NAME: in the background, until `seen`, which leaves the moment in SEEN_AT.
watch() {
    lab_in dnswatch -t 10000 "$1" "$2" >"$BATS_TEST_TMPDIR/at" 3>&- &
    WATCHER=$!
}

seen() {
    wait "$WATCHER"
    SEEN_AT=$(<"$BATS_TEST_TMPDIR/at")
}

# Every change of a link of the host, with its moment, until the test ends.
links_watch() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'echo $$ >"$1"; exec ip -tshort monitor link' - "$BATS_TEST_TMPDIR/links.pid" >"$BATS_TEST_TMPDIR/links" 3>&- &
    poll_until 5000 test -s "$BATS_TEST_TMPDIR/links.pid"
}

links_end() {
    lab_in kill "$(<"$BATS_TEST_TMPDIR/links.pid")"
}

# plugged LINE: when the first container since that line of the list had its network: Docker gives the interface its address, then sets it up,
# and the host's end of the cable is told. In ns since 1970.
plugged() {
    date --date "$(tail -n "+$1" "$BATS_TEST_TMPDIR/links" | sed -n 's/^\[\([^]]*\)\] .* veth.*LOWER_UP.* state UP .*/\1/p' | head -n 1)" +%s%N
}

# Docker up to 26 plugs a container in before it notes StartedAt, Docker 28 some 0.1 s after it, and that time is Docker's. Without a network
# nothing can be announced, so what is ours begins when both are there.
@test "figure: from State.StartedAt, and from an address being there, to the name resolving" {
    local i line
    links_watch
    for ((i = 1; i <= ROUNDS; i++)); do
        line=$(($(wc -l <"$BATS_TEST_TMPDIR/links") + 1))
        watch present "fast$i.docker"
        start "fast$i"
        seen
        since "fast$i" StartedAt "$SEEN_AT" >>"$BATS_TEST_TMPDIR/started"
        awk -v at="$SEEN_AT" -v from="$(plugged "$line")" 'BEGIN { printf "%.2f\n", (at - from) / 1e6 }' >>"$BATS_TEST_TMPDIR/plugged"
    done
    links_end
    [[ $(sort -u "$BATS_TEST_TMPDIR"/{started,plugged} | wc -l) -gt "$ROUNDS" ]]
    summary "container start to name resolving" <"$BATS_TEST_TMPDIR/started"
    paste "$BATS_TEST_TMPDIR"/{started,plugged} | awk '{ print $1 < $2 ? $1 : $2 }' >"$BATS_TEST_TMPDIR/both"
    summary "container started and its address there to name resolving" <"$BATS_TEST_TMPDIR/both"
}

# ended COMMAND…: what ends a container (its name is appended); print the time from State.FinishedAt to the name's absence.
ended() {
    local i
    for ((i = 1; i <= ROUNDS; i++)); do
        start "end$i"
        wait_up "end$i" >&2
        watch absent "end$i.docker"
        "$@" "end$i" >/dev/null
        exit_status "end$i" >/dev/null
        seen
        since "end$i" FinishedAt "$SEEN_AT"
        lab_docker rm "end$i" >/dev/null
    done >"$BATS_TEST_TMPDIR/list"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/list") == "$ROUNDS" ]]
}

kill_9() {
    lab_in kill -9 "$(container_pid "$1")"
}

@test "figure: docker kill, from State.FinishedAt to the name being gone" {
    ended lab_docker kill
    summary "docker kill to name gone, from State.FinishedAt" <"$BATS_TEST_TMPDIR/list"
}

@test "figure: kill -9, from State.FinishedAt to the name being gone" {
    ended kill_9
    summary "kill -9 to name gone, from State.FinishedAt" <"$BATS_TEST_TMPDIR/list"
}

@test "figure: docker stop, from State.FinishedAt to the name being gone" {
    ended lab_docker stop
    summary "docker stop to name gone, from State.FinishedAt" <"$BATS_TEST_TMPDIR/list"
}
