# More brokers beside the lab's own: RabbitMQ nodes, each in a network namespace of its own, on a bridge. As a cluster, or each by itself.
# Sourced by the tests that need them.
# shellcheck shell=bash

NODES_NET=198.19.250 # node N has the address .N; the lab's own, from where hosts and emitters come, is .254
NODE_READY_MS=120000

node_address() {
    printf '%s.%s\n' "$NODES_NET" "$1"
}

# node_urls USER FIRST COUNT: the URLs of nodes 1 to COUNT, FIRST tried first.
node_urls() {
    local i urls=()
    for ((i = 0; i < $3; i++)); do
        urls+=("amqp://$1@$(node_address $((($2 - 1 + i) % $3 + 1)))/callsign")
    done
    (IFS=, && printf '%s\n' "${urls[*]}")
}

# ---- the network ----

nodes_net_up() {
    lab_in ip link add nodes type bridge
    lab_in ip address add "$NODES_NET.254/24" dev nodes
    lab_in ip link set nodes up
    # Where bridges are filtered, Docker's rules drop what is not theirs.
    lab_in iptables --wait --insert DOCKER-USER --in-interface nodes --out-interface nodes --jump ACCEPT
}

nodes_net_down() {
    lab_in ip link del nodes || true
    lab_in iptables --wait --delete DOCKER-USER --in-interface nodes --out-interface nodes --jump ACCEPT || true
}

node_net_up() {
    local name=n$1
    lab_in ip netns add "$name"
    lab_in ip link add "$name" type veth peer name eth0 netns "$name"
    lab_in ip link set "$name" master nodes up
    lab_in ip -n "$name" link set lo up
    lab_in ip -n "$name" address add "$(node_address "$1")/24" dev eth0
    lab_in ip -n "$name" link set eth0 up
}

# ---- one node: its folder is $LAB/nodes/N ----

# node_files N LINE…: rabbitmq.conf's further lines.
node_files() {
    local dir=$LAB/nodes/$1 i
    shift
    mkdir -p "$dir"
    printf '[].\n' >"$dir/advanced.config"
    [[ -e $dir/enabled_plugins ]] || printf '[].\n' >"$dir/enabled_plugins"
    : >"$dir/rabbitmq-env.conf"
    printf '%s\n' 'listeners.tcp.1 = 0.0.0.0:5672' 'loopback_users = none' 'log.console = false' \
        "load_definitions = $LAB/nodes/definitions.json" "$@" >"$dir/rabbitmq.conf"
    printf '127.0.0.1 localhost\n' >"$LAB/nodes/hosts"
    for i in 1 2 3; do
        printf '%s n%s\n' "$(node_address "$i")" "$i" >>"$LAB/nodes/hosts"
    done
    # One definition for all: what they import is the same.
    [[ -e $LAB/nodes/definitions.json ]] || "$TESTS_DIR/lib/definitions" lab "$LAB/secret" >"$LAB/nodes/definitions.json" || return 1
    [[ -e $dir/.erlang.cookie ]] || (umask 377 && printf 'nodesofthelab\n' >"$dir/.erlang.cookie")
}

# node_command N PROGRAM ARGUMENT…: into NODE_COMMAND: that program of RabbitMQ's, with N's name, files and network.
node_command() {
    local dir=$LAB/nodes/$1 name=n$1
    local program=$2
    shift 2
    # shellcheck disable=SC2016 # for the inner shell
    NODE_COMMAND=(unshare --mount --uts sh -ec 'hostname "$1"; mount --bind "$2" /etc/hosts; net=$3; shift 3; exec nsenter --net="$net" env "$@"'
        - "$name" "$LAB/nodes/hosts" "/run/netns/$name"
        HOME="$dir" RABBITMQ_NODENAME="rabbit@$name" RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log"
        RABBITMQ_PID_FILE="$dir/pid" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config"
        RABBITMQ_CONF_ENV_FILE="$dir/rabbitmq-env.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins"
        RABBITMQ_GENERATED_CONFIG_DIR="$dir/gen" RABBITMQ_FEATURE_FLAGS_FILE="$dir/feature_flags"
        RABBITMQ_PLUGINS_DIR="$(broker_plugins)"
        "/usr/lib/rabbitmq/bin/$program" "$@")
}

# node_ctl N PROGRAM ARGUMENT…: rabbitmqctl and the like.
node_ctl() {
    local NODE_COMMAND
    node_command "$@"
    lab_in "${NODE_COMMAND[@]}"
}

node_start() {
    local NODE_COMMAND
    node_command "$1" rabbitmq-server
    lab_spawn "node$1" "${NODE_COMMAND[@]}"
}

node_wait() {
    lab_await "node$1" "$NODE_READY_MS" broker_answers "$(node_address "$1")"
}

# In good order.
node_stop() {
    lab_signal "node$1" TERM
    poll_until 60000 lab_gone "node$1"
}

# kill -9
node_kill() {
    lab_in kill -9 "$(<"$LAB/nodes/$1/pid")"
    poll_until 10000 lab_gone "node$1"
}

# ---- all of them ----

# Up to 3.10 nodes that start together wait for a time of chance each, up to 60 s by default. 4.x has no such key, and does not start with one.
cluster_delay() {
    ! grep -q randomized_startup_delay_range "$(broker_plugins)"/rabbit-*/priv/schema/rabbit.schema ||
        printf '%s\n' 'cluster_formation.randomized_startup_delay_range.min = 0' 'cluster_formation.randomized_startup_delay_range.max = 2'
}

# cluster_up: three nodes that find one another.
cluster_up() {
    local i delay
    mapfile -t delay < <(cluster_delay)
    nodes_net_up
    for i in 1 2 3; do
        node_net_up "$i"
        node_files "$i" 'cluster_formation.peer_discovery_backend = classic_config' \
            'cluster_formation.classic_config.nodes.1 = rabbit@n1' 'cluster_formation.classic_config.nodes.2 = rabbit@n2' \
            'cluster_formation.classic_config.nodes.3 = rabbit@n3' 'cluster_partition_handling = pause_minority' "${delay[@]}"
        node_start "$i"
    done
    for i in 1 2 3; do
        node_wait "$i"
    done
    poll_until 60000 cluster_whole
}

# Each of the three runs, and knows that the other two do.
cluster_whole() {
    local running
    running=$(node_ctl 1 rabbitmqctl --quiet --formatter json cluster_status 2>/dev/null | jq '.running_nodes | length') || return 1
    [[ $running == 3 ]]
}

# nodes_down N…: these, with all that they left. The namespace's epmd goes by its pid.
nodes_down() {
    local i pid
    for i in "$@"; do
        [[ ! -e $LAB/nodes/$i/pid ]] || lab_in kill -9 "$(<"$LAB/nodes/$i/pid")" 2>/dev/null || true
        poll_until 10000 lab_gone "node$i" || true
        for pid in $(lab_in ip netns pids "n$i" 2>/dev/null || true); do
            lab_in kill -9 "$pid" 2>/dev/null || true
        done
        lab_in ip link del "n$i" 2>/dev/null || true # the kernel takes what is in a namespace away some time after it
        lab_in ip netns del "n$i" || true
    done
    nodes_net_down
    rm -rf "$LAB/nodes"
}
