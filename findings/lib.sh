# A root folder of pinned Debian packages, in namespaces of its own, that is gone when the script ends. Sourced by the scripts here.
#
# The packages are fetched by an apt whose state is in the temporary folder, from the mirrors that this machine's own apt knows, and
# unpacked without their maintainer scripts: nothing is installed on the machine, and nothing is started but by the script. What runs
# inside sees a loopback interface and no other. The namespaces' first process is a shell that takes in orphans; all that was started
# ends with it.
# shellcheck shell=sh
export LC_ALL=C
SECONDS_MOST=420 # that anything of a script may run inside

[ "$(id -u)" = 0 ] || {
    echo "$0: needs to be root, for namespaces"
    exit 77
}
work=$(mktemp -d)
root=$work/root
holder='' # the process whose child, $first, is the first of the namespaces

# The first process is gone only when all others of its namespaces are: from then on nobody writes into the folder.
finish() {
    trap '' INT TERM HUP # half a clearing up is none
    if [ -n "$holder" ]; then
        kill -KILL "$holder" 2>/dev/null || :
        wait "$holder" 2>/dev/null || :
        until_it test ! -e "/proc/${first:-none}" || :
    fi
    rm -rf --one-file-system "$work" || :
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

skip() {
    printf 'not run: %s\n' "$*"
    exit 77
}

as_stated() {
    printf 'as stated: %s\n' "$*"
    exit 0
}

changed() {
    printf 'changed: %s\n' "$*"
    exit 1
}

# until_it COMMAND…: for up to half a minute.
until_it() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || return 1
        sleep 0.2
    done
}

own_apt() {
    command=$1
    shift
    "$command" -q -o "Dir::State=$work/apt" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt/cache" \
        -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=- \
        -o Acquire::Languages=none -o APT::Sandbox::User=root "$@" </dev/null
}

# mirrors LABEL: those of the machine's own sources that call themselves that.
mirrors() {
    # shellcheck disable=SC2016 # apt's, not the shell's
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$1 //p" | sort -u
}

sources() {
    for uri in $(mirrors Debian); do
        echo "deb $uri $1 main"
    done
    for uri in $(mirrors Debian-Security); do
        echo "deb $uri $1-security main"
    done
}

# in_archive PACKAGE VERSION
in_archive() {
    own_apt apt-cache madison "$1" 2>/dev/null | grep -qF " $2 "
}

# root_of SUITE PACKAGE=VERSION… [PACKAGE…]: $root holds these and all that they need, and its namespaces are there.
root_of() {
    suite=$1
    shift
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    : >"$work/apt/status"
    sources "$suite" >"$work/apt/sources.list"
    own_apt apt-get update >"$work/apt/log" 2>&1 || skip "the archive's lists of $suite cannot be had"
    for package; do
        case $package in
        *=*) in_archive "${package%%=*}" "${package#*=}" || skip "Debian's archive has no $package in $suite any more" ;;
        esac
    done
    own_apt apt-get --yes --no-install-recommends --download-only install "$@" dash coreutils >"$work/apt/log" 2>&1 ||
        skip "$suite: $(tail -n 1 "$work/apt/log")"
    unpack
    rm -rf "$work/apt"
    enter
}

unpack() {
    for name in usr/bin usr/sbin usr/lib usr/lib64 proc dev tmp etc root run var; do
        mkdir -p "$root/$name"
    done
    ln -s ../run "$root/var/run"
    for name in bin sbin lib lib64; do
        ln -s "usr/$name" "$root/$name"
    done
    for package in "$work"/apt/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
    done
    [ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
    printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
}

enter() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --net --pid --uts --fork --kill-child sh -c 'hostname localhost
        ip link set lo up
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        : >"$1/run/ready"
        sleep "$2" &
        wait "$!"' - "$root" "$SECONDS_MOST" &
    holder=$!
    until_it test -e "$root/run/ready" || skip "no namespaces can be made here"
    first=$(cat "/proc/$holder/task/$holder/children")
    first=${first% }
}

# inside COMMAND…: in the root, with nothing of this shell's environment.
inside() {
    nsenter --target "$first" --mount --net --pid --uts chroot "$root" env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C "$@"
}

# start NAME COMMAND…: inside, in the background, with what it says in $work/NAME.log.
start() {
    : >"$work/$1.log" # now, so that nobody takes what an earlier one said for this one's
    # shellcheck disable=SC2016 # for the inner shell
    inside sh -c 'echo $$ >"/run/$0.pid"; exec "$@"' "$@" >"$work/$1.log" 2>&1 </dev/null &
}

# stop NAME: and wait until it has ended.
stop() {
    # shellcheck disable=SC2016 # for the inner shell
    inside sh -c 'pid=$(cat "/run/$0.pid"); kill "$pid" && while [ -e "/proc/$pid" ]; do sleep 0.1; done' "$1"
}

