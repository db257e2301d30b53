# What the families of faults share: `load common`. Each case prints what was injected, the bound, and what was measured.
# shellcheck shell=bash

IFS=$' \t\n' # bats 1.8 leaves the comma that it splits --filter-tags by

load ../e2e/common

# With CALLSIGN_BY=agent the containers of a case carry nothing, and the agent names them: tests/run has the families that are run so, too. What is
# the emitter's matter alone is tagged so.
if [[ ${CALLSIGN_BY-} == agent ]]; then
    start() {
        plain "$@"
    }
fi

# ---- time ----

now_ns() {
    date +%s%N
}

# injected TEXT: from now on the clock of `measured` runs.
injected() {
    INJECTED=$1
    INJECTED_NS=$(now_ns)
}

# measured WHAT MS BOUND_MS: a figure for the reader, and the verdict. Bounds are the native program's: under a checker it may take as many times that.
measured() {
    local bound=$(($3 * SLOWNESS))
    figure "$INJECTED: $1 after $2 ms (bound $bound ms)"
    awk -v ms="$2" -v bound="$bound" 'BEGIN { exit !(ms ~ /^[0-9.]+$/ && ms + 0 <= bound) }' || {
        printf '%s: %s after %s ms, which is over %s ms\n' "$INJECTED" "$1" "$2" "$bound"
        return 1
    }
}

# ms_since NS [NS]: between two moments, with fractions. Never negative: what was so before the act counts as at once.
ms_since() {
    awk -v from="$1" -v to="${2-$(now_ns)}" 'BEGIN { ms = (to - from) / 1e6; printf "%.1f\n", ms < 0 ? 0 : ms }'
}

# settled WHAT BOUND_MS COMMAND…: until COMMAND succeeds, measured from the injection.
settled() {
    local what=$1 bound=$2
    shift 2
    poll_until $((bound + 10000)) "$@" || {
        printf '%s: never %s: %s\n' "$INJECTED" "$what" "$*"
        return 1
    }
    measured "$what" "$(ms_since "$INJECTED_NS")" "$bound"
}

# there_within BOUND_MS NAME [ADDRESS], gone_within BOUND_MS NAME [ADDRESS]: as DNS says, measured from the injection.
there_within() {
    seen_within present "$2.docker there" "$@"
}

gone_within() {
    seen_within absent "$2.docker gone" "$@"
}

seen_within() {
    local verb=$1 what=$2 bound=$3 name=$4 at
    shift 4
    at=$(lab_in dnswatch -t $(((bound + 10000) * SLOWNESS)) "$verb" "$name.docker" "$@") || {
        printf '%s: %s.docker is not %s even 10 s after its bound; it answers: %s\n' "$INJECTED" "$name" "$verb" \
            "$(resolve "$name.docker" | tr '\n' ' ')"
        return 1
    }
    measured "$what" "$(ms_since "$INJECTED_NS" "$at")" "$bound"
}

# ---- names that must not go, not for one answer ----

# steady NAME ADDRESS: ask for it all the while, until `steadied`.
steady() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'echo $$ >"$1"; exec dnswatch -i 3000 -t 3600000 absent "$2" "$3"' - \
        "$BATS_TEST_TMPDIR/steady-$1.pid" "$1.docker" "$2" >"$BATS_TEST_TMPDIR/steady-$1.at" 3>&- &
    poll_until 5000 test -s "$BATS_TEST_TMPDIR/steady-$1.pid"
}

# steadied NAME: it was there all the while.
steadied() {
    local at
    at=$(<"$BATS_TEST_TMPDIR/steady-$1.at")
    lab_in kill "$(<"$BATS_TEST_TMPDIR/steady-$1.pid")" 2>/dev/null || true
    [[ -z $at ]] || {
        printf '%s: %s.docker was gone %s ms after it\n' "$INJECTED" "$1" "$(ms_since "$INJECTED_NS" "$at")"
        return 1
    }
    figure "$INJECTED: $1.docker answered all the while, for $(ms_since "$INJECTED_NS") ms"
}

