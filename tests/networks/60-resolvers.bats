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
