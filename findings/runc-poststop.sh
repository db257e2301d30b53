#!/bin/sh
# runc 1.3.6+ds1-1 below Docker 28.5.2+dfsg4-5 with containerd 2.1.9+ds1-5 (Debian testing): a poststop hook whose program has gone by the time that the
# container ends, as one that a package brought and took away.
#
# Guess: no more than a warning. The OCI runtime specification (config.md, "Poststop") has the runtime log such a failure and go on as if it had succeeded,
# and runc 1.1.5 (Debian 12) does so: exit status 0.
# Seen: runc deletes the container and then says that it could not: exit status 1, and nothing of it is left that a second try could delete. containerd takes
# that word for it. `docker rm --force` ends well and Docker lists the container no more, but containerd's shim for it lives on, once for each such
# container, and goes by itself no more.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of forky runc=1.3.6+ds1-1 docker.io=28.5.2+dfsg4-5 containerd=2.1.9+ds1-5 docker-cli busybox-static ca-certificates iptables tar procps sed grep jq

# runc changes its root, so ours has to be a mount; and it wants the control groups.
mkdir -p "$root/sys" "$root/image/bin" "$root/bundle/rootfs/bin" "$root/opt" "$root/etc/docker"
# shellcheck disable=SC2016,SC2154 # for the inner shell; lib.sh has it
nsenter --target "$first" --mount sh -ec 'mount --rbind "$1" "$1"; mount --rbind /sys "$1/sys"' - "$root"
cp "$root/bin/busybox" "$root/image/bin/sleep"
cp "$root/bin/busybox" "$root/bundle/rootfs/bin/sleep"

hook_comes() {
    printf '#!/bin/sh\ncat >/dev/null\n' >"$root/opt/hook"
    chmod 0755 "$root/opt/hook"
}

docker() {
    inside docker -H unix:///run/d.sock "$@" 2>&1
}

says() {
    docker info >/dev/null
}

shims() {
    inside sh -c 'grep -ls "^containerd-shim" /proc/[0-9]*/comm | grep -c . || :'
}

# runc by itself.
# shellcheck disable=SC2016 # for the inner shell
inside sh -ec 'cd /bundle; runc spec; jq ".process.terminal = false | .process.args = [\"sleep\", \"1000\"] | .linux.cgroupsPath = \"$1\" |
    .hooks = {poststop: [{path: \"/opt/hook\"}]}" config.json >new; mv new config.json' - "/findings-$$"
hook_comes
inside runc run --detach --bundle /bundle c </dev/null >/dev/null 2>&1 || skip "runc runs no container here"
rm "$root/opt/hook"
inside runc kill c KILL
sleep 1
status=0
inside runc delete c >/dev/null 2>"$work/said" || status=$?
expect "runc delete, without the hook" "$status $(sed -n 's/.*\(error running poststop hook #0: .*\)"/\1/p' "$work/said")" \
    "1 error running poststop hook #0: fork/exec /opt/hook: no such file or directory"
expect "what runc still has of it" "$(inside runc list --quiet)" ""

# Below Docker: a runtime that adds the hook, as a tool might.
# shellcheck disable=SC2016 # for the runtime
printf '%s\n' '#!/bin/sh' 'bundle=; for word; do [ "$before" != --bundle ] || bundle=$word; before=$word; done' \
    '[ -z "$bundle" ] || { jq ".hooks.poststop = [{path: \"/opt/hook\"}]" "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"; }' \
    'exec runc "$@"' >"$root/opt/own"
chmod 0755 "$root/opt/own"
printf '{"runtimes": {"own": {"path": "/opt/own"}}}\n' >"$root/etc/docker/daemon.json"
hook_comes
start dockerd dockerd -H unix:///run/d.sock --bridge none --iptables=false --ip6tables=false --data-root /var/d --exec-root /run/d --pidfile /run/d.pid \
    --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/findings-$$"
until_it says || skip "Docker does not start here: $(tail -n 1 "$work/dockerd.log")"
inside sh -c 'tar -C /image -c . | docker -H unix:///run/d.sock import - i' >/dev/null
for name in before meanwhile; do
    docker run --detach --network none --runtime own --name "$name" i sleep 1000 >/dev/null || skip "Docker runs no container here"
done
docker rm --force before >/dev/null
sleep 2
expect "shims, one container removed while the hook was there and one that runs" "$(shims)" 1
rm "$root/opt/hook"
expect "docker rm --force, without the hook" "$(docker rm --force meanwhile)" meanwhile
expect "containers that Docker lists" "$(docker ps --all --quiet)" ""
sleep 10
expect "shims 10 s later" "$(shims)" 1
stop dockerd
find /sys/fs/cgroup -depth -type d -path "*/findings-$$*" -exec rmdir {} + 2>/dev/null || :
as_stated "a poststop hook that is not there makes runc say that it deleted nothing, and leaves containerd's shim"
