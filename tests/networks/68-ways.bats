#!/usr/bin/env bats
# The ways in by which runtimes tell the agent: Podman's hooks, CDI, compose files. The files are those that callsign-setup --agent writes, but for where the
# hook is. CRI-O, which no Debian has as a package, reads hooks with the library that Podman has them from.

load common

setup_file() {
    local root=$BATS_FILE_TMPDIR/root file
    "$TESTS_DIR/lib/packages" podman runc netavark docker-compose
    cp -a /etc/containers "$LAB/etc/"
    mkdir -p "$root"/etc/{docker,dnsmasq.d} "$LAB/etc/cdi" "$LAB/run/hooks.d"
    printf 'root:x:0:\ncallsign:x:955:\n' >"$root/etc/group"
    printf 'nameserver 127.0.0.53\n' >"$root/etc/resolv.conf"
    "$(lab_program callsign-setup)" --root "$root" --no-broker --agent >/dev/null
    for file in usr/share/containers/oci/hooks.d:run/hooks.d etc/cdi:etc/cdi; do
        sed "s,/usr/libexec/callsign-hook,$BUILD/host/container/agent/callsign-hook," "$root/${file%:*}/callsign.json" >"$LAB/${file#*:}/callsign.json"
        grep -q "$BUILD" "$LAB/${file#*:}/callsign.json"
    done
}

teardown_file() {
    rm -rf "$LAB/podman" "$LAB/etc/cdi" "$LAB/run/hooks.d"
}

mend() {
    podman rm --all --force --time 0 || true
    podman pod rm --all --force --time 0 || true
    [[ -z ${DOCKERD_CHANGED-} ]] || lab_restart dockerd
    # Whoever was adopted here ends with its container.
    lab_start agent
}

# podman OPTION… [-- …]: see 60-runtimes.bats for why runc.
podman() {
    podman_said "$@" >&2
}

podman_said() {
    lab_in podman --root "$LAB/podman" --runroot /run/podman --tmpdir /run/podman/tmp --storage-driver vfs --cgroup-manager cgroupfs --runtime runc \
        "${PODMAN_HOOKS[@]}" "$@"
}

# podman_when StartedAt|FinishedAt CONTAINER
podman_when() {
    podman_said inspect --format '{{.State.'"$1"'.Format "2006-01-02T15:04:05.000000000Z07:00"}}' "$2"
}

PODMAN_HOOKS=()

import_plain() {
    tar -C "$LAB/plain" --owner=0 --group=0 -c . >"$LAB/run/image.tar"
    podman import /run/image.tar localhost/plain:1
    rm "$LAB/run/image.tar"
    podman network exists pods || podman network create --subnet 198.19.8.0/24 --disable-dns pods
}

agent_names() {
    lab_in callsign-agent --list | cut -f 1 | sort | paste -sd ' '
}

agent_says() {
    tail -c "+$AGENT_MARK" "$LAB/log/agent" | grep -q "$1"
}

setup() {
    log_mark
    AGENT_MARK=$(($(stat -c %s "$LAB/log/agent") + 1))
}

@test "Podman with the hook in hooks.d: any image is named before its first instruction, restarted, and gone when it is killed" {
    local began before
    PODMAN_HOOKS=(--hooks-dir /run/hooks.d)
    import_plain
    podman run --detach --name web --hostname web --network pods --ip 198.19.8.7 localhost/plain:1 sleep 1000
    wait_resolves web.docker 198.19.8.7
    lab_in dnswatch -t 20000 present first.docker 198.19.8.6 >"$BATS_TEST_TMPDIR/at" 3>&- &
    podman run --detach --name first --hostname first --network pods --ip 198.19.8.6 localhost/plain:1 sleep 1000
    wait $!
    began=$(podman_when StartedAt first)
    before=$((($(date --date "$began" +%s%N) - $(<"$BATS_TEST_TMPDIR/at")) / 1000000))
    figure "Podman: named $before ms before StartedAt"
    ((before > 0))
    podman restart --time 0 web
    wait_resolves web.docker 198.19.8.7
    # From the end that Podman notes: it takes its time before, and after.
    lab_in dnswatch -t 20000 absent web.docker >"$BATS_TEST_TMPDIR/at" 3>&- &
    injected "podman kill"
    podman kill web
    wait $!
    measured "web.docker gone" "$(ms_since "$(date --date "$(podman_when FinishedAt web)" +%s%N)" "$(<"$BATS_TEST_TMPDIR/at")")" 1000
    podman start web
    wait_resolves web.docker 198.19.8.7
    podman rm --force --time 0 web
    wait_gone web.docker
}

