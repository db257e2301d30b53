#!/usr/bin/env bats
# Other runtimes than Docker: the same emitter, the same image, and nothing of theirs is asked.

load common

BRIDGE=docker0 # in the lab it is the one that the broker and dnsmasq are on
ROOTLESS=4444  # a user of the lab alone

setup_file() {
    "$TESTS_DIR/lib/packages" podman runc netavark aardvark-dns uidmap slirp4netns systemd-container docker-compose lxc
    cp -a /etc/containers "$LAB/etc/"
    rm -rf "$LAB/root" && cp -a "$LAB/image" "$LAB/root"
    # What systemd-nspawn and LXC want to see in a root.
    mkdir -p "$LAB"/root/{usr,dev,sys,var} && touch "$LAB/root/etc/os-release"
    lab_in bash -c "
        printf 'pod:x:$ROOTLESS:$ROOTLESS::/run/pod:/bin/sh\n' >>/etc/passwd
        printf 'pod:x:$ROOTLESS:\n' >>/etc/group
        printf 'pod:500000:65536\n' | tee -a /etc/subuid >>/etc/subgid
        install -d -o $ROOTLESS -g $ROOTLESS /run/pod /run/pod/run; install -d /run/lxc"
}

teardown_file() {
    rm -rf "$LAB/root" "$LAB/podman"
}

mend() {
    lab_kill runtime || true
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    podman rm --all --force --time 0 || true
    rootless rm --all --force --time 0 || true
    podman network rm --force named pods || true
}

# ---- podman ----

# On a hybrid of cgroups, as the machines of CI have, crun gives up ("cgroups in hybrid mode not supported"); runc does not.
PODMAN_OPTIONS=(--storage-driver vfs --cgroup-manager cgroupfs --runtime runc)

podman() {
    podman_says "$@" >&2
}

podman_says() {
    lab_in podman --root "$LAB/podman" --runroot /run/podman --tmpdir /run/podman/tmp "${PODMAN_OPTIONS[@]}" "$@"
}

# As a user without any rights.
rootless() {
    lab_in setpriv --reuid "$ROOTLESS" --regid "$ROOTLESS" --clear-groups env --chdir=/run/pod HOME=/run/pod TMPDIR=/run/pod \
        XDG_RUNTIME_DIR=/run/pod/run \
        podman "${PODMAN_OPTIONS[@]}" "$@"
}

# import_into RUNTIME: the lab's image.
import_into() {
    tar -C "$LAB/image" --owner=0 --group=0 -c . >"$LAB/run/image.tar"
    chmod 0644 "$LAB/run/image.tar"
    "$1" import --change 'ENTRYPOINT ["/bin/callsign-emit", "--"]' --change 'ENV CALLSIGN_URLS=amqp://emit@gateway/callsign' \
        /run/image.tar localhost/lab:1
    rm "$LAB/run/image.tar"
}

# plug PID ADDRESS: a cable from that process's network to the bridge, by root, as pipework does.
plug() {
    lab_in bash -c "ip link add v$1 type veth peer name eth9 netns $1 && ip link set v$1 master $BRIDGE up &&
        nsenter --net=/proc/$1/ns/net sh -c 'ip address add $2/16 dev eth9; ip link set eth9 up; ip route add default via $LAB_ADDRESS'"
}

