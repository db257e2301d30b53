# Name servers with a zone of their own as parts of the lab: BIND 9, Knot, PowerDNS and YADIFA. Sourced by the suites that need them. Their zones are below /run, so on a tmpfs:
# what a disk takes for each change is the disk's.
# shellcheck shell=bash

declare -gA ZONE_ADDRESS=([bind]=127.0.0.21 [knot]=127.0.0.22 [pdns]=127.0.0.23 [yadifa]=127.0.0.24)
ZONE_REVERSE=18.198.in-addr.arpa
ZONE_KEY=callsign

# zone_files SERVER: key, zones (a static host in it) and configuration, all new.
zone_files() {
    local dir=$LAB/run/$1 secret
    rm -rf "${dir:?}"
    mkdir -p "$dir/db"
    chmod 0755 "$dir"
    secret=$(head -c 32 /dev/urandom | base64 -w 0)
    printf 'key "%s" {\n\talgorithm hmac-sha256;\n\tsecret "%s";\n};\n' "$ZONE_KEY" "$secret" >"$dir/key"
    install -m 0640 -g "$LAB_CALLSIGN_ID" "$dir/key" "$LAB/etc/callsign/tsig"
    # shellcheck disable=SC2016 # the zone's own $
    printf '$TTL 60\n@ SOA ns.docker. root.docker. 1 3600 600 86400 2\n@ NS ns.docker.\n' | tee "$dir/reverse" >"$dir/docker"
    printf 'ns A %s\nstatic A 198.18.0.99\n' "${ZONE_ADDRESS[$1]}" >>"$dir/docker"
    "zone_files_$1" "$dir" "$secret"
}

zone_files_bind() {
    cat >"$1/named.conf" <<CONF
include "/run/bind/key";
options {
    directory "/run/bind";
    listen-on { ${ZONE_ADDRESS[bind]}; };
    listen-on-v6 { none; };
    pid-file "/run/bind/pid";
    session-keyfile none;
    recursion no;
    notify no;
    dnssec-validation no;
};
controls { };
zone "docker" { type primary; file "docker"; allow-update { key $ZONE_KEY; }; allow-transfer { key $ZONE_KEY; }; };
zone "$ZONE_REVERSE" { type primary; file "reverse"; allow-update { key $ZONE_KEY; }; allow-transfer { key $ZONE_KEY; }; };
CONF
}

zone_files_knot() {
    cat >"$1/knot.conf" <<CONF
server:
    listen: ${ZONE_ADDRESS[knot]}@53
    rundir: /run/knot
database:
    storage: /run/knot/db
log:
  - target: stderr
    any: info
key:
  - id: $ZONE_KEY
    algorithm: hmac-sha256
    secret: $2
acl:
  - id: callsign
    key: $ZONE_KEY
    action: [update, transfer]
template:
  - id: default
    storage: /run/knot
    acl: callsign
    zonefile-sync: -1
zone:
  - domain: docker
    file: docker
  - domain: $ZONE_REVERSE
    file: reverse
CONF
}

# Its zones are in a database, and what a key may do there is said in the zone's metadata.
zone_files_pdns() {
    local zone
    cat >"$1/pdns.conf" <<CONF
launch=gsqlite3
gsqlite3-database=/run/pdns/db/zones
gsqlite3-pragma-synchronous=0
local-address=${ZONE_ADDRESS[pdns]}
socket-dir=/run/pdns
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
CONF
    lab_in python3 - <<'SCRIPT' || return 1
import sqlite3
with open("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql") as schema, sqlite3.connect("/run/pdns/db/zones") as database:
    database.executescript(schema.read())
SCRIPT
    pdns_say load-zone docker /run/pdns/docker
    pdns_say load-zone "$ZONE_REVERSE" /run/pdns/reverse
    pdns_say import-tsig-key "$ZONE_KEY" hmac-sha256 "$2"
    for zone in docker "$ZONE_REVERSE"; do
        pdns_say set-meta "$zone" TSIG-ALLOW-DNSUPDATE "$ZONE_KEY"
        pdns_say set-meta "$zone" TSIG-ALLOW-AXFR "$ZONE_KEY"
    done
}

