#!/usr/bin/env bats
# Metrics, health and the status page, as Prometheus, probes and people's browsers meet them.

load common
export LAB_ENGINE=runc

URL=http://127.0.0.1:9123

setup_file() {
    # shellcheck source=tests/lib/lab.bash
    source "$BATS_TEST_DIRNAME/../lib/lab.bash"
    printf 'metrics { listen = "127.0.0.1:9123" }\n' >>"$LAB/etc/callsign/callsignd.conf"
    lab_in callsignctl reload
}

teardown_file() {
    # shellcheck source=tests/lib/lab.bash
    source "$BATS_TEST_DIRNAME/../lib/lab.bash"
    sed -i '/^metrics /d' "$LAB/etc/callsign/callsignd.conf"
    lab_in callsignctl reload
}

# fetch PATH [CURL OPTION…]: the answer's body.
fetch() {
    lab_in curl --silent --show-error --max-time 10 "${@:2}" "$URL$1"
}

# code PATH [CURL OPTION…]: the answer's status.
code() {
    fetch "$1" --output /dev/null --write-out '%{http_code}' "${@:2}"
}

code_is() {
    [[ $(code "$2") == "$1" ]]
}

# metric NAME-WITH-LABELS: its value.
metric() {
    fetch /metrics | awk -v name="$1" '$1 == name { print $2 }'
}

metric_is() {
    [[ $(metric "$1") == "$2" ]]
}

page_has() {
    fetch / | grep -qF -- "$1"
}

# browser VERB ARGUMENT…
browser() {
    lab_in /usr/bin/python3 "$TESTS_DIR/lib/browser.py" "$@"
}

@test "promtool finds nothing wrong with a live daemon's metrics" {
    start web
    wait_up web
    run -0 promtool check metrics < <(fetch /metrics)
    [[ -z $output ]]
}

@test "callsignctl metrics has the same names, and JSON on request" {
    local ours theirs
    ours=$(lab_in callsignctl metrics | sed -n 's/^# TYPE //p')
    theirs=$(fetch /metrics | sed -n 's/^# TYPE //p')
    [[ -n $ours && $ours == "$theirs" ]]
    lab_in callsignctl --json metrics | python3 -c 'import json, sys; assert "callsign_names" in json.load(sys.stdin)["metrics"]'
}

@test "figures follow what happens: names, messages, refusals, reloads, the time until a name resolves" {
    local came resolvable refused
    came=$(metric 'callsign_changes_total{change="came"}')
    resolvable=$(metric callsign_announce_to_resolvable_seconds_count)
    refused=$(metric 'callsign_refusals_total{reason="malformed"}')
    start web
    wait_up web
    poll_until 5000 metric_is 'callsign_changes_total{change="came"}' $((came + 1))
    poll_until 5000 metric_is callsign_announce_to_resolvable_seconds_count $((resolvable + 1))
    metric_is callsign_names 1
    metric_is 'callsign_instances{state="confirmed"}' 1
    (($(metric callsign_dnsmasq_reload_seconds_count) > 0))
    amqp emit publish callsign up.web '{"v":1'
    poll_until 5000 metric_is 'callsign_refusals_total{reason="malformed"}' $((refused + 1))
    lab_docker rm --force web >/dev/null
    poll_until 5000 metric_is callsign_names 0
}

@test "ready only while the broker is connected and dnsmasq serves; healthy all the while, and says what is wrong" {
    poll_until 20000 code_is 200 /readyz
    [[ $(fetch /healthz) == ok ]]
    lab_stop dnsmasq
    poll_until 20000 code_is 503 /readyz
    [[ $(fetch /readyz) == *dnsmasq* ]]
    [[ $(fetch /healthz) == degraded*dnsmasq* && $(code /healthz) == 200 ]]
    page_has Degraded
    metric_is callsign_ready 0
    lab_start dnsmasq
    poll_until 20000 code_is 200 /readyz
    lab_stop broker
    poll_until 20000 code_is 503 /readyz
    [[ $(fetch /readyz) == *broker* && $(code /healthz) == 200 ]]
    metric_is callsign_broker_connected 0
    lab_start broker
    poll_until 40000 code_is 200 /readyz
    [[ $(fetch /healthz) == ok ]]
}

