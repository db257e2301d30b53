# Run a command so that all that it starts can be ended together, and is, when this shell is told to end. Part of tests/run.
# shellcheck shell=bash

GROUP_GRACE_S=${GROUP_GRACE_S:-15} # for what has something to put away before it ends

# group_run CLEANUP COMMAND…: its exit status; it runs in a process group of its own. Whenever this shell gets SIGINT, SIGTERM or SIGHUP, that group is
# ended, then CLEANUP (a function) runs for what stands outside of it, and this shell exits as one that the signal has killed.
# What reads a terminal would be stopped there: its standard input is empty.
group_run() {
    local cleanup=$1 status=0
    shift
    GROUP=
    trap 'group_interrupted 130 "$cleanup"' INT
    trap 'group_interrupted 143 "$cleanup"' TERM
    trap 'group_interrupted 129 "$cleanup"' HUP
    set -m
    (
        set +m
        trap - INT TERM HUP
        "$@"
    ) </dev/null &
    GROUP=$!
    set +m
    wait "$GROUP" || status=$?
    trap - INT TERM HUP
    return "$status"
}

# group_interrupted STATUS CLEANUP. A second signal does not cut it short.
group_interrupted() {
    trap '' INT TERM HUP
    [[ -z $GROUP ]] || group_end
    "$2" || true
    exit "$1"
}

group_end() {
    local end=$((SECONDS + GROUP_GRACE_S))
    # Who has been stopped would not hear of it.
    kill -TERM -- "-$GROUP" 2>/dev/null && kill -CONT -- "-$GROUP" 2>/dev/null || return 0
    while group_lives && ((SECONDS < end)); do
        sleep 0.1
    done
    kill -KILL -- "-$GROUP" 2>/dev/null || true
    while group_lives; do
        sleep 0.05
    done
}

# A process that has ended and waits for its parent is in its group still.
group_lives() {
    kill -0 -- "-$GROUP" 2>/dev/null && [[ -n $(ps -e -o pgid=,stat= | awk -v group="$GROUP" '$1 == group && $2 !~ /^Z/') ]]
}
