#!/usr/bin/env bats
# Fifty containers at once.

load common
export LAB_ENGINE=runc # what Docker makes so many of, the agent names (15-agent)

COUNT=$((50 / SLOWNESS)) # fewer under a checker: fifty emulated processors are more than a machine has

names_listed() {
    records | awk '{ print $2 }' | grep -E '^many[0-9]+\.docker$' | sort -u | wc -l
}

all_listed() {
    (($(names_listed) == COUNT))
}

@test "50 containers started 8 at a time all resolve, each to its own address, and once killed all go" {
    local i ids name address
    export -f die lab_box lab_cgroup lab_docker lab_in lab_init_find process_start under_docker_options
    export LAB LAB_ADDRESS LAB_PATH TESTS_DIR TOOLS UNDER UNDER_FOUND
    seq "$COUNT" | xargs -P 8 -I{} bash -c 'lab_docker run --detach --hostname many{} --name many{} lab:1 sleep 1000 >/dev/null'
    poll_until 20000 all_listed
    mapfile -t ids < <(lab_docker ps --quiet)
    ((${#ids[@]} == COUNT))
    while read -r name address; do
        wait_resolves "${name#/}.docker" "$address"
    done < <(lab_docker inspect --format '{{.Name}} {{.NetworkSettings.Networks.bridge.IPAddress}}' "${ids[@]}")
    lab_docker kill "${ids[@]}" >/dev/null
    for i in $(seq "$COUNT"); do
        wait_gone "many$i.docker"
    done
    poll_until 5000 no_names
}
