# What the end-to-end suites share: `load common`. They run on the lab that setup_suite.bash started.
# shellcheck shell=bash

IFS=$' \t\n' # bats 1.8 leaves the comma that it splits --filter-tags by

# shellcheck source=tests/lib/lab.bash
source "$BATS_TEST_DIRNAME/../lib/lab.bash"
bats_require_minimum_version 1.5.0

HOSTS=$LAB/run/callsign/hosts # as seen from outside the lab

# not COMMAND…: succeeds if COMMAND fails. (A plain `!` never fails a bats test, except as its last line.)
not() {
    if "$@"; then
        return 1
    fi
}

# Every test begins and ends with no container, with all parts running, and with no name but the host's own.
setup() {
    common_setup
}

teardown() {
    common_teardown
}

common_setup() {
    log_mark
    parts_pids
    PARTS_BEFORE=${PIDS[*]}
}

common_teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    remove_containers
    parts_untouched || lab_start "${LAB_PARTS[@]}"
    poll_until 10000 no_names
}

# In PIDS, one for each part; what has none is left out.
parts_pids() {
    local part pid
    PIDS=()
    for part in "${LAB_PARTS[@]}"; do
        ! read -r pid 2>/dev/null <"$LAB/pid/$part" || PIDS+=("$pid")
    done
}

# The same processes as before the test run all of them: who served then serves now, and need not be asked, which takes longer than many a test.
parts_untouched() {
    local PIDS
    parts_pids
    [[ -n ${PARTS_BEFORE-} && ${PIDS[*]} == "$PARTS_BEFORE" ]] && lab_lives "${PIDS[@]}"
}

show_logs() {
    local part id
    for part in callsignd dnsmasq; do
        printf -- '---- %s:\n' "$part"
        tail -n 15 "$LAB/log/$part" || true
    done
    printf -- '---- hosts file:\n'
    head -n 40 "$HOSTS" || true
    for id in $(lab_docker ps --all --quiet); do
        printf -- '---- container %s:\n' "$(lab_docker inspect --format '{{.Name}} {{.State.Status}} {{.State.ExitCode}}' "$id")"
        lab_docker logs "$id" 2>&1 | tail -n 15
    done
}

