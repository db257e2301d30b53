#!/usr/bin/env bats
# What is announced: names, aliases and addresses that are not red's.

load common
export LAB_ENGINE=runc

@test "foreign names: the broker by its topic permissions" {
    local name
    for name in blue-web blue-x host gateway serial.callsign red wpad; do
        json publish callsign "up.$name" "$(red_up "$name")" '@{}'
        json publish callsign "down.$name" "$(down_body "$name" "$INSTANCE")" '@{}'
    done | broker_refuses
}

@test "foreign and reserved aliases: the daemon" {
    local alias
    for alias in blue-web host lab gateway serial.callsign callsign wpad isatap wpad.red-x localhost x.localhost xn--blue-web-abc xn--d1abbgf6aiiy; do
        printf '%s\tup.red-x\t%s\n' "$alias" "$(red_up red-x 198.18.64.9 ",\"aliases\":[\"red-y\",\"$alias\"]")"
    done | host_refuses
}

@test "look-alikes, invisible signs, dots, blanks: the daemon" {
    local name
    # Cyrillic e, fullwidth r, a zero-width space, a combining mark, a soft hyphen, a right-to-left mark.
    for name in 'r\u0435d-x' '\uff52ed-x' 'red-x\u200b' 'red-x\u0301' 'red-\u00adx' 'red-x\u200f' 'red-x.' 'red-x..y' '.red-x' 'red-x ' \
        'red-x\t' 'red-x\u0000' 'red-x\r\n198.18.0.9 blue-web.docker' 'red-x#' 'red-*' 'red-x/../y'; do
        printf '.\tup.red-x\t%s\n' "$(red_up "$name")"
    done | host_refuses
}

@test "addresses that are nobody's to announce: the daemon" {
    local address
    for address in 127.0.0.1 127.128.0.1 0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.251 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 ff02::1 \
        fec0::1 ::ffff:198.18.64.9 ::198.18.64.9 198.18.64.09 0xc6.18.64.9 3323084809 198.18.64.9%eth0 'fe80::1%eth0' 198.18.64.9/32 \
        ' 198.18.64.9' 198.18.64; do
        printf '.\tup.red-x\t%s\n' "$(red_up red-x "$address")"
    done | host_refuses
}

@test "addresses that are not red's: the policy's, the user's subnets" {
    local address theirs
    theirs=$(address blue-web)
    {
        for address in 10.0.0.1 8.8.8.8 2001:db8::1; do
            printf 'address %s is in none of policy subnets\tup.red-x\t%s\n' "$address" "$(red_up red-x "$address")"
        done
        printf "in none of this user's subnets\tup.red-x\t%s\n" "$(red_up red-x "$theirs")"
        # One that would do does not carry the other with it.
        printf "in none of this user's subnets\tup.red-x\t%s\n" "$(red_up red-x "198.18.64.9\",\"$theirs")"
    } | host_refuses
}

@test "the host's own addresses, whoever's network they are in, from the moment it has them: the daemon" {
    lab_in ip address add 198.18.64.77/32 dev lo
    poll_until 20000 host_address_refused
    lab_in ip address del 198.18.64.77/32 dev lo
}

# The daemon learns of it by netlink; until then red may have it.
host_address_refused() {
    INSTANCE=$(new_instance)
    log_mark
    amqp red publish callsign up.red-x "$(red_up red-x 198.18.64.77)"
    wait_log "refused user=red .*198.18.64.77 is this host's own" 300 && return
    amqp red publish callsign down.red-x "$(down_body red-x "$INSTANCE")"
    return 1
}

@test "numbers out of range: the daemon" {
    local value
    {
        for value in 0 -1 9223372036854775808 18446744073709551616 1e30 '"1"' null; do
            printf '.\tup.red-x\t%s\n' "$(red_up | sed "s/\"seq\":1/\"seq\":$value/")"
        done
        for value in 0 -1 4 86401 1000000000 1e3 '"60"'; do
            printf '.\tup.red-x\t%s\n' "$(red_up | sed "s/\"lease\":60/\"lease\":$value/")"
        done
    } | host_refuses
}

@test "blue's address claimed from its own subnet: blue keeps it, and after a restart of the daemon, too" {
    local address
    # Without subnets of their own the two could claim each other's; who has it keeps it.
    sed -i '/^user "red"/s/198\.18\.64\.0\/18/198.18.0.0\/16/' "$CONF"
    reload
    address=$(address blue-web)
    amqp red publish callsign up.red-x "$(red_up red-x "$address")"
    wait_log "refused user=red .*$address is held by user blue"
    [[ -z $(resolve red-x.docker) ]]
    attack claim "$address" 6 &
    lab_kill callsignd
    lab_start callsignd
    lab_pid callsignd >"$LAB/daemon.pid"
    resolves_to blue-web.docker "$address"
    wait
    resolves_to blue-web.docker "$address"
    [[ -z $(resolve red-x.docker) ]]
    sed -i '/^user "red"/s/198\.18\.0\.0\/16/198.18.64.0\/18/' "$CONF"
    reload
}

