#!/usr/bin/env bats
# callsignctl doctor: each test breaks one link of the chain, and the doctor says which.

load common

CONF=$LAB/etc/callsign/callsignd.conf # as seen from outside the lab

teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || show_logs
    mend
    remove_containers
    lab_start "${LAB_PARTS[@]}"
    poll_until 10000 no_names
}

# What a test may have left, whether it passed or not.
mend() {
    rm -f "$LAB/etc/callsign/other.conf" "$LAB/etc/callsign/other.password"
    [[ ! -e $LAB/secret/rights.changed ]] || {
        rabbitmqctl --quiet import_definitions "$LAB/broker/definitions.json"
        rabbitmqctl --quiet delete_user green >/dev/null 2>&1 || true
        rm "$LAB/secret/rights.changed"
    }
    [[ ! -e $LAB/secret/no-capability ]] || {
        rm "$LAB/secret/no-capability"
        lab_stop callsignd
    }
    lab_in iptables -D INPUT -i docker0 -p udp --dport 53 -j DROP 2>/dev/null || true
    lab_in nft delete table inet broken 2>/dev/null || true
    lab_in iptables -D INPUT -j CASE 2>/dev/null && lab_in iptables -F CASE && lab_in iptables -X CASE
    lab_docker network rm shop named >/dev/null 2>&1 || true
    [[ ! -e $LAB/secret/many-bridges ]] || {
        for ((i = 0; i < 300; i++)); do
            printf 'link delete br-%012d\n' "$i"
        done | lab_in ip -batch -
        rm "$LAB/secret/many-bridges"
    }
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    printf '{ "dns": ["%s"] }\n' "$LAB_ADDRESS" >"$LAB/etc/docker/daemon.json"
    [[ ! -e $LAB/etc/dnsmasq.d/broken ]] || {
        rm "$LAB/etc/dnsmasq.d/broken"
        lab_stop dnsmasq
    }
}

# doctor STATUS [OPTION…]: its output goes to $output, and it must end with this status. rabbitmqctl takes a second each time, so
# that it is left out but where it matters.
doctor() {
    local none=$LAB/secret/none
    mkdir -p "$none"
    printf '#!/bin/sh\necho left out >&2\nexit 69\n' >"$none/rabbitmqctl"
    chmod 0755 "$none/rabbitmqctl"
    doctor_with "$none" "$@"
}

# doctor_with FOLDER STATUS [OPTION…]: with the programs in there first on its PATH.
doctor_with() {
    local folder=$1 expected=$2
    shift 2
    run -"$expected" lab_in env PATH="$folder:$LAB_PATH" callsignctl doctor "$@"
    printf '%s\n' "$output"
}

# rights RABBITMQCTL-ARGUMENT…: change what somebody may do; taken back after the test.
rights() {
    touch "$LAB/secret/rights.changed"
    rabbitmqctl --quiet "$@" </dev/null
}

# rights_set LINE…: likewise many at once. `USER CONFIGURE WRITE READ`, or `topic USER EXCHANGE WRITE READ`; CALLSIGN.WILL is for callsign\.will.
rights_set() {
    printf '%s\n' "$@" | sed 's/CALLSIGN\.WILL/callsign\\.will/g' | jq -nR '[inputs | split(" ")] | {
        users: [.[] | select(.[0] == "green") | {name: .[0], password_hash: "", hashing_algorithm: "rabbit_password_hashing_sha256", tags: ""}],
        permissions: [.[] | select(.[0] != "topic") | {user: .[0], vhost: "callsign", configure: .[1], write: .[2], read: .[3]}],
        topic_permissions: [.[] | select(.[0] == "topic") |
            {user: .[1], vhost: "callsign", exchange: .[2], write: .[3], read: .[4]}]}' >"$LAB/secret/rights.json"
    rights import_definitions "$LAB/secret/rights.json"
}

# Run each command that the doctor names for users.
mend_as_said() {
    local line
    grep -qE -- '-> rabbitmqctl set_(topic_)?permissions ' <<<"$output"
    while IFS= read -r line; do
        eval "rights $line"
    done < <(sed -n 's/^ *-> rabbitmqctl //p' <<<"$output")
}

# says VERDICT CHECK [PATTERN]
says() {
    grep -qE -- "^$1 +$2 .*${3-}" <<<"$output"
}

