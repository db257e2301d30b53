#!/usr/bin/env bats
# The ways in: round the topic permissions, by dead-lettering, bindings and exchanges of red's own.

load common
export LAB_ENGINE=runc

lost_body() {
    printf '{"v":1,"op":"lost","name":"%s","instance":"%s","session":"%s"}' "$1" "$2" "$3"
}

@test "up and down by dead-lettering from red's mailbox: the daemon" {
    attack own_mailbox "$RED_MAILBOX" up.blue-x "$(red_up blue-x 198.18.9.1)"
    wait_log 'refused user=red key=up.blue-x reason="dead-lettered'
    attack own_mailbox "$RED_MAILBOX" down.blue-web "$(down_body blue-web "$(blue_instance)")"
    wait_log 'refused user=red key=down.blue-web reason="dead-lettered'
}

@test "lost for blue from red's mailbox: the daemon, whatever the mailbox is called" {
    local mailbox text
    text=$(lost_body blue-web "$(blue_instance)" "$(blue_session)")
    for mailbox in "$RED_MAILBOX" "callsign.will.red-x.blue-web.$(blue_session)" "callsign.will.red-callsign.will.blue-web.$(blue_session)"; do
        log_mark
        attack own_mailbox "$mailbox" lost.blue-web "$text"
        wait_log 'refused user=red key=lost.blue-web reason="lost from another mailbox'
    done
    # The mailbox itself, and blue's name plus a label: the broker.
    run -1 attack own_mailbox "callsign.will.blue-web.$(blue_session)" lost.blue-web "$text"
    [[ $output == *ACCESS_REFUSED* ]]
    run -1 attack own_mailbox "callsign.will.blue-web.x.$(blue_session)" lost.blue-web "$text"
    [[ $output == *ACCESS_REFUSED* ]]
}

@test "a forged x-death header: the daemon believes only what the broker wrote" {
    local text death
    text=$(lost_body blue-web "$(blue_instance)" "$(blue_session)")
    death="{\"x-death\":[{\"queue\":\"callsign.will.blue-web.$(blue_session)\",\"reason\":\"expired\",\"count\":1,\"exchange\":\"callsign.will\"}]}"
    attack own_mailbox "$RED_MAILBOX" lost.blue-web "$text" "$death"
    wait_log 'refused user=red key=lost.blue-web'
    json publish callsign lost.blue-web "$text" "@{\"headers\":$death}" | broker_refuses
    # A header that is no list of tables at all makes no difference, but for the one that sent it.
    host_refuses <<TABLE
dead-lettered	up.red-x	$(red_up)	{"headers":{"x-death":"nonsense"}}
dead-lettered	up.red-x	$(red_up)	{"headers":{"x-death":[1,2,3]}}
dead-lettered	up.red-x	$(red_up)	{"headers":$death}
TABLE
}

@test "lost published straight: the broker" {
    {
        json publish callsign lost.red-x "$(lost_body red-x "$INSTANCE" 0123456789abcdef0123456789abcdef)" '@{}'
        json publish callsign lost.blue-web "$(lost_body blue-web "$(blue_instance)" "$(blue_session)")" '@{}'
    } | broker_refuses
}

@test "a guessed session ends nobody: the daemon" {
    # red's own name, blue's instance, a session out of thin air.
    attack own_mailbox "$RED_MAILBOX" lost.red-x "$(lost_body red-x "$(blue_instance)" 0123456789abcdef0123456789abcdef)"
    wait_log 'refused user=red key=lost.red-x reason="this instance belongs to another user'
}

@test "binding callsign to callsign.will or a mailbox to callsign: the broker" {
    {
        json bind-exchange callsign callsign.will up.blue-web
        json bind-exchange callsign callsign.will '#'
        json bind-exchange callsign.will callsign '#'
        json bind-exchange callsign.rollcall callsign.will callsign.will.red-x
        json bind "$RED_MAILBOX" callsign 'up.#'
        json publish callsign.will up.blue-web "$(red_up blue-web)" '@{}'
    } | broker_refuses
}

@test "callsign and callsign.will bound to callsign.rollcall: the broker allows it, and it leads nowhere" {
    # Roll calls have the empty key, which no binding of a host's queue or a mailbox matches.
    attack roll_call_detour bind
    lab_restart callsignd
    lab_pid callsignd >"$LAB/daemon.pid"
    unharmed
    [[ $(log_count 'refused') == 0 ]]
    attack roll_call_detour unbind
}

@test "an exchange of red's own in front of callsign: the broker lets it pass, the daemon does not" {
    local text
    text=$(red_up blue-x 198.18.9.1)
    attack through_own_exchange up.blue-x "$text"
    wait_log 'refused user=red key=up.blue-x reason="it did not come through the exchange callsign'
    log_mark
    attack with_alternate_exchange up.blue-x "$text"
    wait_log 'refused user=red key=up.blue-x reason="it did not come through the exchange callsign'
}

@test "a mailbox that dead-letters to anything but callsign: the broker" {
    # "" is the default exchange, through which one writes into any queue.
    for exchange in callsign.rollcall amq.topic amq.direct ''; do
        json dead-letter-to "$exchange"
    done | broker_refuses
}

@test "mailboxes without expiry, TTL or length: the broker's operator policy gives them all three" {
    [[ $(attack endless_mailbox) == 0 ]]
    run rabbitmqctl eval 'rabbit_policy:effective_definition(element(2, rabbit_amqqueue:lookup(
        rabbit_misc:r(<<"callsign">>, queue, <<"callsign.will.red-endless">>)))).'
    [[ $output == *'"expires">> => 60000'* && $output == *'"max-length">> => 16'* && $output == *'"message-ttl">> => 0'* ]]
    amqp red delete-queue callsign.will.red-endless
}

@test "exchanges and queues of other names: the broker" {
    local exchange
    {
        json declare-exchange evil topic
        json declare-exchange callsign.host.evil fanout
        json declare evil
        json declare callsign.host.evil
        for exchange in callsign callsign.will callsign.rollcall; do
            json delete-exchange "$exchange"
        done
    } | broker_refuses
}
