#!/usr/bin/env bats
# Names for containers that carry nothing: the image has busybox and no more, and its runtime tells the agent.

load common

teardown() {
    common_teardown
    [[ -z $(agent_list) ]] || poll_until 5000 agent_is_idle
}

agent_list() {
    lab_in callsign-agent --list
}

agent_is_idle() {
    [[ -z $(agent_list) ]]
}

# Until another agent than the one of this pid answers.
agent_is_another() {
    local pid
    pid=$(agent_pid) && [[ $pid != "$1" ]] && agent_answers
}

# never_missing NAME ADDRESS COMMAND…: for 8 s from COMMAND's start NAME is in every answer.
never_missing() {
    local name=$1 address=$2 watch status=0
    shift 2
    lab_in dnswatch -i 20000 -t $((8000 * SLOWNESS)) absent "$name" "$address" >"$BATS_TEST_TMPDIR/missing" 3>&- &
    watch=$!
    "$@"
    wait "$watch" || status=$?
    ((status == 1)) || {
        printf '%s was missing (dnswatch: exit status %s, at %s)\n' "$name" "$status" "$(<"$BATS_TEST_TMPDIR/missing")"
        return 1
    }
}

@test "the image has nothing of ours in it, and its container has a name" {
    plain my-cool-host
    wait_up my-cool-host
    lab_in ping -c 1 -W 2 my-cool-host.docker
    lab_docker run --rm plain:1 ping -c 1 -W 2 my-cool-host.docker
    not lab_docker exec my-cool-host ls /bin/callsign-emit
}

@test "it has one before its first instruction" {
    # The container asks for its own name at once, and once only.
    [[ $(lab_docker run --rm --runtime callsign --hostname first plain:1 nslookup first.docker "$LAB_ADDRESS" |
        grep -c "198\.18\.") -ge 1 ]]
}

@test "its name goes with it: stop, kill, kill -9, rm, its own end" {
    plain web
    wait_up web
    lab_docker stop --time 1 web
    wait_gone web.docker 1000
    lab_docker start web
    wait_up web
    lab_docker kill web
    wait_gone web.docker 1000
    lab_docker start web
    wait_up web
    lab_in kill -9 "$(container_pid web)"
    wait_gone web.docker 1000
    lab_docker start web
    wait_up web
    lab_docker rm --force web
    wait_gone web.docker 1000
    lab_docker run --detach --runtime callsign --hostname short plain:1 sleep 0.7 >/dev/null
    wait_log 'up name=short '
    wait_gone short.docker 3000
}

@test "a container without a hostname of its own has no name, and one that says off has none either" {
    lab_docker run --detach --runtime callsign --name nobody plain:1 sleep 1000
    lab_docker run --detach --runtime callsign --name off --hostname off --env CALLSIGN=off plain:1 sleep 1000
    lab_docker run --detach --runtime callsign --name host --network host plain:1 sleep 1000
    plain web
    wait_up web
    [[ $(agent_list | wc -l) == 1 ]]
}

@test "the environment and labels say more" {
    plain hh --env CALLSIGN_NAME=shop --env CALLSIGN_ALIASES=www,api --env CALLSIGN_PORTS=http=8080
    wait_resolves shop.docker "$(address hh)"
    wait_resolves api.docker "$(address hh)"
    resolves_to hh.docker ''
    [[ $(lab_in callsignctl list --json) == *8080* ]]
    plain gg --label callsign.name=labelled
    wait_resolves labelled.docker "$(address gg)"
}

@test "a hostname that breaks the rules keeps no container from running, and the log says why" {
    plain my_app
    [[ $(lab_docker inspect --format '{{.State.Running}}' my_app) == true ]]
    grep -q 'has no name: the name my_app: ' "$LAB/log/agent"
    [[ -z $(agent_list) ]]
}

@test "an image that carries the emitter announces itself, and is announced once" {
    lab_docker run --detach --runtime callsign --hostname both --name both lab:1 sleep 1000 >/dev/null
    wait_up both
    [[ -z $(agent_list) ]]
    grep -q 'both.docker.*user=emit' "$HOSTS"
}

@test "another network's address follows, and leaves" {
    lab_docker network create --subnet 198.19.5.0/24 --ipv6=false agent-test >/dev/null
    plain web
    wait_up web
    lab_docker network disconnect bridge web
    wait_gone web.docker 2000
    lab_docker network connect --ip 198.19.5.77 agent-test web
    wait_resolves web.docker 198.19.5.77 2000
    lab_docker rm --force web >/dev/null
    lab_docker network rm agent-test >/dev/null
}

