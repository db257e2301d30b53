#!/usr/bin/env bats
# Fifty containers at once.

load common

all_resolve() {
    (($(resolved_names) == 50))
}

resolved_names() {
    records | grep -cE '[[:space:]]many[0-9]+\.docker([[:space:]]|$)' || true
}

@test "50 containers started 8 at a time all resolve, each to its own address, and once killed all go" {
    local i ids
    export -f lab_docker
    export LAB
    # shellcheck disable=SC2016 # for the shell inside
    seq 50 | xargs -P 8 -I{} bash -c 'lab_docker run --detach --hostname many{} --name many{} lab:1 sleep 1000 >/dev/null'
    for i in $(seq 50); do
        wait_up "many$i"
    done
    all_resolve
    [[ $(resolve many50.docker) == "$(address many50)" ]]
    mapfile -t ids < <(lab_docker ps --quiet)
    lab_docker kill "${ids[@]}" >/dev/null
    for i in $(seq 50); do
        wait_gone "many$i.docker"
    done
    poll_until 5000 no_names
}