@test "Podman with the hook: a pod has its name, labels and annotations are known, and a container without a hostname has none" {
    PODMAN_HOOKS=(--hooks-dir /run/hooks.d)
    import_plain
    podman run --detach --name nobody --network pods localhost/plain:1 sleep 1000
    podman run --detach --name note --network pods --ip 198.19.8.10 --annotation callsign.name=noted localhost/plain:1 sleep 1000
    wait_resolves noted.docker 198.19.8.10
    podman pod create --name pod --hostname my-pod --network pods --ip 198.19.8.8 --infra-image localhost/plain:1 --infra-command 'sleep 1000'
    podman run --detach --pod pod --name member localhost/plain:1 sleep 1000
    wait_resolves my-pod.docker 198.19.8.8
    podman pod rm --force --time 0 pod
    wait_gone my-pod.docker
    [[ $(agent_names) == noted ]]
}

@test "Podman with CDI: --device callsign.dev/name=on names that container, and no other" {
    import_plain
    podman run --detach --name other --hostname other --network pods localhost/plain:1 sleep 1000
    podman run --detach --name on --hostname on --device callsign.dev/name=on --network pods --ip 198.19.8.9 localhost/plain:1 sleep 1000
    wait_resolves on.docker 198.19.8.9
    [[ $(agent_names) == on ]]
    podman rm --force --time 0 on
    wait_gone on.docker
}

@test "Podman with the hook and CDI: told of twice, named once" {
    PODMAN_HOOKS=(--hooks-dir /run/hooks.d)
    import_plain
    podman run --detach --name on --hostname on --device callsign.dev/name=on --network pods --ip 198.19.8.9 localhost/plain:1 sleep 1000
    wait_resolves on.docker 198.19.8.9
    [[ $(agent_names) == on ]]
}

docker_major() {
    lab_docker version --format '{{.Server.Version}}' | cut -d . -f 1
}

@test "Docker with CDI: as its version has it, off (20.10), to be switched on (26.1), on (28.5)" {
    local major
    major=$(docker_major)
    if ((major < 25)); then
        figure "Docker $major knows no CDI: it refuses the device"
        run -125 lab_docker run --detach --device callsign.dev/name=on --hostname on --name on plain:1 sleep 1000
        return
    fi
    if ((major < 28)); then
        run -125 lab_docker run --rm --device callsign.dev/name=on plain:1 true
        DOCKERD_CHANGED=1
        lab_stop dockerd
        # daemon.json is written anew at each start of the lab's.
        mkdir -p "$BATS_TEST_TMPDIR/top/etc/docker"
        jq '.features.cdi = true' "$TOP_DIR/etc/docker/daemon.json" >"$BATS_TEST_TMPDIR/top/etc/docker/daemon.json"
        TOP_DIR=$BATS_TEST_TMPDIR/top lab_start dockerd
    fi
    lab_docker run --detach --hostname other --name other plain:1 sleep 1000
    lab_docker run --detach --device callsign.dev/name=on --hostname on --name on plain:1 sleep 1000
    wait_up on
    [[ $(agent_names) == on ]]
    injected "docker kill, by CDI"
    lab_docker kill on >/dev/null
    gone_within 1000 on
}

compose() {
    lab_in env DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG="$LAB/docker-client" \
        docker-compose --file /run/compose.yml --project-name shop "$@"
}

@test "docker-compose: runtime: callsign names a service by its hostname, and by its service where agent.conf says so" {
    cp "$LAB/etc/callsign/agent.conf" "$BATS_TEST_TMPDIR/agent.conf"
    # The line of docs/agent.md.
    grep -m 1 -o 'names = {.*' "$TOP_DIR/docs/agent.md" >>"$LAB/etc/callsign/agent.conf"
    lab_in kill -HUP "$(agent_pid)"
    poll_until 5000 agent_says 'configuration read again'
    printf '%s\n' 'version: "2.4"' 'services:' '  web:' '    image: plain:1' '    command: sleep 1000' '    runtime: callsign' \
        '  db:' '    image: plain:1' '    hostname: database' '    command: sleep 1000' '    runtime: callsign' \
        'networks:' '  default:' '    ipam:' '      config:' '        - subnet: 198.19.16.0/24' >"$LAB/run/compose.yml"
    compose up --detach
    wait_resolves web.docker "$(lab_docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(compose ps --quiet web)")"
    [[ -n $(resolve web.shop.docker) && -n $(resolve database.docker) && $(resolve database.docker) == "$(resolve db.shop.docker)" ]]
    compose kill web
    wait_gone web.shop.docker
    compose down --timeout 0
    wait_gone database.docker
    cp "$BATS_TEST_TMPDIR/agent.conf" "$LAB/etc/callsign/agent.conf"
    lab_in kill -HUP "$(agent_pid)"
}