# mends PATTERN: what is said to mend the broker; nothing else is broken.
mends() {
    grep -qzP "\nbroken +broker .*\n +-> $1" <<<"$output"
    not grep -qzP '\nbroken(?s:.*)\nbroken' <<<"$output"
}

# told_to COMMANDS: as what mends it.
told_to() {
    grep -qF -- "-> $1" <<<"$output"
}

# other_conf SED-EXPRESSION…: the daemon's configuration, changed, for the doctor alone.
other_conf() {
    sed "${@/#/-e}" "$CONF" >"$LAB/etc/callsign/other.conf"
    chmod 0640 "$LAB/etc/callsign/other.conf"
}

# As another user of the broker.
other_user() {
    install -m 0600 "$LAB/secret/$1" "$LAB/etc/callsign/other.password"
    other_conf "s,amqp://callsignd@,amqp://$1@," 's,/etc/callsign/password,/etc/callsign/other.password,'
}

# dnsmasq_with SED-EXPRESSION [LINE…]: its piece of configuration changed, and lines added.
dnsmasq_with() {
    local expression=$1
    shift
    lab_stop dnsmasq
    dnsmasq_files
    sed -i -e "$expression" "$LAB/etc/dnsmasq.d/callsign"
    printf '%s\n' "$@" >"$LAB/etc/dnsmasq.d/broken"
    lab_spawn dnsmasq dnsmasq --keep-in-foreground --log-facility=- --conf-file=/etc/dnsmasq.conf
    poll_until 5000 test -s "$LAB/run/dnsmasq/dnsmasq.pid"
}

@test "doctor: all is well, and the round trip has its times" {
    doctor_with "$(broker_tool)" 0
    says ok configuration
    not grep -E '^(broken|skipped)' <<<"$output"
    says ok users '1 host and 3 emitters on the vhost callsign'
    says ok round-trip 'login [0-9.]+ ms, announced [0-9.]+ ms, resolved after [0-9.]+ ms more; withdrawn [0-9.]+ ms, gone after'
    poll_until 5000 no_names
}

@test "doctor --json: one document with every check" {
    doctor_with "$(broker_tool)" 0 --json
    python3 -c '
import json, sys
answer = json.loads(sys.stdin.read())
assert answer["ok"] is True
names = [check["check"] for check in answer["checks"]]
assert names[0] == "configuration" and names[-1] == "round-trip" and len(names) == 28 == len(set(names)), names
assert all(check["result"] in ("ok", "warning") and check["what"] for check in answer["checks"])
steps = answer["checks"][-1]["steps"]
assert sorted(steps) == ["announced_ms", "gone_ms", "login_ms", "resolves_ms", "withdrawn_ms"]
assert all(0 < step < 5000 for step in steps.values()), steps
' <<<"$output"
}

@test "doctor: a wrong configuration, by line, and nothing else is looked at" {
    printf 'nonsense = 1\n' >"$LAB/etc/callsign/other.conf"
    doctor 1 -c /etc/callsign/other.conf
    says broken configuration 'other.conf:1:.*nonsense'
    grep -q -- '-> callsignd -c /etc/callsign/other.conf --check-config' <<<"$output"
    [[ $(grep -c '^skipped' <<<"$output") == 27 ]]
    doctor 1 -c /etc/callsign/none.conf
    says broken configuration 'none.conf'
}

@test "doctor: a password in a configuration that everyone may read" {
    other_conf "s,//callsignd@,//callsignd:$(cat "$LAB/secret/callsignd")@,"
    chmod 0644 "$LAB/etc/callsign/other.conf"
    doctor 1 -c /etc/callsign/other.conf
    says broken configuration 'other.conf:[0-9]+:.*there is a password in it'
}

@test "doctor: the daemon does not run" {
    lab_stop callsignd
    doctor 1
    says broken daemon 'does not run'
    says skipped round-trip 'daemon is broken'
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
}

@test "doctor: nobody listens where the broker should be" {
    other_conf 's,@127.0.0.1/,@127.0.0.1:5999/,'
    doctor 1 -c /etc/callsign/other.conf
    says broken broker 5999
    says skipped login 'broker is broken'
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
}

