# The parts of a lab: how each is configured, started, and known to serve. Part of lab.bash.
# shellcheck shell=bash

# ---- broker: RabbitMQ with the vhost `callsign` and its users, all from a definitions file ----

broker_files() {
    local dir=$LAB/broker
    printf '[].\n' | tee "$dir/advanced.config" >"$dir/enabled_plugins"
    : >"$dir/rabbitmq-env.conf"
    cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 0.0.0.0:5672
loopback_users = none
log.console = false
load_definitions = $dir/definitions.json
CONF
    "$TESTS_DIR/lib/definitions" lab "$LAB/secret" >"$dir/definitions.json" || return 1
    [[ -e $dir/.erlang.cookie ]] && return
    (umask 377 && head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/.erlang.cookie")
}

# rabbitmq-plugins of 4.x does not find it by itself.
broker_plugins() {
    printf '%s/plugins\n' "$(dirname "$(dirname "$(readlink -f /usr/lib/rabbitmq/bin/rabbitmq-server)")")"
}

# Everything that would otherwise be looked up in /etc/rabbitmq or /var/lib/rabbitmq.
broker_environment() {
    local dir=$LAB/broker
    printf '%s\n' HOME="$dir" RABBITMQ_NODENAME=lab@localhost RABBITMQ_MNESIA_BASE="$dir/mnesia" \
        RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_PID_FILE="$dir/pid" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config" RABBITMQ_CONF_ENV_FILE="$dir/rabbitmq-env.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" RABBITMQ_GENERATED_CONFIG_DIR="$dir/gen" \
        RABBITMQ_FEATURE_FLAGS_FILE="$dir/feature_flags" RABBITMQ_PLUGINS_DIR="$(broker_plugins)"
}

# The programs under /usr/lib/rabbitmq/bin: those in /usr/sbin change to another user.
broker_run() {
    local environment program=$1
    shift
    mapfile -t environment < <(broker_environment)
    "${BROKER_VIA[@]-lab_in}" env "${environment[@]}" "/usr/lib/rabbitmq/bin/$program" "$@"
}

rabbitmqctl() {
    broker_run rabbitmqctl "$@"
}

# broker_tool: the folder of a rabbitmqctl for this broker, to stand first on a program's PATH.
broker_tool() {
    local bin=$LAB/secret/bin
    mkdir -p "$bin"
    [[ -x $bin/rabbitmqctl ]] || {
        {
            printf '#!/bin/sh\nexec env'
            broker_environment | while IFS= read -r one; do printf " '%s'" "$one"; done
            # shellcheck disable=SC2016 # for the script
            printf ' /usr/lib/rabbitmq/bin/rabbitmqctl "$@"\n'
        } >"$bin/rabbitmqctl.new"
        chmod 0755 "$bin/rabbitmqctl.new"
        mv "$bin/rabbitmqctl.new" "$bin/rabbitmqctl"
    }
    printf '%s\n' "$bin"
}

part_broker_start() {
    broker_files || return 1
    local BROKER_VIA=(lab_spawn broker)
    broker_run rabbitmq-server
}

# It serves once it answers the protocol header (AMQP 0-9-1, 4.2.2) with a method frame, whose first byte is 1.
# broker_answers [ADDRESS]
broker_answers() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c '
        { exec 3<>"/dev/tcp/$1/5672"; } 2>/dev/null || exit 1
        printf "AMQP\0\0\x09\x01" >&3
        read -r -N 1 -t 2 byte <&3 && [[ $byte == $'\''\x01'\'' ]]' - "${1-127.0.0.1}"
}

# RabbitMQ 4.3 that was killed under 5,000 connections takes over a minute on a busy machine to put their queues away, before it answers.
part_broker_wait() {
    lab_await broker 180000 broker_answers
}

# ---- dockerd ----

DOCKERD_OPTIONS=() # what a test gives it besides

part_dockerd_start() {
    # The sample that a host would use, with the lab's address.
    jq --arg dns "$LAB_ADDRESS" --arg runtime "$(lab_program callsign-runtime)" --arg hook "$(lab_program callsign-hook)" \
        '.dns = [$dns] | .runtimes = {callsign: {path: $runtime, runtimeArgs: ["--callsign-hook=\($hook)"]}}' \
        "$TOP_DIR/etc/docker/daemon.json" >"$LAB/etc/docker/daemon.json" || return 1
    rm -f "$LAB/run/docker.pid" # left by a kill -9, it keeps the next one from starting
    local ipv6=()
    # IPv6 may be off in a machine's kernel; the tests that need it say so.
    [[ ! -d /proc/sys/net/ipv6 ]] || ipv6=(--ipv6 --fixed-cidr-v6 "$LAB_PREFIX6")
    # cgroupfs: systemd, which Debian's default asks for cgroups, knows nothing of this namespace.
    lab_spawn dockerd dockerd --config-file /etc/docker/daemon.json --data-root "$LAB/docker" --exec-root /run/docker \
        -H unix:///run/docker.sock --pidfile /run/docker.pid --bip "$LAB_ADDRESS/16" "${ipv6[@]}" \
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$(lab_cgroup)" "${DOCKERD_OPTIONS[@]}"
}

