#!/usr/bin/env bats
# What arrives in bad shape: refused whole, with one line that names the sender's user and the reason; nothing else changes.

load common

setup() {
    common_setup
    INSTANCE=$(new_instance)
}

# Whatever was taken by mistake ends here, not in the next test.
teardown() {
    amqp emit publish callsign down.good "$(down_body good "$INSTANCE")"
    common_teardown
}

# callsignd logs 20 refusals in a second, of which each message here takes two: what comes faster would be counted and not logged.
spread() {
    local now=${EPOCHREALTIME/[.,]/}
    ((now - ${LAST_US:-0} >= 120000)) || pause 0.12
    LAST_US=${EPOCHREALTIME/[.,]/}
}

# refuses KEY BODY [AMQP-OPTION…]: callsignd logs one line about it, which names the user; the hosts file stays as it was.
refuses() {
    local before
    spread
    before=$(<"$HOSTS")
    log_mark
    amqp emit publish callsign "$@" || return 1
    wait_log 'user="?emit' 5000 >/dev/null || {
        printf 'nothing was logged about: %s %s\n' "$1" "$2"
        return 1
    }
    # What comes next shows that there was no second line: messages are handled in order.
    control
    [[ $(log_count 'user="?emit') == 1 ]] || {
        printf 'more than one line about: %s %s\n' "$1" "$2"
        return 1
    }
    [[ $(<"$HOSTS") == "$before" ]] || {
        printf 'the hosts file changed by: %s %s\n' "$1" "$2"
        return 1
    }
}

# A message that changes nothing and is logged, in words of its own: what is repeated is not logged each time.
control() {
    local op
    op=control-$(new_instance)
    amqp callsignd publish callsign up.control "{\"v\":1,\"op\":\"$op\"}"
    wait_log "$op" 5000
}

good() {
    up_body "${1-good}" "${2-198.18.9.9}" "$INSTANCE"
}

@test "to begin with: what is in good shape is taken" {
    amqp emit publish callsign up.good "$(good)"
    wait_resolves good.docker 198.18.9.9
    amqp emit publish callsign down.good "$(down_body good "$INSTANCE")"
    wait_gone good.docker
}

@test "names with blanks, newlines, #, *, / and other signs" {
    local name
    for name in 'a b' 'a\nb' 'a\n198.18.9.9 evil.docker' 'a#b' 'a*' '*' 'a/b' '../a' 'a_b' 'a\u0000b' 'ä' 'a%s' '' '.' 'a.' '.a' 'a..b' \
        '-a' 'a-' 'a.-b'; do
        refuses up.bad "$(good "$name")"
    done
}

@test "labels over 63 bytes, names over 200" {
    local label
    label=$(printf 'a%.0s' {1..63})
    refuses up.bad "$(good "a$label")"
    refuses "up.$label.$label.$label.123456789" "$(good "$label.$label.$label.123456789")"
}

@test "reserved names" {
    local name
    for name in localhost wpad isatap callsign serial.callsign; do
        refuses "up.$name" "$(good "$name")"
    done
}

@test "addresses that nobody may have, or that are none" {
    local address
    for address in 127.0.0.1 0.0.0.0 255.255.255.255 224.0.0.1 169.254.1.1 ::1 :: fe80::1 ff02::1 ::ffff:127.0.0.1 198.18.9 198.18.9.9/16 \
        198.18.09.9 'a' '' 'fe80::1%eth0'; do
        refuses up.good "$(good good "$address")"
    done
}

@test "JSON that is cut, deep, huge, duplicate-keyed, not UTF-8, or no object" {
    local body
    body=$(good)
    refuses up.good "${body%?}"
    refuses up.good "${body:0:20}"
    refuses up.good ''
    refuses up.good '[]'
    refuses up.good '"up"'
    refuses up.good "$body$body"
    refuses up.good "$(printf '[%.0s' {1..4000})"
    refuses up.good "${body%?},\"x\":\"$(printf 'x%.0s' {1..4096})\"}"
    refuses up.good "${body%?},\"name\":\"good\"}"
    refuses up.good "${body%?},\"x\":\"$(printf '\xff')\"}"
    refuses up.good "${body%?},\"x\":\"\\u0000\"}"
}

@test "fields that are missing, of the wrong type or out of range" {
    local body
    body=$(good)
    refuses up.good "${body/\"v\":1/\"v\":2}"
    refuses up.good "${body/\"v\":1/\"v\":\"1\"}"
    refuses up.good "${body/\"op\":\"up\"/\"op\":\"sideways\"}"
    refuses up.good "${body/\"seq\":1/\"seq\":-1}"
    refuses up.good "${body/\"seq\":1/\"seq\":1.5}"
    refuses up.good "${body/\"seq\":1/\"seq\":99999999999999999999}"
    refuses up.good "${body/\"lease\":60/\"lease\":1}"
    refuses up.good "${body/\"lease\":60/\"lease\":86401}"
    refuses up.good "${body/$INSTANCE/xyz}"
    refuses up.good "${body/,\"seq\":1/}"
    refuses up.good "${body/\[\"198.18.9.9\"]/[]}"
    refuses up.good "${body/\[\"198.18.9.9\"]/\"198.18.9.9\"}"
}

@test "what an emitter says that it is: 1 to 80 printable characters, in ASCII, or nothing at all" {
    local agent
    for agent in null 1 '[]' '{}' '""' "\"$(printf '%81s' '' | tr ' ' a)\"" '"a\nb"' '"a\u001b[2J"' '"a\u0000"' '"\u007f"' '"ä"' '"a","agent":"b"'; do
        refuses up.good "$(up_body good 198.18.9.9 "$INSTANCE" ",\"agent\":$agent")"
    done
    # The longest that there may be is shown whole.
    agent=$(printf '%80s' '' | tr ' ' '"')
    amqp emit publish callsign up.good "$(up_body good 198.18.9.9 "$INSTANCE" ",\"agent\":\"${agent//\"/\\\"}\"")"
    wait_resolves good.docker 198.18.9.9
    [[ $(lab_in callsignctl list --json good | jq -r '.[].agent') == "$agent" ]]
}

@test "a routing key that disagrees with the body" {
    refuses up.other "$(good)"
    refuses down.good "$(good)"
    refuses up.good "$(down_body good "$INSTANCE")"
}

@test "no user, which the broker would vouch for" {
    amqp emit publish callsign up.good "$(good)" --user-id ''
    wait_log 'refused.*user_id'
    [[ -z $(resolve good.docker) ]]
}

@test "too long a body is refused by its length" {
    refuses up.good "$(printf 'x%.0s' {1..9000})"
}

@test "all of it was acknowledged: nothing is left in the queue" {
    refuses up.bad 'nonsense'
    poll_until 10000 queue_is_empty
}

queue_is_empty() {
    rabbitmqctl --quiet list_queues --vhost callsign name messages | grep -qxP 'callsign\.host\.lab\t0'
}

@test "upper case in a message is folded" {
    amqp emit publish callsign up.good "$(good GOOD)"
    wait_resolves good.docker 198.18.9.9
    amqp emit publish callsign down.good "$(down_body good "$INSTANCE")"
    wait_gone good.docker
}