@test "doctor: a broker that has no address, speaks no AMQP, or not as the URL says: a start of the broker does not mend it" {
    other_conf 's,@127.0.0.1/,@nosuch.invalid/,'
    doctor 1 -c /etc/callsign/other.conf
    says broken broker nosuch.invalid
    mends 'getent hosts nosuch[.]invalid; or its address in urls, in /etc/callsign/other[.]conf'
    other_conf 's,@127.0.0.1/,@'"$LAB_ADDRESS"':53/,'
    doctor 1 -c /etc/callsign/other.conf
    says broken broker 'no AMQP answer|connection lost'
    mends "on $LAB_ADDRESS: rabbitmq-diagnostics listeners; and see that port 53 is one of amqp"
    other_conf 's,amqp://\([^"]*\)@127.0.0.1/,amqps://\1@127.0.0.1:5672/,'
    doctor 1 -c /etc/callsign/other.conf
    says broken broker 'TLS failed'
    mends 'bus { tls { ... } } in /etc/callsign/other[.]conf'
}

@test "doctor: the first of two brokers is away" {
    other_conf 's,"amqp://callsignd@127.0.0.1/callsign","amqp://callsignd@127.0.0.1:5999/callsign"\, &,'
    doctor 0 -c /etc/callsign/other.conf
    says warning broker '127.0.0.1:5672.*answers; but before it: .*5999'
}

@test "doctor: a wrong password" {
    printf 'wrong\n' >"$LAB/etc/callsign/other.password"
    chmod 0600 "$LAB/etc/callsign/other.password"
    other_conf 's,/etc/callsign/password,/etc/callsign/other.password,'
    doctor 1 -c /etc/callsign/other.conf
    says ok broker
    says broken login 'password'
    says skipped vhost
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
}

@test "doctor: a vhost that is not there" {
    other_conf 's,127.0.0.1/callsign,127.0.0.1/nosuch,'
    doctor 1 -c /etc/callsign/other.conf
    says ok login
    says broken vhost nosuch
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
}

# Whoever misses it makes it anew, while nobody else does.
will_is_a_fanout() {
    amqp admin delete-exchange callsign.will && amqp admin declare-exchange callsign.will fanout
}

@test "doctor: a missing exchange, and one of the wrong type" {
    amqp admin delete-exchange callsign.will
    doctor 1
    says broken exchanges 'callsign.will'
    poll_until 5000 will_is_a_fanout
    doctor 1
    says broken exchanges 'callsign.will is no durable topic'
    amqp admin delete-exchange callsign.will
    lab_restart callsignd
    doctor 0
}

# The broker's queue, as an administrator would treat it: verbs of pika's channel.
queue_do() {
    lab_in /usr/bin/python3 -c '
import pika, sys
login = pika.PlainCredentials("admin", open(sys.argv[1]).read().strip())
channel = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", virtual_host="callsign", credentials=login)).channel()
exec(sys.argv[2])
channel.connection.close()' "$LAB/secret/admin" "$1"
}

@test "doctor: the queue is gone; or so long that nobody seems to read it" {
    lab_stop callsignd
    queue_do 'for i in range(1200): channel.basic_publish("", "callsign.host.lab", b"{}")'
    doctor 1
    says warning queue '1[0-9]{3} messages wait'
    queue_do 'channel.queue_delete("callsign.host.lab")'
    doctor 1
    says broken queue 'callsign.host.lab'
}

@test "doctor: a user who may do too little" {
    other_user red
    doctor 1 -c /etc/callsign/other.conf
    says broken permissions 'red may not do what it must'
}

@test "doctor: a user who may do too much" {
    other_user admin
    doctor 0 -c /etc/callsign/other.conf
    says warning permissions "declare other queues.*read containers' mailboxes.*publish to other exchanges"
}

@test "doctor: an emitter who may do too little, with the commands that mend it" {
    rights_set 'red ^$ ^$ ^$' 'topic blue callsign ^up\.blue-.* ^$'
    doctor_with "$(broker_tool)" 0
    says warning users 'red \(emitter red-\): too few, may not configure callsign\.will\.red-x'
    says warning users 'blue \(emitter blue-\): too few, may not topic callsign write down\.blue-x'
    mend_as_said
    doctor_with "$(broker_tool)" 0
    says ok users
}