@test "GET and HEAD, nothing else" {
    local method
    [[ $(fetch / --head) == *"200 OK"* ]]
    [[ -z $(fetch / --head | sed '1,/^\r$/d') ]]
    for method in POST PUT DELETE PATCH OPTIONS TRACE; do
        [[ $(code / --request "$method") == 405 ]]
    done
    [[ $(code / --data x=y) == 405 ]]
    [[ $(code /etc/passwd) == 404 && $(code /../metrics --path-as-is) == 404 ]]
}

@test "nothing from elsewhere may run on the page, and no page elsewhere can read it" {
    local head
    head=$(fetch / --head)
    [[ $head == *"default-src 'none'"* && $head == *"frame-ancestors 'none'"* && $head != *unsafe* ]]
    # No address of anything else, no handler, no style attribute: it stands alone.
    not grep -qE 'https?:|src=| on[a-z]+=| style=|@import|url\(' < <(fetch /)
    [[ $(code / --header 'Host: rebound.example') == 421 ]]
    [[ $(code / --header 'Host: localhost:9123') == 200 ]]
}

@test "what a reader searches for, and what users are called, is text and never markup" {
    local evil='"><script>alert(1)</script>'
    run -0 fetch / --get --data-urlencode "q=$evil"
    [[ $output == *'&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;'* ]]
    [[ $output != *'<script>alert'* ]]
    run -0 fetch / --get --data-urlencode "q=$(head -c 3000 /dev/zero | tr '\0' '*')"
    # A name that is none never gets so far.
    amqp emit publish callsign "up.$evil" "$(up_body '<b>x</b>' 198.18.0.99 "$(new_instance)")"
    poll_until 5000 log_has refused
    not page_has '<b>x'
}

@test "the page shows what each container's emitter says that it is, as text" {
    start web
    wait_up web
    page_has "<small>$(agent_of web)</small>"
    amqp emit publish callsign up.evil "$(up_body evil 198.18.9.9 "$(new_instance)" ',"agent":"<script>alert(1)</script>"')"
    wait_resolves evil.docker 198.18.9.9
    page_has '<small>&lt;script&gt;alert(1)&lt;/script&gt;</small>'
    not page_has '<script>alert'
    lab_in callsignctl forget evil
}

@test "the search finds names, aliases and addresses" {
    start web --env CALLSIGN_ALIASES=shop
    start db
    wait_up web
    wait_up db
    for words in web shop 'w?b' "$(address web)"; do
        run -0 fetch / --get --data-urlencode "q=$words"
        [[ $output == *">web<span>"* && $output != *">db<span>"* ]]
    done
}

# slow_client SECONDS: sends a byte of a request each half second, for as long as it may.
slow_client() {
    lab_in /usr/bin/python3 - "$1" <<'PYTHON'
import socket, sys, time
sockets = [socket.create_connection(("127.0.0.1", 9123)) for _ in range(40)]
print("open", flush=True)
end, shut = time.monotonic() + float(sys.argv[1]), 0
while sockets and time.monotonic() < end:
    for one in sockets[:]:
        try:
            one.send(b"G")
            one.setblocking(False)
            if one.recv(1) == b"":
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            sockets.remove(one)
            shut += 1
    time.sleep(0.5)
print("closed", shut, flush=True)
PYTHON
}

