# HAProxy as a part of the lab: Debian's configuration, and callsign's sample beside it. Sourced by the suites that need it.
# shellcheck shell=bash

HAPROXY_MAP=$LAB/run/callsign/haproxy.map # as seen from outside the lab

# For the lab that was made before the package was installed.
haproxy_install() {
    "$TESTS_DIR/lib/packages" haproxy || return 1
    [[ -e $LAB/etc/haproxy ]] || cp -a /etc/haproxy "$LAB/etc"
    local file
    for file in passwd group; do
        grep -q '^haproxy:' "$LAB/etc/$file" || grep '^haproxy:' "/etc/$file" >>"$LAB/etc/$file"
    done
}

haproxy_files() {
    mkdir -p "$LAB/run/haproxy"
    # As tmpfiles.d does on a host: HAProxy may start before callsignd.
    [[ -e $HAPROXY_MAP ]] || install -m 0644 -o "$LAB_CALLSIGN_ID" -g "$LAB_CALLSIGN_ID" /dev/null "$HAPROXY_MAP"
    cp /etc/haproxy/haproxy.cfg "$LAB/etc/haproxy/haproxy.cfg"
    # The sample, with its ways for TLS and TCP, at the lab's address.
    sed -e "s/172\.17\.0\.1/$LAB_ADDRESS/" -e 's/^#\(frontend\|\t\)/\1/' "$TOP_DIR/etc/haproxy/callsign.cfg" >"$LAB/etc/haproxy/callsign.cfg"
}

# The command of Debian's unit.
part_haproxy_start() {
    haproxy_files
    lab_spawn haproxy haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock \
        -f /etc/haproxy/callsign.cfg
}

haproxy_answers() {
    [[ $(http_code nobody.docker) == 404 ]]
}

part_haproxy_wait() {
    lab_await haproxy 10000 haproxy_answers
}

# http NAME[/PATH] [CURL OPTION…]: what http://NAME/ answers on docker0's address.
http() {
    lab_in curl --silent --show-error --max-time 5 --connect-to "::$LAB_ADDRESS:80" "${@:2}" "http://$1"
}

# http_code HOST [CURL OPTION…]: the status for any Host header, at docker0's address.
http_code() {
    lab_in curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' --header "Host: $1" "${@:2}" "http://$LAB_ADDRESS/"
}

# http_codes HOST CODE: whether that is what it answers.
http_codes() {
    [[ $(http_code "$1") == "$2" ]]
}

# haproxy_say COMMAND: over the runtime socket.
haproxy_say() {
    # shellcheck disable=SC2016 # for the inner program
    lab_in /usr/bin/python3 -c '
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(2)
    s.connect("/run/haproxy/callsign.sock")
    s.sendall(sys.argv[1].encode() + b"\n")
    while data := s.recv(65536):
        sys.stdout.write(data.decode())' "$1"
}

# haproxy_map: the entries that the running HAProxy has, "KEY VALUE" sorted, without the marker.
haproxy_map() {
    haproxy_say 'show map /run/callsign/haproxy.map' | sed -n 's/^0x[0-9a-f]* //p' | grep -v '^@' | sort
}

haproxy_file() {
    grep -v '^[#@]' "$HAPROXY_MAP" | sort
}