dockerd_answers() {
    LAB_ENGINE='' lab_docker info >/dev/null 2>&1
}

part_dockerd_wait() {
    lab_await dockerd 60000 dockerd_answers
}

# ---- upstream: the name server that dnsmasq would ask for what it does not know; it writes every question to log/queries ----

part_upstream_start() {
    lab_spawn upstream /usr/bin/python3 "$TESTS_DIR/lib/upstream.py" 127.0.0.9 53 "$LAB/log/queries"
}

upstream_answers() {
    [[ -e $LAB/log/queries ]]
}

part_upstream_wait() {
    lab_await upstream 10000 upstream_answers
}

# ---- dnsmasq, as Debian starts it: as its own user, with pieces of configuration in /etc/dnsmasq.d ----

# What callsign-setup writes on a machine whose docker0 is the lab's.
dnsmasq_piece() {
    local root=$LAB/secret/dnsmasq
    rm -rf "$root"
    mkdir -p "$root"/etc/{docker,dnsmasq.d}
    printf 'callsign:x:%s:\n' "$LAB_CALLSIGN_ID" >"$root/etc/group"
    printf 'nameserver %s\n' "$LAB_ADDRESS" >"$root/etc/resolv.conf"
    printf '{"bip": "%s/16"}\n' "$LAB_ADDRESS" >"$root/etc/docker/daemon.json"
    "$(lab_program callsign-setup)" --root "$root" --host lab --no-broker --dnsmasq shared --docker-address "$LAB_ADDRESS" >"$root/said"
    cp "$root/etc/dnsmasq.d/callsign" "$LAB/etc/dnsmasq.d/callsign"
}

dnsmasq_files() {
    mkdir -p "$LAB/run/dnsmasq" "$LAB/run/callsign"
    cat >"$LAB/etc/dnsmasq.conf" <<CONF
# The lab's machine: names that are not the containers' go to the lab's own upstream.
no-resolv
no-hosts
server=127.0.0.9
pid-file=/run/dnsmasq/dnsmasq.pid
conf-dir=/etc/dnsmasq.d
CONF
    dnsmasq_piece
}

part_dnsmasq_start() {
    dnsmasq_files
    lab_spawn dnsmasq dnsmasq --keep-in-foreground --log-facility=- --conf-file=/etc/dnsmasq.conf
}

dnsmasq_answers() {
    lab_in dig +short +time=1 +tries=1 "@$LAB_ADDRESS" chaos txt version.bind >/dev/null
}

part_dnsmasq_wait() {
    lab_await dnsmasq 10000 dnsmasq_answers
}

# ---- callsignd ----

callsignd_files() {
    install -m 0640 -g "$LAB_CALLSIGN_ID" "$LAB/secret/callsignd" "$LAB/etc/callsign/password"
    cat >"$LAB/etc/callsign/callsignd.conf" <<CONF
domain = "docker"
bus {
    urls = { "amqp://callsignd@127.0.0.1/callsign" }
    password_file = "/etc/callsign/password"
}
user "agent" {
    agent = true
$([[ -z $UNDER ]] || printf '    lost_grace = %s # the next agent takes so much longer to be there\n' "$((5 * SLOWNESS))")
}
log_level = "debug"
CONF
}

part_callsignd_start() {
    [[ -e $LAB/etc/callsign/callsignd.conf ]] || callsignd_files
    lab_spawn callsignd callsignd --foreground -c /etc/callsign/callsignd.conf
}

# It serves once dnsmasq knows the hosts file's serial and the broker its queue.
callsignd_answers() {
    [[ -n $(lab_in dig +short +time=1 +tries=1 "@$LAB_ADDRESS" serial.callsign.docker) ]] && broker_listens
}

broker_listens() {
    [[ $(lab_amqp admin consumers callsign.host.lab 2>/dev/null) == [1-9]* ]]
}

part_callsignd_wait() {
    lab_await callsignd 30000 callsignd_answers
}

# ---- callsign-agent: kept running, as under systemd ----

agent_files() {
    install -m 0600 "$LAB/secret/agent" "$LAB/etc/callsign/agent-password"
    cat >"$LAB/etc/callsign/agent.conf" <<CONF
bus {
    urls = { "amqp://agent@127.0.0.1/callsign" }
    password_file = "/etc/callsign/agent-password"
}
log_level = "debug"
CONF
}

# It ends with the shell that keeps it, and comes back 0.1 s after any other end. pid/callsign-agent is its own: by its name it cannot be told from
# one that only asks it.
part_agent_start() {
    [[ -e $LAB/etc/callsign/agent.conf ]] || agent_files
    # shellcheck disable=SC2016 # for the shell
    lab_spawn agent bash -c '
        trap "kill \$pid; wait; exit" TERM
        while :; do
            setpriv --pdeathsig TERM callsign-agent --foreground &
            pid=$!
            printf "%s\n" $pid >"$1"
            wait $pid || :
            sleep 0.1
        done' - "$LAB/pid/callsign-agent"
}

# The agent's own, as lab_pid has it: part agent is the shell that keeps it.
agent_pid() {
    lab_pid callsign-agent
}

agent_answers() {
    lab_in callsign-agent --list >/dev/null 2>&1
}

part_agent_wait() {
    lab_await agent 10000 agent_answers
}