@test "Podman: resolves, and is gone when it is killed" {
    import_into podman
    podman network create --subnet 198.19.8.0/24 --disable-dns pods
    podman run --detach --name web --hostname web --network pods --ip 198.19.8.7 localhost/lab:1 sleep 1000
    wait_resolves web.docker 198.19.8.7
    lab_in ping -c 1 -W 2 web.docker
    podman restart --time 0 web
    wait_resolves web.docker 198.19.8.7
    injected "podman kill"
    podman kill web
    gone_within 3000 web
    # In a pod the network is that of the pod, and so is the hostname.
    podman pod create --name pod --hostname my-pod --network pods --ip 198.19.8.8 --infra-image localhost/lab:1 --infra-command 'sleep 1000'
    podman run --detach --pod pod --name member localhost/lab:1 sleep 1000
    wait_resolves my-pod.docker 198.19.8.8
    # Another one with a name of its own: one address, two names, and each goes with its own end.
    podman run --detach --pod pod --name sidecar --env CALLSIGN_NAME=my-sidecar localhost/lab:1 sleep 1000
    wait_resolves my-sidecar.docker 198.19.8.8
    resolves_to my-pod.docker 198.19.8.8
    injected "podman kill, in a pod"
    podman kill member
    gone_within 3000 my-pod
    resolves_to my-sidecar.docker 198.19.8.8
    podman start member
    wait_resolves my-pod.docker 198.19.8.8
    resolves_to my-sidecar.docker 198.19.8.8
    podman pod rm --force --time 0 pod
    wait_gone my-pod.docker
    wait_gone my-sidecar.docker
}

# found_in CONTAINER NAME [SERVER]: the IPv4 addresses, as that container's programs find them, or that server says. Podman 5 tells aardvark-dns of a
# container's name and of its hostname, and where both are the same the answer has the address twice.
found_in() {
    podman_says exec "$1" nslookup -type=a "${@:2}" 2>&1 | sed -nE '/^Name:/,$ s/^Address( [0-9]+)?: +([0-9.]+).*/\2/p' | sort -u
}

found_is() {
    [[ $(found_in "${@:1:$#-1}") == "${*: -1}" ]]
}

# On a network of Podman's own netavark starts aardvark-dns on its bridge, which asks the servers of the host's resolv.conf, or those of --dns.
@test "Podman with aardvark-dns: by way of it names of ours, of the world and of Podman's are found" {
    local own=198.19.9.1 name
    import_into podman
    podman network create --subnet 198.19.9.0/24 named
    podman run --detach --name web --hostname web --network named --ip 198.19.9.7 localhost/lab:1 sleep 1000
    podman run --detach --name beside --network named localhost/lab:1 sleep 1000
    wait_resolves web.docker 198.19.9.7
    [[ $(podman_says exec beside cat /etc/resolv.conf) == *"nameserver $own"* ]]
    [[ $(found_in beside web.docker) == 198.19.9.7 ]]
    [[ $(found_in beside known.example) == 198.18.255.1 ]]
    for name in web.docker web.dns.podman; do
        [[ $(found_in beside "$name" "$own") == 198.19.9.7 ]]
    done
    [[ $(found_in beside known.example "$own") == 198.18.255.1 ]]
    # One that is not there yet is there at once when it is, and who has gone is gone: it keeps nothing.
    [[ -z $(found_in beside later.docker "$own") ]]
    start later
    wait_up later
    [[ $(found_in beside later.docker "$own") == "$(address later)" ]]
    podman kill web
    wait_gone web.docker
    [[ -z $(found_in beside web.docker "$own") ]]
    # That bridge's port 53 is aardvark-dns's: set-up leaves it to it.
    lab_in rm -f /etc/dnsmasq.d/callsign
    run -0 lab_in callsign-setup --no-services --no-broker --dry-run --state /run/none
    dnsmasq_files
    [[ $output == *"+ interface=docker0"* && $output != *interface=podman* ]]
    # Where the host's resolv.conf names the world's servers alone, they are asked for ours, too; with --dns those of it.
    podman rm --all --force --time 0
    printf 'nameserver 127.0.0.9\n' >"$LAB/etc/resolv.conf"
    podman run --detach --name beside --network named localhost/lab:1 sleep 1000
    poll_until 5000 found_is beside known.example "$own" 198.18.255.1
    [[ -z $(found_in beside later.docker "$own") ]]
    podman rm --all --force --time 0
    podman run --detach --name beside --network named --dns "$LAB_ADDRESS" localhost/lab:1 sleep 1000
    if [[ $(podman_says exec beside cat /etc/resolv.conf) == *"nameserver $own"* ]]; then
        poll_until 5000 found_is beside later.docker "$(address later)"
        [[ $(found_in beside known.example) == 198.18.255.1 ]]
    else
        # Podman 4.3 leaves aardvark-dns out then: the container asks over its own bridge, which dnsmasq does not listen on.
        figure "with --dns $(podman_says --version) has its containers ask by themselves"
        [[ -z $(found_in beside later.docker) ]]
    fi
    podman rm --all --force --time 0
    podman network rm named
}

