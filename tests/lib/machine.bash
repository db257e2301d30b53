# Machines that boot: a guest of systemd-nspawn with systemd as process 1, and an outside of its own: a network namespace with a name server and
# a DHCP server that has no route anywhere. The caller sets suite, resolver, WORK (a folder for what is there while it runs) and OURS (our packages). Sourced by tests/machine.
#
# ROOTS/machine-SUITE, made once and kept: root/, what debootstrap makes with what a machine has; packages/, a folder of packages that apt in the
# guest takes, so that it needs no network; image.tar, what debian:12 is on a registry.
# shellcheck shell=bash disable=SC2154 # suite, resolver, WORK and OURS are the caller's

# shellcheck source=tests/lib/roots.bash
source "$(dirname "${BASH_SOURCE[0]}")/roots.bash"

MACHINE_NAME=callsign
MACHINE_OUTSIDE=198.18.0.1      # what the outside's name server and DHCP server is
MACHINE_WORLD=198.18.0.80       # world.example
MACHINE_DOCKER=198.18.64.1/20   # docker0's, in place of Docker's own, which may be somebody's here
MACHINE_POOL=198.19.0.0/16      # Docker's further networks
MACHINE_MEMORY_MB=8000          # with as much to spare a guest lies in memory, half of it at most
# What is in every guest; and what apt may be asked for there. ONE|OTHER: the first that apt knows (Debian 13 was the last with dhclient).
MACHINE_BASE=(systemd-sysv dbus udev iproute2 iputils-ping procps kmod busybox-static)
MACHINE_PACKAGES=(rabbitmq-server dnsmasq docker.io docker-compose)
declare -A MACHINE_RESOLVERS=(
    [resolved]=systemd-resolved
    [plain]='ifupdown isc-dhcp-client|dhcpcd-base'
    [dhcpcd]='ifupdown dhcpcd-base'
    [resolvconf]='ifupdown isc-dhcp-client|dhcpcd-base resolvconf'
    [openresolv]='ifupdown isc-dhcp-client|dhcpcd-base openresolv'
    [nm]=network-manager
    [networkd]=''
)

# ---- making ----

machine_is_whole() {
    [[ -e $ROOTS/machine-$1/whole ]]
}

machine_remove() {
    rm -rf --one-file-system "$ROOTS/machine-$1" "$ROOTS/machine-$1.new"
}

