# Roots of Debian suites, made by debootstrap and kept: ROOTS/SUITE is one that was made whole, whatever else is in ROOTS is not.
#
# Whatever runs in a root runs in a mount and a pid namespace of its own, whose first process dies with the shell that called: nothing
# stays mounted or running, however that ends. Sourced by tests/on.
# shellcheck shell=bash

# shellcheck source=tests/lib/common.bash
source "${BASH_SOURCE[0]%/*}/common.bash"

ROOTS=${CALLSIGN_ROOTS:-/var/cache/callsign-roots}
ROOTS_SOURCE=/callsign # where the source tree is inside, to be read only
ROOTS_SPARE_MB=3500    # what a root takes, with the packages for building and testing, and what the tests leave in it

# ---- the folder ----

roots_folder() {
    [[ $ROOTS == /* ]] || die "CALLSIGN_ROOTS=$ROOTS: must be an absolute path"
    [[ -e $ROOTS || -L $ROOTS ]] || mkdir -m 0755 "$ROOTS" 2>/dev/null || die "$ROOTS: cannot be made: set CALLSIGN_ROOTS to another folder"
    [[ -d $ROOTS && ! -L $ROOTS && -O $ROOTS ]] || die "$ROOTS: not a folder of ours: remove it, or set CALLSIGN_ROOTS"
}

# roots_lock SUITE: nobody else makes or uses it until this shell ends.
roots_lock() {
    { exec 8>"$ROOTS/$1.lock"; } 2>/dev/null || die "$ROOTS: cannot be written: set CALLSIGN_ROOTS to another folder"
    flock --nonblock 8 || die "$ROOTS/$1: another run works in it"
}

# roots_is_whole SUITE: whether it was made to its end, and every package that came later was installed to its end.
roots_is_whole() {
    local root=$ROOTS/$1
    [[ -e $root/etc/callsign-root && -z $(ls -A "$root/var/lib/dpkg/updates") && -z $(dpkg --root="$root" --audit 2>&1) ]]
}

# roots_remove SUITE: what is there of it, whole or not.
roots_remove() {
    rm -rf --one-file-system "$ROOTS/$1" "$ROOTS/$1.new" "$ROOTS/$1.new.tar" "$ROOTS/$1.base.tar"
}

# ---- the mirror: the machine's own ----

# roots_mirror SUITE: print the first of the machine's apt sources that has it, or say why none has.
roots_mirror() {
    local uri said='' problem='' release tried=()
    [[ $1 =~ ^[a-z][a-z0-9-]*$ ]] || die "$1: is no name of a suite"
    release=$(mktemp)
    while read -r uri; do
        tried+=("$uri")
        if said=$(roots_fetch "${uri%/}/dists/$1/Release" "$release" && roots_fits "$1" "$release"); then
            rm "$release"
            printf '%s\n' "$uri"
            return
        fi
        # That one of them has it not says less than what is wrong with another.
        [[ -n $problem && $said == 404* ]] || problem=$said
    done < <(roots_sources)
    rm -f "$release"
    ((${#tried[@]} > 0)) || die "$1: this machine's apt knows no mirror of Debian: set CALLSIGN_MIRROR"
    die "$1: not to be had from ${tried[*]}: ${problem/#404*/no such suite}"
}

# What is not Debian's is not asked; where apt's lists are not there, it does not know whose a source is.
roots_sources() {
    if [[ -n ${CALLSIGN_MIRROR-} ]]; then
        printf '%s\n' "$CALLSIGN_MIRROR"
        return
    fi
    # shellcheck disable=SC2016 # for apt-get
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
        awk '($2 == "" || $2 == "Debian") && $1 ~ /^https?:/ && !seen[$1]++ { print $1 }'
}

# roots_fetch URI FILE: by apt's own means, so with the machine's proxies. What went wrong is printed.
roots_fetch() {
    local said
    said=$(/usr/lib/apt/apt-helper -o Acquire::Retries=0 download-file "$1" "$2" 2>&1) && return
    sed -n 's/^E: Failed to fetch [^ ]* *//p' <<<"$said" | head -n 1
    return 1
}

# roots_fits SUITE RELEASE: or what is wrong is printed. An archive of security updates may have a folder of the same name.
roots_fits() {
    local name
    name=$(sed -n 's/^Codename: //p' "$2")
    if ! grep -qx 'Label: Debian' "$2"; then
        printf "what is there is not Debian itself\n"
        return 1
    elif [[ $name != "$1" ]]; then
        printf '%s is %s now: say that\n' "$1" "$name"
        return 1
    fi
}

# ---- making ----

# roots_make SUITE MIRROR: debootstrap, then what tests/run needs; only then is it ROOTS/SUITE.
roots_make() {
    local root=$ROOTS/$1.new log=$ROOTS/$1.log
    # Debootstrap and apt find out half-way, and some of what they say then is not that.
    (($(roots_free_mb) >= ROOTS_SPARE_MB)) || die "$1: $(roots_no_space)"
    note "making $ROOTS/$1 from $2"
    if ! { roots_bootstrap "$1" "$2" "$root" && roots_furnish "$root" && roots_packages "$root"; } >"$log" 2>&1; then
        roots_explain "$1"
        roots_remove "$1"
        exit 1
    fi
    date --utc +'%F %T' >"$root/etc/callsign-root"
    mv "$root" "$ROOTS/$1"
}

# roots_bootstrap SUITE MIRROR ROOT: by debootstrap, or as that made it for whoever needed the suite before. A debootstrap that is older than the suite has
# no script of its name: sid's does for every later one.
roots_bootstrap() {
    local script=/usr/share/debootstrap/scripts/$1 base=$ROOTS/$1.base.tar proxy=
    mkdir -p "$3"
    [[ ! -e $base ]] || { tar -C "$3" --numeric-owner -xpf "$base" && return; }
    [[ -e $script ]] || script=/usr/share/debootstrap/scripts/sid
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    roots_contained env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase "$1" "$3" "$2" "$script" || return
    [[ ! -d $ROOTS ]] || { tar -C "$3" --numeric-owner -cf "$3.tar" . && mv "$3.tar" "$base"; }
}

# What a machine has and minbase has not.
roots_furnish() {
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
    # The machine's own proxies and the like. And a mirror that stands still is as good as any for a test: its date does not matter.
    { apt-config dump --no-empty Acquire && printf 'Acquire::Check-Valid-Until "false";\nAPT::Keep-Downloaded-Packages "false";\n'; } \
        >"$1/etc/apt/apt.conf.d/90callsign"
    printf 'force-unsafe-io\n' >"$1/etc/dpkg/dpkg.cfg.d/callsign"
}

roots_packages() {
    CALLSIGN_VERBOSE=1 roots_in "$1" "$ROOTS_SOURCE/tests/lib/packages"
}

# roots_explain SUITE: one line of why it could not be made: what the log tells last.
roots_explain() {
    local log=$ROOTS/$1.log said
    if grep -qiE 'no space left|enough (free )?space' "$log" || (($(roots_free_mb) < 20)); then
        said=$(roots_no_space)
    else
        said="$(grep -E '^(E|W): |missing|cannot be installed' "$log" | tail -n 1) (all of it: $log)"
    fi
    note "${0##*/}: $1 could not be made: $said"
}

roots_no_space() {
    printf 'no space left in %s: a root takes %s MB, %s are free; set CALLSIGN_ROOTS to another folder\n' "$ROOTS" "$ROOTS_SPARE_MB" "$(roots_free_mb | tr -d ' ')"
}

roots_free_mb() {
    df --output=avail --block-size=1M "$ROOTS" | tail -n 1
}

# ---- running ----

# roots_in ROOT COMMAND…: run it there, with the machine's network and devices. Of the environment, CI and what begins with CALLSIGN_ goes
# along, but for folders.
roots_in() {
    local root=$1 environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root TERM=dumb) name
    shift
    cp --remove-destination -L /etc/resolv.conf "$root/etc/resolv.conf"
    # A name that no other root has: labs of the same name would share Docker's cgroups.
    environment+=("TMPDIR=/tmp/$(stat -c %i "$root")")
    mkdir -p "$root${environment[-1]#TMPDIR=}" "$root$ROOTS_SOURCE"
    for name in CI "${!CALLSIGN_@}"; do
        [[ -z ${!name-} || ${!name} == /* ]] || environment+=("$name=${!name}")
    done
    # shellcheck disable=SC2016 # for the inner shell
    roots_contained bash -ec '
        root=$1 source=$2 inside=$3
        shift 3
        mount --bind "$root" "$root" # runc wants a root that is a mount point
        mount -t proc proc "$root/proc"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mount --bind "$source" "$root$inside"
        mount -o remount,bind,ro "$root$inside"
        # Not chroot alone: who enters this namespace, as docker exec does, would come to the machine.
        mkdir -p "$root/outside"
        cd "$root"
        pivot_root . outside
        umount --lazy outside
        chroot . env -i --default-signal=INT,QUIT -C "$inside" "$@" </dev/null
    ' - "$root" "$TOP_DIR" "$ROOTS_SOURCE" "${environment[@]}" "$@"
}

# roots_contained COMMAND…: in namespaces that end with COMMAND, and with this shell, whichever is first. In the background, so that a
# signal to this shell is acted upon at once.
roots_contained() {
    setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child=KILL -- \
        bash -c 'mount -t proc proc /proc; "$@" </dev/null; exit $?' - "$@" 8>&- &
    ROOTS_PID=$!
    wait "$ROOTS_PID"
}
