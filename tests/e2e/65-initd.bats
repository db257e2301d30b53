#!/usr/bin/env bats
# The init.d script, with every verb, on the lab's machine.

load common
export LAB_ENGINE=runc

PIDFILE=/run/callsign/callsignd.pid

# The script as it is installed, in the lab's own /etc.
setup_file() {
    load common
    mkdir -p "$LAB/etc/init.d" "$LAB/etc/default"
    install -m 0755 "$BUILD/host/init/callsignd" "$LAB/etc/init.d/callsignd"
    printf 'DAEMON=%s\n' "$BUILD/host/host/callsignd" >"$LAB/etc/default/callsignd"
}

setup() {
    log_mark
    lab_stop callsignd
}

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    lab_gone syslog || lab_stop syslog # whoever waits for it goes on
    initd stop || true
    [[ ! -e $LAB/conf.saved ]] || mv "$LAB/conf.saved" "$LAB/etc/callsign/callsignd.conf"
    lab_start "${LAB_PARTS[@]}"
}

# With few variables, as at boot.
initd() {
    lab_in env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /etc/init.d/callsignd "$@"
}

daemon_pid() {
    lab_in cat "$PIDFILE"
}

break_configuration() {
    cp -p "$LAB/etc/callsign/callsignd.conf" "$LAB/conf.saved"
    printf 'nonsense = 1\n' >>"$LAB/etc/callsign/callsignd.conf"
}

@test "start: it runs, and names resolve" {
    run -0 initd start
    run -0 initd status
    lab_in kill -0 "$(daemon_pid)"
    start web
    wait_up web
    remove_containers
}

@test "start when it runs already: 0, and nothing changes" {
    initd start
    local pid
    pid=$(daemon_pid)
    run -0 initd start
    [[ $(daemon_pid) == "$pid" ]]
}

@test "start with a wrong configuration: 6, and the line is named" {
    break_configuration
    run -6 initd start
    [[ $output == *callsignd.conf:*nonsense* ]]
    run -3 initd status
}

@test "start without the program: 5" {
    run -5 lab_in env CALLSIGND_DEFAULT=/dev/stdin /etc/init.d/callsignd start <<<'DAEMON=/nonexistent/callsignd'
}

@test "stop: it ends, and stop once more is 0 too" {
    initd start
    local pid
    pid=$(daemon_pid)
    run -0 initd stop
    not lab_in kill -0 "$pid"
    run -3 initd status
    run -0 initd stop
}

@test "status: 1 when it died and left its pid file, and start then works" {
    initd start
    lab_in kill -9 "$(daemon_pid)"
    poll_until 5000 status_is 1
    run -0 initd start
    run -0 initd status
}

status_is() {
    local status=0
    initd status >/dev/null 2>&1 || status=$?
    [[ $status == "$1" ]]
}

@test "a pid file that names another program: not running, and stop leaves that one alone" {
    lab_in sh -c "mkdir -p /run/callsign; cat /run/dnsmasq/dnsmasq.pid >$PIDFILE"
    not initd status
    run -0 initd stop
    lab_pid dnsmasq
    lab_in rm -f "$PIDFILE"
}

@test "restart: another process, and the names stay" {
    initd start
    start web
    wait_up web
    local pid
    pid=$(daemon_pid)
    run -0 initd restart
    [[ $(daemon_pid) != "$pid" ]]
    [[ $(resolve web.docker) == "$(address web)" ]]
    remove_containers
}

@test "restart with a wrong configuration: 6, and the old process goes on" {
    initd start
    local pid
    pid=$(daemon_pid)
    break_configuration
    run -6 initd restart
    [[ $(daemon_pid) == "$pid" ]]
    run -0 initd status
}

@test "restart when it does not run starts it, try-restart does not" {
    run -0 initd try-restart
    run -3 initd status
    run -0 initd restart
    run -0 initd status
}

@test "reload and force-reload: the same process, the new configuration" {
    local verb pid
    initd start
    pid=$(daemon_pid)
    cp -p "$LAB/etc/callsign/callsignd.conf" "$LAB/conf.saved"
    for verb in reload force-reload; do
        printf 'host_names = { "%s=198.18.0.1" }\n' "$verb" >>"$LAB/etc/callsign/callsignd.conf"
        run -0 initd "$verb"
        wait_resolves "$verb.docker" 198.18.0.1
        cp -p "$LAB/conf.saved" "$LAB/etc/callsign/callsignd.conf"
    done
    [[ $(daemon_pid) == "$pid" ]]
}

@test "reload with a wrong configuration: 6, and it goes on" {
    initd start
    break_configuration
    run -6 initd reload
    run -0 initd status
}

@test "reload when it does not run: 7" {
    run -7 initd reload
}

@test "an unknown verb: 3, and usage" {
    run -3 initd dance
    [[ $output == *Usage* ]]
}

# ---- a syslog that stands still ----

# begin_still_syslog: where callsignd is started from then on (in_still), /dev/log is a socket that is full, and whose owner reads nothing until SIGUSR1.
begin_still_syslog() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_spawn syslog unshare --mount --propagation private bash -ec '
        mkdir -p /run/still
        mount -t tmpfs tmpfs /run/still
        for node in null random urandom; do
            touch "/run/still/$node"
            mount --bind "/dev/$node" "/run/still/$node"
        done
        mount --rbind /run/still /dev
        exec python3 "$1/lib/stillsyslog.py" /dev/log "$2"' - "$TESTS_DIR" /run/syslog
    poll_until 10000 grep -qx full "$LAB/log/syslog"
}

in_still() {
    lab_in nsenter --mount="/proc/$(lab_pid syslog)/ns/mnt" "$@"
}

@test "a syslog that reads nothing: callsignd starts, serves on, and says afterwards how many lines are missing" {
    begin_still_syslog
    in_still timeout 30 env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /etc/init.d/callsignd start >"$BATS_TEST_TMPDIR/start" 2>&1 3>&-
    start web
    wait_announced web
    lab_docker kill web >/dev/null
    wait_gone web.docker
    lab_signal syslog USR1
    poll_until 5000 grep -q 'someone: else' "$LAB/run/syslog"
    initd reload
    poll_until 5000 grep -qE 'callsignd\[[0-9]+\]: dropped count=[1-9][0-9]* lines: syslog took nothing' "$LAB/run/syslog"
    rm -f "$LAB/run/syslog"
    remove_containers
}
