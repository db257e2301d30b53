#!/usr/bin/env bats
# What systemd's units leave of /proc has to be enough. systemd is not process 1 in the lab, so /proc is mounted as it would.

load common
export LAB_ENGINE=runc

BOOT_ID=/proc/sys/kernel/random/boot_id

setup() {
    log_mark
    UNITS=()
}

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    lab_stop "${UNITS[@]}" || true
    remove_containers
    lab_start "${LAB_PARTS[@]}"
    poll_until 10000 no_names
}

# proc_options UNIT: of the mount, as systemd.exec(5) has it.
proc_options() {
    sed -n -e 's/^ProcSubset=pid$/subset=pid/p' -e 's/^ProtectProc=\(.*\)$/hidepid=\1/p' "$TOP_DIR/init/$1.service.in" | paste -s -d ,
}

# spawn_under UNIT PART COMMAND…: lab_spawn with such a /proc.
spawn_under() {
    local options
    options=$(proc_options "$1")
    UNITS+=("$2")
    # shellcheck disable=SC2016
    lab_spawn "$2" unshare --mount sh -c 'mount -t proc ${1:+-o "$1"} proc /proc && shift && exec "$@"' - "$options" "${@:3}"
}

@test "callsignd.service: the boot's id is known, so that its hosts file is believed after a restart" {
    lab_stop callsignd
    rm -f "$LAB/run/callsign/hosts"
    spawn_under callsignd unit callsignd --foreground -c /etc/callsign/callsignd.conf
    poll_until 10000 callsignd_answers
    [[ $(head -1 "$LAB/run/callsign/hosts") == *"boot=$(cat "$BOOT_ID")" ]]
}

@test "callsign-emit.service: the broker at the gateway is found" {
    local pid
    lab_docker run --detach --name plain --entrypoint sleep lab:1 1000
    pid=$(container_pid plain)
    spawn_under callsign-emit unit nsenter --target "$pid" --net env CALLSIGN_URLS=amqp://emit@gateway/callsign \
        CALLSIGN_PASSWORD_FILE="$LAB/secret/emit" CALLSIGN_NAME=machine "$BUILD/static/container/callsign-emit"
    wait_resolves machine.docker "$(address plain)"
}

@test "callsign-emit.service: the boot's id is known, so that it can say where it is" {
    local pid
    lab_docker run --detach --name plain --entrypoint sleep lab:1 1000
    pid=$(container_pid plain)
    spawn_under callsign-emit unit nsenter --target "$pid" --net env CALLSIGN_URLS=amqp://emit@gateway/callsign \
        CALLSIGN_PASSWORD_FILE="$LAB/secret/emit" CALLSIGN_NAME=machine "$BUILD/static/container/callsign-emit"
    wait_resolves machine.docker "$(address plain)"
    grep -x "# place $(sha256 "$(cat "$BOOT_ID")")/[0-9a-f]\{16\}" "$LAB/run/callsign/hosts"
}

# The first 16 digits.
sha256() {
    printf %s "$1" | sha256sum | head -c 16
}

# A harder unit of somebody's own: nothing but processes in /proc.
@test "an emitter without /proc/net and /proc/sys finds its broker, and does not say where it is" {
    local pid
    lab_docker run --detach --name plain --entrypoint sleep lab:1 1000
    pid=$(container_pid plain)
    run -0 lab_in unshare --mount sh -c "mount -t proc -o subset=pid proc /proc && ls /proc"
    [[ $output != *net* && $output != *sys* && $output == *self* ]]
    UNITS+=(unit)
    # shellcheck disable=SC2016
    lab_spawn unit unshare --mount sh -c 'mount -t proc -o subset=pid proc /proc && exec "$@"' - nsenter --target "$pid" --net \
        env CALLSIGN_URLS=amqp://emit@gateway/callsign CALLSIGN_PASSWORD_FILE="$LAB/secret/emit" CALLSIGN_NAME=machine \
        "$BUILD/static/container/callsign-emit"
    wait_resolves machine.docker "$(address plain)"
    not grep '# place' "$LAB/run/callsign/hosts"
}
