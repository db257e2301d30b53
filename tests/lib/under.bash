# The programs of the lab under a checker: CALLSIGN_UNDER=valgrind (memcheck) or sanitizers (ASan and UBSan; $BUILD/sanitizers is that build). Part
# of lab.bash, and of tests/run, which looks at what they found.
#
# Wrappers of the programs' names stand first on the lab's PATH and in its image. Each process that runs has a file of its own in $UNDER_FOUND.
# callsign-hook is the only one without: it has no libc, which both need. What it is made of but for its calls of the kernel, the unit test jsontext has.
# shellcheck shell=bash

# under_use CHECKER
under_use() {
    [[ $1 == valgrind || $1 == sanitizers ]] || die "CALLSIGN_UNDER=$1: valgrind or sanitizers"
    UNDER=$1
    UNDER_DIR=$BUILD/under/$UNDER
    UNDER_FOUND=$UNDER_DIR/found
    # shellcheck disable=SC2034 # common.bash's
    SLOWNESS=${CALLSIGN_SLOWNESS:-$([[ $UNDER == valgrind ]] && echo 6 || echo 2)}
    # shellcheck disable=SC2034 # lab.bash's
    LAB_PATH=$UNDER_DIR/bin:$LAB_PATH
}

UNDER=
[[ -z ${CALLSIGN_UNDER-} ]] || under_use "$CALLSIGN_UNDER"

# A program with a fault, under the checker: whoever finds nothing there finds nothing at all.
under_prove() {
    local flags=() file
    [[ $UNDER == valgrind ]] || flags=(-fsanitize=address)
    printf '#include <stdlib.h>\nint main(void) { volatile char *p = malloc(8); return p[8] != 0; }\n' |
        cc -g "${flags[@]}" -x c -o "$UNDER_DIR/faulty" -
    under_wrapper faulty "$UNDER_DIR/faulty" "$UNDER_DIR/bin/faulty"
    "$UNDER_DIR/bin/faulty" || true
    for file in "$UNDER_FOUND"/faulty.*; do
        [[ -e $file ]] || die "$UNDER says nothing of a program that has a fault"
        under_is_finding "$file" || die "what $UNDER says of a program that has a fault is not taken for a finding"
        rm "$file"
    done
}

# All that other users write too: callsignd becomes one.
under_begin() {
    local program
    rm -rf "$UNDER_DIR"
    mkdir -p "$UNDER_DIR/bin" "$UNDER_FOUND"
    chmod 1777 "$UNDER_FOUND"
    [[ $UNDER != valgrind ]] || { under_pidfd && under_suppressions >"$UNDER_DIR/suppressions"; }
    for program in container/callsign-emit host/callsignd container/agent/callsign-agent; do
        under_wrapper "${program##*/}" "$(under_build)/$program" "$UNDER_DIR/bin/${program##*/}"
    done
    under_prove
    # What is run by hand, or by Docker for each step of a container's, is waited for, and there are hundreds: only what the sanitizers do at no cost.
    [[ $UNDER != valgrind ]] || return 0
    for program in host/callsignctl host/callsign-setup container/agent/callsign-runtime; do
        under_wrapper "${program##*/}" "$(under_build)/$program" "$UNDER_DIR/bin/${program##*/}"
    done
}

under_pidfd() {
    cc -D_GNU_SOURCE -O1 -o "$UNDER_DIR/pidfd" "$TESTS_DIR/tools/pidfd.c"
    cc -D_GNU_SOURCE -DPIDFD_OPENER="\"$UNDER_DIR/pidfd\"" -shared -fPIC -O1 -o "$UNDER_DIR/pidfd.so" "$TESTS_DIR/tools/pidfd.c"
}

# glibc forgets the path of a library that it found and could not load, as those are that 88-metrics puts in its way.
under_suppressions() {
    printf '%s\n' '{' path-of-no-library Memcheck:Leak ... fun:strdup fun:_dl_load_cache_lookup ... '}'
}

under_build() {
    case $UNDER in
    valgrind) printf '%s\n' "$BUILD/host" ;;
    sanitizers) printf '%s\n' "$BUILD/sanitizers" ;;
    esac
}

