# Small things that every script under tests/ needs. Sourced; sets nothing but functions, the two paths below and SLOWNESS.
# shellcheck shell=bash

TESTS_DIR=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
# shellcheck disable=SC2034 # for those who source this
TOP_DIR=${TESTS_DIR%/*}

note() {
    printf '%s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Milliseconds since 1970. EPOCHREALTIME prints the locale's decimal mark, and six digits after it.
now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    printf '%s\n' "$((t / 1000))"
}

# Deadlines are multiplied by this: programs under valgrind take their time.
SLOWNESS=${CALLSIGN_SLOWNESS:-1}

# poll_until TIMEOUT_MS COMMAND…: run COMMAND again and again until it succeeds. 1 when the time is over. The longer it has taken, the longer it may
# sleep, by a twentieth: who looks all the while takes the processor from what is waited for.
# Each $(…) would be a process, and cost as much as what many a poll asks: there is none here.
poll_until() {
    local begin=$((${EPOCHREALTIME/[.,]/} / 1000)) now limit=$(($1 * SLOWNESS))
    shift
    until "$@"; do
        now=$((${EPOCHREALTIME/[.,]/} / 1000))
        ((now - begin < limit)) || return 1
        poll_pause $((now - begin))
    done
}

# poll_pause WAITED_MS
poll_pause() {
    local pause=$(($1 / 20))
    ((pause > 20)) || pause=20
    ((pause < 100)) || pause=100
    printf -v pause '0.%03d' "$pause"
    pause "$pause"
}

# pause SECONDS: as sleep(1), without a process: nothing is ever written into that pipe.
pause() {
    [[ -n ${PAUSE_PIPE-} ]] || exec {PAUSE_PIPE}<> <(:)
    read -r -t "$1" -u "$PAUSE_PIPE" || true
}

# let_pass MS: how long a fault lasts, or what must not happen has time to. No longer under a checker, for leases and graces are no longer either.
let_pass() {
    local seconds
    printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
    pause "$seconds"
}

need_root() {
    ((EUID == 0)) || die "must be run as root (it makes namespaces and runs a Docker Engine): try sudo"
}