# On RabbitMQ 4.3 topic permissions go with their exchange; before, somebody may have taken them away. Either way every key is open.
@test "doctor: a tenant without topic permissions, with the commands that give them" {
    rights clear_topic_permissions -p callsign red
    rights clear_topic_permissions -p callsign emit callsign.will
    doctor_with "$(broker_tool)" 0
    says warning users 'red \(emitter red-\): too many, may use every key on callsign: it has no topic permission there, use every key on callsign\.will'
    says warning users 'emit \(emitter\): too many, may use every key on callsign\.will'
    not grep -E '(blue|callsignd) \((emitter|host)' <<<"$output"
    mend_as_said
    doctor_with "$(broker_tool)" 0
    says ok users
}

@test "doctor: a host that takes the older format, without the rights for it" {
    other_conf '1ilegacy = true'
    doctor_with "$(broker_tool)" 0 -c /etc/callsign/other.conf
    says warning users 'callsignd \(host lab\): too few, may not configure my-docker-network, read my-docker-network'
    mend_as_said
    doctor_with "$(broker_tool)" 0 -c /etc/callsign/other.conf
    says ok users
}

@test "doctor: what HAProxy's map and socket need of the file system" {
    local dir=$LAB/run/ha
    says_haproxy() {
        doctor 0 -c /etc/callsign/other.conf
        says "$1" haproxy "$2"
    }
    # shellcheck disable=SC2016 # sed's own $
    other_conf '$ahaproxy { socket = "/run/ha/callsign.sock" map_file = "/run/ha/map" }'
    mkdir -m 0755 "$dir"
    says_haproxy warning 'map_file /run/ha/map cannot be replaced by callsign: folder /run/ha'
    chown "$LAB_CALLSIGN_ID" "$dir"
    says_haproxy warning 'socket /run/ha/callsign.sock is not there'
    # Its mode is what counts.
    install -m 0600 /dev/null "$dir/callsign.sock"
    says_haproxy warning 'socket /run/ha/callsign.sock may not be opened by callsign'
    chown "$LAB_CALLSIGN_ID" "$dir/callsign.sock"
    says_haproxy ok 'callsign may replace /run/ha/map and open'
    rm -r "$dir"
}

@test "doctor: an exchange that was deleted and declared anew, and whoever lost their topic permissions with it" {
    touch "$LAB/secret/rights.changed"
    amqp admin delete-exchange callsign
    amqp admin declare-exchange callsign topic
    lab_restart callsignd
    doctor_with "$(broker_tool)" 0
    # 3.10 and 4.0 keep them; 4.3 has lost all of them for that exchange.
    if rabbitmqctl --quiet --formatter json list_topic_permissions -p callsign | grep -q '"exchange":"callsign"'; then
        says ok users
    else
        says warning users 'red \(emitter red-\): too many, may use every key on callsign: it has no topic permission there'
        mend_as_said
        doctor_with "$(broker_tool)" 0
        says ok users
    fi
}

@test "doctor: a host that may not ask for its own queue is told of its permissions, not of the queue" {
    rights set_permissions -p callsign callsignd '^callsign(\.will|\.rollcall)?$' '^(callsign|callsign\.rollcall|amq\.default)$' '^callsign(\.rollcall)?$'
    doctor_with "$(broker_tool)" 1
    # 3.10 lets anybody ask whether a queue is there.
    says skipped queue 'callsignd may not ask for callsign\.host\.lab' || says ok queue
    says broken permissions 'callsignd may not do what it must: .*callsign\.host\.lab'
    [[ $(grep -c '^broken' <<<"$output") == 1 || $(grep '^broken' <<<"$output") == *round-trip* ]]
    mend_as_said
    doctor_with "$(broker_tool)" 0
}

