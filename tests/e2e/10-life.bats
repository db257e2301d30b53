#!/usr/bin/env bats
# A container's life, seen through DNS.

load common

# Also where a test fails halfway: the broker is everybody's.
teardown() {
    if [[ -n ${AGREES_ON_LESS-} ]]; then agree_as_ever || true; fi
    common_teardown
}

@test "a container's name answers ping from the host and from a second container" {
    start my-cool-host
    wait_up my-cool-host
    lab_in ping -c 1 -W 2 my-cool-host.docker
    lab_docker run --rm --hostname second lab:1 ping -c 1 -W 2 my-cool-host.docker
}

@test "after docker stop the name is gone, withdrawn by the emitter" {
    start web
    wait_up web
    lab_docker stop web
    wait_gone web.docker 1000
    log_has 'gone name=web why="down"'
}

@test "after docker kill the name is gone" {
    start web
    wait_announced web
    lab_docker kill web
    wait_gone web.docker 2000
}

@test "after kill -9 of the container's first process the name is gone" {
    start web
    wait_announced web
    lab_in kill -9 "$(container_pid web)"
    wait_gone web.docker 2000
    [[ $(exit_status web) == 137 ]]
}

@test "after docker rm --force the name is gone" {
    start web
    wait_announced web
    lab_docker rm --force web
    wait_gone web.docker 2000
}

@test "a container that ends by itself takes its name along" {
    start web -- sh -c 'until [ -e /tmp/end ]; do sleep 0.1; done; exit 3'
    wait_up web
    lab_docker exec web touch /tmp/end
    [[ $(exit_status web) == 3 ]]
    wait_gone web.docker 1000
}

@test "docker restart: the name comes back with the new address" {
    start web
    wait_up web
    lab_docker restart web
    wait_up web
    [[ $(resolve web.docker) == "$(address web)" ]]
}

@test "docker stop, another container takes the address, docker start: each name has its own address" {
    start web
    wait_up web
    local old
    old=$(address web)
    lab_docker stop web
    start other
    [[ $(address other) == "$old" ]]
    lab_docker start web
    wait_up other
    wait_up web
    [[ $(resolve web.docker) == "$(address web)" && $(address web) != "$old" ]]
    [[ $(resolve other.docker) == "$old" ]]
}

@test "removed and run again under the same name: the new address alone" {
    start web
    wait_up web
    lab_docker rm --force web
    start other # so that the old address is taken
    start web
    wait_up web
    [[ $(resolve web.docker) == "$(address web)" ]]
}

@test "a changed address is announced: the interface's address is replaced" {
    start web --cap-add NET_ADMIN
    wait_up web
    # The default route goes with its only address.
    lab_docker exec web ip addr del "$(address web)/16" dev eth0
    lab_docker exec web ip addr add 198.18.77.7/16 dev eth0
    lab_docker exec web ip route replace default via 198.18.0.1
    wait_resolves web.docker 198.18.77.7 8000
    poll_until 10000 resolves_to web.docker 198.18.77.7
}

@test "a changed address is announced: disconnected from the network and connected again" {
    start web
    wait_up web
    local old
    old=$(address web)
    lab_docker network disconnect bridge web
    start other # takes the old address
    lab_docker network connect bridge web
    [[ $(address web) != "$old" ]]
    wait_resolves web.docker "$(address web)" 8000
    poll_until 10000 resolves_to web.docker "$(address web)"
}

@test "aliases come and go with the name" {
    start web --env CALLSIGN_ALIASES=www,static.web
    wait_up web
    wait_resolves www.docker "$(address web)"
    wait_resolves static.web.docker "$(address web)"
    lab_docker stop web
    wait_gone www.docker 1000
    wait_gone static.web.docker 1000
}

@test "names: upper case is folded, digits and several labels are fine" {
    start MiXed
    start 12345
    start elasticsearch.dev
    wait_resolves mixed.docker "$(address MiXed)"
    wait_up 12345
    wait_up elasticsearch.dev
}

@test "CALLSIGN_NAME overrides the hostname" {
    start web --env CALLSIGN_NAME=front
    wait_resolves front.docker "$(address web)"
    [[ -z $(resolve web.docker) ]]
}

@test "what systemd has started follows another hostname, and nobody else watches for one" {
    start guest --env INVOCATION_ID=0123456789abcdef0123456789abcdef
    start plain
    wait_up guest
    wait_up plain
    lab_in nsenter --uts --target "$(container_pid guest)" hostname renamed
    wait_resolves renamed.docker "$(address guest)"
    wait_gone guest.docker 1000
    lab_in nsenter --uts --target "$(container_pid plain)" hostname other
    [[ -n $(lab_in find "/proc/$(container_pid guest)/fd" -lname /proc/sys/kernel/hostname) ]]
    [[ -z $(lab_in find "/proc/$(container_pid plain)/fd" -lname /proc/sys/kernel/hostname) ]]
    [[ $(resolve plain.docker) == "$(address plain)" ]]
    [[ -z $(resolve other.docker) ]]
}

@test "two containers with one name: two addresses, and each goes alone" {
    start one --env CALLSIGN_NAME=web
    start two --env CALLSIGN_NAME=web
    wait_resolves web.docker "$(address one)"
    wait_resolves web.docker "$(address two)"
    [[ $(resolve web.docker) == "$(printf '%s\n' "$(address one)" "$(address two)" | sort)" ]]
    lab_docker kill one
    poll_until 2000 resolves_to web.docker "$(address two)"
    lab_docker stop two
    wait_gone web.docker 1000
}

@test "a user-defined network without the default bridge's gateway: announced all the same" {
    lab_docker network create --subnet 198.19.7.0/24 other
    start web --network other --env CALLSIGN_URLS=amqp://emit@198.18.0.1/callsign
    local address
    address=$(lab_docker inspect --format '{{.NetworkSettings.Networks.other.IPAddress}}' web)
    wait_resolves web.docker "$address"
    lab_docker rm --force web
    lab_docker network rm other
}

agrees() {
    rabbitmqctl eval "[ok = application:set_env(rabbit, Key, Value) || {Key, Value} <- [{frame_max, $1}, {heartbeat, $2}]]." >/dev/null
}

# RabbitMQ's own defaults.
agree_as_ever() {
    agrees 131072 60
}

# What is agreed on for the connection of an emitter.
agreed() {
    rabbitmqctl --quiet list_connections name frame_max timeout client_properties | grep "callsign-emit.*$1" | cut -f 2,3
}

@test "a broker that agrees on smaller frames and other heartbeats than are asked for" {
    AGREES_ON_LESS=yes
    agrees 8192 5
    start web
    wait_up web
    poll_until 5000 agreed_is web $'8192\t5'
    lab_docker stop web
    wait_gone web.docker 1000
    agree_as_ever
    start web2
    wait_up web2
    poll_until 5000 agreed_is web2 $'16384\t10'
}

agreed_is() {
    [[ $(agreed "$1") == "$2" ]]
}