# ---- where an address is, which anybody can say as he likes ----

SESSION=0123456789abcdef0123456789abcdef

# What the hosts file tells of blue-web's: red is assumed to know it.
blue_place() {
    sed -n '/ blue-web\.docker /,/^# place/s/^# place //p' "$HOSTS" | head -n 1
}

another_instance() {
    INSTANCE=$(new_instance)
}

# placed NAME ADDRESS PLACE [MORE-JSON]: as INSTANCE, with a session that never was.
placed() {
    red_up "$1" "$2" "${4-},\"session\":\"$SESSION\",\"place\":\"$3\""
}

# leads_back ADDRESS NAME
leads_back() {
    [[ $(lab_in dig +short +time=2 +tries=2 "@$LAB_ADDRESS" -x "$1") == "$2.docker." ]]
}

@test "places of another form: the daemon" {
    local place
    for place in '""' '"here"' null 1 '[]' '"0123456789abcdef"' '"0123456789ABCDEF/0123456789ABCDEF"' '"0123456789abcdef/0123456789abcde"' \
        '"0123456789abcdef/0123456789abcdef0"' '"0123456789abcdef\u002f0123456789abcde\u0000"' '"0123456789abcdef/0123456789abcde\n"'; do
        printf "'place'|JSON\tup.red-x\t%s\n" "$(red_up red-x 198.18.64.9 ",\"session\":\"$SESSION\",\"place\":$place")"
    done | host_refuses
}

@test "blue's address claimed from a forged place: blue keeps it, shares it with nobody, and it leads back to blue" {
    local address place
    sed -i '/^user "red"/s/198\.18\.64\.0\/18/198.18.0.0\/16/' "$CONF"
    reload
    address=$(address blue-web)
    [[ $(blue_place) =~ ^[0-9a-f]{16}/[0-9a-f]{16}$ ]]
    # Blue's own; another container of this host's; another host's.
    for place in "$(blue_place)" "$(blue_place | cut -c -17)0123456789abcdef" 0123456789abcdef/0123456789abcdef; do
        log_mark
        another_instance
        amqp red publish callsign up.red-x "$(placed red-x "$address" "$place")"
        wait_log "refused user=red .*$address is held by user blue"
        [[ -z $(resolve red-x.docker) ]]
        resolves_to blue-web.docker "$address"
        leads_back "$address" blue-web
        amqp red publish callsign down.red-x "$(down_body red-x "$INSTANCE")"
    done
    lab_kill callsignd
    lab_start callsignd
    lab_pid callsignd >"$LAB/daemon.pid"
    resolves_to blue-web.docker "$address"
    leads_back "$address" blue-web
    sed -i '/^user "red"/s/198\.18\.0\.0\/16/198.18.64.0\/18/' "$CONF"
    reload
}

@test "an address of blue's on another host, and a name: red says that it is here, and blue loses nothing" {
    local blue
    sed -i -e '/^user "red"/s/198\.18\.64\.0\/18/198.18.0.0\/16/' -e '/^user "red"/s/"red-\*"/"red-*", "blue-far"/' "$CONF"
    reload
    blue=$(new_instance)
    amqp blue publish callsign up.blue-far "$(up_body blue-far 198.18.9.7 "$blue" \
        ",\"session\":\"${SESSION/0/f}\",\"place\":\"0123456789abcdef/0123456789abcdef\"")"
    wait_resolves blue-far.docker 198.18.9.7
    # The name: never by the place.
    log_mark
    amqp red publish callsign up.red-x "$(placed red-x 198.18.9.8 "$(blue_place)" ',"aliases":["blue-far"]')"
    wait_log 'refused user=red .*blue-far is held by user blue'
    [[ $(resolve blue-far.docker) == 198.18.9.7 ]]
    amqp red publish callsign down.red-x "$(down_body red-x "$INSTANCE")"
    # The address: in the range of this host's own bridge, where blue's says that it is not; what is here has it too.
    another_instance
    amqp red publish callsign up.red-x "$(placed red-x 198.18.9.7 "$(blue_place)")"
    wait_resolves red-x.docker 198.18.9.7
    [[ $(resolve blue-far.docker) == 198.18.9.7 ]]
    leads_back 198.18.9.7 blue-far
    amqp red publish callsign down.red-x "$(down_body red-x "$INSTANCE")"
    wait_gone red-x.docker
    amqp blue publish callsign down.blue-far "$(down_body blue-far "$blue")"
    wait_gone blue-far.docker
    sed -i -e '/^user "red"/s/198\.18\.0\.0\/16/198.18.64.0\/18/' -e 's/"red-\*", "blue-far"/"red-*"/' "$CONF"
    reload
}