# under_wrapper NAME PROGRAM FILE. exec: it stays the same process, which may be a container's first.
# shellcheck disable=SC2016 # for the shell that runs it
under_wrapper() {
    {
        # Containers count their processes from 1, each of them.
        printf '#!/bin/sh\nread -r id </proc/sys/kernel/random/uuid\n'
        case $UNDER in
        valgrind)
            # What is asked of a running agent is waited for, as above.
            [[ $1 != callsign-agent ]] || printf '[ "$1" = --foreground ] || exec %s "$@"\n' "$2"
            [[ $1 != callsignd && $1 != callsign-agent ]] || printf 'export LD_PRELOAD=%s VALGRIND_OPTS=--suppressions=%s\n' "$UNDER_DIR/pidfd.so" "$UNDER_DIR/suppressions"
            # What libc frees at the end it frees for valgrind alone, and beside a thread that is still connecting, which may just have closed a file.
            # valgrind keeps files of its own while it runs, and a container's /tmp may be missing or read-only.
            printf 'TMPDIR=%s exec /usr/bin/valgrind --quiet --vgdb=no --run-libc-freeres=no --leak-check=full --show-leak-kinds=definite,indirect --log-file=%s/%s.$id.%%p ' \
                "$UNDER_FOUND" "$UNDER_FOUND" "$1"
            ;;
        sanitizers)
            # Leaks are valgrind's: LeakSanitizer would have to trace a process that has given up its rights. A test may put a clock of its own before ASan.
            printf 'ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:log_path=%s/%s.$id UBSAN_OPTIONS=print_stacktrace=1:log_path=%s/%s.$id exec ' \
                "$UNDER_FOUND" "$1" "$UNDER_FOUND" "$1"
            ;;
        esac
        printf '%s "$@"\n' "$2"
    } >"$3"
    chmod 0755 "$3"
}

# under_image ROOT: the emitter as it is built for this machine, with the libraries that it needs.
under_image() {
    local library
    mkdir -p "$1/checked" "$1$UNDER_FOUND"
    cp "$(under_build)/container/callsign-emit" "$1/checked"
    while read -r library; do
        mkdir -p "$1$(dirname "$library")"
        cp --dereference "$library" "$1$library"
    done < <(ldd "$1/checked/callsign-emit" | sed -n 's/^\(.* => \|[[:space:]]*\)\(\/[^ ]*\) (.*/\2/p')
    under_wrapper callsign-emit /checked/callsign-emit "$1/bin/callsign-emit"
}

# What `docker run` needs besides: valgrind is as it stands on this machine.
under_docker_options() {
    [[ -n $UNDER ]] || return 0
    printf '%s\n' --volume "$UNDER_FOUND:$UNDER_FOUND"
    [[ $UNDER != valgrind ]] || printf '%s\n' --volume /usr/bin/valgrind:/usr/bin/valgrind:ro --volume /usr/bin/valgrind.bin:/usr/bin/valgrind.bin:ro \
        --volume /usr/libexec/valgrind:/usr/libexec/valgrind:ro --volume /usr/lib/debug:/usr/lib/debug:ro
}

# A container's first process cannot end itself by a signal, as callsign-emit does when its program was (and exits, since it lives on): valgrind
# takes that for a fault of its own, and ends there.
under_findings() {
    sed '/^valgrind: the .impossible. happened:/ { N; /signal was supposed to be fatal/Q }' "$1"
}

# grep reads to the end (-c, not -q): with pipefail, sed's SIGPIPE in a long file would say that there is nothing.
under_is_finding() {
    under_findings "$1" | grep -c '^==\|runtime error' >/dev/null
}

# under_found LEAST: what they found, and a line `ok` or `FAIL`; so many processes at least have to be valgrind's. valgrind's own remarks begin with --: version 3.19 does not know pidfd_open(2).
under_found() {
    local file processes found=0
    for file in "$UNDER_FOUND"/*; do
        [[ -e $file ]] || continue # the sanitizers leave none where they found nothing
        under_is_finding "$file" || continue
        found=$((found + 1))
        printf -- '---- %s\n' "${file##*/}"
        cat "$file"
    done
    processes=$(find "$UNDER_FOUND" -type f | wc -l)
    if ((found > 0)); then
        printf 'FAIL %s found something in %d processes\n' "$UNDER" "$found"
    elif [[ $UNDER == valgrind ]] && ((processes < $1)); then
        printf 'FAIL only %d processes ran under %s\n' "$processes" "$UNDER"
    else
        printf 'ok %s found nothing (%d processes left a file)\n' "$UNDER" "$processes"
    fi
    ((found == 0))
}
