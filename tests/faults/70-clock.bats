#!/usr/bin/env bats
# Somebody sets the wall clock. Leases and deadlines are of the monotonic one.

load common
export LAB_ENGINE=runc

# The daemon, and an emitter beside the containers, with a wall clock that we shift.
setup() {
    log_mark
    SHIFT=$BATS_TEST_TMPDIR/shift
    printf '0\n' >"$SHIFT"
    cc -D_GNU_SOURCE -shared -fPIC -O1 -o "$BATS_TEST_TMPDIR/clockshift.so" "$TESTS_DIR/tools/clockshift.c" -ldl
    lab_stop callsignd
    callsignd_files
    printf 'policy { host_addresses = true }\n' >>"$LAB/etc/callsign/callsignd.conf" # for the emitter that is in no container
    # A past that is later than the daemon's present must not keep a new instance out.
    with_clock lab_spawn callsignd callsignd --foreground -c /etc/callsign/callsignd.conf
    part_callsignd_wait
    start calm --env CALLSIGN_RENEW=5
    wait_up calm
    : >"$LAB/etc/callsign/none.conf"
    # shellcheck disable=SC2016 # for the inner shell
    lab_in env LD_PRELOAD="$BATS_TEST_TMPDIR/clockshift.so" CLOCKSHIFT="$SHIFT" CALLSIGN_URLS=amqp://emit@127.0.0.1/callsign \
        CALLSIGN_PASSWORD_FILE="$LAB/secret/emit" CALLSIGN_NAME=shifted CALLSIGN_RENEW=5 CALLSIGN_INTERFACE=docker0 CALLSIGN_SUBNETS=198.18.0.0/15 \
        bash -c 'echo $$ >"$0"; exec callsign-emit -c /etc/callsign/none.conf' "$BATS_TEST_TMPDIR/emitter.pid" \
        >"$BATS_TEST_TMPDIR/emitter.log" 2>&1 3>&- &
    wait_resolves shifted.docker "$LAB_ADDRESS"
    steady calm "$(address calm)"
    steady shifted "$LAB_ADDRESS"
}

with_clock() {
    local LAB_PATH=$LAB_PATH
    "$1" "$2" env LD_PRELOAD="$BATS_TEST_TMPDIR/clockshift.so" CLOCKSHIFT="$SHIFT" "${@:3}"
}

mend() {
    ! [[ -s $BATS_TEST_TMPDIR/emitter.pid ]] || lab_in kill "$(<"$BATS_TEST_TMPDIR/emitter.pid")" || true
    lab_stop callsignd
    callsignd_files
}

# A jump, and four renewals: longer than a lease.
jump() {
    printf '%s\n' "$1" >"$SHIFT"
    injected "wall clock jumps by $1 s"
    let_pass 17000
    steadied calm
    steadied shifted
    start more
    injected "a container has started after the jump by $1 s"
    there_within 1500 more "$(address more)"
}

# bats test_tags=fast
@test "the wall clock jumps a day ahead" {
    jump 86400
}

@test "the wall clock jumps a day back" {
    jump -86400
}

@test "the daemon is restarted with a wall clock of yesterday" {
    printf -- '-86400\n' >"$SHIFT"
    lab_kill callsignd
    with_clock lab_spawn callsignd callsignd --foreground -c /etc/callsign/callsignd.conf
    injected "restart a day earlier"
    start more
    there_within 4000 more "$(address more)"
    steadied calm
    steadied shifted
}