# agent_with LINE…: the lab's agent.conf and these lines count for the next container.
agent_with() {
    local before
    before=$(grep -c 'configuration read again' "$LAB/log/agent" || true)
    cp "$LAB/etc/callsign/agent.conf.good" "$LAB/etc/callsign/agent.conf"
    printf '%s\n' "$@" >>"$LAB/etc/callsign/agent.conf"
    lab_in kill -HUP "$(agent_pid)"
    poll_until 5000 has_read_more_than "$before"
}

has_read_more_than() {
    (($(grep -c 'configuration read again' "$LAB/log/agent") > $1))
}

# web_has IPV4-PATTERN IPV6-PATTERN: those of the container web, which is on two networks, and no others; "": none of that family. Then it is removed.
web_has() {
    lab_docker run --detach --runtime callsign --hostname web --name web --network agent-test plain:1 sleep 1000 >/dev/null
    lab_docker network connect bridge web
    poll_until 5000 families_are "$1" "$2"
    sleep 0.3
    families_are "$1" "$2"
    lab_docker rm --force web >/dev/null
    wait_gone web.docker
}

families_are() {
    # shellcheck disable=SC2053 # patterns
    [[ $(resolve web.docker) == $1 && $(resolve web.docker AAAA) == $2 ]]
}

@test "interfaces and subnets in agent.conf, of both families" {
    [[ -d /proc/sys/net/ipv6 ]] || skip "no IPv6 in this kernel"
    lab_docker network create --subnet 198.19.5.0/24 --ipv6=false agent-test >/dev/null
    cp "$LAB/etc/callsign/agent.conf" "$LAB/etc/callsign/agent.conf.good"
    agent_with "subnets = {\"$LAB_PREFIX6\", \"198.19.5.0/24\"}"
    web_has '198.19.5.*' 'fd00:c5::*'
    agent_with "subnets = {\"$LAB_PREFIX6\"}"
    web_has '' 'fd00:c5::*'
    agent_with 'subnets = {"198.18.0.0/15"}'
    web_has $'198.18.*\n198.19.5.*' ''
    agent_with 'interfaces = {"eth0"}'
    web_has '198.19.5.*' ''
    agent_with 'interfaces = {"eth0", "eth1"}' "subnets = {\"$LAB_PREFIX6\", \"198.19.5.0/24\"}"
    web_has '198.19.5.*' 'fd00:c5::*'
    mv "$LAB/etc/callsign/agent.conf.good" "$LAB/etc/callsign/agent.conf"
    lab_in kill -HUP "$(agent_pid)"
    lab_docker network rm agent-test >/dev/null
}

@test "kill -9 of the agent: no name is missing in one answer, and the next agent goes on" {
    local pid
    plain web
    wait_up web
    pid=$(agent_pid)
    never_missing web.docker "$(address web)" lab_in kill -9 "$pid"
    poll_until 5000 agent_is_another "$pid"
    [[ $(agent_list) == web* ]]
    lab_docker rm --force web >/dev/null
    wait_gone web.docker 1000
}

@test "SIGTERM likewise" {
    local pid
    plain web
    wait_up web
    pid=$(agent_pid)
    never_missing web.docker "$(address web)" lab_in kill "$pid"
    poll_until 5000 agent_is_another "$pid"
    [[ $(agent_list) == web* ]]
}

@test "who dies while there is no agent is gone a second after the next one's start, and who comes meanwhile is found" {
    local began
    plain web
    plain stays
    wait_up web
    wait_up stays
    lab_stop agent
    lab_docker rm --force web >/dev/null
    plain late
    began=$(now_ms)
    lab_start agent
    wait_gone web.docker 2000
    wait_up late
    wait_up stays
    figure "agent's start to the dead one's end and the new one's name: $(($(now_ms) - began)) ms"
}

@test "the machine's death: the names go after lost_grace, 5 s" {
    local began
    plain web
    wait_up web
    began=$(now_ms)
    lab_stop agent
    wait_gone web.docker 9000
    (($(now_ms) - began >= 4000))
    lab_start agent
    wait_up web
}

@test "without an agent containers start as ever" {
    lab_stop agent
    plain web
    [[ $(lab_docker inspect --format '{{.State.Running}}' web) == true ]]
    lab_start agent
    wait_up web
}

# run_took: the shortest of three times that Docker takes to run a container to its end, in ms; what else the machine does only adds to it.
run_took() {
    local begun took best=
    for _ in 1 2 3; do
        begun=$(now_ms)
        lab_docker run --rm --runtime callsign --hostname web plain:1 true >/dev/null
        took=$(($(now_ms) - begun))
        [[ -n $best ]] && ((best <= took)) || best=$took
    done
    printf '%s\n' "$best"
}