@test "doctor: an emitter who may do too much, one whose prefix overlaps, and a user who has no business there" {
    rights_set 'callsignd .* .* .*' 'red ^CALLSIGN.WILL\.red-.* .* ^(CALLSIGN.WILL\.red-.*|CALLSIGN.WILL|callsign\.rollcall)$' \
        'topic blue callsign.will .* .*' \
        'green ^CALLSIGN.WILL\.red-1.* ^(callsign|CALLSIGN.WILL|CALLSIGN.WILL\.red-1.*)$ ^(CALLSIGN.WILL(\.red-1.*)?|callsign\.rollcall)$' \
        'topic green callsign ^(up|down)\.red-1.* ^$' 'topic green callsign.will ^CALLSIGN.WILL\.red-1 ^CALLSIGN.WILL\.red-1'
    doctor_with "$(broker_tool)" 0
    says warning users 'callsignd \(host lab\): too many, may configure amq\.fanout,'
    says warning users 'red \(emitter red-\): too many, may .*write amq\.default'
    says warning users 'blue \(emitter blue-\): too many, may topic callsign\.will write callsign\.will\.xblue-'
    says warning users 'the prefixes .*red-1 \(green\).* overlap'
    rights_set 'green .* .* .*' 'topic green callsign .* .*' 'topic green callsign.will .* .*'
    doctor_with "$(broker_tool)" 0
    says warning users 'green \(neither host nor emitter\): too many, may configure callsign,'
    grep -qxE -- ' *-> rabbitmqctl clear_permissions -p callsign green' <<<"$output"
}

@test "doctor: what users may do cannot be seen, and why" {
    doctor 0
    says skipped users 'not checked: rabbitmqctl export_definitions: exit status 69: left out'
    other_conf "s,@127.0.0.1/,@$LAB_ADDRESS/,"
    doctor 0 -c /etc/callsign/other.conf
    says skipped users "not checked: only the broker's own machine, $LAB_ADDRESS"
}

@test "doctor: dnsmasq does not run" {
    lab_stop dnsmasq
    doctor 1
    says broken dnsmasq
    says skipped serial
    says skipped round-trip
}

@test "doctor: dnsmasq was not told of the hosts file" {
    dnsmasq_with '/^addn-hosts/d'
    doctor 1
    says broken hosts-file 'no addn-hosts=/run/callsign/hosts'
}

@test "doctor: dnsmasq lets answers be kept" {
    dnsmasq_with '' local-ttl=60
    doctor 0
    says warning hosts-file 'local-ttl=60'
    grep -q -- '-> take out local-ttl at /etc/dnsmasq.d/broken:1' <<<"$output"
}

@test "doctor: dnsmasq asks the world for names below the domain" {
    dnsmasq_with '/^local=.docker/d'
    doctor 0
    says warning local-domain '/docker/'
}

@test "doctor: dnsmasq does not know the reverse zones of networks that come and go" {
    doctor 0
    says ok reverse-names '/run/callsign/reverse'
    dnsmasq_with '/^servers-file/d'
    doctor 0
    says warning reverse-names 'no servers-file=/run/callsign/reverse'
    grep -q -- '-> callsign-setup, then restart dnsmasq' <<<"$output"
    printf '' >"$LAB/run/callsign/other"
    dnsmasq_with '/^servers-file/d' servers-file=/run/callsign/other
    doctor 0
    says warning reverse-names 'servers-file=/run/callsign/other \(/etc/dnsmasq.d/broken:1\) is another file'
}

@test "doctor: dnsmasq does not listen where containers ask" {
    dnsmasq_with '/^interface=/d;/^except-interface/d' listen-address=127.0.0.5
    doctor 1
    says broken listening '198\.18\.0\.1 port 53'
    says skipped serial
}

@test "doctor: dnsmasq serves an older file" {
    sed -E -i 's/^127\.[0-9]+\.[0-9]+\.[0-9]+( +serial\.)/127.128.99.99\1/' "$HOSTS"
    doctor 1
    says broken serial '127\.128\.99\.99 is written'
    [[ $(grep -c '^broken' <<<"$output") == 1 || $(grep '^broken' <<<"$output") != *dnsmasq* ]]
    lab_restart callsignd
}

@test "doctor: the daemon may not signal dnsmasq" {
    lab_stop callsignd
    # As its own user from the start, so that it never had a capability.
    touch "$LAB/secret/no-capability"
    lab_spawn callsignd setpriv --reuid callsign --regid callsign --init-groups --bounding-set -all --inh-caps -all \
        callsignd --foreground -c /etc/callsign/callsignd.conf
    poll_until 10000 daemon_answers
    doctor 1
    says broken sighup 'may not send SIGHUP'
}