@test "Podman, rootless: a container without a network that root plugs in" {
    local pid
    import_into rootless
    rootless run --detach --name web --hostname web --network none localhost/lab:1 sleep 1000
    pid=$(rootless inspect --format '{{.State.Pid}}' web)
    [[ $(lab_in stat -c %u "/proc/$pid") != 0 ]]
    plug "$pid" 198.18.200.1
    wait_resolves web.docker 198.18.200.1
    lab_in ping -c 1 -W 2 web.docker
    injected "podman kill, rootless"
    rootless kill web
    gone_within 3000 web
}

# ---- docker-compose ----

compose() {
    lab_in env DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG="$LAB/docker-client" \
        docker-compose --file /run/compose.yml --project-name shop "$@"
}

@test "docker-compose: services by name and alias, scaled, and down" {
    printf '%s\n' 'version: "2.4"' 'services:' '  web:' '    image: lab:1' '    command: sleep 1000' '    environment:' \
        '      CALLSIGN_ALIASES: www.shop' '  db:' '    image: lab:1' '    hostname: db' '    command: sleep 1000' \
        'networks:' '  default:' '    ipam:' '      config:' '        - subnet: 198.19.16.0/24' >"$LAB/run/compose.yml"
    compose up --detach --scale web=2
    poll_until 10000 two_of www.shop.docker
    # Its container is shop_db_1 with Compose 1, shop-db-1 with 2.
    wait_resolves db.docker "$(lab_docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(compose ps --quiet db)")"
    compose kill web
    wait_gone www.shop.docker
    compose down --timeout 0
    wait_gone db.docker
}

# as_emit USER: another user with the password and rights of the lab's own.
as_emit() {
    local rights one
    rabbitmqctl add_user "$1" "$(<"$LAB/secret/emit")"
    mapfile -t rights < <(rabbitmqctl --quiet list_permissions --vhost callsign --formatter json |
        jq -r '.[] | select(.user == "emit") | .configure, .write, .read')
    rabbitmqctl set_permissions --vhost callsign "$1" "${rights[@]}"
    while IFS=$'\t' read -r -a one; do
        rabbitmqctl set_topic_permissions --vhost callsign "$1" "${one[@]}"
    done < <(rabbitmqctl --quiet list_topic_permissions --vhost callsign --formatter json |
        jq -r '.[] | select(.user == "emit") | [.exchange, .write, .read] | @tsv' | sed 's/\\\\/\\/g')
}

# Its lines to the letter, with the image and the user that they name; and a range, which is the lab's.
@test "docker-compose: the first lines of the quick start, typed" {
    # shellcheck disable=SC2016 # the document's own
    sed -n '/^```yaml$/,/^```$/p' "$TOP_DIR/docs/quickstart.md" | sed -e '1d;/^```$/,$d' >"$LAB/run/compose.yml"
    [[ $(grep -cE 'hostname: web|secrets:|callsign-emit@gateway|image: my-image' "$LAB/run/compose.yml") == 5 ]]
    printf 'FROM lab:1\nCMD ["sleep", "1000"]\n' | lab_docker build --quiet --tag my-image - >/dev/null
    as_emit callsign-emit >&2
    printf '%s\n' 'networks:' '  default:' '    ipam:' '      config:' '        - subnet: 198.19.16.0/24' >"$LAB/run/compose.override.yml"
    install -m 0640 -g "$LAB_CALLSIGN_ID" "$LAB/secret/emit" "$LAB/etc/callsign/emit.password"
    compose --file /run/compose.override.yml up --detach
    wait_resolves web.docker "$(lab_docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(compose ps --quiet web)")"
    lab_in ping -c 1 -W 2 web.docker >/dev/null
    grep -q ' web\.docker .* user=callsign-emit$' "$HOSTS"
    compose --file /run/compose.override.yml down --timeout 0
    wait_gone web.docker
    rabbitmqctl delete_user callsign-emit >&2
    lab_docker rmi my-image >/dev/null
    rm -f "$LAB/etc/callsign/emit.password" "$LAB/run/compose.override.yml"
}