# Once when it begins and once when it ends.
@test "an agent that does not answer costs a container 200 ms and no more" {
    local pid answered took
    pid=$(agent_pid)
    plain warm
    answered=$(run_took)
    lab_in kill -STOP "$pid"
    took=$(run_took)
    lab_in kill -CONT "$pid"
    figure "docker run takes $answered ms, with a stopped agent $took"
    ((took - answered < 2 * 200 + 400 * SLOWNESS))
    wait_up warm
}

resync_done() {
    [[ $(lab_in callsignctl status --json | jq -r .resync.state) == "done" ]]
}

@test "the broker goes and comes back: the names stay" {
    plain web
    wait_up web
    # Not lab_kill: that ends the script around RabbitMQ alone, and the lab then knows nothing of the broker that runs on.
    lab_stop broker
    sleep 1
    resolves_to web.docker "$(address web)"
    plain meanwhile
    lab_start broker
    wait_up meanwhile
    resolves_to web.docker "$(address web)"
    poll_until 20000 resync_done
    resolves_to web.docker "$(address web)"
}

@test "--adopt: a container that the agent was not told of" {
    lab_docker run --detach --hostname orphan --name orphan plain:1 sleep 1000 >/dev/null
    [[ $(lab_in callsign-agent --adopt "$(container_pid orphan)") == orphan ]]
    wait_up orphan
    lab_docker run --detach --hostname other --name other plain:1 sleep 1000 >/dev/null
    [[ $(lab_in callsign-agent --adopt "$(container_pid other)" --name called) == called ]]
    wait_resolves called.docker "$(address other)"
    run lab_in callsign-agent --adopt "$(container_pid other)"
    [[ $status == 1 && $output == *"called already"* ]]
    run lab_in callsign-agent --adopt 3999999
    [[ $status == 1 ]]
    run lab_in callsign-agent --adopt 1 --name x
    [[ $status == 2 ]]
    lab_docker rm --force orphan other >/dev/null
    wait_gone orphan.docker 1000
    wait_gone called.docker 1000
}

@test "a configuration that is wrong is refused with its line, and the old one stays" {
    plain web
    wait_up web
    cp "$LAB/etc/callsign/agent.conf" "$LAB/etc/callsign/agent.conf.good"
    printf 'names = {"{oops}"}\n' >>"$LAB/etc/callsign/agent.conf"
    run lab_in callsign-agent --check-config
    [[ $status == 2 && $output == *"agent.conf:6: names: variables are"* ]]
    lab_in kill -HUP "$(agent_pid)"
    poll_until 3000 grep -q 'the configuration stays as it was' "$LAB/log/agent"
    mv "$LAB/etc/callsign/agent.conf.good" "$LAB/etc/callsign/agent.conf"
    resolves_to web.docker "$(address web)"
    plain second
    wait_up second
}

@test "50 containers, 8 at a time" {
    local i
    for ((i = 0; i < 50; i++)); do
        printf 'many%s\n' "$i"
    done | xargs -P 8 -I {} env DOCKER_CONFIG="$LAB/docker-client" docker -H "unix://$LAB/run/docker.sock" run --detach --runtime callsign \
        --hostname {} --name {} plain:1 sleep 1000 >/dev/null
    for ((i = 0; i < 50; i++)); do
        wait_up "many$i"
    done
    [[ $(agent_list | wc -l) == 50 ]]
}

@test "runc and crun alike, by the runtime's own argument" {
    local id
    command -v crun >/dev/null || skip "crun is not here"
    plain one
    wait_up one
    id=$(lab_docker inspect --format '{{.Id}}' one)
    # The bundle as the engine wrote it, once more and by hand.
    mkdir -p "$LAB/by-hand"
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c 'cat "$(find /run -path "*/$1/config.json" | head -n 1)"' - "$id" |
        jq 'del(.hooks) | .hostname = "by-hand" | del(.linux.cgroupsPath, .linux.resources)
            | .linux.namespaces = [{type: "mount"}, {type: "network"}, {type: "uts"}, {type: "pid"}, {type: "ipc"}]
            | .root.path = "'"$LAB"'/plain" | .mounts |= map(select(.type != "bind" and .type != "cgroup"))' >"$LAB/by-hand/config.json"
    # crun runs neither in a mixture of cgroup v1 and v2 nor needs either for this.
    # shellcheck disable=SC2016 # for the inner shell
    lab_in unshare --mount sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null
        exec callsign-runtime --callsign-runtime=crun --callsign-hook="$1" --cgroup-manager=disabled run --detach --bundle "$2" by-hand' - \
        "$BUILD/host/container/agent/callsign-hook" "$LAB/by-hand" </dev/null >/dev/null
    poll_until 3000 agent_has by-hand
    jq -e '.hooks.createRuntime | length == 1' "$LAB/by-hand/config.json"
    lab_in crun delete --force by-hand
    poll_until 3000 agent_has_not by-hand
}

