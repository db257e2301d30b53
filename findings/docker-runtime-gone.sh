#!/bin/sh
# Docker 20.10.24+dfsg1-1+deb12u1+b6 with containerd 1.6.20~ds1-1+deb12u3: a runtime of one's own in daemon.json ("runtimes"), whose program goes while a
# container of it runs, as it does when a package is removed.
#
# Guess: a container that runs needs its runtime no more, and the next start takes what daemon.json calls by that name by then: so it is enough to have the
# name mean runc before the program goes, and to reload.
# Seen: the shim keeps the path that the container was started with and calls it to signal and to delete. docker stop waits in vain and kills by itself
# after 10 s more; and since nothing was deleted every further start says "id already in use", whatever daemon.json has by then. Any runc at the old path
# mends it, also afterwards. So a package that brings a runtime has to leave something at its path until the last container started with it has ended.
# containerd 1.6 calls "delete ID" and then always "delete --force ID", also after the first one succeeded: that second call is the last one.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of bookworm docker.io=20.10.24+dfsg1-1+deb12u1+b6 containerd=1.6.20~ds1-1+deb12u3 busybox-static ca-certificates iptables tar procps

# runc changes its root, so ours has to be a mount; and it wants the control groups.
mkdir -p "$root/sys" "$root/image/bin" "$root/opt" "$root/etc/docker"
# shellcheck disable=SC2016,SC2154 # for the inner shell; lib.sh has it
nsenter --target "$first" --mount sh -ec 'mount --rbind "$1" "$1"; mount --rbind /sys "$1/sys"' - "$root"
cp "$root/bin/busybox" "$root/image/bin/sleep"

# settings PATH: what the runtime "own" is.
settings() {
    printf '{"runtimes": {"own": {"path": "%s"}}}\n' "$1" >"$root/etc/docker/daemon.json"
}

# It notes what it is called for, and is runc.
runtime_comes() {
    # shellcheck disable=SC2016 # for the runtime
    printf '%s\n' '#!/bin/sh' 'echo "$*" >>/run/called' 'exec runc "$@"' >"$root/opt/own"
    chmod 0755 "$root/opt/own"
}

docker() {
    inside docker -H unix:///run/d.sock "$@" 2>&1
}

says() {
    docker info >/dev/null
}

runtime_comes
settings /opt/own
start dockerd dockerd -H unix:///run/d.sock --bridge none --iptables=false --ip6tables=false --data-root /var/d --exec-root /run/d --pidfile /run/d.pid \
    --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/findings-$$"
until_it says || skip "Docker does not start here: $(tail -n 1 "$work/dockerd.log")"
inside sh -c 'tar -C /image -c . | docker -H unix:///run/d.sock import - i' >/dev/null
for name in before meanwhile; do
    docker run --detach --network none --runtime own --name "$name" i sleep 1000 >/dev/null || skip "Docker runs no container here"
done

docker rm --force before >/dev/null
sleep 1
expect "what containerd calls at a container's end" \
    "$(sed -n 's/.* \(kill\|delete\( --force\)*\) [0-9a-f]\{64\}.*/\1/p' "$root/run/called" | tr '\n' ' ')" "kill delete delete --force "

settings runc
# shellcheck disable=SC2016 # for the inner shell
inside sh -c 'kill -HUP "$(cat /run/d.pid)"'
rm "$root/opt/own"
docker stop --time 1 meanwhile >/dev/null
expect "stopped by force" "$(docker inspect --format '{{.State.Status}}' meanwhile)" exited
expect "started again" "$(docker start meanwhile | sed -n '1s/.*: //p')" "id already in use"
runtime_comes
expect "started again with a runc at the old path" "$(docker start meanwhile)" meanwhile
docker rm --force meanwhile >/dev/null
stop dockerd
find /sys/fs/cgroup -depth -type d -path "*/findings-$$*" -exec rmdir {} + 2>/dev/null || :
as_stated "a container cannot be started again while the program that it was started with is gone"
