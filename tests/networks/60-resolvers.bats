#!/usr/bin/env bats
# This host's own programs find names through the real systemd-resolved and the real NetworkManager, as callsign-setup leaves them,
# and not any more after --undo. The daemons run from a folder laid over /usr: nothing is installed on the machine.

load common

UNPACKED=$BUILD/resolvers
UNIT=$LAB/etc/systemd/system/callsign-dns.service

setup_file() {
    "$TESTS_DIR/lib/unpack" "$UNPACKED" systemd-resolved network-manager dbus
}

setup() {
    common_setup
    mkdir -p "$LAB"/run/{dbus,systemd} "$LAB/etc/systemd/resolved.conf.d" "$LAB/etc/NetworkManager"
    printf '[Resolve]\nDNS=127.0.0.9\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\nDNSSEC=no\n' >"$LAB/etc/systemd/resolved.conf.d/lab.conf"
    printf '[main]\nplugins=keyfile\nrc-manager=symlink\n[keyfile]\nunmanaged-devices=*\n[global-dns-domain-*]\nservers=127.0.0.9\n' \
        >"$LAB/etc/NetworkManager/NetworkManager.conf"
    account systemd-resolve 976
    account messagebus 975
    over_usr_spawn dbus dbus-daemon --system --nofork --nopidfile --nosyslog
    poll_until 5000 test -S "$LAB/run/dbus/system_bus_socket"
}

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || tail -n 40 "$LAB"/log/{resolved,networkmanager} "$LAB/etc/resolv.conf" || true
    own_setup --undo >/dev/null 2>&1 || true
    lab_in ip link delete callsign0 2>/dev/null || true
    remove_containers
    lab_docker network rm resolvers >/dev/null 2>&1 || true
    lab_stop networkmanager resolved dbus || true
    rm -rf "$LAB/run/dbus" "$LAB/run/systemd/resolve" "$LAB/etc/NetworkManager" "$LAB/state"
    resolv_conf "nameserver $LAB_ADDRESS" 'options timeout:1 attempts:2'
    common_teardown
}

# account NAME ID: whom a daemon becomes, where no package has made it.
account() {
    grep -q "^$1:" "$LAB/etc/passwd" || printf '%s:x:%s:%s::/nonexistent:/usr/sbin/nologin\n' "$1" "$2" "$2" >>"$LAB/etc/passwd"
    grep -q "^$1:" "$LAB/etc/group" || printf '%s:x:%s:\n' "$1" "$2" >>"$LAB/etc/group"
}

resolv_conf() {
    printf '%s\n' "$@" >"$LAB/etc/resolv.conf"
}

