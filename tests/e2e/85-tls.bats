#!/usr/bin/env bats
# amqps with both programs, against RabbitMQ's own TLS listeners: one for each thing that can be wrong.

load common
export LAB_ENGINE=runc

TLS=$LAB/tls
GOOD=5671 EXPIRED=5681 WRONG=5682 SELF=5683 UNKNOWN=5684 OLD=5685 CLIENT=5686 NAMED=5687 SILENT=5690

setup_file() {
    load common
    mkdir -p "$TLS"
    make_certificates
    broker_run rabbitmq-plugins --quiet enable rabbitmq_auth_mechanism_ssl
    listeners
    lab_spawn silent /usr/bin/python3 "$TESTS_DIR/lib/silent.py" "$SILENT"
    poll_until 5000 grep -q listening "$LAB/log/silent"
}

teardown_file() {
    load common
    lab_stop silent
    rabbitmqctl eval 'application:set_env(rabbit, auth_mechanisms, ['"'PLAIN', 'AMQPLAIN'"']).' >/dev/null
}

teardown() {
    lab_stop tls
    common_teardown
}

make_certificates() {
    "$TESTS_DIR/lib/certificates" "$TLS" "$LAB_ADDRESS"
    chmod 0644 "$TLS"/*.pem
}

# The listeners end with the broker: no other suite sees them after it restarted one.
listeners() {
    rabbitmqctl eval '
        [ok = application:set_env(rabbit, Key, Value) || {Key, Value} <- [
            {ssl_options, [{verify, verify_peer}]}, {ssl_cert_login_from, common_name},
            {auth_mechanisms, ['"'PLAIN', 'AMQPLAIN', 'EXTERNAL'"']}]],
        Folder = "'"$TLS"'/",
        [ok = rabbit_networking:start_ssl_listener({"0.0.0.0", Port, inet}, [{cacertfile, Folder ++ "ca.pem"},
            {certfile, Folder ++ Name ++ ".pem"}, {keyfile, Folder ++ Name ++ ".key"} | More], 1) || {Port, Name, More} <- [
            {'$GOOD', "good", []}, {'$EXPIRED', "expired", []}, {'$WRONG', "wrong", []}, {'$SELF', "self", []},
            {'$UNKNOWN', "unknown", []}, {'$OLD', "good", [{versions, [tlsv1]}]}, {'$NAMED', "named", []},
            {'$CLIENT', "good", [{verify, verify_peer}, {fail_if_no_peer_cert, true}]}]].' >/dev/null
}

# mend NAME: that listener has a good certificate from here on.
mend() {
    cp "$TLS/good.pem" "$TLS/$1.pem"
    cp "$TLS/good.key" "$TLS/$1.key"
    rabbitmqctl eval 'ssl:clear_pem_cache().' >/dev/null
}

# start_tls PORT [DOCKER-OPTION…]: an emitter called web that trusts our CA.
start_tls() {
    local port=$1
    shift
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$port/callsign" --env CALLSIGN_TLS_CA=/tls/ca.pem --volume "$TLS:/tls:ro" "$@"
}

# said PATTERN: the emitter says it, and once only although it goes on trying.
said() {
    wait_output web "$1"
    [[ $(output_count web "$1") == 1 ]]
}

# refused PORT NAME PATTERN: the emitter says why, goes on trying, and is announced once the certificate is good.
refused() {
    start_tls "$1"
    said "198\.18\.0\.1:$1/callsign: TLS failed: $3"
    mend "$2"
    wait_up web
    [[ $(output_count web "TLS failed") == 1 ]]
}

# ---- the emitter ----

@test "TLS: a certificate for the gateway's address, from a private CA" {
    start_tls $GOOD
    wait_up web
}

@test "TLS: a certificate that has only a name needs server_name" {
    start_tls $NAMED
    said "198\.18\.0\.1:$NAMED/callsign: TLS failed: .*IP address mismatch.*set tls server_name"
    remove_containers
    printf 'password_file = "/etc/callsign/password"\ntls {\n\tserver_name = "broker.test"\n}\n' >"$TLS/emit.conf"
    start_tls $NAMED --volume "$TLS/emit.conf:/etc/callsign/emit.conf:ro"
    wait_up web
}

@test "TLS: without tls ca the static emitter takes the image's bundle" {
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$GOOD/callsign" --volume "$TLS/ca.pem:/etc/ssl/certs/ca-certificates.crt:ro"
    wait_up web
}

# How often its first process has waited, and come back.
wake_ups() {
    lab_docker exec "$1" sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' /proc/1/status
}

woken() {
    (($(wake_ups "$1") >= $2))
}

# Once it is announced it gives back nearly all; what heartbeats and renewals take again is what stays.
# bats test_tags=native
@test "TLS: the static emitter's memory at rest: under 1.8 MB resident, whichever OpenSSL is in it" {
    local before
    start_tls $GOOD --env CALLSIGN_HEARTBEAT=2 --env CALLSIGN_RENEW=2
    wait_up web
    before=$(wake_ups web)
    poll_until 20000 woken web $((before + 12))
    figure "resident: $(resident_kb web) kB (static, connected over TLS)"
    (($(resident_kb web) < 1800))
}

@test "TLS: the image's bundle has other CAs only, or the right one among them; another's name all the same" {
    local bundle=$TLS/bundle.pem
    install -m 0644 "$TLS/otherca.pem" "$bundle"
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$GOOD/callsign" --volume "$bundle:/etc/ssl/certs/ca-certificates.crt:ro"
    said "TLS failed: the certificate is not accepted: self-signed certificate in certificate chain: set tls ca"
    remove_containers
    cat "$TLS/ca.pem" >>"$bundle"
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$GOOD/callsign" --volume "$bundle:/etc/ssl/certs/ca-certificates.crt:ro"
    wait_up web
    remove_containers
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$NAMED/callsign" --volume "$bundle:/etc/ssl/certs/ca-certificates.crt:ro"
    said "TLS failed: the certificate is not accepted: IP address mismatch: set tls server_name"
}

@test "TLS: a bundle that is no PEM is passed over for the next one" {
    echo nothing >"$TLS/nothing.pem"
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$GOOD/callsign" --volume "$TLS/nothing.pem:/etc/ssl/certs/ca-certificates.crt:ro" \
        --volume "$TLS/ca.pem:/etc/ssl/cert.pem:ro"
    wait_up web
}

@test "TLS: no bundle at all, or one that cannot be read" {
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$GOOD/callsign"
    said "198\.18\.0\.1:$GOOD/callsign: TLS failed: .*set tls ca"
    remove_containers
    start_tls $GOOD --env CALLSIGN_TLS_CA=/tls/none.pem
    said "TLS failed: tls ca /tls/none\.pem"
}

@test "TLS: expired" {
    refused $EXPIRED expired "the certificate is not accepted: certificate has expired: renew it"
}

@test "TLS: another's name" {
    refused $WRONG wrong "the certificate is not accepted: IP address mismatch: set tls server_name"
}

@test "TLS: self-signed" {
    refused $SELF self "the certificate is not accepted: self-signed certificate: set tls ca"
}

@test "TLS: an unknown CA" {
    refused $UNKNOWN unknown "the certificate is not accepted: unable to get local issuer certificate: set tls ca"
}

old_refusals() {
    # Erlang 27 calls it a bad record, and says what it is on the next line.
    cat "$LAB"/broker/log/*.log | grep -cE 'SERVER ALERT: Fatal - Protocol Version|\{unsupported_version,' || true
}

old_refused() {
    (($(old_refusals) >= $1))
}

@test "TLS 1.0 only: refused, and retried" {
    local before
    before=$(old_refusals)
    start_tls $OLD
    poll_until 20000 old_refused $((before + 3))
    said "198\.18\.0\.1:$OLD/callsign: TLS failed: .*(protocol version|unsupported protocol): enable TLS 1\.2"
}

@test "TLS spoken to the plain port, and the reverse" {
    start_tls 5672
    said "198\.18\.0\.1:5672/callsign: TLS failed: wrong version number: it does not speak TLS"
    remove_containers
    start web --env CALLSIGN_URLS="amqp://emit@gateway:$GOOD/callsign"
    said "198\.18\.0\.1:$GOOD/callsign: no AMQP answer: .*does amqp:// or amqps:// in the URL fit it"
}

silences() {
    (($(grep -c accepted "$LAB/log/silent") >= $1))
}

@test "a handshake that stalls: given up after 3 s, retried, and no hang on the way out" {
    local url before started
    for url in amqps://emit@gateway:$SILENT/callsign amqp://emit@gateway:$SILENT/callsign; do
        before=$(grep -c accepted "$LAB/log/silent" || true)
        start web --env CALLSIGN_URLS="$url" --volume "$TLS/ca.pem:/etc/ssl/certs/ca-certificates.crt:ro"
        said "198\.18\.0\.1:$SILENT/callsign: (TLS failed: .*within 3000 ms|no AMQP answer: connected, but it is silent)"
        poll_until 20000 silences $((before + 2))
        started=$(now_ms)
        lab_docker stop --time $((10 * SLOWNESS)) web >/dev/null
        (($(now_ms) - started < 6000 * SLOWNESS))
        remove_containers
    done
}

@test "a client certificate in place of a password (EXTERNAL)" {
    printf 'tls {\n\tca = "/tls/ca.pem"\n\tcert = "/tls/emit.pem"\n\tkey = "/tls/emit.key"\n}\n' >"$TLS/emit.conf"
    start web --env CALLSIGN_URLS="amqps://emit@gateway:$CLIENT/callsign" --volume "$TLS:/tls:ro" \
        --volume "$TLS/emit.conf:/etc/callsign/emit.conf:ro"
    wait_up web
    remove_containers
    start_tls $CLIENT
    # In one of two wordings, as the broker's alert is read before the end of its connection or lost with it; either is said once.
    wait_output web "198\.18\.0\.1:$CLIENT/callsign: TLS failed: .*client certificate"
    not output_repeats web
}

# ---- the daemon: a second one, whose hosts file nobody reads ----

# What it reads again with each connection must be readable for its user.
daemon_files() {
    install -m 0640 -g "$LAB_CALLSIGN_ID" "$LAB/secret/admin" "$LAB/etc/callsign/tls.password"
    install -d "$LAB/etc/callsign/tls"
    install -m 0644 "$TLS/ca.pem" "$TLS/admin.pem" "$LAB/etc/callsign/tls"
    install -m 0640 -g "$LAB_CALLSIGN_ID" "$TLS/admin.key" "$LAB/etc/callsign/tls"
    install -d -o "$LAB_CALLSIGN_ID" -g "$LAB_CALLSIGN_ID" "$LAB/run/callsign-tls"
}

# daemon PORT [SCHEME] [TLS-KEYS]
daemon() {
    daemon_files
    cat >"$LAB/etc/callsign/tls.conf" <<CONF
bus {
    urls = {"${2-amqps}://admin@127.0.0.1:$1/callsign"}
    ${3-password_file = \"/etc/callsign/tls.password\"}
    tls {
        ca = "/etc/callsign/tls/ca.pem"
        ${4-}
    }
}
queue {
    name = "tls"
}
dnsmasq {
    hosts_file = "/run/callsign-tls/hosts"
    pid_file = "/run/callsign-tls/dnsmasq.pid"
}
control {
    socket = "/run/callsign-tls/control.sock"
}
pid_file = "/run/callsign-tls/pid"
run_as = "root"
CONF
    : >"$LAB/log/tls"
    lab_spawn tls callsignd --foreground -c /etc/callsign/tls.conf
}

daemon_listens() {
    [[ $(lab_amqp admin consumers callsign.host.tls 2>/dev/null) == 1 ]]
}

daemon_said() {
    poll_until 10000 grep -qE "$1" "$LAB/log/tls" || {
        printf 'callsignd never said: %s\n' "$1"
        cat "$LAB/log/tls"
        return 1
    }
    [[ $(grep -cE "$1" "$LAB/log/tls") == 1 ]]
}

daemon_ends() {
    lab_stop tls
    amqp admin delete-queue callsign.host.tls || true
}

@test "callsignd over TLS, with a password and with a client certificate" {
    daemon $GOOD
    poll_until 15000 daemon_listens
    daemon_ends
    daemon $CLIENT amqps '' 'cert = "/etc/callsign/tls/admin.pem"
        key = "/etc/callsign/tls/admin.key"'
    poll_until 15000 daemon_listens
    daemon_ends
}

@test "callsignd: what is wrong with TLS, one line each" {
    daemon $OLD
    daemon_said "127\.0\.0\.1:$OLD/callsign: TLS failed: .*enable TLS 1\.2"
    daemon_ends
    daemon 5672
    daemon_said "127\.0\.0\.1:5672/callsign: TLS failed: .*does not speak TLS"
    daemon_ends
    daemon $GOOD amqp
    daemon_said "127\.0\.0\.1:$GOOD/callsign: no AMQP answer"
    daemon_ends
    daemon $SILENT
    daemon_said "127\.0\.0\.1:$SILENT/callsign: TLS failed: .*within 3000 ms"
    daemon_ends
}

# daemon_refused PORT NAME PATTERN: callsignd says why, goes on trying, and listens once the certificate is good.
daemon_refused() {
    daemon "$1"
    daemon_said "127\.0\.0\.1:$1/callsign: TLS failed: $3"
    mend "$2"
    poll_until 15000 daemon_listens
    [[ $(grep -c "TLS failed" "$LAB/log/tls") == 1 ]]
    daemon_ends
}

@test "callsignd: expired, another's name, self-signed, an unknown CA: one line each, and connected once it is mended" {
    # The emitter's tests mended these. The CA is a new one, too: callsignd reads it with each connection.
    make_certificates
    rabbitmqctl eval 'ssl:clear_pem_cache().' >/dev/null
    daemon_refused $EXPIRED expired "the certificate is not accepted: certificate has expired: renew it"
    daemon_refused $WRONG wrong "the certificate is not accepted: IP address mismatch: set tls server_name"
    daemon_refused $SELF self "the certificate is not accepted: self-signed certificate: set tls ca"
    daemon_refused $UNKNOWN unknown "the certificate is not accepted: unable to get local issuer certificate: set tls ca"
}
