#!/usr/bin/env bats
# The package goes while containers run that were started with its runtime: what dpkg does, on the lab's own engine. /usr is the lab's own meanwhile, in
# layers over the machine's.

load common

RUNTIME=/usr/bin/callsign-runtime
HOOK=/usr/libexec/callsign-hook

setup() {
    common_setup
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c 'mkdir -p /run/usr && mount -t tmpfs tmpfs /run/usr && mkdir /run/usr/new /run/usr/work &&
        mount -t overlay overlay -o lowerdir=/usr,upperdir=/run/usr/new,workdir=/run/usr/work /usr &&
        mkdir -p /usr/libexec && cp "$1" /usr/bin && cp "$2" /usr/libexec' - "$(lab_program callsign-runtime)" "$(lab_program callsign-hook)"
    cp "$LAB/etc/docker/daemon.json" "$LAB/etc/docker/daemon.json.before"
    settings '.runtimes.callsign = {path: "'"$RUNTIME"'"}'
}

teardown() {
    mv "$LAB/etc/docker/daemon.json.before" "$LAB/etc/docker/daemon.json"
    remove_containers
    # The engine's programs may have been started from there.
    lab_in umount --lazy /usr
    lab_in umount --lazy /run/usr
    reload
    common_teardown
}

reload() {
    lab_signal dockerd HUP
}

# settings FILTER: Docker's, changed by jq, and read again.
settings() {
    jq "$1" "$LAB/etc/docker/daemon.json" >"$LAB/etc/docker/new"
    mv "$LAB/etc/docker/new" "$LAB/etc/docker/daemon.json"
    reload
    poll_until 5000 knows_runtime
}

knows_runtime() {
    lab_docker info --format '{{json .Runtimes}}' | grep -q '"callsign"'
}

# package_goes: what dpkg --remove does of it.
package_goes() {
    lab_in sh "$TOP_DIR/debian/callsign-host.prerm" remove
    lab_in rm "$RUNTIME" "$HOOK"
    lab_in sh "$TOP_DIR/debian/callsign-host.postrm" remove
}

named() {
    local name=$1
    shift
    lab_docker run --detach --runtime callsign --hostname "$name" --name "$name" "$@" plain:1 sleep 1000 >/dev/null
}

runs() {
    [[ $(lab_docker inspect --format '{{.State.Running}}' "$1") == true ]]
}

is_left() {
    lab_in test -e "$RUNTIME" -o -e "$HOOK"
}

@test "the package goes: what runs stops, is killed, is removed, starts again, and the last one takes the rest along" {
    local name began
    for name in stopped-before stop kill remove; do
        named "$name"
        wait_up "$name"
    done
    named always --restart always
    lab_docker stop --time 0 stopped-before
    package_goes 2>&1 | tee "$BATS_TEST_TMPDIR/said"
    grep -q "$RUNTIME stays, as a script that is runc: it is needed by container " "$BATS_TEST_TMPDIR/said"
    is_left
    lab_docker start stopped-before
    lab_docker exec stop true
    began=$(now_ms)
    lab_docker stop --time 1 stop
    lab_docker kill kill
    lab_docker rm --force remove
    figure "stop with one second's patience, kill and rm --force: $(($(now_ms) - began)) ms"
    (($(now_ms) - began < 8000 * SLOWNESS))
    lab_docker start stop kill
    is_left
    lab_in kill -9 "$(container_pid always)"
    poll_until 10000 not is_left
    poll_until 10000 runs always
    for name in stopped-before stop kill always; do
        runs "$name"
        lab_docker restart --time 0 "$name"
    done
}

@test "the package goes, and nobody needs the runtime: nothing stays" {
    named web
    lab_docker rm --force web
    package_goes
    not is_left
}

@test "the package goes, and all that need the runtime go at once" {
    local name names=(a1 a2 a3 a4 a5 a6)
    for name in "${names[@]}"; do
        named "$name"
    done
    package_goes
    is_left
    lab_docker rm --force "${names[@]}"
    poll_until 10000 not is_left
    # A container that could not be deleted would keep its shim.
    poll_until 10000 no_shims
}