remove_containers() {
    local ids
    containers_are_there || return 0
    mapfile -t ids < <(lab_docker ps --all --quiet)
    ((${#ids[@]} > 0)) || return 0
    # Who is killed cannot say what it leaked.
    [[ -z $UNDER ]] || lab_docker stop --time 10 "${ids[@]}" >/dev/null || true
    lab_docker rm --force "${ids[@]}" >/dev/null
}

# Asking the engine takes longer than many a test: its folder tells.
containers_are_there() {
    if [[ ${LAB_ENGINE-} == runc ]]; then
        compgen -G "$LAB/boxes/*" >/dev/null
    else
        compgen -G "$LAB/docker/containers/*" >/dev/null
    fi
}

# The hosts file without comments and without the serial: what is served, one line a record.
records() {
    sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' -e '/serial\.callsign\./d' "$HOSTS"
}

# Likewise, without a process.
no_names() {
    local line
    while read -r line; do
        line=${line%%#*}
        [[ -z ${line//[[:space:]]/} || $line == *serial.callsign.* ]] || return 1
    done <"$HOSTS"
}

# ---- containers ----

# A suite that does not look at the engine says `export LAB_ENGINE=runc` behind `load common`: its containers take a fraction of the processors' time.

# start HOSTNAME [DOCKER OPTION…] [-- COMMAND…]: a container of that name too; by default it sleeps.
start() {
    start_of lab:1 "$@"
}

# plain HOSTNAME …: likewise, but without anything of ours in it.
plain() {
    start_of plain:1 "$1" --runtime callsign "${@:2}"
}

start_of() {
    local image=$1 name=$2 options=()
    shift
    shift
    while (($# > 0)) && [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    [[ ${1-} != -- ]] || shift
    (($# > 0)) || set -- sleep 1000
    lab_docker run --detach --hostname "$name" --name "$name" "${options[@]}" "$image" "$@" >/dev/null
}

# address CONTAINER: its IPv4 address.
address() {
    lab_docker inspect --format '{{.NetworkSettings.Networks.bridge.IPAddress}}' "$1"
}

address6() {
    lab_docker inspect --format '{{.NetworkSettings.Networks.bridge.GlobalIPv6Address}}' "$1"
}

# The container's first process, as the lab counts.
container_pid() {
    lab_docker inspect --format '{{.State.Pid}}' "$1"
}

# resident_kb CONTAINER: of its first process.
resident_kb() {
    lab_docker exec "$1" sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/1/status
}

# exit_status CONTAINER: wait for its end and print it.
exit_status() {
    local limit=$((30 * SLOWNESS))
    if [[ ${LAB_ENGINE-} == runc ]]; then
        lab_docker wait --limit "$limit" "$1"
    else
        timeout "$limit" env DOCKER_CONFIG="$LAB/docker-client" docker -H "unix://$LAB/run/docker.sock" wait "$1"
    fi
}

# wait_output CONTAINER PATTERN [TIMEOUT_MS]: until its log has a line that matches (grep -E).
wait_output() {
    poll_until "${3-10000}" output_has "$1" "$2" || {
        printf 'container %s never said: %s\n' "$1" "$2"
        return 1
    }
}

output_has() {
    lab_docker logs "$1" 2>&1 | grep -qE -- "$2"
}

# Whether CONTAINER's log has the same line twice.
output_repeats() {
    [[ -n $(lab_docker logs "$1" 2>&1 | sort | uniq --repeated) ]]
}

output_count() {
    lab_docker logs "$1" 2>&1 | grep -cE -- "$2" || true
}

# ---- names ----

# resolve NAME [TYPE]: the answers, sorted.
resolve() {
    lab_in dig +short +time=2 +tries=2 "@$LAB_ADDRESS" "$1" "${2-A}" | sort
}

# wait_resolves NAME ADDRESS [TIMEOUT_MS]
wait_resolves() {
    lab_in dnswatch -t $((${3-10000} * SLOWNESS)) present "$1" "$2" >/dev/null || {
        printf '%s does not resolve to %s but to: %s\n' "$1" "$2" "$(resolve "$1" | tr '\n' ' ')"
        return 1
    }
}

# resolves_to NAME ADDRESS…: whether these are its addresses, all of them, in sorted order.
resolves_to() {
    local name=$1
    shift
    [[ $(resolve "$name") == "$(printf '%s\n' "$@")" ]]
}

# wait_up CONTAINER: until its name resolves to its address.
wait_up() {
    local address
    address=$(address "$1")
    [[ -n $address ]] || {
        printf 'container %s does not run\n' "$1"
        return 1
    }
    wait_resolves "$1.docker" "$address"
}

# wait_announced CONTAINER: likewise, and the broker holds its emitter's will. Who is killed sooner than that goes with the lease of its first message,
# 10 s later.
wait_announced() {
    wait_up "$1"
    poll_until 10000 lab_docker exec "$1" callsign-emit --healthcheck >/dev/null || {
        printf '%s is not announced in full\n' "$1"
        return 1
    }
}

# wait_gone NAME [TIMEOUT_MS]
wait_gone() {
    lab_in dnswatch -t $((${2-10000} * SLOWNESS)) absent "$1" >/dev/null || {
        printf '%s still resolves to: %s\n' "$1" "$(resolve "$1" | tr '\n' ' ')"
        return 1
    }
}

# ---- what the daemon says ----

log_mark() {
    LOG_MARK=$(($(stat -c %s "$LAB/log/callsignd") + 1))
}

# log_count PATTERN: lines of callsignd's since the mark that match (grep -E).
log_count() {
    "$TOOLS/loglines" "$LAB/log/callsignd" $((LOG_MARK - 1)) "$1" || true
}

log_has() {
    "$TOOLS/loglines" "$LAB/log/callsignd" $((LOG_MARK - 1)) "$1" >/dev/null
}

wait_log() {
    "$TOOLS/loglines" -t $((${2-10000} * SLOWNESS)) "$LAB/log/callsignd" $((LOG_MARK - 1)) "$1" >/dev/null || {
        printf 'callsignd never logged: %s\n' "$1"
        return 1
    }
}

# ---- the broker ----

amqp() {
    lab_amqp "$@"
}

# broker_is_at_least MAJOR[.MINOR]: RabbitMQ does some things otherwise since then.
broker_is_at_least() {
    local version
    version=$(amqp admin version)
    [[ $(printf '%s\n' "$1" "$version" | sort --version-sort | head -n 1) == "$1" ]]
}

# A new instance for an announcement: a UUIDv7 without dashes (RFC 9562, 5.7).
new_instance() {
    printf '%012x7%03x8%03x%06x%06x\n' "$(now_ms)" $((RANDOM & 0xfff)) $((RANDOM & 0xfff)) $((RANDOM << 8 | RANDOM & 0xff)) \
        $((RANDOM << 8 | RANDOM & 0xff))
}

# up_body NAME ADDRESS INSTANCE [MORE-JSON]: an announcement without session, as --once makes it.
up_body() {
    printf '{"v":1,"op":"up","name":"%s","instance":"%s","seq":1,"addresses":["%s"],"lease":60%s}' "$1" "$3" "$2" "${4-}"
}

down_body() {
    printf '{"v":1,"op":"down","name":"%s","instance":"%s","seq":2}' "$1" "$2"
}

# agent_of CONTAINER: what its emitter should say that it is, made of its own words.
agent_of() {
    lab_docker exec "$1" callsign-emit --version | sed -nE 's/^(callsign-emit|librabbitmq) .*\(package (.*)\)$/\1\/\2/p; t
        s/^(callsign-emit|librabbitmq) (.*)$/\1\/\2/p' | paste -sd ' '
}

# figure TEXT…: a line for the reader of the test run, passed or not.
figure() {
    printf '# %s\n' "$*" >&3
}
