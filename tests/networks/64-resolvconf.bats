#!/usr/bin/env bats
# Where resolvconf or openresolv writes resolv.conf, as Debian's packages have them, with Debian's own start of dnsmasq: this host's programs find names
# as callsign-setup leaves them, and not any more after --undo. They run from a folder laid over /usr: nothing is installed on the machine.

load common

ISP=198.19.253.1 # the name server that the lease of a DHCP server names
DEFAULTS=$LAB/etc/default/dnsmasq
LIST_LINE=dnsmasq_resolv=

setup_file() {
    "$TESTS_DIR/lib/unpack" "$BUILD/resolvconf" resolvconf dnsmasq
    "$TESTS_DIR/lib/unpack" "$BUILD/openresolv" openresolv dnsmasq
}

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || cat "$LAB/etc/resolv.conf" "$LAB/run/dnsmasq/resolv.conf" "$LAB/log/started" || true
    [[ -z ${UNPACKED-} ]] || { own_setup --undo >/dev/null 2>&1 && stop; } || true
    lab_stop isp || true
    lab_in ip link delete isp0 2>/dev/null || true
    rm -rf "${LAB:?}"/etc/{resolv.conf,resolvconf,resolvconf.conf,resolv.conf.bak,default/dnsmasq,init.d/dnsmasq} "${LAB:?}"/run/{resolvconf,dnsmasq} "$LAB/state" \
        "$LAB/etc/dnsmasq.d/mine"
    [[ ! -e $LAB/secret/default ]] || mv "$LAB/secret/default" "$DEFAULTS"
    mkdir -p "$LAB/run/dnsmasq"
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    common_teardown
}

