#!/usr/bin/env bats
# Name servers that hold port 53 of the loopback: callsign-setup listens on the bridges alone and says what that server is to be told, in words that
# the real one takes; then this host's programs find what is true now. They run from a folder laid over /usr: nothing is installed on the machine.

load common

UNPACKED=$BUILD/servers
SERVERS=(unbound pdns-recursor bind9 bind9-utils nscd)

setup_file() {
    [[ -z $(apt-cache madison knot-resolver 2>/dev/null) ]] || SERVERS+=(knot-resolver)
    "$TESTS_DIR/lib/unpack" "$UNPACKED" "${SERVERS[@]}"
}

setup() {
    common_setup
    DIR=$LAB/run/between
    mkdir -p "$DIR"
    printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:2\n' >"$LAB/etc/resolv.conf"
}

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || tail -n 30 "$LAB/log/between" || true
    lab_stop between || true
    [[ ! -e $DIR/root.conf ]] || lab_stop root || true
    rm -rf "$DIR" "$LAB/state" "$LAB/etc/dnsmasq.d/other"
    own_end
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    common_teardown
}

# shellcheck disable=SC2016 # for the inner shell
OVER_USR=(unshare --mount sh -ec 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr; mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /var/cache
    mkdir -p /var/cache/bind; shift; exec "$@"' -)

between() {
    lab_stop between 2>/dev/null || true
    lab_spawn between "${OVER_USR[@]}" "$UNPACKED" "$@"
    poll_until 15000 answers_the_world
}

answers_the_world() {
    [[ $(lab_in dig +short +time=1 +tries=1 @127.0.0.1 known.example A) == 198.18.255.1 ]]
}

# What callsign-setup says that PROGRAM is to be told: the lines that are indented, those behind "and after it:" into said.after.
told() {
    run -0 lab_in callsign-setup --no-broker --no-services --dry-run --docker-address "$LAB_ADDRESS" --state "$LAB/state" --dnsmasq shared
    [[ $output == *"$1 is this host's name server"* ]]
    sed -n "/^$1 is this host's/,\$p" <<<"$output" | sed '1d; /^[^ ]*: \(made\|changed\)$/,$d; /^or in /,$d' >"$BATS_TEST_TMPDIR/all"
    sed '/^and after it/,$d' "$BATS_TEST_TMPDIR/all" | grep '^  ' >"$BATS_TEST_TMPDIR/said"
    sed '1,/^and after it/d' "$BATS_TEST_TMPDIR/all" | grep '^  ' | sed 's/^  //' >"$BATS_TEST_TMPDIR/said.after"
}

finds() {
    [[ $(lab_in getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }') == "$2" ]]
}

finds_nothing() {
    not lab_in getent ahostsv4 "$1"
}

freshness() {
    lab_in env PATH="$(broker_tool):$LAB_PATH" callsignctl doctor --json |
        jq -r '.checks[] | select(.check == "freshness" or .check == "resolver") | .result + " " + .what'
}

# All that a name may be: asked for too early, there, without an IPv6 address, found by its address, gone.
all_is_true() {
    finds_nothing web.docker
    start web
    wait_up web
    poll_until 1500 finds web.docker "$(address web)"
    [[ $(lab_in dig +time=2 +tries=1 @127.0.0.1 serial.callsign.docker AAAA) == *"status: NOERROR"* ]]
    poll_until 1500 finds_by_address "$(address web)" web.docker
    remove_containers
    poll_until 3000 finds_nothing web.docker
    run -0 freshness
    printf '%s\n' "$output"
    [[ $(grep -c '^ok ' <<<"$output") == 2 ]]
}

finds_by_address() {
    [[ $(lab_in getent hosts "$1" | awk '{ print $2 }') == "$2" ]]
}

# whom_containers_ask LINE RESULT TEXT: the doctor's word on a dnsmasq with LINE, which asks one of our own.
whom_containers_ask() {
    printf '%s\n' "$1" >"$LAB/etc/dnsmasq.d/other"
    lab_restart dnsmasq
    run -0 lab_in env PATH="$(broker_tool):$LAB_PATH" callsignctl doctor
    grep -qE -- "^$2 +freshness +$3" <<<"$output"
}

unbound_conf() {
    printf 'server:\n  directory: "%s"\n  username: ""\n  chroot: ""\n  pidfile: ""\n  interface: 127.0.0.1\n' /run/between
    cat "$1"
    printf 'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.9\n'
    cat "$2"
}

@test "unbound on the loopback: the lines that are said make it right" {
    unbound_conf /dev/null /dev/null | sed 's/^server:/&\n  do-not-query-localhost: no/' >"$DIR/conf"
    between unbound -d -c /run/between/conf
    not finds serial.callsign.docker "$(resolve serial.callsign.docker)"
    told unbound
    # Private addresses are let through for the domain alone; and what is past its time to live is no answer, where others' is.
    unbound_conf "$BATS_TEST_TMPDIR/said" "$BATS_TEST_TMPDIR/said.after" |
        sed 's/^server:/&\n  serve-expired: yes\n  private-address: fd00::\/8/' >"$DIR/conf"
    between unbound -d -c /run/between/conf
    all_is_true
    private_is_let_through
    grep -v private-domain "$DIR/conf" >"$DIR/without"
    between unbound -d -c /run/between/without
    private_is_held_back
}

# dnsmasq answers each of its connections from what it knew when that was opened.
@test "unbound that asks over TCP and keeps its connections: who has gone is gone at once" {
    unbound_conf /dev/null /dev/null | sed 's/^server:/&\n  do-not-query-localhost: no/' >"$DIR/conf"
    between unbound -d -c /run/between/conf
    told unbound
    unbound_conf "$BATS_TEST_TMPDIR/said" "$BATS_TEST_TMPDIR/said.after" |
        sed -e 's/^server:/&\n  max-reuse-tcp-queries: 100000\n  tcp-reuse-timeout: 100000/' -e '/name: "docker/a\  forward-tcp-upstream: yes' >"$DIR/conf"
    grep -q forward-tcp-upstream "$DIR/conf"
    between unbound -d -c /run/between/conf
    start web
    wait_up web
    for _ in {1..30}; do
        finds web.docker "$(address web)"
        sleep 0.1
    done
    remove_containers
    wait_gone web.docker
    poll_until 1000 finds_nothing web.docker
    start web
    wait_up web
    poll_until 2000 finds web.docker "$(address web)" # the connection was opened just now, for "no such name"
}

# The IPv6 address of a container, which whoever guards against rebinding keeps to himself.
private_is_let_through() {
    start web
    wait_up web
    poll_until 3000 finds_ipv6 web
}

finds_ipv6() {
    local own
    own=$(lab_docker inspect --format '{{.NetworkSettings.Networks.bridge.GlobalIPv6Address}}' "$1")
    [[ $(lab_in dig +short +time=2 +tries=1 @127.0.0.1 "$1.docker" AAAA) == "$own" ]]
}

private_is_held_back() {
    [[ -z $(lab_in dig +short +time=2 +tries=1 @127.0.0.1 web.docker AAAA) ]]
}

# ---- servers that validate ----

over() {
    lab_in "${OVER_USR[@]}" "$UNPACKED" "$@"
}

# A signed root of a world of one name, at 127.0.0.1 port 5354. As in the world's own root nothing is below `docker`, and that is signed; and the reverse zones
# of private networks are delegated without a signature (RFC 7535), as this one is. Its key: $DIR/anchor.
signed_root() {
    over dnssec-keygen -q -a ECDSAP256SHA256 -K /run/between .
    over dnssec-keygen -q -a ECDSAP256SHA256 -f KSK -K /run/between . >"$BATS_TEST_TMPDIR/key"
    grep -v '^;' "$DIR/$(<"$BATS_TEST_TMPDIR/key").key" >"$DIR/anchor"
    printf '%s\n' '. 60 SOA ns. admin. 1 3600 600 86400 60' '. 60 NS ns.' 'ns. 60 A 127.0.0.1' 'known.example. 60 A 198.18.255.1' \
        '18.198.in-addr.arpa. 60 NS ns.' >"$DIR/root.zone"
    over dnssec-signzone -S -K /run/between -d /run/between -o . -f /run/between/root.signed /run/between/root.zone >"$BATS_TEST_TMPDIR/signed" 2>&1
    printf '%s\n' 'options { directory "/run/between"; listen-on port 5354 { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;' \
        '  pid-file "/run/between/root.pid"; session-keyfile "/run/between/root.key"; dnssec-validation no; };' 'controls { };' \
        'zone "." { type primary; file "/run/between/root.signed"; };' >"$DIR/root.conf"
    lab_spawn root "${OVER_USR[@]}" "$UNPACKED" named -g -c /run/between/root.conf
    poll_until 10000 root_answers
}

root_answers() {
    [[ $(lab_in dig +short +time=1 +tries=1 -p 5354 @127.0.0.1 known.example A) == 198.18.255.1 ]]
}

validates() {
    lab_in dig +adflag +time=3 +tries=1 @127.0.0.1 known.example A | grep -q '^;; flags:[^;]* ad[ ;]'
}

is_bogus() {
    [[ $(lab_in dig +time=3 +tries=1 @127.0.0.1 web.docker A) == *"status: SERVFAIL"* ]]
}

# insecure_then_right WORD RUN…: RUN… runs the server with what was said (a file for each part). Without the lines with WORD it takes the names for forged.
insecure_then_right() {
    local word=$1
    shift
    grep -v "$word" "$BATS_TEST_TMPDIR/said" >"$BATS_TEST_TMPDIR/less" || true
    grep -v "$word" "$BATS_TEST_TMPDIR/said.after" >"$BATS_TEST_TMPDIR/less.after" || true
    "$@" "$BATS_TEST_TMPDIR/less" "$BATS_TEST_TMPDIR/less.after"
    validates
    start web
    wait_up web
    is_bogus
    remove_containers
    "$@" "$BATS_TEST_TMPDIR/said" "$BATS_TEST_TMPDIR/said.after"
    validates
    poll_until 5000 finds_nothing web.docker
    all_is_true
}

unbound_validating() {
    unbound_conf "$1" "$2" | sed 's,^server:,&\n  do-not-query-localhost: no\n  module-config: "validator iterator"\n  trust-anchor-file: /run/between/anchor,
        s/127\.0\.0\.9/127.0.0.1@5354/' >"$DIR/conf"
    between unbound -d -c /run/between/conf
}

@test "unbound that validates: nobody can have signed the names, and the lines that are said make it right" {
    signed_root
    unbound_validating /dev/null /dev/null
    told unbound
    insecure_then_right domain-insecure unbound_validating
}

bind_validating() {
    bind_conf "$1" "$2" | sed 's/dnssec-validation no; forwarders { 127.0.0.9; }/dnssec-validation yes; forwarders { 127.0.0.1 port 5354; }/' >"$DIR/conf"
    awk '{ sub(/.* DNSKEY /, ""); printf "trust-anchors { . static-key %s %s %s \"", $1, $2, $3; $1 = $2 = $3 = ""; gsub(/ /, ""); print $0 "\"; };" }' "$DIR/anchor" \
        >>"$DIR/conf"
    between named -g -c /run/between/conf
}

@test "BIND that validates: nobody can have signed the names, and the lines that are said make it right" {
    signed_root
    bind_validating /dev/null /dev/null
    told named
    insecure_then_right validate-except bind_validating
}

pdns_validating() {
    printf '%s\n' local-address=127.0.0.1 socket-dir=/run/between daemon=no setuid= setgid= write-pid=no dnssec=validate dont-query= \
        forward-zones-recurse=.=127.0.0.1:5354 lua-config-file=/run/between/trust.lua >"$DIR/recursor.conf"
    sed 's/^  //' "$1" >>"$DIR/recursor.conf"
    printf '%s\n' "clearTA('.')" "addTA('.', \"$(over dnssec-dsfromkey -2 "/run/between/$(<"$BATS_TEST_TMPDIR/key")" | sed 's/.* DS //')\")" >"$DIR/trust.lua"
    cat "$2" >>"$DIR/trust.lua"
    pdns
}

@test "pdns-recursor that validates: nobody can have signed the names, and the lines that are said make it right" {
    signed_root
    pdns_validating /dev/null /dev/null
    told pdns_recursor
    insecure_then_right addNTA pdns_validating
}

# ---- others ----

# One that is not the service's: it reads a file of its own. LINE…: in there.
other_dnsmasq() {
    printf '%s\n' no-resolv no-hosts bind-interfaces listen-address=127.0.0.1 server=127.0.0.9 stop-dns-rebind "$@" >"$DIR/conf"
    between dnsmasq --keep-in-foreground --pid-file=/run/between/pid --conf-file=/run/between/conf
}

@test "another dnsmasq on the loopback: this host's keeps to the bridges, and the lines that are said make it right" {
    other_dnsmasq
    told dnsmasq
    grep -q rebind-domain-ok "$BATS_TEST_TMPDIR/said"
    # Where there is no piece yet: ours would get in that one's way if it listened everywhere.
    lab_in rm -f /etc/dnsmasq.d/callsign
    run -0 lab_in callsign-setup --no-services --no-broker --dry-run --docker-address "$LAB_ADDRESS" --state /run/none --dnsmasq shared
    dnsmasq_files
    grep -qx '+ interface=docker0' <<<"$output"
    grep -qx '+ except-interface=lo' <<<"$output"
    grep -qx '+ bind-dynamic' <<<"$output"
    sed 's/^  //' "$BATS_TEST_TMPDIR/said" >"$BATS_TEST_TMPDIR/lines"
    mapfile -t lines <"$BATS_TEST_TMPDIR/lines"
    other_dnsmasq "${lines[@]}"
    all_is_true
    private_is_let_through
    other_dnsmasq "$(grep -v rebind "$BATS_TEST_TMPDIR/lines")"
    private_is_held_back
}

# This host's own dnsmasq, on the loopback as Debian starts it, is no other one.
@test "this host's dnsmasq on the loopback is told by its own piece, and nothing is said" {
    lab_stop dnsmasq
    lab_spawn dnsmasq dnsmasq --keep-in-foreground --log-facility=- --conf-file=/etc/dnsmasq.conf --listen-address=127.0.0.1
    poll_until 10000 answers_the_world
    lab_in rm -f /etc/dnsmasq.d/callsign
    run -0 lab_in callsign-setup --no-services --no-broker --dry-run --docker-address "$LAB_ADDRESS" --state /run/none --dnsmasq shared
    lab_restart dnsmasq
    [[ $output != *"is this host's name server"* && $output != *except-interface* && $output == *"+ addn-hosts=/run/callsign/hosts"* ]]
}

bind_conf() {
    printf 'options {\n  directory "/run/between"; listen-on { 127.0.0.1; }; listen-on-v6 { none; }; pid-file "/run/between/pid";\n'
    printf '  session-keyfile "/run/between/key"; dnssec-validation no; forwarders { 127.0.0.9; }; forward only;\n'
    cat "$1"
    printf '};\ncontrols { };\n'
    cat "$2"
}

@test "BIND on the loopback: the lines that are said make it right" {
    bind_conf /dev/null /dev/null >"$DIR/conf"
    between named -g -c /run/between/conf
    told named
    # One that gives old answers at once, and asks only then.
    bind_conf "$BATS_TEST_TMPDIR/said" "$BATS_TEST_TMPDIR/said.after" |
        sed 's/^options {/& stale-cache-enable yes; stale-answer-enable yes; stale-answer-client-timeout 0;/' >"$DIR/conf"
    between named -g -c /run/between/conf
    all_is_true
}

# 5.x reads YAML unless told otherwise; its settings have the same names.
pdns() {
    local old=()
    [[ $(over_help pdns_recursor) != *enable-old-settings* ]] || old=(--enable-old-settings)
    between pdns_recursor --config-dir=/run/between "${old[@]}"
}

over_help() {
    lab_in "${OVER_USR[@]}" "$UNPACKED" "$1" --help 2>&1
}

@test "pdns-recursor on the loopback: the lines that are said make it right" {
    printf '%s\n' local-address=127.0.0.1 socket-dir=/run/between daemon=no setuid= setgid= write-pid=no dnssec=off dont-query= \
        forward-zones-recurse=.=127.0.0.9 >"$DIR/recursor.conf"
    pdns
    told pdns_recursor
    sed 's/^  //' "$BATS_TEST_TMPDIR/said" >>"$DIR/recursor.conf"
    pdns
    all_is_true
}

@test "Knot Resolver on the loopback: the lines that are said make it right" {
    [[ -x $UNPACKED/usr/sbin/kresd ]] || skip "this Debian has no Knot Resolver 5"
    printf '%s\n' "net.listen('127.0.0.1', 53, {kind='dns'})" "net.ipv6 = false" "trust_anchors.remove('.')" 'cache.size = 10 * MB' >"$DIR/conf.lua"
    cp "$DIR/conf.lua" "$DIR/last.lua"
    printf '%s\n' "policy.add(policy.all(policy.STUB('127.0.0.9')))" >>"$DIR/last.lua"
    between kresd -n -c /run/between/last.lua /run/between
    told kresd
    cat "$DIR/conf.lua" "$BATS_TEST_TMPDIR/said" >"$DIR/last.lua"
    printf '%s\n' "policy.add(policy.all(policy.STUB('127.0.0.9')))" >>"$DIR/last.lua"
    between kresd -n -c /run/between/last.lua /run/between
    all_is_true
}

# nscd_with LINE…: it keeps hosts as Debian's does, but for these.
nscd_with() {
    lab_stop between 2>/dev/null || true
    rm -rf "$LAB/run/nscd"
    mkdir -p "$LAB/run/nscd"
    printf '%s\n' 'server-user root' 'paranoia no' 'enable-cache hosts yes' 'positive-time-to-live hosts 600' 'negative-time-to-live hosts 20' "$@" >"$DIR/conf"
    lab_spawn between "${OVER_USR[@]}" "$UNPACKED" sh -c 'mkdir -p /var/cache/nscd; exec nscd -F -f /run/between/conf'
    poll_until 5000 test -S "$LAB/run/nscd/socket"
    run -0 lab_in env PATH="$(broker_tool):$LAB_PATH" callsignctl doctor
}

@test "nscd: the doctor names it and its setting, and with that it is right" {
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    nscd_with
    grep -q '^warning  freshness .*(nscd) keeps' <<<"$output"
    sed -n '/nscd.conf/,/^[a-z]/s/^ *->   *\([a-z-]* hosts [0-9]*\)$/\1/p' <<<"$output" >"$BATS_TEST_TMPDIR/said"
    mapfile -t lines <"$BATS_TEST_TMPDIR/said"
    [[ ${lines[*]} == 'negative-time-to-live hosts 0 positive-time-to-live hosts 1' ]]
    nscd_with "${lines[@]}"
    grep -q '^ok  *freshness ' <<<"$output"
    lab_stop between
    rm -rf "$LAB/run/nscd"
}

@test "this host's dnsmasq keeps what one of our own says: the doctor names its setting and the line, whoever asks" {
    own_begin
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    whom_containers_ask use-stale-cache warning 'whom containers ask \(dnsmasq\) (answers from what it knew, and asks only then: .* got the old answer|keeps )'
    grep -qF -- '-> take out use-stale-cache (/etc/dnsmasq.d/other:1), then restart that dnsmasq' <<<"$output"
    # This host's own programs ask somebody else.
    printf 'nameserver 198.18.0.77\n' >"$LAB/etc/resolv.conf"
    whom_containers_ask min-cache-ttl=20 warning 'whom containers ask \(dnsmasq\) keeps'
    grep -qF -- '-> take out min-cache-ttl=20 (/etc/dnsmasq.d/other:1), then restart that dnsmasq' <<<"$output"
    whom_containers_ask neg-ttl=20 ok 'what containers find is so now'
    [[ $output != *"no such name"* ]]
}