no_shims() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c '! grep -qs "^containerd-shim" /proc/[0-9]*/comm'
}

@test "the package goes, and the runtime has arguments of ours: the engine's settings stay, and containers start" {
    settings '.runtimes.callsign.runtimeArgs = ["--callsign-timeout=100"]'
    named web
    package_goes 2>&1 | tee "$BATS_TEST_TMPDIR/said"
    grep -q "needed by /etc/docker/daemon.json" "$BATS_TEST_TMPDIR/said"
    lab_docker restart --time 0 web
    runs web
    named more
    lab_docker rm --force web more
    is_left
    # What names it is mended: now it goes.
    settings 'del(.runtimes.callsign.runtimeArgs) | .runtimes.callsign.path = "runc"'
    poll_until 5000 leaves
    not is_left
}

leaves() {
    [[ -z $(lab_in "$RUNTIME" --callsign-leave) ]]
}

@test "a container that ended while there was no runtime starts again once one is there" {
    named web
    wait_up web
    lab_in mv "$RUNTIME" "$RUNTIME.away"
    lab_in kill -9 "$(container_pid web)"
    poll_until 10000 not runs web
    not lab_docker start web
    lab_in mv "$RUNTIME.away" "$RUNTIME"
    lab_docker start web
    runs web
}

@test "callsign-setup --undo with containers of the runtime: Docker goes on knowing it, by its name, until there are none" {
    local root=$BATS_TEST_TMPDIR/root id
    named web
    named other
    id=$(lab_docker inspect --format '{{.Id}}' other)
    mkdir -p "$root/etc/docker" "$root/etc/dnsmasq.d" "$root/var/lib/docker/containers"
    printf 'root:x:0:\ncallsign:x:955:\n' >"$root/etc/group"
    printf 'nameserver 127.0.0.53\n' >"$root/etc/resolv.conf"
    "$(lab_program callsign-setup)" --root "$root" --no-broker --agent
    jq '.["default-runtime"] = "callsign"' "$root/etc/docker/daemon.json" >"$root/new"
    mv "$root/new" "$root/etc/docker/daemon.json"
    cp -r "$LAB"/docker/containers/* "$root/var/lib/docker/containers"
    rm "$root/var/lib/docker/containers/$id/config.v2.json"
    run -0 "$(lab_program callsign-setup)" --root "$root" --no-broker --undo --dry-run
    [[ $output == *"2 containers were made with it"* ]]
    run -0 "$(lab_program callsign-setup)" --root "$root" --no-broker --undo
    [[ $output == *"2 containers were made with it:"*" web"* && $output == *" ${id:0:12}"* ]]
    [[ $(jq -c . "$root/etc/docker/daemon.json") == '{"runtimes":{"callsign":{"path":"runc"}}}' ]]
    # What that leaves is what the engine starts them with.
    settings '.runtimes.callsign.path = "runc"'
    lab_docker restart --time 0 web
    runs web
    # Again: as long as there is one it stays; then it goes.
    rm -r "$root/var/lib/docker/containers/$id"
    run -0 "$(lab_program callsign-setup)" --root "$root" --no-broker --undo
    [[ $output == *"1 container was made with it: web."* ]]
    rm -r "$root"/var/lib/docker/containers/*
    run -0 "$(lab_program callsign-setup)" --root "$root" --no-broker --undo
    [[ ! -e $root/etc/docker/daemon.json ]]
    # Removed and installed again, and then undone: what the package made of daemon.json meanwhile counts as ours.
    printf '{ "debug":true }\n' >"$root/etc/docker/daemon.json"
    "$(lab_program callsign-setup)" --root "$root" --no-broker --agent
    sed -i 's,"/usr/bin/callsign-runtime","runc",g' "$root/etc/docker/daemon.json"
    run -0 "$(lab_program callsign-setup)" --root "$root" --no-broker --undo
    [[ $(cat "$root/etc/docker/daemon.json") == '{ "debug":true }' ]]
}