# Whatever it says of itself.
daemon_answers() {
    local status=0
    lab_in callsignctl status >"$BATS_TEST_TMPDIR/status" 2>&1 || status=$?
    ((status != 3))
}

@test "doctor: the host's own programs ask somebody else" {
    printf 'nameserver 127.0.0.9\n' >"$LAB/etc/resolv.conf"
    doctor 1
    says broken resolver 'do not find names below docker'
    grep -q -- '-> callsign-setup' <<<"$output"
    printf 'nameserver 127.0.0.53\n' >"$LAB/etc/resolv.conf"
    doctor 1
    grep -q -- "-> .*resolvectl domain docker0 '~docker'" <<<"$output"
}

@test "doctor: Docker's dns setting" {
    printf '{}\n' >"$LAB/etc/docker/daemon.json"
    doctor 1
    says broken docker 'no "dns"'
    printf '{"dns": ["192.0.2.53"]}\n' >"$LAB/etc/docker/daemon.json"
    doctor 1
    says broken docker 'does not name 198.18.0.1'
    printf '{"dns": ["192.0.2.53", "198.18.0.1"]}\n' >"$LAB/etc/docker/daemon.json"
    doctor 0
    says warning docker 'another server before'
    printf '{"dns": ["198.18.0.1", "192.0.2.53"]}\n' >"$LAB/etc/docker/daemon.json"
    doctor 0
    says warning docker 'another server besides 198.18.0.1: programs linked with musl'
    printf '{"dns": ["198.18.0.1"], "dns-search": ["docker"]}\n' >"$LAB/etc/docker/daemon.json"
    touch -d '2 hours ago' "$LAB/etc/docker/daemon.json"
    doctor 0
    says ok docker 'gives containers 198\.18\.0\.1 as their name server, and searches the domain$'
    printf '{"dns": [\n' >"$LAB/etc/docker/daemon.json"
    doctor 1
    says broken docker 'daemon.json:[12]:'
    rm "$LAB/etc/docker/daemon.json"
    doctor 1
    says broken docker 'there is no /etc/docker/daemon.json'
}

@test "doctor: another program on port 53" {
    lab_spawn squatter /usr/bin/python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("198.18.0.1", 53))
time.sleep(1000)'
    poll_until 5000 squats
    doctor 1
    says broken port-53 'python3 .*198\.18\.0\.1'
    lab_stop squatter
}

squats() {
    [[ $(lab_in ss -Hlun 'sport = 53' | grep -c '198\.18\.0\.1:53') == 2 ]]
}

@test "doctor: a firewall between containers and this host" {
    lab_in iptables -I INPUT -i docker0 -p udp --dport 53 -j DROP
    doctor 1
    says broken firewall 'udp port 53 is dropped'
    grep -q -- '-> iptables -I INPUT -i docker0 -p udp --dport 53 -j ACCEPT' <<<"$output"
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
}

# What a firewall that lets docker0 in alone does to compose projects: neither names nor the broker.
@test "doctor: a firewall that lets containers of the default network in alone" {
    local chain port
    lab_docker network create --subnet 198.19.21.0/24 shop >/dev/null
    chain=br-$(lab_docker network inspect --format '{{slice .Id 0 12}}' shop)
    lab_in iptables -N CASE
    lab_in iptables -I INPUT -j CASE
    lab_in iptables -A CASE -i lo -j RETURN
    lab_in iptables -A CASE -i docker0 -j RETURN
    lab_in iptables -A CASE -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
    lab_in iptables -A CASE -j DROP
    doctor 1
    says broken bridges 'get no answer from dnsmasq \(UDP, TCP'
    says broken firewall "over $chain to udp port 53 is dropped: .*CASE .*DROP"
    grep -q -- '-> iptables -I INPUT -i br-+ -p udp --dport 53 -j ACCEPT' <<<"$output"
    for port in 'udp --dport 53' 'tcp --dport 53'; do
        # shellcheck disable=SC2086 # split into words
        lab_in iptables -I CASE -i br-+ -p $port -j RETURN
    done
    doctor 1
    says ok bridges 'are answered, too'
    says broken firewall "over $chain to tcp port 5672 is dropped"
    lab_in iptables -I CASE -i br-+ -p tcp --dport 5672 -j RETURN
    doctor 0
    says ok firewall
}

