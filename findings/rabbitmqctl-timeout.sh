#!/bin/sh
# Debian's rabbitmqctl (rabbitmq-server 4.0.5-6+deb13u2, util-linux 2.41.5-0+deb13u1) under timeout(1), by root.
#
# Guess: `timeout 20 rabbitmqctl …` ends it after 20 seconds; at the latest `timeout -s KILL` does, which signals the whole process group.
# Seen: neither. timeout comes back in time, with 124 or 137, and the Erlang machine goes on until it has done what it was asked for.
# /usr/sbin/rabbitmqctl is a shell script that, for root, runs `su rabbitmq -c`; su begins a session for the command, so the machine is in
# neither the group nor the session of what was started; and the SIGTERM that su hands on ends the one shell below it, no more.
# It matters to health checks and supervisors: while a broker hangs, each check that "timed out" stays, with some 100 MB. What holds is
# rabbitmqctl's own --timeout, a cgroup, or /usr/lib/rabbitmq/bin/rabbitmqctl started as that user without su (setpriv).
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie rabbitmq-server=4.0.5-6+deb13u2 util-linux=2.41.5-0+deb13u1 libpam-modules procps mawk sed grep hostname
echo 'rabbitmq:x:100:100::/var/lib/rabbitmq:/bin/sh' >>"$root/etc/passwd"
echo 'rabbitmq:x:100:' >>"$root/etc/group"
for part in auth account session; do
    echo "$part sufficient pam_permit.so"
done >"$root/etc/pam.d/su"
cp "$root/etc/pam.d/su" "$root/etc/pam.d/other"
install -d -o 100 -g 100 "$root/var/lib/rabbitmq" "$root/var/log/rabbitmq"
chmod 1777 "$root/tmp"

# The process ids of Erlang machines.
machines() {
    inside ps -e -o pid=,stat=,comm= | awk '$2 !~ /^Z/ && $3 ~ /^beam/ { print $1 }'
}

is_there() {
    [ -n "$(machines)" ]
}

is_gone() {
    [ -z "$(machines)" ]
}

# under SIGNAL COMMAND…: what is left of one that waits, two minutes, for a file that is not there (no broker is needed for that), three
# seconds after timeout has sent SIGNAL. A busy machine may take some seconds until Erlang has started.
under() {
    status=0
    start tool timeout --signal="$1" 20 "$2" wait /tmp/no.pid --timeout 120
    tool=$!
    until_it is_there || changed "rabbitmqctl does not start: $(cat "$work/tool.log")"
    wait "$tool" || status=$?
    sleep 3
    left=$(machines)
    [ -z "$left" ] || inside kill -KILL "$left"
    until_it is_gone || changed 'SIGKILL does not end it'
    echo "timeout: $status, Erlang machine: $([ -z "$left" ] && echo gone || echo left)"
}

expect 'timeout rabbitmqctl' "$(under TERM rabbitmqctl)" 'timeout: 124, Erlang machine: left'
expect 'timeout --signal=KILL rabbitmqctl' "$(under KILL rabbitmqctl)" 'timeout: 137, Erlang machine: left'
expect 'the same without su' "$(under TERM /usr/lib/rabbitmq/bin/rabbitmqctl)" 'timeout: 124, Erlang machine: gone'
as_stated "what Debian's rabbitmqctl has started outlives timeout(1), SIGKILL too"