agent_has() {
    agent_list | grep -q "^$1"
}

agent_has_not() {
    not agent_has "$1"
}

# hook_says ID PID BUNDLE: as a runtime would, of a process that is there.
hook_says() {
    printf '{"ociVersion":"1.0.2","id":"%s","status":"created","pid":%s,"bundle":"%s"}' "$1" "$2" "$3" |
        lab_in "$BUILD/host/container/agent/callsign-hook" createRuntime
}

# asleep: a process in a network of its own; its pid in the lab.
asleep() {
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c 'setsid unshare --net sleep 100 </dev/null >/dev/null 2>&1 3>&- & echo $!'
}

stall() {
    mkdir -p "$LAB/run/stalled"
    : >"$LAB/log/stalled"
    lab_spawn stalled /usr/bin/python3 "$TESTS_DIR/lib/stalled.py" /run/stalled
    poll_until 5000 stall_began
    ! grep -q 'no FUSE\|cannot mount' "$LAB/log/stalled" || skip "$(cat "$LAB/log/stalled")"
}

stall_began() {
    [[ -s $LAB/log/stalled ]]
}

agent_says() {
    grep -q "$1" "$LAB/log/agent"
}

@test "bundles on a file system that does not answer: everybody else is named, and the agent ends and begins as ever" {
    local i pid sleepers=() began
    [[ $UNDER != valgrind ]] || skip "valgrind waits for a thread that only SIGKILL ends"
    plain before
    wait_up before
    stall
    for ((i = 0; i < 8; i++)); do sleepers+=("$(asleep)"); done
    began=$(now_ms)
    for ((i = 0; i < 8; i++)); do hook_says "stuck$i" "${sleepers[i]}" "/run/stalled/$i"; done
    figure "8 hooks of which the files cannot be read: $(($(now_ms) - began)) ms"
    poll_until 3000 agent_says 'container stuck7 has no name yet: its files are not read in time'
    began=$(now_ms)
    plain after
    wait_up after
    lab_docker rm --force before >/dev/null
    wait_gone before.docker 1000
    figure "a container's start to its name, and another's end to that of its: $(($(now_ms) - began)) ms"
    [[ $(agent_list | cut -f 1) == after ]]
    pid=$(agent_pid)
    never_missing after.docker "$(address after)" lab_in kill "$pid"
    poll_until 5000 agent_is_another "$pid"
    [[ $(agent_list | cut -f 1) == after ]]
    # What is stuck for good: they wait for one another, and all are read when it has an end.
    for ((i = 0; i < 70; i++)); do
        hook_says "more$i" "${sleepers[0]}" "/run/stalled/$i" &
    done
    wait
    poll_until 3000 agent_says 'files of 64 containers are being read, and none has been'
    plain late
    [[ $(agent_list | wc -l) == 1 ]]
    lab_stop stalled
    wait_up late
    lab_in kill "${sleepers[@]}"
}

@test "a pipe, a folder, a link and a device in place of config.json are not waited for" {
    local pid kind
    pid=$(asleep)
    mkdir -p "$LAB"/run/odd/{pipe,folder/config.json,link,device}
    mkfifo "$LAB/run/odd/pipe/config.json"
    ln -s /dev/zero "$LAB/run/odd/link/config.json"
    mknod "$LAB/run/odd/device/config.json" c 5 0
    for kind in pipe folder link device; do
        hook_says "odd-$kind" "$pid" "/run/odd/$kind"
        poll_until 3000 agent_says "container odd-$kind *has no name: its config.json cannot be read"
    done
    lab_in kill "$pid"
    plain web
    wait_up web
}

@test "a config.json that is not understood goes through untouched" {
    mkdir -p "$LAB/odd"
    printf '{"ociVersion":"1.0.0","hooks":[]}' >"$LAB/odd/config.json"
    cp "$LAB/odd/config.json" "$LAB/odd/before"
    run lab_in callsign-runtime --callsign-hook="$BUILD/host/container/agent/callsign-hook" create --bundle "$LAB/odd" odd
    [[ $status != 0 ]]
    cmp "$LAB/odd/config.json" "$LAB/odd/before"
    run -127 lab_in callsign-runtime --callsign-runtime=/nonexistent/runc --version
    run -0 lab_in callsign-runtime --version
    [[ $output == runc* ]]
}