two_of() {
    [[ $(resolve "$1" | wc -l) == 2 ]]
}

# ---- without an engine ----

# With version 2 of cgroups alone, whatever the machine has: systemd-nspawn of 2026 (262) refuses version 1, and LXC 7 fails there.
# shellcheck disable=SC2016 # for the inner shell
UNIFIED=(unshare --mount sh -ec 'mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$@"' -)

@test "systemd-nspawn: resolves, and is gone when it is killed" {
    lab_spawn runtime "${UNIFIED[@]}" systemd-nspawn --quiet --register=no --keep-unit --directory="$LAB/root" --machine=web --hostname=web \
        --network-bridge="$BRIDGE" --setenv=CALLSIGN_URLS=amqp://emit@gateway/callsign --as-pid2 /bin/callsign-emit -- \
        sh -c "ip addr add 198.18.201.1/16 dev host0; ip link set host0 up; ip route add default via $LAB_ADDRESS; exec sleep 1000"
    wait_resolves web.docker 198.18.201.1
    lab_in ping -c 1 -W 2 web.docker
    injected "systemd-nspawn is killed"
    lab_kill runtime
    gone_within 3000 web
}

@test "LXC: resolves, and is gone when it is killed" {
    local pid
    printf '%s\n' 'lxc.uts.name = web' "lxc.rootfs.path = dir:$LAB/root" 'lxc.net.0.type = empty' 'lxc.mount.auto = proc' \
        'lxc.environment = CALLSIGN_URLS=amqp://emit@gateway/callsign' \
        'lxc.init.cmd = /bin/callsign-emit -- sleep 1000' >"$LAB/run/lxc.conf"
    lab_spawn runtime "${UNIFIED[@]}" lxc-start --foreground --name web --lxcpath /run/lxc --rcfile /run/lxc.conf
    poll_until 5000 lxc_pid
    pid=$(lxc_pid)
    plug "$pid" 198.18.202.1
    wait_resolves web.docker 198.18.202.1
    injected "lxc-stop --kill"
    lab_in lxc-stop --kill --name web --lxcpath /run/lxc
    gone_within 3000 web
}

lxc_pid() {
    lab_in lxc-info --pid --no-humanize --name web --lxcpath /run/lxc 2>/dev/null | grep -E '^[1-9][0-9]*$'
}

# has_left PID: it is in a network of its own.
has_left() {
    [[ $(lab_in readlink "/proc/$1/ns/net") != "$(lab_in readlink /proc/1/ns/net)" ]]
}

@test "plain namespaces: a process that is nobody's container" {
    local pid
    # shellcheck disable=SC2016 # for the inner shell
    lab_spawn runtime unshare --net --uts sh -c 'hostname web; ip link set lo up
        exec env CALLSIGN_URLS=amqp://emit@gateway/callsign CALLSIGN_PASSWORD_FILE="$0" callsign-emit -- sleep 1000' "$LAB/secret/emit"
    pid=$(lab_pid runtime)
    poll_until 5000 has_left "$pid"
    plug "$pid" 198.18.203.1
    wait_resolves web.docker 198.18.203.1
    injected "kill -9"
    lab_kill runtime
    gone_within 3000 web
}
