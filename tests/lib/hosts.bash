# More hosts beside the lab's own: callsignd and dnsmasq with files and addresses of their own; host N's dnsmasq answers at 127.0.0.N:5300.
# Sourced by the tests that need them.
# shellcheck shell=bash

# host_up N URLS [LINE…]: URLS as in callsignd.conf, separated by commas; the user is admin. LINE: further configuration.
host_up() {
    local dir=$LAB/run/host$1 inside=/run/host$1
    host_files "$@"
    printf '%s\n' no-resolv no-hosts port=5300 "listen-address=127.0.0.$1" bind-interfaces "addn-hosts=$inside/hosts" \
        "pid-file=$inside/dnsmasq.pid" local=/docker/ >"$dir/dnsmasq.conf"
    lab_spawn "dnsmasq$1" dnsmasq --keep-in-foreground --log-facility=- --conf-file="$inside/dnsmasq.conf"
    host_start "$1"
    host_connected "$1"
}

host_files() {
    local number=$1 urls=${2//,/\", \"} dir=$LAB/run/host$1 inside=/run/host$1
    shift 2
    mkdir -p "$dir"
    install -m 0600 "$LAB/secret/admin" "$dir/password"
    cat >"$dir/callsignd.conf" <<CONF
bus { urls = { "$urls" } password_file = "$inside/password" }
dnsmasq { hosts_file = "$inside/hosts" pid_file = "$inside/dnsmasq.pid" server = "127.0.0.$number" port = 5300 }
control { socket = "$inside/control.sock" }
pid_file = "$inside/callsignd.pid"
log_level = "debug"
CONF
    (($# > 0)) || set -- "queue { name = \"callsign.host.h$number\" }"
    printf '%s\n' "$@" >>"$dir/callsignd.conf"
    chmod 0755 "$dir"
    lab_in chown --reference=/run/callsign "$inside" "$inside/password" # the user that the daemon runs as
}

host_start() {
    [[ ! -e $LAB/log/callsignd$1 ]] || mv "$LAB/log/callsignd$1" "$LAB/log/callsignd$1.before"
    lab_spawn "callsignd$1" callsignd --foreground -c "/run/host$1/callsignd.conf"
}

host_connected() {
    lab_await "callsignd$1" 20000 grep -q 'connected broker=' "$LAB/log/callsignd$1"
}

host_down() {
    lab_stop "callsignd$1" "dnsmasq$1" || true
    rm -rf "$LAB/run/host$1"
}

# host_records N: what it serves, a line `NAME ADDRESS` each, sorted, and each once; without the serial. (Who was lost and has its grace stands beside the
# one that came after it in the same place: the same record twice, which dnsmasq takes once.)
host_records() {
    sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' -e '/serial\.callsign\./d' "$LAB/run/host$1/hosts" 2>/dev/null |
        awk '{ for (i = 2; i <= NF; i++) { sub(/\.docker$/, "", $i); print $i, $1 } }' | sort -u
}

# host_answers N NAME: as its dnsmasq does.
host_answers() {
    lab_in dig +short +time=2 +tries=2 -p 5300 "@127.0.0.$1" "$2.docker" A | sort
}

host_says() {
    [[ $(host_answers "$1" "$2") == "$3" ]]
}

# host_ctl N …: callsignctl of that host.
host_ctl() {
    lab_in callsignctl --socket "/run/host$1/control.sock" "${@:2}"
}