@test "slow clients hold up no name, are closed in time, and then others get in" {
    local out=$BATS_TEST_TMPDIR/slow pid
    slow_client 60 >"$out" 3>&- &
    pid=$!
    poll_until 5000 grep -q open "$out"
    start web
    wait_resolves web.docker "$(address web)" 3000
    lab_in callsignctl status >/dev/null
    # Each of them looks busy; a connection has 20 seconds all the same.
    wait "$pid"
    grep -qx 'closed 40' "$out"
    [[ $(code /healthz) == 200 ]]
}

# many up|down INSTANCE: 400 names at once, or gone again; their instances begin like this one.
many() {
    lab_in /usr/bin/python3 - "$LAB/secret/emit" "$1" "${2:0:20}" <<'PYTHON'
import json, pika, sys
secret, op, instance = open(sys.argv[1]).read().strip(), sys.argv[2], sys.argv[3]
bus = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", 5672, "callsign", pika.PlainCredentials("emit", secret)))
channel = bus.channel()
for i in range(400):
    body = {"v": 1, "op": op, "name": "many-%d" % i, "instance": "%s%012x" % (instance, i), "seq": 1 if op == "up" else 2}
    if op == "up":
        body.update(addresses=["198.18.%d.%d" % (100 + i // 250, 1 + i % 250)], lease=60)
    properties = pika.BasicProperties(content_type="application/json", type="callsign.v1", user_id="emit")
    channel.basic_publish("callsign", "%s.many-%d" % (op, i), json.dumps(body), properties)
bus.close()
PYTHON
}

# flood SECONDS: pages, as fast as they come; says how many were given and how many refused.
flood() {
    lab_in /usr/bin/python3 - "$1" <<'PYTHON'
import collections, http.client, sys, threading, time
end, codes = time.monotonic() + float(sys.argv[1]), collections.Counter()
def ask():
    while time.monotonic() < end:
        try:
            one = http.client.HTTPConnection("127.0.0.1", 9123, timeout=5)
            one.request("GET", "/")
            codes[one.getresponse().status] += 1
        except OSError:
            codes["closed"] += 1
        finally:
            one.close()
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("given", codes[200], "refused", codes[503], flush=True)
PYTHON
}

@test "a flood of requests for pages gets a tenth of the daemon's time, and names go on" {
    local pid instance out=$BATS_TEST_TMPDIR/flood given refused
    instance=$(new_instance)
    many up "$instance"
    poll_until 10000 metric_is callsign_names 400
    flood 4 >"$out" 3>&- &
    pid=$!
    start web
    wait_announced web
    lab_docker rm --force web >/dev/null
    wait_gone web.docker 3000
    wait "$pid"
    many down "$instance"
    read -r _ given _ refused <"$out"
    figure "flood of pages: given $given, refused $refused"
    ((given > 0 && refused > 0))
    poll_until 5000 code_is 200 /
}

@test "at rest the page's server wakes nobody" {
    local pid before
    pid=$(lab_pid callsignd)
    poll_until 20000 code_is 200 /readyz
    # Connections have ended, so that only the daemon's own deadlines are left.
    # shellcheck disable=SC2016 # awk's
    wakeups() {
        lab_in awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$pid/status"
    }
    settled() {
        before=$(wakeups)
        sleep 2
        (($(wakeups) - before <= 4))
    }
    poll_until 20000 settled
}

@test "a wrong or used address is said and no reason to end; another one is taken at a reload" {
    local conf=$LAB/etc/callsign/callsignd.conf
    sed -i 's/^metrics .*/metrics { listen = "127.0.0.1:5672" }/' "$conf"
    lab_in callsignctl reload
    wait_log 'metrics.listen: address=127.0.0.1 port=5672 .*in use'
    sed -i 's/^metrics .*/metrics { listen = "[::1]:9124" }/' "$conf"
    lab_in callsignctl reload
    lab_in curl --silent --fail "http://[::1]:9124/healthz"
    not fetch /healthz
    sed -i 's/^metrics .*/metrics { listen = "0.0.0.0:9123" }/' "$conf"
    lab_in callsignctl reload
    wait_log 'no password'
    sed -i 's/^metrics .*/metrics { listen = "127.0.0.1:9123" }/' "$conf"
    lab_in callsignctl reload
    [[ $(code /healthz) == 200 ]]
}

# What callsignd has mapped.
maps_has() {
    lab_in grep -q -- "$1" "/proc/$(lab_pid callsignd)/maps"
}

@test "libmicrohttpd and GnuTLS are loaded by whoever wants metrics, also at a reload, as the user that the daemon has become" {
    local conf=$LAB/etc/callsign/callsignd.conf
    sed -i '/^metrics /d' "$conf"
    printf 'run_as = "callsign"\n' >>"$conf"
    lab_restart callsignd
    not maps_has libmicrohttpd
    not maps_has libgnutls
    printf 'metrics { listen = "127.0.0.1:9123" }\n' >>"$conf"
    lab_in callsignctl reload
    code_is 200 /
    maps_has libmicrohttpd
    sed -i '/^run_as /d' "$conf"
    lab_restart callsignd
    poll_until 5000 code_is 200 /readyz
}

@test "without libmicrohttpd names come and go, and the log says which package is missing" {
    local library
    library=$(lab_in grep -om 1 '/[^ ]*libmicrohttpd[^ ]*' "/proc/$(lab_pid callsignd)/maps")
    lab_in mount --bind /dev/null "$library"
    lab_restart callsignd
    wait_log 'metrics.listen: there is no status page: .*Debian: libmicrohttpd[0-9]'
    start web
    wait_up web
    lab_in umount "$library"
    lab_in callsignctl reload
    poll_until 5000 code_is 200 /readyz
}

@test "in a browser names appear and go without loading the page again; without scripts it loads itself" {
    local verb
    for verb in follow plain; do
        browser "$verb" "$URL/" web.docker >"$BATS_TEST_TMPDIR/$verb" 3>&- &
    done
    for verb in follow plain; do
        poll_until 30000 grep -q open "$BATS_TEST_TMPDIR/$verb"
    done
    start web
    for verb in follow plain; do
        poll_until 20000 grep -q appeared "$BATS_TEST_TMPDIR/$verb"
    done
    lab_docker rm --force web >/dev/null
    wait %1
    wait %2
    grep -q gone "$BATS_TEST_TMPDIR/follow"
    grep -q gone "$BATS_TEST_TMPDIR/plain"
}

@test "the page fits 360 pixels, can be used by keyboard, and has the contrast that eyes need, light and dark" {
    local name
    name=$(printf 'a%.0s' {1..60}).$(printf 'b%.0s' {1..60})
    start web
    start db --env CALLSIGN_NAME="$name"
    wait_up web
    poll_until 5000 page_has "$name"
    run browser audit "$URL/"
    printf '%s\n' "$output"
    [[ $status == 0 ]]
    figure "status page: ${lines[0]}"
}

@test "the alert rules and the dashboard: promtool takes them, and every metric in them exists" {
    local known used metric
    promtool check rules "$TOP_DIR/etc/prometheus/callsign.rules.yml"
    promtool test rules "$TOP_DIR/tests/lib/callsign.rules.test.yml"
    known=$(fetch /metrics | sed -nE 's/^(callsign_[a-z_]+).*/\1/p' | sort -u)
    used=$(cat "$TOP_DIR"/etc/prometheus/callsign.rules.yml <(python3 -c '
import json, sys
for panel in json.load(open(sys.argv[1]))["panels"]:
    for target in panel.get("targets", []):
        print(target["expr"])' "$TOP_DIR/etc/grafana/callsign.json") | grep -oE '\bcallsign_[a-z_]+' | sort -u)
    [[ -n $used ]]
    for metric in $used; do
        grep -qx "$metric" <<<"$known" || {
            printf 'no such metric: %s\n' "$metric"
            return 1
        }
    done
}