# rabbitmq: the one of the root, at 127.0.0.1 port 5672 with its own guest user.
rabbitmq() {
    mkdir -p "$root/tmp/broker"
    printf 'listeners.tcp.1 = 127.0.0.1:5672\n' >"$root/tmp/broker/rabbitmq.conf"
    start broker env RABBITMQ_NODENAME=findings@localhost RABBITMQ_CONFIG_FILE=/tmp/broker/rabbitmq.conf RABBITMQ_MNESIA_BASE=/tmp/broker \
        RABBITMQ_LOGS=- RABBITMQ_ENABLED_PLUGINS_FILE=/tmp/broker/plugins RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1' \
        /usr/lib/rabbitmq/bin/rabbitmq-server
    until_it grep -q 'Server startup complete' "$work/broker.log" || until_it grep -q 'Server startup complete' "$work/broker.log" ||
        changed "the broker does not start: $(tail -n 3 "$work/broker.log")"
}

# rabbitmq_node NAME PORT [CONF…]: NAME@localhost, one of a, b and c, which find one another by themselves; start all three before waiting for one.
# Its Erlang port is 20000 further. CONF: further lines of rabbitmq.conf.
rabbitmq_node() {
    name=$1 port=$2
    shift 2
    mkdir -p "$root/tmp/$name"
    echo of-three-nodes-alone >"$root/root/.erlang.cookie.new"
    chmod 400 "$root/root/.erlang.cookie.new"
    mv -f "$root/root/.erlang.cookie.new" "$root/root/.erlang.cookie"
    {
        echo "listeners.tcp.1 = 127.0.0.1:$port"
        echo 'cluster_formation.peer_discovery_backend = classic_config'
        for other in 1a 2b 3c; do
            echo "cluster_formation.classic_config.nodes.${other%?} = ${other#?}@localhost"
        done
        for line; do
            echo "$line"
        done
    } >"$root/tmp/$name/rabbitmq.conf"
    start "$name" env RABBITMQ_NODENAME="$name@localhost" RABBITMQ_CONFIG_FILE="/tmp/$name/rabbitmq.conf" RABBITMQ_MNESIA_BASE="/tmp/$name" \
        RABBITMQ_DIST_PORT="$((port + 20000))" RABBITMQ_LOGS=- RABBITMQ_ENABLED_PLUGINS_FILE="/tmp/$name/plugins" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1' /usr/lib/rabbitmq/bin/rabbitmq-server
}

# rabbitmq_node_up NAME
rabbitmq_node_up() {
    for _ in 1 2 3; do
        ! until_it grep -q 'Server startup complete' "$work/$1.log" || return 0
    done
    changed "node $1 does not start: $(tail -n 3 "$work/$1.log")"
}

# yadifa ALLOWED [SECTION…]: with the zone `example` of $root/tmp/y/example.zone on 127.0.0.1 port 5300, which ALLOWED may update; SECTIONs of its own besides.
yadifa() {
    allowed=$1
    shift
    mkdir -p "$root/tmp/y/log" "$root/tmp/y/xfr"
    cat >"$root/tmp/y/yadifad.conf" <<CONF
<main>
    listen 127.0.0.1 port 5300
    datapath /tmp/y
    keyspath /tmp/y/xfr
    xfrpath /tmp/y/xfr
    logpath /tmp/y/log
    pidfile /tmp/y/pid
    uid root
    gid root
    daemon off
</main>
<channels>
    out log/all 0644
</channels>
<loggers>
    * * out
</loggers>
$*
<zone>
    domain example
    file example.zone
    type primary
    allow-update $allowed
</zone>
CONF
    start yadifa yadifad -c /tmp/y/yadifad.conf --nodaemon
    until_it inside dig +short +time=1 +tries=1 -p 5300 @127.0.0.1 example SOA || changed "yadifad does not answer: $(cat "$work/yadifa.log")"
}

# dns SERVER PORT WORDS…: what dig gets from it, as `NOERROR answer=1 authority=0` with `aa` before it if it has authority; or `nothing`.
dns() {
    server=$1 port=$2
    shift 2
    inside dig +time=2 +tries=1 -p "$port" "@$server" "$@" 2>&1 | awk '
        / status: / { sub(/.* status: /, ""); sub(/,.*/, ""); status = $0 }
        /^;; flags: / {
            aa = /^;; flags:[^;]* aa[ ;]/ ? "aa " : ""
            match($0, /ANSWER: [0-9]+/); answer = substr($0, RSTART + 8, RLENGTH - 8)
            match($0, /AUTHORITY: [0-9]+/); authority = substr($0, RSTART + 11, RLENGTH - 11)
            found = aa status " answer=" answer " authority=" authority
        }
        END { print found == "" ? "nothing" : found }'
}

# expect WHAT SEEN STATED: print what was seen, and end unless it is what was stated.
expect() {
    printf '%s: %s\n' "$1" "$2"
    [ "$2" = "$3" ] || changed "$1: was: $3"
}
