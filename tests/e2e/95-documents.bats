#!/usr/bin/env bats
# The documents: what they tell people to type is typed here.

load common

DOCUMENTS=("$TOP_DIR"/README "$TOP_DIR"/CONTRIBUTING "$TOP_DIR"/docs/*.md)

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    remove_containers
    restore
    lab_start "${LAB_PARTS[@]}"
    poll_until 10000 no_names
}

# The lab's own configuration, and a broker without what the documents made.
restore() {
    local user
    lab_in env PATH="$SHIMS:$LAB_PATH" callsign-setup --undo >/dev/null || true
    [[ -z ${EMPTIED-} ]] || rabbitmqctl --quiet import_definitions "$LAB/broker/definitions.json"
    for user in callsign-host callsign-emit shop web; do
        rabbitmqctl --quiet delete_user "$user" >/dev/null 2>&1 || true
    done
    rm -rf "$LAB/state"
    rm -f "$LAB"/etc/callsign/{host,emit}.password
    lab_stop callsignd dnsmasq
    callsignd_files
}

# The commands as a host has them. What a machine has and the lab has not, services above all, is left out of callsign-setup.
shims() {
    SHIMS=$BATS_TEST_TMPDIR/bin
    mkdir -p "$SHIMS"
    ln -s "$(broker_tool)/rabbitmqctl" "$SHIMS/rabbitmqctl"
    cp "$BUILD/static/container/callsign-emit" "$SHIMS/callsign-emit"
    printf '#!/bin/sh\nexec %q --no-services --state %q "$@"\n' "$(lab_program callsign-setup)" "$LAB/state" >"$SHIMS/callsign-setup"
    chmod 0755 "$SHIMS/callsign-setup"
}

setup() {
    log_mark
    shims
}

# typed DOCUMENT: run its commands in the lab, in a folder of their own.
typed() {
    mkdir "$BATS_TEST_TMPDIR/work"
    "$TESTS_DIR/lib/commands" script "$1" >"$BATS_TEST_TMPDIR/script"
    # shellcheck disable=SC2016 # for the inner shell
    lab_in env PATH="$SHIMS:$LAB_PATH" bash -c 'cd "$1" && exec bash "$2"' - "$BATS_TEST_TMPDIR/work" \
        "$BATS_TEST_TMPDIR/script"
}

@test "documents: every block of commands is run by a test, or says why not" {
    "$TESTS_DIR/lib/commands" check "${DOCUMENTS[@]}"
}

@test "documents: every file that they point to is there" {
    local document target missing=0
    for document in "${DOCUMENTS[@]}"; do
        while IFS= read -r target; do
            [[ -e $(dirname "$document")/$target ]] || {
                printf '%s points to %s\n' "$document" "$target"
                missing=1
            }
        done < <(grep -oE '\]\([^)#: ]+' "$document" | cut -c3-)
    done
    ((missing == 0))
}

# The image that the documents build on: here busybox, since no registry can be reached.
debian_image() {
    tar -C "$LAB/image" --owner=0 --group=0 --exclude=./etc/callsign --exclude=./bin/callsign-emit -c . |
        lab_docker import - debian:12 >/dev/null
    lab_docker tag debian:12 busybox
}

@test "documents: the quick start" {
    debian_image
    typed "$TOP_DIR/docs/quickstart.md"
}

@test "documents: troubleshooting" {
    typed "$TOP_DIR/docs/troubleshooting.md"
}

@test "documents: README" {
    typed "$TOP_DIR/README"
}

# By hand from an empty broker on, as far as the daemon's start; then a container with the user and the password that were made.
@test "documents: installing by hand" {
    lab_stop callsignd
    rabbitmqctl --quiet delete_vhost callsign
    EMPTIED=1
    install -m 0640 "$TOP_DIR/etc/callsignd.conf" "$LAB/etc/callsign/callsignd.conf" # as make install does
    typed "$TOP_DIR/docs/install.md"
    lab_in setpriv --reuid callsign --regid callsign --clear-groups cat /etc/callsign/callsignd.conf /etc/callsign/host.password >/dev/null
    lab_spawn callsignd callsignd --foreground -c /etc/callsign/callsignd.conf
    start my-cool-host --volume "$LAB/etc/callsign/emit.password:/run/secrets/callsign:ro" \
        --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign --env CALLSIGN_URLS=amqp://callsign-emit@gateway/callsign
    wait_up my-cool-host
    lab_in ping -c 1 my-cool-host.docker
}