# In a mount namespace of its own, with the daemons' files in /usr and a /var/lib that is thrown away.
# shellcheck disable=SC2016 # for the inner shell
OVER_USR=(unshare --mount sh -ec 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr; mount -t tmpfs tmpfs /var/lib; shift; exec "$@"' -)

over_usr() {
    lab_in "${OVER_USR[@]}" "$UNPACKED" "$@"
}

over_usr_spawn() {
    local part=$1
    shift
    lab_spawn "$part" "${OVER_USR[@]}" "$UNPACKED" "$@"
}

own_setup() {
    lab_in callsign-setup --no-broker --no-services --docker-address "$LAB_ADDRESS" --state "$LAB/state" "$@"
}

# unit KEY: run the unit's commands as systemd would; one that begins with "-" may fail.
unit() {
    local line
    while IFS= read -r line; do
        # The unit's quotes are a shell's, and $$ is systemd's $.
        eval "over_usr ${line#-}" || [[ $line == -* ]]
    done < <(sed -n "s/^$1=//p" "$2" | sed 's/[$][$]/$/g')
}

# What every program on the host gets.
own_lookup() {
    [[ $(lab_in getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }') == "$2" ]]
}

leads_to() {
    [[ $(lab_in getent hosts "$1" | awk '{ print $2 }') == "$2" ]]
}

# reverse_on_a_network COMMAND…: this host's programs find the name of an address on a network that is made now, once COMMAND has run.
reverse_on_a_network() {
    lab_docker network create --subnet 198.19.33.0/24 resolvers >/dev/null
    start far --network resolvers --ip 198.19.33.7
    wait_resolves far.docker 198.19.33.7
    poll_until 5000 grep -q '/33\.19\.198\.in-addr\.arpa/' "$LAB/run/callsign/forward"
    "$@"
    poll_until 5000 leads_to 198.19.33.7 far.docker
    : >"$LAB/log/queries"
    not lab_in getent hosts 198.19.33.8
    not asked_upstream 8.33.19.198.in-addr.arpa
}

finds_nothing() {
    not lab_in getent ahostsv4 "$1"
}

asked_upstream() {
    grep -q "^$1 " "$LAB/log/queries"
}

doctor_of_resolver() {
    lab_in callsignctl doctor --json | jq -r '.checks[] | select(.check == "resolver") | .result + " " + .what + " -> " + (.mend // "")'
}

@test "systemd-resolved asks dnsmasq for the domain and its own servers for the rest, and as before after --undo" {
    over_usr_spawn resolved /lib/systemd/systemd-resolved
    poll_until 10000 over_usr resolvectl status >"$BATS_TEST_TMPDIR/status"
    resolv_conf 'nameserver 127.0.0.53'
    start web
    wait_up web
    [[ $(doctor_of_resolver) == "broken "*"resolvectl domain docker0 '~docker'"* ]]
    run -0 own_setup
    [[ $output == *"/etc/systemd/system/callsign-dns.service: made"* ]]
    unit ExecStart "$UNIT"
    : >"$LAB/log/queries"
    own_lookup web.docker "$(address web)"
    [[ $(over_usr resolvectl query --legend=no web.docker) == *"$(address web)"*"link: docker0"* ]]
    own_lookup known.example 198.18.255.1
    not asked_upstream web.docker
    asked_upstream known.example
    [[ $(doctor_of_resolver) == "ok "*"through systemd-resolved"* ]]
    # A network that comes later: systemd is what runs this when the file changes.
    reverse_on_a_network unit ExecReload "$UNIT"
    [[ $(over_usr resolvectl domain docker0) == *"~docker"*"~33.19.198.in-addr.arpa"* ]]
    # No container on docker0, whose link would have no carrier: those of compose are on networks of their own.
    remove_containers
    poll_until 5000 no_names
    own_lookup serial.callsign.docker "$(resolve serial.callsign.docker)"
    own_lookup known.example 198.18.255.1
    start web
    wait_up web
    cp "$UNIT" "$BATS_TEST_TMPDIR/unit"
    unit ExecStop "$BATS_TEST_TMPDIR/unit"
    run -0 own_setup --undo
    [[ ! -e $UNIT ]]
    over_usr resolvectl flush-caches
    finds_nothing web.docker
    own_lookup known.example 198.18.255.1
    [[ $(doctor_of_resolver) == "broken "* ]]
}

# netif: systemd-resolved's files of the links that somebody has set, which a path unit looks at.
netif() {
    ls -il --time-style=full-iso "$LAB/run/systemd/resolve/netif" 2>/dev/null
}

netif_is_not() {
    [[ $(netif) != "$1" ]]
}

# What systemd runs when it sees anything in those files, as it would; the lab has none, tests/machine (case kept) has. Whether anything had to be told.
kept() {
    rm -f "$LAB/run/systemctl.said"
    printf '#!/bin/sh\necho "$*" >/run/systemctl.said\n' >"$LAB/run/systemctl"
    chmod 0755 "$LAB/run/systemctl"
    sed 's,/bin/systemctl,/run/systemctl,' "$LAB/etc/systemd/system/callsign-dns-kept.service" >"$BATS_TEST_TMPDIR/kept.service"
    unit ExecStart "$BATS_TEST_TMPDIR/kept.service"
    [[ -e $LAB/run/systemctl.said ]] || return 1
    [[ $(<"$LAB/run/systemctl.said") == "try-reload-or-restart callsign-dns.service" ]]
    unit ExecReload "$UNIT"
}

# taken_away COMMAND…: it takes what set-up told systemd-resolved away: systemd would see that, and then names are found again.
taken_away() {
    local before
    before=$(netif)
    "$@"
    poll_until 5000 netif_is_not "$before"
    over_usr resolvectl flush-caches
    finds_nothing web.docker
    before=$(netif)
    kept
    [[ $(netif) != "$before" ]]
    over_usr resolvectl flush-caches
    poll_until 5000 own_lookup web.docker "$(address web)"
    leads_to "$(address web)" web.docker
    # Its own doing is nothing to do anything about: no circle.
    not kept
}

@test "systemd-resolved: whoever takes the settings of docker0 away, they are told again" {
    start web
    wait_up web
    resolved_with DNSSEC=yes DNSOverTLS=yes
    own_lookup web.docker "$(address web)"
    grep -qx "PathChanged=/run/systemd/resolve/netif" "$LAB/etc/systemd/system/callsign-dns-kept.path"
    grep -q '^Wants=.*callsign-dns-kept.path' "$UNIT"
    not kept
    taken_away over_usr resolvectl revert docker0
    # As NetworkManager does it, without a server of its own for that link.
    taken_away over_usr sh -c 'resolvectl domain docker0 ""; resolvectl dns docker0 ""'
    run -0 own_setup --undo
    [[ ! -e $LAB/etc/systemd/system/callsign-dns-kept.path && ! -e $LAB/etc/systemd/system/callsign-dns-kept.service ]]
}

# domains_kept: what systemd-resolved asks on docker0.
domains_kept() {
    over_usr resolvectl domain docker0 | grep -qF ' ~docker'
}

# comes_and_goes: a link that NetworkManager brings up, with a name server of its own, and takes away again.
comes_and_goes() {
    over_usr nmcli connection add type veth con-name passing ifname passing veth.peer passing1 ipv4.method manual ipv4.addresses 198.19.40.1/24 \
        ipv4.dns 127.0.0.9 ipv6.method disabled >/dev/null
    poll_until 10000 lab_in ip link show passing
    sleep 1
    over_usr nmcli connection delete passing >/dev/null
}

nm_has() {
    over_usr nmcli --terse device >"$BATS_TEST_TMPDIR/devices"
    grep -q "^$1" "$BATS_TEST_TMPDIR/devices"
}

# One that docker0 is no connection of its own for takes nothing away (1.42, 1.52); if one does, what systemd runs then makes names be found.
@test "systemd-resolved beside a NetworkManager that manages docker0: names are found while links come and go" {
    start web
    wait_up web
    resolved_with DNSSEC=no
    printf '[main]\nplugins=keyfile\ndns=systemd-resolved\n' >"$LAB/etc/NetworkManager/NetworkManager.conf"
    # Where /sys cannot be written NetworkManager waits for no udev, which the lab has not.
    over_usr_spawn networkmanager sh -c 'mount -t sysfs -o ro sysfs /sys; exec NetworkManager --debug --log-level=INFO'
    poll_until 10000 over_usr nmcli general >"$BATS_TEST_TMPDIR/status"
    poll_until 10000 nm_has docker0:bridge:connected
    comes_and_goes
    domains_kept || figure "NetworkManager $(over_usr NetworkManager --version) took docker0's settings away"
    kept || true
    over_usr resolvectl flush-caches
    poll_until 5000 own_lookup web.docker "$(address web)"
    # One that is managed in so many words.
    over_usr nmcli device set docker0 managed yes
    poll_until 10000 nm_has docker0:bridge:connected
    comes_and_goes
    domains_kept || figure "NetworkManager $(over_usr NetworkManager --version) took the settings of a managed docker0 away"
    kept || true
    over_usr resolvectl flush-caches
    poll_until 5000 own_lookup web.docker "$(address web)"
    not kept
}

# resolved_with SETTING…: systemd-resolved, with these for all links, as set-up leaves it.
resolved_with() {
    printf '[Resolve]\nDNS=127.0.0.9\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\n' >"$LAB/etc/systemd/resolved.conf.d/lab.conf"
    printf '%s\n' "$@" >>"$LAB/etc/systemd/resolved.conf.d/lab.conf"
    over_usr_spawn resolved /lib/systemd/systemd-resolved
    poll_until 10000 over_usr resolvectl status >"$BATS_TEST_TMPDIR/status"
    resolv_conf 'nameserver 127.0.0.53' 'options timeout:2 attempts:1'
    run -0 own_setup
    unit ExecStart "$UNIT"
}

# both_ways SETTING VALUE: what set-up says of docker0's link is what makes names found there.
both_ways() {
    over_usr resolvectl "$1" docker0 "$2"
    over_usr resolvectl flush-caches
    finds_nothing web.docker
    unit ExecStart "$UNIT"
    over_usr resolvectl flush-caches
    poll_until 5000 own_lookup web.docker "$(address web)"
    leads_to "$(address web)" web.docker
}

@test "systemd-resolved with DNSSEC=yes finds the names, which nobody can have signed" {
    start web
    wait_up web
    resolved_with DNSSEC=yes
    own_lookup web.docker "$(address web)"
    both_ways dnssec yes
}

@test "systemd-resolved with DNSSEC=allow-downgrade finds the names" {
    start web
    wait_up web
    resolved_with DNSSEC=allow-downgrade
    own_lookup web.docker "$(address web)"
    leads_to "$(address web)" web.docker
    not lab_in getent hosts nobody.docker
}

@test "systemd-resolved with DNSOverTLS=yes finds the names, although dnsmasq does not speak TLS" {
    start web
    wait_up web
    resolved_with DNSSEC=no DNSOverTLS=yes
    own_lookup web.docker "$(address web)"
    both_ways dnsovertls yes
}

@test "NetworkManager asks dnsmasq for the domain and its own servers for the rest, and as before after --undo" {
    resolv_conf '# Generated by NetworkManager' 'nameserver 127.0.0.9'
    over_usr_spawn networkmanager NetworkManager --debug --log-level=INFO
    poll_until 10000 over_usr nmcli general >"$BATS_TEST_TMPDIR/status"
    start web
    wait_up web
    poll_until 5000 own_lookup known.example 198.18.255.1
    [[ $(doctor_of_resolver) == "broken "*"NetworkManager"*"-> callsign-setup"* ]]
    run -0 own_setup
    [[ $output == *"/etc/NetworkManager/dnsmasq.d/callsign.conf: made"* ]]
    over_usr nmcli general reload
    poll_until 10000 own_lookup web.docker "$(address web)"
    grep -qx 'nameserver 127.0.0.1' "$LAB/etc/resolv.conf"
    : >"$LAB/log/queries"
    own_lookup known.example 198.18.255.1
    not asked_upstream web.docker
    [[ $(doctor_of_resolver) == "ok "* ]]
    reverse_on_a_network true
    run -0 own_setup --undo
    over_usr nmcli general reload
    poll_until 10000 grep -qx 'nameserver 127.0.0.9' "$LAB/etc/resolv.conf"
    finds_nothing web.docker
    own_lookup known.example 198.18.255.1
}
