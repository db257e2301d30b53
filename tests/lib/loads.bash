# Several tests/bench/load side by side, and the truth: whose announcements the broker has confirmed. Sourced by the tests that need them, on top of
# faults/common.bash and hosts.bash.
# shellcheck shell=bash

declare -gA LOAD_FD=() LOAD_PIDS=()

# load_on NAME URLS COUNT FIRST-ADDRESS [VARIABLE=VALUE…]: its emitters are NAME-0, NAME-1 …; as admin, who has no limits.
load_on() {
    local in=$BATS_TEST_TMPDIR/$1.in fd
    mkfifo "$in"
    lab_in env CALLSIGN_URLS="$2" CALLSIGN_PASSWORD_FILE="$LAB/secret/admin" "${@:5}" "$BUILD/host/tests/bench/load" \
        -p "$1-" -n "$3" -a "$4" <"$in" >"$BATS_TEST_TMPDIR/$1.out" 2>"$BATS_TEST_TMPDIR/$1.err" 3>&- &
    LOAD_PIDS[$1]=$!
    exec {fd}>"$in"
    LOAD_FD[$1]=$fd
}

# load_tell LOAD WORD…
load_tell() {
    printf '%s\n' "${*:2}" >&"${LOAD_FD[$1]}"
}

loads_end() {
    local load
    for load in "${!LOAD_FD[@]}"; do
        load_tell "$load" quit || true
    done
    for load in "${!LOAD_PIDS[@]}"; do
        wait "${LOAD_PIDS[$load]}" || true
    done
}

# load_answers LOAD: how often it has answered `who`.
load_answers() {
    grep -c '^are ' "$BATS_TEST_TMPDIR/$1.out" || true
}

load_answered() {
    (($(load_answers "$1") >= $2))
}

# confirmed: `NAME ADDRESS` of each emitter of all loads whose announcement the broker has confirmed.
confirmed() {
    local load answers
    for load in "${!LOAD_FD[@]}"; do
        answers=$(load_answers "$load")
        load_tell "$load" who
        poll_until 5000 load_answered "$load" $((answers + 1)) || return 1
        awk '/^is / { list = list $2 " " $3 "\n" } /^are / { last = list; list = "" } END { printf "%s", last }' "$BATS_TEST_TMPDIR/$load.out"
    done
}

# How often announcements of theirs were confirmed, since they began; as the last answers to `who` say.
confirmations() {
    local load
    for load in "${!LOAD_FD[@]}"; do
        sed -n 's/^are .*, \([0-9]*\) announced.*/\1/p' "$BATS_TEST_TMPDIR/$load.out" | tail -n 1
    done | awk '{ n += $1 } END { print n + 0 }'
}

# truth: what is confirmed of the loads, and the containers that run, as host_records prints it.
truth() {
    local name
    {
        confirmed
        for name in $(lab_docker ps --format '{{.Names}}'); do
            printf '%s %s\n' "$name" "$(address "$name")"
        done
    } | sort
}

# tables_true COUNT HOST…: every table is the truth, no name too few, none too many, and COUNT names are. IPv6 addresses are left out.
tables_true() {
    local host count=$1 wanted
    shift
    wanted=$(truth)
    (($(wc -l <<<"$wanted") == count)) || return 1
    for host in "$@"; do
        diff <(host_records "$host" | grep -v :) - <<<"$wanted" >"$BATS_TEST_TMPDIR/differs.$host" || return 1
    done
}

# missing_begin HOSTS-FILE…: from now on nobody in $BATS_TEST_TMPDIR/wanted (`NAME ADDRESS`) may be missing there, until missing_end.
missing_begin() {
    rm -f "$BATS_TEST_TMPDIR/stop"
    python3 "$TESTS_DIR/lib/missing.py" "$BATS_TEST_TMPDIR/stop" "$BATS_TEST_TMPDIR/wanted" "$@" >"$BATS_TEST_TMPDIR/missing" 3>&- &
    MISSING_PID=$!
}

missing_end() {
    local status=0 line
    touch "$BATS_TEST_TMPDIR/stop"
    wait "$MISSING_PID" || status=$?
    while read -r line; do
        figure "$INJECTED: ${line#"$LAB/run/"}"
    done <"$BATS_TEST_TMPDIR/missing"
    return "$status"
}
