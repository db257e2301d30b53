# The lab: a machine of its own, made of namespaces, in which a Docker Engine, RabbitMQ, dnsmasq and callsignd run.
#
# One process, lab-init, is process 1 of a new pid, mount, network, uts and ipc namespace, and everything else in the lab
# descends from it. So one kill ends all of it, containers included, and the kernel takes the namespaces, mounts and
# interfaces away with it: nothing has a name outside the lab's folder, and two labs cannot meet. Inside, /run and /etc are
# the lab's own, so every part runs with the paths that it has on a real host.
#
# Sourced by tests/lab and by the end-to-end tests.
# shellcheck shell=bash

# shellcheck source=tests/lib/common.bash
source "${BASH_SOURCE[0]%/*}/common.bash"
# shellcheck source=tests/lib/parts.bash
source "$TESTS_DIR/lib/parts.bash"
# shellcheck source=tests/lib/image.bash
source "$TESTS_DIR/lib/image.bash"

LAB=${CALLSIGN_LAB:-${TMPDIR:-/tmp}/callsign-lab-$EUID}
BUILD=${CALLSIGN_BUILD:-${TMPDIR:-/tmp}/callsign-build-$EUID}
LAB_PARTS=(broker dockerd upstream dnsmasq callsignd agent)
LAB_ADDRESS=198.18.0.1        # docker0: the gateway of every container
LAB_CALLSIGN_ID=977           # user and group callsign, in the lab alone
LAB_PREFIX6=fd00:c5::/64
TOOLS=$BUILD/host/tests/tools
LAB_PATH=$BUILD/host/host:$BUILD/host/container:$BUILD/host/container/agent:$TOOLS:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# shellcheck source=tests/lib/under.bash
source "$TESTS_DIR/lib/under.bash"

# ---- the folder ----

