# What the suites of networks share: `load common`. Times and figures as in the families of faults.
# shellcheck shell=bash

load ../faults/common

# ---- a dnsmasq of our own ----

# From now on a dnsmasq of our own has the names, as set-up makes it, and the lab's asks that one. Until own_end.
own_begin() {
    local root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root"/etc/{docker,dnsmasq.d}
    printf 'nameserver %s\n' "$LAB_ADDRESS" >"$root/etc/resolv.conf"
    printf 'callsign:x:%s:\n' "$LAB_CALLSIGN_ID" >"$root/etc/group"
    printf '{"bip": "%s/16"}\n' "$LAB_ADDRESS" >"$root/etc/docker/daemon.json"
    "$(lab_program callsign-setup)" --root "$root" --host lab --no-broker --dnsmasq own --docker-address "$LAB_ADDRESS" >"$root/said"
    cp -p "$LAB/etc/callsign/callsignd.conf" "$LAB/secret/callsignd.conf.before"
    sed -n '/^# The dnsmasq of/,/^}/p' "$root/etc/callsign/callsignd.conf" >>"$LAB/etc/callsign/callsignd.conf"
    mkdir -p "$LAB/run/callsign-dnsmasq"
    cp "$root/etc/callsign/dnsmasq.conf" "$LAB/etc/callsign/dnsmasq.conf"
    # shellcheck disable=SC2317 # dnsmasq's restart calls it
    dnsmasq_piece() {
        cp "$BATS_TEST_TMPDIR/root/etc/dnsmasq.d/callsign" "$LAB/etc/dnsmasq.d/callsign"
    }
    lab_spawn own dnsmasq --keep-in-foreground --log-facility=- --conf-file=/etc/callsign/dnsmasq.conf
    lab_restart dnsmasq
    lab_restart callsignd
}

# As it was. To be called in every case.
own_end() {
    [[ -e $LAB/secret/callsignd.conf.before ]] || return 0
    # shellcheck source=tests/lib/parts.bash
    source "$TESTS_DIR/lib/parts.bash" # dnsmasq_piece as it was
    mv "$LAB/secret/callsignd.conf.before" "$LAB/etc/callsign/callsignd.conf"
    rm -rf "$LAB/etc/callsign/dnsmasq.conf" "$LAB/run/callsign-dnsmasq"
    lab_stop own
    lab_restart dnsmasq
    lab_restart callsignd
}