# shellcheck disable=SC2016 # for the inner shell
OVER_USR=(unshare --mount sh -ec 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr; mount -t tmpfs tmpfs /var/lib; shift; exec "$@"' -)

over_usr() {
    lab_in "${OVER_USR[@]}" "$UNPACKED" "$@"
}

# as_packaged WHICH: that package and dnsmasq's, as installed, with the lease of a DHCP server; dnsmasq does not run yet.
as_packaged() {
    UNPACKED=$BUILD/$1
    [[ ! -e $DEFAULTS ]] || mv "$DEFAULTS" "$LAB/secret/default"
    mkdir -p "$LAB"/etc/{default,init.d} "$LAB/run/resolvconf/interface"
    cp -a "$UNPACKED"/etc/resolvconf* "$LAB/etc"
    # In Debian 12 it is there; set-up says it where it is not.
    [[ $1 != openresolv ]] || grep -q "^$LIST_LINE" "$LAB/etc/resolvconf.conf" || echo "$LIST_LINE/run/dnsmasq/resolv.conf" >>"$LAB/etc/resolvconf.conf"
    cp -a "$UNPACKED/etc/default/dnsmasq" "$DEFAULTS"
    cp -a "$UNPACKED/etc/init.d/dnsmasq" "$LAB/etc/init.d/dnsmasq"
    # The lab's world holds port 53 of an address of the loopback, and Debian's dnsmasq takes that of all addresses.
    lab_stop dnsmasq upstream
    rm -rf "$LAB/run/dnsmasq" "$LAB/etc/resolv.conf" "${LAB:?}"/etc/dnsmasq.d/*
    cp "$UNPACKED/etc/dnsmasq.conf" "$LAB/etc/dnsmasq.conf"
    [[ $1 != resolvconf ]] || {
        ln -s ../run/resolvconf/resolv.conf "$LAB/etc/resolv.conf"
        over_usr resolvconf --enable-updates
    }
    isp
    lease "$ISP"
    servers_are "$ISP"
}

# Elsewhere, so that nobody here is in its way: known.example, and nothing else.
isp() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_spawn isp unshare --net sh -ec 'until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done; ip address add "$1/24" dev eth0; ip link set eth0 up
        exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --address=/known.example/198.18.255.1 --address=/#/' - "$ISP"
    poll_until 5000 isp_is_apart
    lab_in ip link add isp0 type veth peer name eth0 netns "$(lab_pid isp)"
    lab_in ip address add "${ISP%.*}.254/24" dev isp0
    lab_in ip link set isp0 up
    poll_until 5000 isp_answers
}

isp_is_apart() {
    [[ $(lab_in readlink "/proc/$(lab_pid isp)/ns/net") != "$(lab_in readlink /proc/1/ns/net)" ]]
}

isp_answers() {
    [[ $(lab_in dig +short +time=1 +tries=1 "@$ISP" known.example) == 198.18.255.1 ]]
}

# lease ADDRESS…: what the hook of the DHCP client tells.
lease() {
    { echo 'domain lease.example' && printf 'nameserver %s\n' "$@"; } | over_usr resolvconf -a eth0.dhclient
}

# Those that programs ask, one after the other.
servers() {
    sed -n 's/^nameserver //p' "$LAB/etc/resolv.conf" | paste -sd ' '
}

# It registers in the background, since 2.91.
servers_are() {
    poll_until 5000 servers_are_now "$*" || {
        printf 'the servers are %s, not %s\n' "$(servers)" "$*"
        return 1
    }
}

servers_are_now() {
    [[ $(servers) == "$1" ]]
}

start_dnsmasq() {
    over_usr /etc/init.d/dnsmasq start >"$LAB/log/started" 2>&1
}

stop() {
    over_usr /etc/init.d/dnsmasq stop >>"$LAB/log/started" 2>&1
}

# What it had registered is gone first, then resolv.conf is written, in the background.
is_out() {
    [[ -z $(find "$LAB/run/resolvconf" -name 'lo.dnsmasq') && " $(servers) " != *" 127.0.0.1 "* ]]
}

# As the service does: it takes itself out, and comes back.
restart_dnsmasq() {
    stop
    poll_until 5000 is_out
    start_dnsmasq
}

own_setup() {
    over_usr callsign-setup --no-broker --no-services --dnsmasq shared --docker-address "$LAB_ADDRESS" --state "$LAB/state" "$@"
}

# What every program on the host gets.
finds() {
    poll_until 5000 finds_now "$@"
}

finds_now() {
    [[ $(lab_in getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }') == "$2" ]]
}

finds_nothing() {
    not lab_in getent ahostsv4 "$1"
}

leads_to() {
    [[ $(lab_in getent hosts "$1" | awk '{ print $2 }') == "$2" ]]
}

all_is_found() {
    finds web.docker "$(address web)"
    leads_to "$(address web)" web.docker
    finds known.example 198.18.255.1
}

resolver_is() {
    # rabbitmqctl takes its time, and is asked nothing about this.
    mkdir -p "$LAB/secret/none"
    printf '#!/bin/sh\nexit 69\n' >"$LAB/secret/none/rabbitmqctl"
    chmod 0755 "$LAB/secret/none/rabbitmqctl"
    over_usr env PATH="$LAB/secret/none:$LAB_PATH" callsignctl doctor --json | jq -e --arg result "$1" '.checks[] | select(.check == "resolver") | .result == $result' >/dev/null
}

# The configuration of the machine, without what others write at run time.
snapshot() {
    rm -rf "${BATS_TEST_TMPDIR:?}/$1"
    mkdir "$BATS_TEST_TMPDIR/$1"
    cp -a "$LAB"/etc/{default,dnsmasq.conf,dnsmasq.d,docker,resolv.conf} "$BATS_TEST_TMPDIR/$1"
}

same_as() {
    snapshot now
    diff -r --no-dereference "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/now"
}

# ---- stories ----

# Installed after dnsmasq, as resolvconf is on most machines: dnsmasq has registered already.
registers_already() {
    as_packaged "$1"
    start_dnsmasq
    servers_are 127.0.0.1
    finds known.example 198.18.255.1
    snapshot before
    run -0 own_setup
    not grep -qE '^(except-interface|interface)=' "$LAB/etc/dnsmasq.d/callsign"
    cmp "$DEFAULTS" "$UNPACKED/etc/default/dnsmasq"
    restart_dnsmasq
    start web
    all_is_found
    resolver_is ok
    # The lease changes.
    lease "$ISP" 198.19.253.2
    servers_are 127.0.0.1
    [[ $(sed -n 's/^nameserver //p' "$LAB/run/dnsmasq/resolv.conf" | paste -sd ' ') == "$ISP 198.19.253.2" ]]
    all_is_found
    undone
}

undone() {
    run -0 own_setup
    [[ $output == *"nothing to do"* ]]
    run -0 own_setup --undo
    restart_dnsmasq
    servers_are 127.0.0.1
    same_as before
    finds_nothing web.docker
    finds known.example 198.18.255.1
}

# dnsmasq has not been started yet: resolv.conf names the lease's server alone.
registers_with_us() {
    as_packaged "$1"
    run -0 own_setup
    [[ $output != *"never edited"* ]]
    grep -qx bind-dynamic "$LAB/etc/dnsmasq.d/callsign"
    not grep -q '^except-interface' "$LAB/etc/dnsmasq.d/callsign"
    start_dnsmasq
    servers_are 127.0.0.1
    snapshot before
    start web
    all_is_found
    resolver_is ok
    run -0 own_setup
    [[ $output == *"nothing to do"* ]]
    same_as before
    run -0 own_setup --undo
    restart_dnsmasq
    finds_nothing web.docker
    finds known.example 198.18.255.1
    [[ -z $(ls "$LAB/etc/dnsmasq.d") ]]
    cmp "$DEFAULTS" "$UNPACKED/etc/default/dnsmasq"
}

# What Debian's dnsmasq does to a host whose administrator has told it to leave the loopback alone: no program finds any name.
left_alone() {
    as_packaged "$1"
    printf 'bind-dynamic\nexcept-interface=eth7,lo\n' >"$LAB/etc/dnsmasq.d/mine"
    start_dnsmasq
    servers_are 127.0.0.1
    finds_nothing known.example
    cp -a "$DEFAULTS" "$BATS_TEST_TMPDIR/defaults"
    run -0 own_setup
    [[ $output == *"dnsmasq is to leave the loopback alone (/etc/dnsmasq.d/mine:2)"*"the first server in resolv.conf is $LAB_ADDRESS"* ]]
    [[ $output == *$'\nnot run: /sbin/resolvconf -d lo.dnsmasq'* ]]
    restart_dnsmasq
    servers_are "$ISP"
    finds known.example 198.18.255.1
    run -0 own_setup
    [[ $output == *"nothing to do"* ]]
    # Containers have all of it.
    start web
    wait_up web
    [[ $(resolve known.example) == 198.18.255.1 ]]
    run -0 own_setup --undo
    cmp "$DEFAULTS" "$BATS_TEST_TMPDIR/defaults"
}

# comes_later WHICH: set up on a host whose resolv.conf nobody wrote; then the package is installed, and dnsmasq restarted.
comes_later() {
    as_packaged "$1"
    rm "$LAB/etc/resolv.conf"
    printf 'nameserver %s\n' "$ISP" >"$LAB/etc/resolv.conf"
    run -0 lab_in callsign-setup --no-broker --no-services --dnsmasq shared --docker-address "$LAB_ADDRESS" --state "$LAB/state"
    grep -qx 'except-interface=lo' "$LAB/etc/dnsmasq.d/callsign"
    rm "$LAB/etc/resolv.conf"
    [[ $1 != resolvconf ]] || ln -s ../run/resolvconf/resolv.conf "$LAB/etc/resolv.conf"
    over_usr resolvconf -u
    start_dnsmasq
    # The host is without any name server then.
    servers_are 127.0.0.1
    finds_nothing known.example
    run -0 own_setup
    not grep -q '^except-interface' "$LAB/etc/dnsmasq.d/callsign"
    restart_dnsmasq
    start web
    all_is_found
    run -0 own_setup
    [[ $output == *"nothing to do"* ]]
}

# ---- cases ----

@test "resolvconf, with dnsmasq registered: it goes on being this host's resolver, with our names, and as before after --undo" {
    registers_already resolvconf
}

@test "openresolv, with dnsmasq registered: it goes on being this host's resolver, with our names, and as before after --undo" {
    registers_already openresolv
}

@test "resolvconf, before dnsmasq is started: it registers, and this host's programs find our names and the world's" {
    registers_with_us resolvconf
}

@test "openresolv, before dnsmasq is started: it registers, and this host's programs find our names and the world's" {
    registers_with_us openresolv
}

@test "resolvconf: a dnsmasq that is told to leave the loopback alone registers there all the same, and is kept from it" {
    left_alone resolvconf
}

@test "openresolv: a dnsmasq that is told to leave the loopback alone registers there all the same, and is kept from it" {
    left_alone openresolv
}

@test "resolvconf that comes after callsign-setup: the next run mends what dnsmasq's registering does" {
    comes_later resolvconf
}

@test "openresolv that comes after callsign-setup: the next run mends what dnsmasq's registering does" {
    comes_later openresolv
}

@test "openresolv that keeps no list of servers for dnsmasq, as in Debian 13: the line that it needs is said" {
    as_packaged openresolv
    run -0 own_setup --dry-run
    [[ $output != *"keeps no list"* ]]
    sed -i "/^$LIST_LINE/d" "$LAB/etc/resolvconf.conf"
    run -0 own_setup
    [[ $output == *"add dnsmasq_resolv=/run/dnsmasq/resolv.conf to /etc/resolvconf.conf, then resolvconf -u"* ]]
    rm -rf "$LAB/run/dnsmasq"
    start_dnsmasq
    servers_are 127.0.0.1
    finds_nothing known.example
    echo 'dnsmasq_resolv=/run/dnsmasq/resolv.conf' >>"$LAB/etc/resolvconf.conf"
    over_usr resolvconf -u
    finds known.example 198.18.255.1
    run -0 own_setup
    [[ $output != *"keeps no list"* ]]
}
