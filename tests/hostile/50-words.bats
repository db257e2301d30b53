#!/usr/bin/env bats
# Words that mean something to whoever reads them: a log, a terminal, printf.

load common
export LAB_ENGINE=runc

ESC=$'\x1b'

# Only printable characters and newlines.
is_clean() {
    ! LC_ALL=C grep -qP '[^\x20-\x7e\n]' <<<"$1"
}

daemon_log() {
    tail -c "+$LOG_MARK" "$LAB/log/callsignd"
}

@test "keys, users and bodies with newlines, escapes and formats stay one line of plain characters each" {
    local word lines
    for word in $'x\ncallsignd: refused user=blue' "x${ESC}[2J${ESC}]0;owned" '%s%s%n%n' $'x\r\x08\x7f' $'\xff\xfe' 'x" user=blue reason="'; do
        log_mark
        amqp red publish callsign "up.red-$word" "{\"v\":1,\"op\":\"$word" || continue # not UTF-8: python3-pika itself will not
        wait_log 'refused user=red'
        is_clean "$(daemon_log)"
        lines=$(daemon_log | grep -c 'refused user=red')
        [[ $lines == 1 ]]
        [[ $(log_count 'refused user=blue') == 0 ]]
    done
}

@test "names in bodies do not get out of the quotes of a reason" {
    log_mark
    amqp red publish callsign up.red-x "$(red_up 'red-x\"\u001b[31m\nrefused user=blue key=up.blue-web')"
    wait_log 'refused user=red key=up.red-x'
    is_clean "$(daemon_log)"
    [[ $(log_count '^[^"]*user=blue') == 0 ]]
}

@test "nor do unknown keys, ops and properties" {
    local text
    {
        for text in '{"v":1,"op":"up\u001b[2J"}' '{"v":1,"op":"%n%n%n%n"}' '{"v":1,"op":"up","\u001b[2J":1,"name":"\u001b"}' '{"\u001b":1,"\u001b":2}'; do
            printf '.\tup.red-x\t%s\n' "$text"
        done
        printf '.\tup.red-x\t%s\t{"type":"\\u001b[2J%%n","content_type":"\\u001b"}\n' "$(red_up)"
    } | host_refuses
    is_clean "$(daemon_log)"
}

@test "callsignctl shows none of it raw" {
    [[ -x $BUILD/host/host/callsignctl ]] || skip "callsignctl is not built yet"
    amqp red publish callsign $'up.red-\x1b[2J' "{\"v\":1,\"op\":\"${ESC}\"}"
    wait_log 'refused user=red'
    run lab_in callsignctl why red-x
    is_clean "$output"
    run lab_in callsignctl status
    is_clean "$output"
    run lab_in callsignctl list
    is_clean "$output"
}
