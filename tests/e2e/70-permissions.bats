#!/usr/bin/env bats
# What the broker lets whom do: the rights in docs/protocol.md as they stand, tried by clients that mean harm.
#
# red and blue are tenants with the prefixes red- and blue-.

load common
export LAB_ENGINE=runc

# refused USER VERB…: the broker says no, in so many words.
refused() {
    run amqp "$@"
    ((status == 1))
    [[ $output == *ACCESS_REFUSED* || $output == *"refused"*403* ]]
}

MAILBOX='{"x-expires":60000,"x-message-ttl":0,"x-max-length":16}'

@test "a tenant may publish under its own prefix, and the name resolves" {
    local instance
    instance=$(new_instance)
    amqp red publish callsign up.red-web "$(up_body red-web 198.18.9.1 "$instance")"
    wait_resolves red-web.docker 198.18.9.1
    amqp red publish callsign down.red-web "$(down_body red-web "$instance")"
    wait_gone red-web.docker
}

@test "a tenant's emitter works, and under a foreign name it does not" {
    start red-web --env CALLSIGN_URLS=amqp://red@gateway/callsign --env CALLSIGN_PASSWORD="$(cat "$LAB/secret/red")"
    wait_up red-web
    start blue-web --env CALLSIGN_URLS=amqp://red@gateway/callsign --env CALLSIGN_PASSWORD="$(cat "$LAB/secret/red")"
    wait_output blue-web 'refused'
    [[ -z $(resolve blue-web.docker) ]]
}

@test "a tenant may not publish under another's prefix, nor a will, a roll call or anything else" {
    refused red publish callsign up.blue-web "$(up_body blue-web 198.18.9.1 "$(new_instance)")"
    refused red publish callsign down.blue-web "$(down_body blue-web "$(new_instance)")"
    refused red publish callsign lost.red-web '{}'
    refused red publish callsign up '{}'
    refused red publish callsign.rollcall '' '{}'
}

@test "a tenant may not write into queues directly" {
    refused red publish '' callsign.host.lab "$(up_body blue-web 198.18.9.1 "$(new_instance)")"
}

@test "a tenant may not name another user as the sender" {
    run -1 amqp red publish callsign up.red-web "$(up_body red-web 198.18.9.1 "$(new_instance)")" --user-id blue
    [[ $output == *PRECONDITION_FAILED* ]]
}

@test "a tenant may declare its own mailboxes only" {
    amqp red declare-queue callsign.will.red-x --arguments "$MAILBOX"
    amqp red delete-queue callsign.will.red-x
    refused red declare-queue callsign.will.blue-x --arguments "$MAILBOX"
    refused red declare-queue callsign.host.evil
    refused red declare-queue evil
    refused red declare-exchange evil topic
}

@test "a tenant may not read others' mailboxes, the hosts' queues or the announcements" {
    amqp blue declare-queue callsign.will.blue-x --arguments "$MAILBOX"
    refused red consume callsign.will.blue-x
    refused red delete-queue callsign.will.blue-x
    refused red consume callsign.host.lab
    refused red delete-queue callsign.host.lab
    amqp red declare-queue callsign.will.red-x --arguments "$MAILBOX"
    refused red bind callsign.will.red-x callsign up.#
    refused red bind callsign.will.red-x callsign.will callsign.will.blue-x
    refused red bind callsign.will.blue-x callsign.rollcall ''
    amqp blue delete-queue callsign.will.blue-x
    amqp red delete-queue callsign.will.red-x
}

@test "a tenant may not remove or redeclare the exchanges" {
    refused red delete-exchange callsign
    refused red delete-exchange callsign.will
    refused red delete-exchange callsign.rollcall
}

@test "first way round: callsign bound to callsign.will is refused, and so is publishing there under another key" {
    refused red bind-exchange callsign callsign.will up.blue-web
    refused red bind-exchange callsign callsign.will '#'
    refused red publish callsign.will up.blue-web "$(up_body blue-web 198.18.9.1 "$(new_instance)")"
}

@test "second way round: an up that was dead-lettered to the hosts is refused there, and the sender named" {
    dead_letter red up.blue-web "$(up_body blue-web 198.18.9.1 "$(new_instance)")"
    wait_log 'red.*(dead|x-death)|(dead|x-death).*red'
    [[ -z $(resolve blue-web.docker) ]]
}

# dead_letter USER KEY BODY: through a mailbox of the user's own, which dead-letters to callsign under KEY.
dead_letter() {
    amqp "$1" declare-queue "callsign.will.$1-evil" --arguments "{\"x-expires\":60000,\"x-message-ttl\":0,\"x-max-length\":16,
        \"x-dead-letter-exchange\":\"callsign\",\"x-dead-letter-routing-key\":\"$2\"}"
    amqp "$1" bind "callsign.will.$1-evil" callsign.will "callsign.will.$1-evil"
    amqp "$1" publish callsign.will "callsign.will.$1-evil" "$3"
    amqp "$1" delete-queue "callsign.will.$1-evil"
}

@test "a dead-lettered down of another's name changes nothing" {
    local instance
    instance=$(new_instance)
    amqp blue publish callsign up.blue-web "$(up_body blue-web 198.18.9.1 "$instance")"
    wait_resolves blue-web.docker 198.18.9.1
    dead_letter red down.blue-web "$(down_body blue-web "$instance")"
    wait_log 'red.*(dead|x-death)|(dead|x-death).*red'
    [[ $(resolve blue-web.docker) == 198.18.9.1 ]]
    amqp blue publish callsign down.blue-web "$(down_body blue-web "$instance")"
    wait_gone blue-web.docker
}

@test "a forged will for another's name changes nothing" {
    local instance session=0123456789abcdef0123456789abcdef
    instance=$(new_instance)
    amqp blue publish callsign up.blue-web "$(up_body blue-web 198.18.9.1 "$instance" ",\"session\":\"$session\"")"
    wait_resolves blue-web.docker 198.18.9.1
    dead_letter red lost.blue-web \
        "{\"v\":1,\"op\":\"lost\",\"name\":\"blue-web\",\"instance\":\"$instance\",\"session\":\"$session\"}"
    wait_log 'red'
    [[ $(resolve blue-web.docker) == 198.18.9.1 ]]
    amqp blue publish callsign down.blue-web "$(down_body blue-web "$instance" | sed "s/\"seq\":2/\"session\":\"$session\",&/")"
    wait_gone blue-web.docker
}

@test "the host's user may not make other queues, nor mailboxes" {
    refused callsignd declare-queue evil
    refused callsignd declare-queue callsign.host.other
    refused callsignd declare-queue callsign.will.red-x
    refused callsignd consume callsign.host.other
}

@test "nobody gets into the broker as guest" {
    printf 'guest\n' >"$LAB/secret/guest"
    run -1 amqp guest consumers callsign.host.lab
    [[ $output == *AuthenticationError* || $output == *ACCESS_REFUSED* ]]
    rm "$LAB/secret/guest"
}