# As callsign-setup wrote it at first: everything else is well, and every compose project finds no name at all.
@test "doctor: dnsmasq answers nobody over the bridges of other networks" {
    dnsmasq_with '/^interface=br-/d'
    doctor 1
    says broken bridges 'so in every compose project, get no answer from dnsmasq \(UDP.*no interface=br-\*'
    grep -q -- '-> callsign-setup, then restart dnsmasq' <<<"$output"
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
    no_bridge_left
}

@test "doctor: a bridge with a name of its own that dnsmasq was not told of, and three hundred others" {
    lab_docker network create --subnet 198.19.20.0/24 --opt com.docker.network.bridge.name=shop0 named >/dev/null
    for ((i = 0; i < 300; i++)); do
        printf 'link add br-%012d type bridge\n' "$i"
    done | lab_in ip -batch -
    touch "$LAB/secret/many-bridges"
    doctor 1
    says broken bridges 'behind shop0 get no answer'
    lab_docker network rm named >/dev/null
    doctor 0
    says ok bridges 'are answered, too'
}

# Nothing that doctor made to ask from is left.
no_bridge_left() {
    ! lab_in ip -o link show | grep -qE 'br-doctor|cs-doctor'
}

# the_bridge_goes: as soon as it is there, somebody removes it.
the_bridge_goes() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c 'i=0; while [ $i -lt 2000 ]; do
        bridge=$(ip -o link show type bridge | sed -n "s/^[0-9]*: \(br-doctor[0-9]*\):.*/\1/p")
        [ -z "$bridge" ] || { ip link delete "$bridge"; exit 0; }
        i=$((i + 1)); sleep 0.01; done' 3>&- &
}

@test "doctor: the bridge goes while it tries, and nothing stays when it is killed" {
    # Nobody answers, so that it is there for some seconds.
    dnsmasq_with '/^interface=br-/d'
    the_bridge_goes
    run lab_in callsignctl doctor
    wait
    says warning bridges 'the bridge br-doctor[0-9]+ was removed by somebody else'
    no_bridge_left
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c 'echo $$ >/run/doctor.pid; exec callsignctl doctor' >"$BATS_TEST_TMPDIR/doctor" 2>&1 3>&- &
    poll_until 60000 bridge_is_there
    lab_in kill -KILL "$(cat "$LAB/run/doctor.pid")"
    wait
    poll_until 5000 bridge_is_gone
}

bridge_is_there() {
    lab_in ip -o link show | grep -q 'br-doctor'
}

bridge_is_gone() {
    not bridge_is_there
}

# nft_rules POLICY RULE…: of a table of nft's own, in no iptables' list.
nft_rules() {
    local policy=$1
    shift
    lab_in nft delete table inet broken 2>/dev/null || true
    {
        printf 'table inet broken {\n chain input {\n  type filter hook input priority 10; policy %s;\n' "$policy"
        printf '  %s\n' "$@"
        printf ' }\n}\n'
    } | lab_in nft -f -
}

@test "doctor: nft's own rules between containers and this host" {
    nft_rules accept 'ct state established,related accept' 'iifname "docker*" meta l4proto { tcp, udp } th dport { 22, 50-60 } drop'
    doctor 1
    says broken firewall "udp port 53 is dropped: nft's chain inet broken input, the rule with handle [0-9]+"
    nft_rules drop 'ct state established,related accept' 'iif lo accept' 'iifname "br-*" accept' \
        'iifname docker0 udp dport 53 accept' 'iifname docker0 tcp dport 53 accept'
    doctor 1
    says broken firewall "tcp port 5672 is dropped: nft's chain inet broken input, policy drop"
    not lab_docker run --rm --entrypoint nc lab:1 -w 1 "$LAB_ADDRESS" 5672 </dev/null
    lab_in sh -c "$(sed -nE 's/^ *-> (nft .*) \(and .*/\1/p' <<<"$output")"
    doctor 0
    says ok firewall "iptables and nft's rules let containers reach port 53 and 5672"
    lab_docker run --rm --entrypoint nc lab:1 -w 1 "$LAB_ADDRESS" 5672 </dev/null
    nft_rules accept 'iifname docker0 meta mark 7 tcp dport 5672 drop'
    doctor 0
    says warning firewall 'tcp port 5672 may be dropped'
}