# pdns_say COMMAND…: of pdnsutil.
pdns_say() {
    lab_in pdnsutil --config-dir=/run/pdns "$@" >>"$LAB/log/pdnsutil" 2>&1
}

zone_files_yadifa() {
    mkdir -p "$1/log" "$1/xfr"
    cat >"$1/yadifad.conf" <<CONF
<main>
    listen ${ZONE_ADDRESS[yadifa]}
    datapath /run/yadifa
    keyspath /run/yadifa/xfr
    xfrpath /run/yadifa/xfr
    logpath /run/yadifa/log
    pidfile /run/yadifa/pid
    uid root
    gid root
    daemon off
</main>
<key>
    name $ZONE_KEY
    algorithm hmac-sha256
    secret $2
</key>
<channels>
    out /run/yadifa/log/all 0644
</channels>
<loggers>
    server * out
    queries * out
</loggers>
<zone>
    domain docker
    file docker
    type primary
    allow-update key $ZONE_KEY
    allow-transfer key $ZONE_KEY
</zone>
<zone>
    domain $ZONE_REVERSE
    file reverse
    type primary
    allow-update key $ZONE_KEY
    allow-transfer key $ZONE_KEY
</zone>
CONF
}

# It listens on addresses that an interface has, and on no others.
part_bind_start() {
    lab_in ip address replace "${ZONE_ADDRESS[bind]}/32" dev lo || return 1
    lab_spawn bind named -g -u root -c /run/bind/named.conf
}

part_knot_start() {
    lab_spawn knot knotd -c /run/knot/knot.conf
}

part_pdns_start() {
    lab_spawn pdns pdns_server --config-dir=/run/pdns --daemon=no --guardian=no --disable-syslog
}

part_pdns_wait() {
    lab_await pdns 10000 zone_serves pdns
}

part_yadifa_start() {
    lab_spawn yadifa yadifad -c /run/yadifa/yadifad.conf --nodaemon
}

part_yadifa_wait() {
    lab_await yadifa 10000 zone_serves yadifa
}

# zone_dig SERVER NAME TYPE: the answers, sorted.
zone_dig() {
    lab_in dig +short +time=1 +tries=1 "@${ZONE_ADDRESS[$1]}" "$2" "${3-A}" | grep -v '^;' | sort
}

zone_serves() {
    [[ -n $(zone_dig "$1" docker SOA) && -n $(zone_dig "$1" "$ZONE_REVERSE" SOA) ]]
}

part_bind_wait() {
    lab_await bind 10000 zone_serves bind
}

part_knot_wait() {
    lab_await knot 10000 zone_serves knot
}

# zone_says SERVER NAME TYPE ANSWERS: whether these are all the answers.
zone_says() {
    [[ $(zone_dig "$1" "$2" "$3" | tr '\n' ' ') == "${4:+$4 }" ]]
}

# zone_update SERVER LINE…: by hand, as an operator would.
zone_update() {
    local server=$1
    shift
    printf '%s\n' "server ${ZONE_ADDRESS[$server]}" "$@" send | lab_in nsupdate -k "/run/$server/key"
}

# zone_mark SERVER ZONE…: they are the daemon's to write.
zone_mark() {
    local server=$1 zone
    shift
    for zone in "$@"; do
        zone_update "$server" "update add _callsign.$zone 3600 TXT \"callsign owner=lab\"" || return 1
    done
}

# zone_section SERVER [LINE…]: the section of callsignd.conf.
zone_section() {
    printf '%s\n' 'zone "docker" {' "    server = \"${ZONE_ADDRESS[$1]}\"" '    secret_file = "/etc/callsign/tsig"' \
        "    reverse = { \"$ZONE_REVERSE\" }" '    check = 0.5' '    timeout = 1' "${@:2}" '}'
}