# A folder that is not a lab's, or not ours, is never filled and never removed.
lab_folder_check() {
    [[ $LAB == /* ]] || die "CALLSIGN_LAB=$LAB: must be an absolute path"
    # A unix socket's path has room for 107 bytes.
    ((${#LAB} <= 80)) || die "CALLSIGN_LAB=$LAB: longer than 80 bytes, its sockets would not fit: choose a shorter path"
    [[ ! -e $LAB && ! -L $LAB ]] && return
    [[ -d $LAB && ! -L $LAB && -O $LAB ]] || die "$LAB: not a folder of ours: remove it, or set CALLSIGN_LAB"
    [[ -e $LAB/.callsign-lab || -z $(ls -A "$LAB") ]] || die "$LAB: is not a lab's folder: set CALLSIGN_LAB to another one"
}

# Likewise the build's folder: others may have made one of that name in /tmp, to have root write there.
build_folder_make() {
    [[ $BUILD == /* ]] || die "CALLSIGN_BUILD=$BUILD: must be an absolute path"
    [[ -e $BUILD || -L $BUILD ]] || mkdir -m 0755 "$BUILD"
    [[ -d $BUILD && ! -L $BUILD && -O $BUILD ]] || die "$BUILD: not a folder of ours: remove it, or set CALLSIGN_BUILD"
}

lab_folder_make() {
    lab_folder_check
    touch "$LAB/.callsign-lab"
    mkdir -p "$LAB"/{broker,docker,docker-client,etc,image,log,pid,secret}
    [[ -e $LAB/run ]] || lab_folder_run
    chmod 0755 "$LAB/run/." "$LAB/etc"
}

# /run is a tmpfs on every real machine. On a disk callsignd would sync its hosts file at each change, and be slower than it is.
lab_folder_run() {
    local shm
    if [[ $(stat --file-system --format=%T /dev/shm 2>/dev/null) != tmpfs ]]; then
        mkdir "$LAB/run"
        return
    fi
    shm=$(mktemp -d /dev/shm/callsign-lab.XXXXXXXX)
    ln -s "$shm" "$LAB/run"
}

# /etc as the lab sees it: a copy, so that changes stay here, with a resolver that asks the lab's dnsmasq and nobody else.
lab_folder_etc() {
    cp -a /etc/. "$LAB/etc"
    rm -rf "$LAB"/etc/{resolv.conf,docker,callsign,dnsmasq.d,rabbitmq}
    mkdir -p "$LAB"/etc/{docker,callsign,dnsmasq.d}
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 lab\n' >"$LAB/etc/hosts"
    printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >"$LAB/etc/nsswitch.conf"
    printf 'lab\n' >"$LAB/etc/hostname"
    # Whom callsignd becomes, as a package would make it.
    sed -i '/^callsign:/d' "$LAB"/etc/{passwd,group}
    printf 'callsign:x:%s:%s::/nonexistent:/usr/sbin/nologin\n' "$LAB_CALLSIGN_ID" "$LAB_CALLSIGN_ID" >>"$LAB/etc/passwd"
    printf 'callsign:x:%s:\n' "$LAB_CALLSIGN_ID" >>"$LAB/etc/group"
}

# ---- process 1 and the namespaces ----

# Print lab-init's pid as seen from outside, if that very process runs still.
lab_init_pid() {
    lab_init_find && printf '%s\n' "$LAB_INIT"
}

# Likewise, in LAB_INIT.
lab_init_find() {
    local start PROCESS_START
    read -r LAB_INIT start 2>/dev/null <"$LAB/init" && process_start "$LAB_INIT" && [[ $PROCESS_START == "$start" ]]
}

# When a process started, in PROCESS_START, in clock ticks since boot: with the pid it names a process for ever. Field 22 of proc(5)'s stat,
# counted behind the command's name, which may hold blanks and brackets.
process_start() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086 # split into words
    set -- ${stat##*) }
    PROCESS_START=${20}
}

lab_namespace_up() {
    setsid unshare --mount --uts --ipc --net --pid --propagation unchanged \
        bash -c '"$@" & exit 0' - "$TESTS_DIR/lib/lab-init" "$LAB" </dev/null >"$LAB/log/init" 2>&1
    poll_until 5000 test -s "$LAB/init" || {
        cat "$LAB/log/init" >&2
        die "the lab's namespaces could not be made (above: why)"
    }
}

# ---- inside ----

# lab_in COMMAND…: run it inside the lab, with the built programs first on PATH.
lab_in() {
    local LAB_INIT
    lab_init_find || die "there is no lab in $LAB: tests/lab up"
    PATH=$LAB_PATH LANG=C.UTF-8 HOME=$LAB "$TOOLS/within" "$LAB_INIT" "$@" 9>&-
}

# lab_amqp USER VERB…: see tests/lib/amqp.py. VERB may have that one's options before it.
lab_amqp() {
    local user=$1
    shift
    lab_in handover callsign-test-amqp /usr/bin/python3 "$TESTS_DIR/lib/amqp.py" --user "$user" --password-file "$LAB/secret/$user" "$@"
}

# lab_program NAME: where that one of ours stands, which may be a checker's wrapper (under.bash).
lab_program() {
    PATH=$LAB_PATH command -v "$1"
}

# The client needs no namespace: a socket is reached by its path. With LAB_ENGINE=runc it is tests/lib/box that makes containers, not Docker.
lab_docker() {
    if [[ $1 == run && -n ${UNDER-} ]]; then
        local options
        mapfile -t options < <(under_docker_options)
        set -- run "${options[@]}" "${@:2}"
    fi
    if [[ ${LAB_ENGINE-} == runc ]]; then
        lab_box "$@"
    else
        DOCKER_CONFIG=$LAB/docker-client command docker -H "unix://$LAB/run/docker.sock" "$@"
    fi
}

# What is only read is read from outside.
lab_box() {
    local -x LAB=$LAB LAB_ADDRESS=$LAB_ADDRESS LAB_CGROUP=''
    case $1 in
    run) LAB_CGROUP=$(lab_cgroup) && lab_in "$TESTS_DIR/lib/box" "$@" ;;
    ps | inspect | logs | wait) "$TESTS_DIR/lib/box" "$@" ;;
    *) lab_in "$TESTS_DIR/lib/box" "$@" ;;
    esac
}

# lab_spawn PART COMMAND…: start it in the lab's background. Its output goes to log/PART, its pid (as the lab counts) to pid/PART.
# setsid does not fork here (it leads no process group), so that pid is COMMAND's. No descriptor of the caller stays open in it:
# bats waits for the end of all that hold its own.
lab_spawn() {
    local part=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c '
        part=$1 lab=$2; shift 2
        for fd in /proc/$$/fd/*; do
            fd=${fd##*/}
            ((fd <= 2)) || eval "exec $fd>&-"
        done
        setsid "$@" </dev/null >>"$lab/log/$part" 2>&1 &
        printf "%s\n" $! >"$lab/pid/$part"' - "$part" "$LAB" "$@"
}

# The part's pid inside the lab, if it runs. Within one lab's life pids are not reused (they count up to 4 million).
lab_pid() {
    local pid
    read -r pid 2>/dev/null <"$LAB/pid/$1" && lab_lives "$pid" || return 1
    printf '%s\n' "$pid"
}

lab_gone() {
    ! lab_pid "$1" >/dev/null
}

# lab_lives PID…: whether there are these processes, by their numbers inside the lab; one that nobody has waited for is.
lab_lives() {
    local LAB_INIT pid
    lab_init_find || die "there is no lab in $LAB: tests/lab up"
    for pid; do
        [[ -n $pid && -e /proc/$LAB_INIT/root/proc/$pid ]] || return 1
    done
}

# lab_signal PART SIGNAL
lab_signal() {
    local pid
    pid=$(lab_pid "$1") && lab_in kill "-$2" "$pid"
}

# lab_await PART TIMEOUT_MS COMMAND…: until COMMAND succeeds; if the part ends before, or time runs out, show its log and fail.
lab_await() {
    local part=$1 begin=$((${EPOCHREALTIME/[.,]/} / 1000)) now limit=$(($2 * SLOWNESS))
    shift 2
    until "$@"; do
        if lab_gone "$part"; then
            lab_complain "$part" "has ended"
            return 1
        fi
        now=$((${EPOCHREALTIME/[.,]/} / 1000))
        if ((now - begin > limit)); then
            lab_complain "$part" "is not ready in time"
            return 1
        fi
        poll_pause $((now - begin))
    done
}

lab_complain() {
    note "the lab's $1 $2; the end of $LAB/log/$1:"
    tail -n 20 "$LAB/log/$1" >&2 || true
}

# ---- parts: each has part_PART_start (in the background) and part_PART_wait (until it serves), see parts.bash ----

lab_start() {
    local part
    for part in "$@"; do
        lab_gone "$part" || continue
        "part_${part}_start" || return 1
    done
    for part in "$@"; do
        "part_${part}_wait" || return 1
    done
}

# lab_stop PART…: SIGTERM, and SIGKILL to what is still there after 10 s (which is an error).
lab_stop() {
    local part status=0
    for part in "$@"; do
        lab_signal "$part" TERM || continue
        poll_until 10000 lab_gone "$part" && continue
        lab_complain "$part" "does not end on SIGTERM"
        lab_kill "$part"
        status=1
    done
    return "$status"
}

# kill -9
lab_kill() {
    lab_signal "$1" KILL || return 1
    poll_until 5000 lab_gone "$1"
}

lab_restart() {
    lab_stop "$1" && lab_start "$1"
}

# ---- up, down, status ----

# One at a time for each lab, held until this shell ends (what it starts in the background closes descriptor 9). Whoever waited
# may have got hold of a folder that was removed meanwhile: then once more.
lab_lock() {
    while :; do
        [[ -d $LAB ]] || mkdir -m 0700 "$LAB"
        exec 9<"$LAB"
        flock -w 120 9 || die "another tests/lab works on $LAB"
        [[ ! /proc/self/fd/9 -ef $LAB ]] || return 0
    done
}

# The programs that the lab takes from the build.
lab_programs_check() {
    local program
    for program in host/host/callsignd host/container/agent/callsign-agent host/tests/tools/within static/container/callsign-emit; do
        [[ -x $BUILD/$program ]] || die "$BUILD/$program is missing: run tests/lib/build"
    done
}

lab_up() {
    lab_programs_check
    lab_folder_check
    lab_lock
    if lab_status >/dev/null; then
        note "the lab in $LAB is up already"
        return
    fi
    lab_end
    lab_folder_make
    lab_folder_etc
    lab_namespace_up
    lab_start_all || {
        note "the lab did not come up; its logs stay in $LAB/log until tests/lab down"
        return 1
    }
}

# The broker takes longest, so it starts first and is waited for late.
lab_start_all() {
    part_broker_start
    lab_start dockerd upstream dnsmasq || return 1
    image_make || return 1
    part_broker_wait || return 1
    lab_start callsignd agent
}

# Idempotent, and the same after a crash half-way.
lab_down() {
    lab_folder_check
    [[ -d $LAB ]] || return 0
    lab_lock
    # Who is killed cannot say what it leaked.
    [[ -z $UNDER ]] || lab_stop agent callsignd || true
    lab_end
    rmdir "$LAB"
}

# The processes go with process 1, the mounts and links with the namespaces. Docker's cgroups, empty by then, would stay; where
# the lab had to mount the cgroups itself they can be seen from inside only.
lab_end() {
    local pid
    if pid=$(lab_init_pid); then
        lab_in bash -c "$(declare -f cgroups_remove); kill -KILL -1; cgroups_remove $(lab_cgroup)" || true
        kill -KILL "$pid"
        poll_until 20000 lab_ended || die "process $pid (the lab's first) does not go"
    fi
    cgroups_remove "$(lab_cgroup)"
    # After a reboot, or in a root that was left, it leads nowhere.
    [[ ! -L $LAB/run || ! -d $LAB/run ]] || find "$(readlink "$LAB/run")" -xdev -delete
    find "$LAB" -xdev -mindepth 1 -delete
}

lab_ended() {
    ! lab_init_pid >/dev/null
}

# 0 if every part runs, 3 (as init scripts say "not running") if not.
lab_status() {
    local part pid status=0
    if ! lab_init_pid >/dev/null; then
        printf 'down: there is no lab in %s\n' "$LAB"
        return 3
    fi
    for part in "${LAB_PARTS[@]}"; do
        if pid=$(lab_pid "$part"); then
            printf '%-10s running, pid %s in the lab\n' "$part" "$pid"
        else
            printf '%-10s not running\n' "$part"
            status=3
        fi
    done
    return "$status"
}

# Docker's cgroups stand below a parent with the lab's own name, in every hierarchy.
lab_cgroup() {
    printf 'callsign-lab-%s\n' "$(cksum <<<"$LAB" | cut -d ' ' -f 1)"
}

# cgroups_remove NAME: wherever that is, with all below; the processes in them are dying.
cgroups_remove() {
    local parent end=$((SECONDS + 10))
    while read -r parent; do
        until find "$parent" -depth -type d -exec rmdir {} + 2>/dev/null; do
            ((SECONDS < end)) || break
            sleep 0.02
        done
    done < <(find /sys/fs/cgroup -maxdepth 2 -type d -name "$1" 2>/dev/null)
}
