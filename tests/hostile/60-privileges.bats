#!/usr/bin/env bats
# What the daemon may do to this machine: as little as it needs. And what an emitter needs: nothing.

load common

daemon_status() {
    lab_in grep -E "^$1:" "/proc/$(lab_pid callsignd)/status"
}

# expect_daemon ID CAPABILITIES: real, effective, saved and file system id; no groups; permitted, effective; the other sets are empty.
expect_daemon() {
    local fields=$1$'\t'$1$'\t'$1$'\t'$1
    [[ $(daemon_status Uid) == "Uid:"$'\t'"$fields" ]]
    [[ $(daemon_status Groups | tr -d ' \t') == Groups: ]]
    [[ $(daemon_status CapPrm) == "CapPrm:"$'\t'"$2" ]]
    [[ $(daemon_status CapEff) == "CapEff:"$'\t'"$2" ]]
    [[ $(daemon_status 'Cap(Inh|Bnd|Amb)' | cut -f 2 | sort -u) == 0000000000000000 ]]
    [[ $(daemon_status NoNewPrivs) == "NoNewPrivs:"$'\t1' ]]
}

NOTHING=0000000000000000
CAP_KILL_ONLY=0000000000000020 # bit 5, capabilities(7)

# restart_with LINE: the daemon anew, with a line more in its configuration.
restart_with() {
    lab_stop callsignd
    sed -i '/^run_as/d' "$CONF"
    printf '%s\n' "$1" >>"$CONF"
    lab_start callsignd
    lab_pid callsignd >"$LAB/daemon.pid"
}

@test "started by root it is callsign's, with CAP_KILL alone" {
    expect_daemon "$LAB_CALLSIGN_ID" "$CAP_KILL_ONLY"
    [[ $(daemon_status Gid) == "Gid:"$'\t'"$LAB_CALLSIGN_ID"$'\t'* ]]
    [[ $(stat -c %u "$HOSTS") == "$LAB_CALLSIGN_ID" ]]
}

@test "what it has open is what it opened itself: nothing outside /run/callsign, /dev and sockets" {
    local open
    open=$(lab_in find "/proc/$(lab_pid callsignd)/fd" -type l -printf '%l\n' |
        grep -vE '^(/dev/null|/run/callsign/.*|socket:.*|pipe:.*|anon_inode:.*)$' | grep -vF "$LAB/log/callsignd" || true)
    [[ -z $open ]] || {
        printf 'also open: %s\n' "$open"
        return 1
    }
}

@test "it reads its configuration again" {
    printf 'legacy = false\n' >>"$CONF"
    reload
}

@test "a configuration that only root can read is told of at the start, and kept from being lost by a reload" {
    chmod 0600 "$CONF"
    log_mark
    restart_with ''
    wait_log 'read as root, but'
    log_mark
    lab_signal callsignd HUP
    wait_log 'not taken'
    chmod 0644 "$CONF"
    reload
}

@test "where dnsmasq is the same user it has no capability at all, and dnsmasq is still told" {
    local id user
    id=$(lab_in sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$(lab_pid dnsmasq)/status")
    user=$(lab_in id -un "$id")
    chgrp "$(lab_in id -g "$user")" "$LAB/etc/callsign/password"
    restart_with "run_as = \"$user\""
    expect_daemon "$id" "$NOTHING"
    # The old hosts file is another user's and not believed: the roll call brings blue-web back.
    wait_up blue-web
    blue_is_heard
    chgrp "$LAB_CALLSIGN_ID" "$LAB/etc/callsign/password"
    restart_with 'run_as = "callsign"'
    expect_daemon "$LAB_CALLSIGN_ID" "$CAP_KILL_ONLY"
}

@test "run_as that does not exist: it does not start" {
    lab_stop callsignd
    sed '/^run_as/d' "$CONF" >"$LAB/etc/callsign/nobody.conf"
    printf 'run_as = "nosuchuser"\n' >>"$LAB/etc/callsign/nobody.conf"
    run -1 lab_in callsignd --foreground -c /etc/callsign/nobody.conf
    [[ $output == *"run_as=nosuchuser"* ]]
    rm "$LAB/etc/callsign/nobody.conf"
    lab_start callsignd
    lab_pid callsignd >"$LAB/daemon.pid"
}

@test "run_as = root stays root, without new privileges" {
    restart_with 'run_as = "root"'
    [[ $(daemon_status Uid) == "Uid:"$'\t0'* ]]
    [[ $(daemon_status NoNewPrivs) == "NoNewPrivs:"$'\t1' ]]
    restart_with 'run_as = "callsign"'
}

@test "/run/callsign is given to it through no symbolic link" {
    lab_stop callsignd
    mv "$LAB/run/callsign" "$LAB/run/callsign.saved"
    mkdir "$LAB/run/victim"
    ln -s victim "$LAB/run/callsign"
    run lab_in timeout 5 callsignd --foreground -c /etc/callsign/callsignd.conf
    ((status != 0 && status != 124))
    [[ $(stat -c %u "$LAB/run/victim") == 0 ]]
    rm "$LAB/run/callsign"
    rmdir "$LAB/run/victim"
    mv "$LAB/run/callsign.saved" "$LAB/run/callsign"
    lab_start callsignd
    lab_pid callsignd >"$LAB/daemon.pid"
}

@test "secrets that others may read are refused" {
    chmod 0644 "$LAB/etc/callsign/password"
    run -2 lab_in callsignd --check-config -c /etc/callsign/callsignd.conf
    [[ $output == *"others may read"* ]]
    chmod 0640 "$LAB/etc/callsign/password"
    sed 's/callsignd@127/callsignd:secret@127/' "$CONF" >"$LAB/etc/callsign/url.conf"
    chmod 0644 "$LAB/etc/callsign/url.conf"
    run -2 lab_in callsignd --check-config -c /etc/callsign/url.conf
    [[ $output == *"others may read"* && $output != *secret@* ]]
    chmod 0640 "$LAB/etc/callsign/url.conf"
    run -0 lab_in callsignd --check-config -c /etc/callsign/url.conf
    rm "$LAB/etc/callsign/url.conf"
}

@test "an ordinary user in a read-only container without any capability announces, is healthy and withdraws" {
    start_as blue blue-plain --read-only --cap-drop ALL --user 1000:1000 --security-opt no-new-privileges
    wait_up blue-plain
    poll_until 2000 lab_docker exec blue-plain callsign-emit --healthcheck
    [[ $(lab_in sed -n 's/^CapPrm:[[:space:]]*//p' "/proc/$(container_pid blue-plain)/status") == "$NOTHING" ]]
    lab_docker stop --time 5 blue-plain >/dev/null
    wait_gone blue-plain.docker
    lab_docker rm --force blue-plain >/dev/null
}

@test "the systemd units score under 2.0" {
    local unit exposure
    type systemd-analyze >/dev/null || skip "there is no systemd-analyze"
    for unit in callsignd callsign-emit; do
        sed -e 's,@[a-z]*bindir@,/usr/bin,g; s,@sysconfdir@,/etc,g; s,@docdir@,/usr/share/doc/callsign,g' \
            "$TOP_DIR/init/$unit.service.in" >"$BATS_TEST_TMPDIR/$unit.service"
        exposure=$(systemd-analyze security --offline=true --no-pager "$BATS_TEST_TMPDIR/$unit.service" 2>/dev/null |
            sed -n 's/.*Overall exposure level for [^ ]*: \([0-9.]*\) .*/\1/p')
        figure "$unit.service: exposure $exposure"
        [[ -n $exposure ]]
        ((${exposure/./} < 20))
    done
}
