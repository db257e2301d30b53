#!/usr/bin/env bats
# Who says it: messages in another's name, about another's instance, without a name, and who may read or fill what is another's.

load common
export LAB_ENGINE=runc

@test "a forged user_id: the broker" {
    {
        json publish callsign up.red-x "$(red_up)" '@{"user_id":"blue"}'
        json publish callsign up.red-x "$(red_up)" '@{"user_id":"callsignd"}'
        json publish callsign.will "$RED_MAILBOX" "$(red_up)" '@{"user_id":"blue"}'
    } | broker_refuses
}

@test "no user_id: the daemon" {
    amqp red publish callsign up.red-x "$(red_up)" --user-id ''
    wait_log 'refused user= .*no user_id'
}

@test "blue's instance under a name of red's own: the daemon" {
    host_refuses <<TABLE
belongs to another user	up.red-x	{"v":1,"op":"up","name":"red-x","instance":"$(blue_instance)","seq":9000,"addresses":["198.18.64.9"],"lease":60}
belongs to another user	down.red-x	{"v":1,"op":"down","name":"red-x","instance":"$(blue_instance)","seq":9000}
TABLE
}

@test "blue's instance and session, known to the last digit, in a will of red's own: the daemon" {
    attack own_mailbox "callsign.will.red-x.$(blue_session)" lost.red-x \
        "{\"v\":1,\"op\":\"lost\",\"name\":\"red-x\",\"instance\":\"$(blue_instance)\",\"session\":\"$(blue_session)\"}"
    wait_log 'refused user=red key=lost.red-x reason="this instance belongs to another user'
}

@test "another's mailbox and a host's queue can be neither read, filled, bound, emptied nor deleted: the broker" {
    local mailbox queue verb
    mailbox=callsign.will.blue-web.$(blue_session)
    {
        for queue in "$mailbox" callsign.host.lab; do
            for verb in consume get purge delete declare; do
                json "$verb" "$queue"
            done
            json publish '' "$queue" "$(red_up)" '@{}'
            json bind "$queue" callsign.rollcall ''
        done
        json bind "$mailbox" callsign.will "$RED_MAILBOX"
        json publish callsign.will "$mailbox" '{}' '@{}'
    } | broker_refuses
}

# RabbitMQ 4 asks for a topic permission on each of them, 3.10 on the message's own key alone.
@test "CC and BCC keys that are not red's: the broker where it checks them (4.x), the daemon where not" {
    if broker_is_at_least 4; then
        {
            json publish callsign up.red-x "$(red_up blue-web)" '@{"headers":{"CC":["up.blue-web","lost.blue-web"]}}'
            json publish callsign up.red-x "$(red_up blue-web)" '@{"headers":{"BCC":["up.blue-web"]}}'
        } | broker_refuses
        # What they lead to is red's own, and the key is not that of the body.
        host_refuses <<TABLE
routing key	up.red-x	$(red_up red-y)	{"headers":{"CC":["up.red-z"]}}
TABLE
    else
        host_refuses <<TABLE
routing key	up.red-x	$(red_up blue-web)	{"headers":{"CC":["up.blue-web","lost.blue-web"]}}
routing key	up.red-x	$(red_up blue-web)	{"headers":{"BCC":["up.blue-web"]}}
TABLE
    fi
}

# into_mailbox MAILBOX BODY: red publishes it by way of a CC key: RabbitMQ 4 refuses that, 3.10 does not ask for a topic permission on it.
into_mailbox() {
    local more
    more=$(printf '{"headers":{"CC":["%s"]}}' "$1")
    if broker_is_at_least 4; then
        json publish callsign.will "$RED_MAILBOX" "$2" "@$more" | broker_refuses
    else
        attack publish_with callsign.will "$RED_MAILBOX" "$2" "$more"
    fi
}

# Nobody is told another's session; and this is what would happen: blue goes on, and its will is still its own.
@test "even a mailbox whose name was given away is no way in" {
    local mailbox
    mailbox=callsign.will.blue-web.$(blue_session)
    into_mailbox "$mailbox" \
        "{\"v\":1,\"op\":\"lost\",\"name\":\"blue-web\",\"instance\":\"$(blue_instance)\",\"session\":\"$(blue_session)\"}"
    into_mailbox "$mailbox" nonsense
    unharmed
    # Its end is still told, by its own will.
    start_as blue blue-dies
    wait_up blue-dies
    mailbox=callsign.will.blue-dies.$(sed -n 's/.* blue-dies\.docker .*session=\([0-9a-f]*\).*/\1/p' "$HOSTS" | head -n 1)
    into_mailbox "$mailbox" nonsense
    lab_docker kill blue-dies >/dev/null
    wait_gone blue-dies.docker
    lab_docker rm --force blue-dies >/dev/null
}

@test "what red publishes is never taken for a host's: no roll call, no answer" {
    local call='{"v":1,"op":"rollcall","host":"lab","nonce":"0123456789abcdef0123456789abcdef","spread_ms":500}'
    {
        json publish callsign.rollcall '' "$call" '@{}'
        json bind-exchange callsign.rollcall callsign.will '#'
        json dead-letter-to callsign.rollcall
    } | broker_refuses
    host_refuses <<TABLE
a roll call that did not come	up.red-x	$call
only hosts	up.red-x	{"v":1,"op":"resolves","name":"red-x","fqdn":"red-x.docker","host":"lab"}
TABLE
}

@test "a reply_to that leads into a queue: the daemon" {
    host_refuses <<TABLE
reply_to	up.red-x	$(red_up)	{"reply_to":"callsign.host.lab"}
reply_to	up.red-x	$(red_up)	{"reply_to":"callsign.will.blue-web.$(blue_session)"}
reply_to	up.red-x	$(red_up)	{"reply_to":"amq.rabbitmq.reply-to."}
reply_to	up.red-x	$(red_up)	{"reply_to":"amq.rabbitmq"}
TABLE
}

# RabbitMQ decodes the address of a direct reply-to, and what it cannot decode ends the connection of the one who answers: with 3.10 even one that
# is well formed and nobody's. 4.x says nothing to that, and there nobody is punished.
@test "a reply_to that the broker fails over: it is not handed to it; one that is well formed and nobody's: blue is answered, red is not where that fails (3.10)" {
    local nobodys=amq.rabbitmq.reply-to.g1h2AA5yZXBseUAxMjM0NTY3OAAAA38AAAAAawFu+Q==.cAG3VjgL93aFq87+FQKjCw==
    attack lead_astray amq.rabbitmq.reply-to.x amq.rabbitmq.reply-to.x.y amq.rabbitmq.reply-to.%%%%.a2V5 \
        amq.rabbitmq.reply-to.g2QABHF1aXQ=.aw== amq.rabbitmq.reply-to.g2gCYQFhAg==.aw==
    [[ $(log_count 'closed the connection|fails over') == 0 ]]
    attack lead_astray "$nobodys"
    if ! broker_is_at_least 4; then
        wait_log 'fails over an answer .* user=red is not answered for 10 minutes'
        wait_log 'connected broker'
        log_mark
    fi
    start_as blue blue-waits --entrypoint callsign-emit -- --wait=10 -- true
    [[ $(exit_status blue-waits) == 0 ]]
    # Once more changes nothing.
    attack lead_astray "$nobodys"
    [[ $(log_count 'closed the connection|fails over') == 0 ]]
}