# machine_make SUITE MIRROR FOLDER: FOLDER has our packages, whose dependencies are fetched, too.
machine_make() {
    local new=$ROOTS/machine-$1.new log=$ROOTS/machine-$1.log
    note "making $ROOTS/machine-$1 from $2"
    machine_remove "$1"
    mkdir -p "$new/packages"
    if ! { roots_bootstrap "$1" "$2" "$new/root" && machine_image "$new" && roots_furnish "$new/root" && machine_furnish "$new" "$3"; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        die "$1: no machine could be made (all of it: $log)"
    fi
    : >"$new/whole"
    mv "$new" "$ROOTS/machine-$1"
}

# What debian:12 is on a registry: minbase, without what it need not carry.
machine_image() {
    tar -C "$1/root" --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/locale/*' --exclude='./usr/share/man/*' -c . >"$1/image.tar"
}

# In the root's own apt, which chooses as the guest's will.
machine_furnish() {
    local root=$1/root set
    mkdir -p "$root/var/ours"
    cp "$2"/*.deb "$root/var/ours"
    printf 'Apt::Keep-Downloaded-Packages "true";\n' >"$root/etc/apt/apt.conf.d/95keep"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 0755 "$root/usr/sbin/policy-rc.d"
    roots_in "$root" apt-get --quiet update || return 1
    roots_in "$root" env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet --no-install-recommends install "${MACHINE_BASE[@]}" || return 1
    machine_languages "$root" || return 1
    for set in "${MACHINE_PACKAGES[*]} $(cd "$root/var/ours" && printf '/var/ours/%s ' *.deb)" "${MACHINE_RESOLVERS[@]}"; do
        set=$(machine_chosen "$set" roots_in "$root")
        # shellcheck disable=SC2086 # several
        [[ -z $set ]] || roots_in "$root" env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet --download-only install $set || return 1
    done
    mv "$root"/var/cache/apt/archives/*.deb "$1/packages"
    rm -rf "$root/var/ours" "$root"/var/lib/apt/lists/* "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root/etc/apt/apt.conf.d/95keep" \
        "$root/usr/sbin/policy-rc.d" "$root/etc/apt/apt.conf.d/90callsign"
    machine_index "$1/packages"
    printf 'deb [trusted=yes] file:/packages ./\n' >"$root/etc/apt/sources.list"
    printf 'APT::Get::Assume-Yes "true";\nAPT::Update::Pre-Invoke "";\n' >"$root/etc/apt/apt.conf.d/95callsign"
}

# machine_chosen SET IN…: SET's packages, a line, with IN before apt-cache.
machine_chosen() {
    local set=$1 one
    shift
    for one in $set; do
        # Of a name that others only refer to apt-cache show finds nothing wrong.
        [[ $one != *'|'* || $("$@" apt-cache policy "${one%%|*}" 2>/dev/null) == *"Candidate: "[0-9]* ]] || one=${one#*|}
        printf '%s ' "${one%%|*}"
    done
}

# The languages that those are written in, which take apt in the guest a minute and are no matter of this test: a machine that has them. Nothing of it is
# a service, and what our own packages want is left to apt there.
machine_languages() {
    local root=$1 names
    names=$(roots_in "$root" apt-get --quiet --simulate install "${MACHINE_PACKAGES[@]}" |
        awk '$1 == "Inst" && $2 ~ /^(erlang-|python3|libpython3|perl|libperl|git|binutils)/ { print $2 }')
    [[ -n $names ]] || return 1
    # shellcheck disable=SC2086 # several
    roots_in "$root" env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet --no-install-recommends install $names || return 1
    # shellcheck disable=SC2086
    roots_in "$root" apt-mark auto $names
}

# machine_index FOLDER: what apt wants to know of the packages there.
machine_index() {
    local package
    (
        cd "$1" || exit 1
        for package in *.deb; do
            dpkg-deb --field "$package"
            printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
        done >Packages
    )
}

# ---- the outside ----

# In the mount and pid namespaces that the caller made: a namespace with a name is there for nobody else, and ends with them.
outside_make() {
    mkdir -p /run/netns
    mount -t tmpfs tmpfs /run/netns
    ip netns add outside
    ip -n outside link set lo up
}

# outside_serve: once the guest's cable is there. Everything but world.example does not exist.
outside_serve() {
    poll_until 5000 ip -n outside link show "ve-$MACHINE_NAME" >/dev/null || return 1
    ip -n outside address add "$MACHINE_OUTSIDE/24" dev "ve-$MACHINE_NAME"
    ip -n outside link set "ve-$MACHINE_NAME" up
    ip -n outside address add "$MACHINE_WORLD/32" dev lo 2>/dev/null || true
    nsenter --net=/run/netns/outside dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= --no-resolv --no-hosts \
        --bind-interfaces --interface="ve-$MACHINE_NAME" --address="/world.example/$MACHINE_WORLD" --address=/#/ --log-facility="$WORK/outside.log" \
        --log-queries --dhcp-leasefile="$WORK/leases" --dhcp-range=198.18.0.2,198.18.0.2,1h --dhcp-option=option:router,"$MACHINE_OUTSIDE" \
        --dhcp-authoritative 8>&- &
    echo "$!" >"$WORK/outside"
}

# ---- the guest ----

# machine_root NAME ROOT: a copy of what is kept, in memory where there is enough: to copy it on a disk and to remove it again takes a minute, and in memory
# it goes with the mount namespace. Of the kernel a guest's network is its own, and nothing else.
machine_root() {
    local root=$2
    mkdir "$root"
    (($(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) < MACHINE_MEMORY_MB * 1024)) ||
        mount -t tmpfs -o "mode=0755,size=$((MACHINE_MEMORY_MB / 2))m" tmpfs "$root"
    cp -a --reflink=auto "$ROOTS/machine-$suite/root/." "$root"
    printf '%s\n' "$1" >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$1" >"$root/etc/hosts"
    rm -f "$root/etc/resolv.conf"
    printf 'nameserver %s\n' "$MACHINE_OUTSIDE" >"$root/etc/resolv.conf"
    ln -s /dev/null "$root/etc/systemd/system/systemd-sysctl.service"
    mkdir -p "$root/etc/systemd/system/systemd-udev-trigger.service.d"
    printf '[Service]\nExecStart=\nExecStart=udevadm trigger --subsystem-match=net --action=add\n' \
        >"$root/etc/systemd/system/systemd-udev-trigger.service.d/callsign.conf"
}

# machine_lay: the guest, with who writes its resolv.conf.
machine_lay() {
    local root=$WORK/root packages
    machine_root "$MACHINE_NAME" "$root"
    mkdir -p "$root/packages" "$root/images" "$root/etc/docker"
    printf '{"bip": "%s", "default-address-pools": [{"base": "%s", "size": 24}]}\n' "$MACHINE_DOCKER" "$MACHINE_POOL" >"$root/etc/docker/daemon.json"
    machine_chroot "$root" apt-get --quiet update
    packages=$(machine_chosen "${MACHINE_RESOLVERS[$resolver]}" machine_chroot "$root")
    # shellcheck disable=SC2086 # several
    [[ -z $packages ]] || machine_chroot "$root" apt-get --quiet --no-install-recommends install $packages
    "machine_lay_$resolver" "$root"
}

# machine_chroot ROOT COMMAND…: services do not start there.
machine_chroot() {
    local root=$1 packages=$ROOTS/machine-$suite/packages
    shift
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 0755 "$root/usr/sbin/policy-rc.d"
    mount --bind "$packages" "$root/packages"
    mount -t proc proc "$root/proc"
    local status=0
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@" </dev/null || status=$?
    umount "$root/proc" "$root/packages"
    rm "$root/usr/sbin/policy-rc.d"
    return "$status"
}

machine_networkd() {
    printf '[Match]\nName=host0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >"$1/etc/systemd/network/10-host0.network"
    chroot "$1" systemctl --quiet enable systemd-networkd
}

machine_lay_resolved() {
    machine_networkd "$1"
    [[ -L $1/etc/resolv.conf ]] || ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
    chroot "$1" systemctl --quiet enable systemd-resolved
}

# resolv.conf was written once, when the machine was made, and nobody writes it any more.
machine_lay_networkd() {
    machine_networkd "$1"
}

machine_lay_plain() {
    rm "$1/etc/resolv.conf"
    printf 'auto lo\niface lo inet loopback\n\nauto host0\niface host0 inet dhcp\n' >"$1/etc/network/interfaces"
}

machine_lay_dhcpcd() {
    machine_lay_plain "$1"
}

# A link to what resolvconf makes, as its package leaves it.
machine_lay_resolvconf() {
    machine_lay_plain "$1"
    ln -s ../run/resolvconf/resolv.conf "$1/etc/resolv.conf"
}

# With the line of Debian 12, without which dnsmasq has nobody to ask: set-up says it where it is missing (docs/resolvers.md).
machine_lay_openresolv() {
    local line=dnsmasq_resolv=/run/dnsmasq/resolv.conf
    machine_lay_plain "$1"
    grep -q '^dnsmasq_resolv=' "$1/etc/resolvconf.conf" || echo "$line" >>"$1/etc/resolvconf.conf"
}

machine_lay_nm() {
    rm "$1/etc/resolv.conf"
    printf '[main]\n\n[device]\nmatch-device=interface-name:host0\nmanaged=1\n' >"$1/etc/NetworkManager/conf.d/10-host0.conf"
    printf '[connection]\nid=host0\ntype=ethernet\ninterface-name=host0\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled\n' \
        >"$1/etc/NetworkManager/system-connections/host0.nmconnection"
    chmod 0600 "$1/etc/NetworkManager/system-connections/host0.nmconnection"
}

# machine_spawn NAME ROOT NETWORK OPTION…: boot ROOT, as a neighbour in that network namespace. What runs is in files, as a case is a shell of its own:
# WORK/NAME.pid, nspawn's (which takes a NAME.nspawn there for settings of its own), and WORK/NAME.leader, its process 1.
# systemd believes in udev only if /run/udev/control is there when it starts, and without it docker0 never becomes a .device.
machine_spawn() {
    local name=$1 root=$2 network=$3
    shift 3
    rm -rf "$WORK/$name.udev" "$WORK/$name.leader"
    mkdir -p "$WORK/$name.udev"
    : >"$WORK/$name.udev/control"
    SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 nsenter --net="$network" systemd-nspawn --quiet --directory="$root" \
        --boot --register=no --keep-unit --capability=all --system-call-filter='@keyring bpf' --machine="$name" --bind="$WORK/$name.udev:/run/udev" \
        "$@" </dev/null >>"$WORK/$name.console" 2>&1 8>&- &
    echo "$!" >"$WORK/$name.pid"
    poll_until 10000 machine_leader "$name" || { tail -n 5 "$WORK/$name.console" && return 1; }
}

machine_leader() {
    local pid leader
    read -r pid <"$WORK/$1.pid"
    leader=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
    leader=${leader%% *}
    [[ -n $leader && -e /proc/$leader/root/run/systemd/system ]] && echo "$leader" >"$WORK/$1.leader"
}

# machine_boot: until systemd has started all that it starts.
machine_boot() {
    machine_start && poll_until 60000 machine_is_up "$MACHINE_NAME"
}

# machine_start: until there is a process 1, and the outside answers.
machine_start() {
    local kept=$ROOTS/machine-$suite
    machine_spawn "$MACHINE_NAME" "$WORK/root" /run/netns/outside --network-veth --bind-ro="$kept/packages:/packages" \
        --bind-ro="$kept/image.tar:/images/debian.tar" --bind-ro="$OURS:/root/deb" --bind-ro="$OURS:/srv/callsign" --bind-ro="$TOP_DIR:/root/callsign" || return 1
    outside_serve
}

# Whatever it says, it is done starting.
machine_is_up() {
    [[ $(within "$1" systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]
}

# within NAME COMMAND…
within() {
    local leader
    leader=$(cat "$WORK/$1.leader")
    shift
    nsenter -t "$leader" -a env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root TERM=dumb \
        DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

# guest COMMAND…: in the guest that all this is about.
guest() {
    within "$MACHINE_NAME" "$@"
}

# typed: the script on standard input, in the guest, as somebody would type it. Ends with the first line that fails.
typed() {
    local script
    script=$(cat)
    guest bash -euc "cd /root; $script"
}

# machine_off NAME [cut]: an orderly end, or the plug pulled. systemd lets each service take 90 s to stop, and on a busy machine a broker does.
machine_off() {
    if [[ ${2-} == cut ]]; then
        kill -KILL "$(cat "$WORK/$1.leader")" || true
    else
        within "$1" systemctl --no-block poweroff || true
    fi
    if ! poll_until 100000 has_ended "$WORK/$1.pid"; then
        printf '%s does not end: killed\n' "$1"
        kill -KILL "$(cat "$WORK/$1.pid")"
        poll_until 10000 has_ended "$WORK/$1.pid"
    fi
    [[ $1 == "$MACHINE_NAME" ]] || return 0
    kill "$(cat "$WORK/outside")" 2>/dev/null || true
    poll_until 5000 has_ended "$WORK/outside"
    # It goes with the guest's network, and nspawn makes none where one of that name is.
    poll_until 10000 not ip -n outside link show "ve-$MACHINE_NAME" 2>/dev/null
}

# Whether anybody has waited for it by now is no matter.
has_ended() {
    [[ ! $(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$(cat "$1")/status" 2>/dev/null) =~ [^Z] ]]
}