steady_stop() {
    local file
    for file in "$BATS_TEST_TMPDIR"/steady-*.pid; do
        [[ ! -e $file ]] || lab_in kill "$(<"$file")" 2>/dev/null || true
    done
}

# ---- configuration ----

# configure_daemon LINE…: the lab's configuration and these lines, in force at once. Undone by the teardown.
configure_daemon() {
    callsignd_files
    printf '%s\n' "$@" >>"$LAB/etc/callsign/callsignd.conf"
    CONFIGURED=1
    log_mark
    lab_signal callsignd HUP
    wait_log 'read again'
}

configuration_restore() {
    [[ -n ${CONFIGURED-} ]] || return 0
    callsignd_files
    lab_signal callsignd HUP || true
}

# ---- many cheap emitters ----

# load_start COUNT [OPTION…]: tests/bench/load, its commands through `load_say`, what it says in load.out. As admin, who has no limits.
load_start() {
    local count=$1
    shift
    mkfifo "$BATS_TEST_TMPDIR/load.in"
    lab_in env CALLSIGN_URLS=amqp://admin@127.0.0.1/callsign CALLSIGN_PASSWORD_FILE="$LAB/secret/admin" "$BUILD/host/tests/bench/load" \
        -n "$count" "$@" <"$BATS_TEST_TMPDIR/load.in" >"$BATS_TEST_TMPDIR/load.out" 2>"$BATS_TEST_TMPDIR/load.err" 3>&- &
    LOAD_PID=$!
    exec 7>"$BATS_TEST_TMPDIR/load.in"
}

# load_ready TIMEOUT_MS: until all of them are announced for the first time.
load_ready() {
    poll_until "$1" load_heard_or_ended
    load_heard 1 || {
        cat "$BATS_TEST_TMPDIR/load.err"
        return 1
    }
}

load_heard_or_ended() {
    load_heard 1 || ! kill -0 "$LOAD_PID" 2>/dev/null
}

load_say() {
    printf '%s\n' "$*" >&7
}

# load_heard COUNT: as many lines has it said.
load_heard() {
    (($(wc -l <"$BATS_TEST_TMPDIR/load.out") >= $1))
}

load_stop() {
    [[ -n ${LOAD_PID-} ]] || return 0
    exec 7>&-
    wait "$LOAD_PID" || true
    LOAD_PID=
}

# herd_start COUNT: so many containers that carry nothing, named load0 and so on by the agent, until herd_stop. Its lines are in herd.out.
herd_start() {
    mkfifo "$BATS_TEST_TMPDIR/herd.in"
    lab_in "$BUILD/host/tests/bench/herd" -n "$1" -p load <"$BATS_TEST_TMPDIR/herd.in" >"$BATS_TEST_TMPDIR/herd.out" 2>"$BATS_TEST_TMPDIR/herd.err" 3>&- &
    HERD_PID=$!
    exec 8>"$BATS_TEST_TMPDIR/herd.in"
    poll_until 120000 herd_heard_or_ended
    grep herded "$BATS_TEST_TMPDIR/herd.out" || {
        cat "$BATS_TEST_TMPDIR/herd.err"
        return 1
    }
}

herd_heard_or_ended() {
    grep -q herded "$BATS_TEST_TMPDIR/herd.out" || ! kill -0 "$HERD_PID" 2>/dev/null
}

herd_stop() {
    [[ -n ${HERD_PID-} ]] || return 0
    exec 8>&-
    wait "$HERD_PID" || true
    HERD_PID=
}

# names_are COUNT: how many records of the load are served, by the hosts file.
names_are() {
    [[ $(records | grep -cE '[[:space:]]load[0-9]+\.docker' || true) == "$1" ]]
}

# ---- around each case ----

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    ! declare -F mend >/dev/null || mend
    steady_stop
    load_stop
    herd_stop
    configuration_restore
    remove_containers
    parts_untouched || lab_start "${LAB_PARTS[@]}"
    poll_until 20000 no_names
}
