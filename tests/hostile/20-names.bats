#!/usr/bin/env bats
# What is announced: names, aliases and addresses that are not red's.

load common

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