@test "doctor: a host without nft, and one without any firewall's tools" {
    local few=$LAB/secret/few
    mkdir -p "$few"
    ln -sf "$BUILD/host/host/callsignctl" /usr/bin/env "$few"
    run -0 lab_in env PATH="$few" callsignctl doctor
    says skipped firewall 'not checked: neither iptables-save nor nft is here'
    ln -sf /usr/sbin/iptables-save "$few"
    run -0 lab_in env PATH="$few" callsignctl doctor
    says ok firewall 'rules given to nft itself are not checked: nft is not here'
}

@test "doctor: announcements do not reach the queue" {
    queue_do 'channel.queue_unbind("callsign.host.lab", "callsign", "up.#")'
    doctor 1
    says broken round-trip
    [[ $(grep -c '^broken' <<<"$output") == 1 ]]
    lab_restart callsignd
}

@test "doctor: a policy that refuses the throw-away name is no fault" {
    cp -p "$CONF" "$LAB/secret/conf"
    printf 'policy { names = { "web-*" } }\n' >>"$CONF"
    lab_restart callsignd
    doctor 0
    cp -p "$LAB/secret/conf" "$CONF"
    lab_restart callsignd
    says warning round-trip 'refuses the throw-away name'
}

@test "doctor: what this host's programs find is so now, and its reverse name too" {
    doctor_with "$(broker_tool)" 0
    says ok freshness 'a name asked for too early after [0-9]+ ms, none after [0-9]+ ms'
    poll_until 5000 no_names
}

# another_dnsmasq OPTION…: this host's programs ask it on 127.0.0.1, and it asks dnsmasq for the domain.
another_dnsmasq() {
    lab_spawn between dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --listen-address=127.0.0.1 \
        --pid-file="$LAB/run/between.pid" --server="/docker/$LAB_ADDRESS" --server=127.0.0.9 "$@"
    printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:2\n' >"$LAB/etc/resolv.conf"
    poll_until 10000 own_serial
}

own_serial() {
    lab_in getent ahostsv4 serial.callsign.docker >/dev/null
}

# keeps TEXT OPTION [OPTION…]: with these the doctor says TEXT, and the first is what it says is to be taken out.
keeps() {
    local text=$1
    shift
    another_dnsmasq --server="/18.198.in-addr.arpa/$LAB_ADDRESS" "$@"
    doctor_with "$(broker_tool)" 0
    lab_stop between
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    says warning freshness "somebody on the way of this host's programs \(dnsmasq\) $text"
    told_to "take out ${1#--} (its command line), then restart that dnsmasq"
}

@test "doctor: a dnsmasq on the way that keeps nothing is no fault" {
    another_dnsmasq --server="/18.198.in-addr.arpa/$LAB_ADDRESS"
    doctor_with "$(broker_tool)" 0
    lab_stop between
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    says ok freshness
}

@test "doctor: a dnsmasq on the way with neg-ttl keeps denials" {
    keeps 'keeps "no such name"' --neg-ttl=20
    grep -qF ', or: callsign-setup --dnsmasq own' <<<"$output"
}

# 2.93 keeps no denial without a SOA.
@test "doctor: a dnsmasq on the way with min-cache-ttl keeps denials, and addresses of who has gone" {
    keeps 'keeps ("no such name"|addresses)' --min-cache-ttl=20
    keeps 'keeps addresses' --min-cache-ttl=20 --no-negcache
}

# By its second question it knows better, if there is anything to put in the old answer's place: 2.93 takes no denial without a SOA for that.
@test "doctor: a dnsmasq on the way with use-stale-cache gives the old answer first" {
    keeps '(answers from what it knew, and asks only then: the first question, [0-9.]+ s after a name had (come|gone), got the old answer|keeps )' \
        --use-stale-cache
    keeps 'keeps addresses: a name was found for longer than 3 s after it had gone' --use-stale-cache --no-negcache
}

@test "doctor: a dnsmasq on the way that asks others for reverse names is told what it is to ask" {
    another_dnsmasq
    doctor_with "$(broker_tool)" 0
    lab_stop between
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    says warning freshness "this host's programs \(dnsmasq\) do not find the name of a container's address"
    grep -q "server=/docker/$LAB_ADDRESS#53" <<<"$output"
}
