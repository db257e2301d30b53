#!/usr/bin/env bats
# callsign-agent dies, is ended, stands still, or finds what another version has left; and the engine below it goes and comes back.

load common

setup() {
    log_mark
    plain calm
    wait_up calm
    steady calm "$(address calm)"
}

# A dockerd that a case has ended, or run with other options, as it was before.
mend() {
    if [[ -n ${DOCKERD_CHANGED-} ]]; then
        DOCKERD_OPTIONS=()
        lab_stop dockerd || true
        lab_start dockerd
    fi
    lab_start agent
}

agent_is_another() {
    local pid
    pid=$(agent_pid) && [[ $pid != "$1" ]] && agent_answers
}

# agent_dies SIGNAL: it, and until the next one answers.
agent_dies() {
    local pid
    pid=$(agent_pid)
    lab_in kill "-$1" "$pid"
    poll_until 10000 agent_is_another "$pid"
}

# come_and_go UNTIL-FILE: containers, one after the other, until that file is there.
come_and_go() {
    local i=0
    while [[ ! -e $1 ]]; do
        i=$((i + 1))
        plain "guest$((i % 4))" || return 1
        lab_docker kill "guest$((i % 4))" >/dev/null
        lab_docker rm --force "guest$((i % 4))" >/dev/null || return 1
    done 3>&-
    printf '%s\n' "$i" >"$1.count"
}

only() {
    [[ $(records | sed -E 's/.*[[:space:]]([a-z0-9-]+)\.docker.*/\1/' | sort -u) == "$(printf '%s\n' "$@" | sort -u)" ]]
}

# kill_agent_often TIMES SIGNAL: at random moments while containers come and go.
kill_agent_often() {
    local i stop=$BATS_TEST_TMPDIR/stop
    come_and_go "$stop" &
    GOING=$!
    for ((i = 0; i < $1; i++)); do
        poll_until $((RANDOM % 1200)) false || true
        agent_dies "$2"
    done
    touch "$stop"
    wait "$GOING"
    figure "$(<"$stop.count") containers came and went meanwhile"
    # Those whose end nobody has told are gone a second after the agent's return.
    plain stays
    agent_dies "$2"
    injected "the last of $1 times kill -$2 of the agent"
    settled "calm and stays there, and nobody else" 1000 only calm stays
    steadied calm
}

# bats test_tags=fast
@test "kill -9 of the agent at 10 random moments" {
    kill_agent_often 10 KILL
}

@test "kill -9 of the agent at 30 random moments" {
    kill_agent_often 30 KILL
}

# bats test_tags=fast
@test "SIGTERM of the agent at 5 random moments" {
    kill_agent_often 5 TERM
}

none_lives() {
    local pid
    for pid; do
        ! lab_lives "$pid" || return 1
    done
}

# bats test_tags=fast
@test "containers that die while there is no agent are gone a second after its return" {
    local i pids=()
    for ((i = 0; i < 8; i++)); do plain "dies$i"; done
    for ((i = 0; i < 8; i++)); do
        wait_up "dies$i"
        pids+=("$(container_pid "dies$i")")
    done
    lab_stop agent
    # Docker may take longer to remove eight than the 5 s after which calm, which lives, is taken for dead, too.
    lab_in kill -KILL "${pids[@]}"
    poll_until 3000 none_lives "${pids[@]}"
    part_agent_start
    poll_until 5000 agent_answers
    injected "the agent's return after eight containers' end"
    settled "calm alone" 1000 only calm
    steadied calm
}

# bats test_tags=fast
@test "the agent stands still for 2 s: what lives stays, what ended and began meanwhile is told of after it" {
    plain dies
    wait_up dies
    lab_in kill -STOP "$(agent_pid)"
    lab_docker rm --force dies >/dev/null
    plain comes
    let_pass 1000
    lab_in kill -CONT "$(agent_pid)"
    injected "SIGCONT after SIGSTOP of the agent"
    gone_within 1000 dies
    there_within 2000 comes "$(address comes)"
    steadied calm
}

# bats test_tags=fast
@test "docker pause: the name stays, and so does the process" {
    plain frozen
    wait_up frozen
    steady frozen "$(address frozen)"
    injected "docker pause for 4 s"
    lab_docker pause frozen >/dev/null
    let_pass 4000
    lab_docker unpause frozen >/dev/null
    steadied frozen
    steadied calm
}

# bats test_tags=fast
@test "dockerd is restarted, without live-restore: names go with their containers, and come back with those that always run" {
    steady_stop
    lab_docker rm --force calm >/dev/null
    # sleep, as process 1, takes no SIGTERM, and dockerd would wait for 10 s.
    plain always --restart always --stop-signal KILL
    plain ends --stop-signal KILL
    wait_up always
    wait_up ends
    DOCKERD_CHANGED=1
    lab_stop dockerd
    injected "dockerd's end without live-restore"
    settled "no name" 1000 no_names
    part_dockerd_start
    part_dockerd_wait
    poll_until 10000 runs always
    injected "the restarted container's start"
    there_within 2000 always "$(address always)"
    only always
}

runs() {
    [[ $(lab_docker inspect --format '{{.State.Running}}' "$1") == true ]]
}

# bats test_tags=fast
@test "dockerd is restarted and killed, with live-restore: no name is missing in one answer, and ends are told of with and without it" {
    local pid
    steady_stop
    lab_docker rm --force calm >/dev/null
    DOCKERD_CHANGED=1
    lab_stop dockerd
    # shellcheck disable=SC2034 # parts.bash starts dockerd with it
    DOCKERD_OPTIONS=(--live-restore)
    lab_start dockerd
    plain calm
    plain dies
    wait_up calm
    wait_up dies
    steady calm "$(address calm)"
    lab_restart dockerd
    injected "dockerd restarted with live-restore"
    [[ -n $(resolve dies.docker) ]]
    pid=$(container_pid dies)
    lab_kill dockerd
    lab_in kill -9 "$pid"
    injected "a container's end while dockerd is dead"
    gone_within 1000 dies
    lab_start dockerd
    runs calm
    plain comes
    injected "a container's start after dockerd's return"
    there_within 2000 comes "$(address comes)"
    only calm comes
    steadied calm
}

# What an older or a newer agent may have left: our own files with other keys, another version, or in pieces. Whoever lives is found once more.
# bats test_tags=fast
@test "the agent's state is of another version, cut, empty or somebody's: what lives is named all the same" {
    local state=$LAB/run/callsign-agent file kind
    file=$(ls "$state"/*.json)
    for kind in newer cut empty array; do
        cp "$file" "$BATS_TEST_TMPDIR/good"
        lab_stop agent
        case $kind in
        newer) jq -c '.v = 2 | .name = {"text": .name}' "$BATS_TEST_TMPDIR/good" >"$file" ;;
        cut) head -c 40 "$BATS_TEST_TMPDIR/good" >"$file" ;;
        empty) : >"$file" ;;
        array) printf '[]' >"$file" ;;
        esac
        lab_start agent
        injected "a state file that is $kind"
        settled "named by the agent again" 3000 agent_has calm
        grep -q "$(basename "$file"): not understood: removed" "$LAB/log/agent"
        file=$(ls "$state"/*.json)
    done
    # One of our own version with keys that we do not know is one of ours.
    lab_stop agent
    jq -c '.more = {"of": "a later one"} | .name as $n | .' "$file" >"$BATS_TEST_TMPDIR/more"
    cp "$BATS_TEST_TMPDIR/more" "$file"
    lab_start agent
    injected "a state file with a key more"
    settled "taken over" 1000 agent_has calm
    [[ -e $file ]]
    steadied calm
}

agent_has() {
    lab_in callsign-agent --list | grep -q "^$1[[:space:]]"
}

agent_lacks() {
    grep -Ec 'container .* has no name.*: Too many open files' "$LAB/log/agent" || true
}

# With so many left, now it cannot tell who knocks, now not have the process or read its bundle.
# bats test_tags=fast
@test "the agent has too few descriptors: who began meanwhile is named once it has more" {
    local pid used i said
    pid=$(agent_pid)
    said=$(agent_lacks)
    used=$(lab_in ls "/proc/$pid/fd" | wc -l)
    for i in 1 2 3 4 5; do
        lab_in prlimit --pid "$pid" --nofile=$((used + i)):
        plain "few$i"
        let_pass 300
        ((i > 1)) || [[ -z $(resolve few1.docker) ]]
    done
    (($(agent_lacks) > said))
    lab_in prlimit --pid "$pid" --nofile=1024:
    injected "descriptors again"
    for i in 1 2 3 4 5; do
        there_within 6000 "few$i" "$(address "few$i")"
    done
    [[ $(agent_pid) == "$pid" ]]
    steadied calm
}

# bats test_tags=fast
@test "no room for the agent's state: names come and go all the same, and the next agent finds them" {
    plain before
    wait_up before
    lab_stop agent
    # shellcheck disable=SC2016 # for the inner shell
    lab_in sh -c 'mount -t tmpfs -o size=64k,mode=0700 tmpfs /run/callsign-agent && dd if=/dev/zero of=/run/callsign-agent/all bs=4k 2>/dev/null; true'
    lab_start agent
    plain dies
    plain comes
    wait_up dies
    wait_up comes
    grep -q 'cannot be written down for the next agent: No space left' "$LAB/log/agent"
    lab_docker rm --force dies >/dev/null
    injected "a container's end with no room for the agent's state"
    gone_within 1000 dies
    steady comes "$(address comes)"
    agent_dies KILL
    injected "kill -9 of the agent with no room for its state"
    settled "named by the next one" 3000 agent_has comes
    # Longer than hosts are patient with who was the agent before.
    let_pass 6000
    steadied comes
    lab_stop agent
    lab_in umount /run/callsign-agent
    lab_start agent
    settled "calm, before and comes, and nobody else" 30000 only before calm comes
    steadied calm
}

# bats test_tags=fast
@test "two containers of one name: both are there, or the newest, as the host's conflict rule has it; and the other when that has ended" {
    local old
    plain twin
    wait_up twin
    old=$(address twin)
    lab_docker rename twin first
    plain twin
    injected "a second container of the same name"
    # shellcheck disable=SC2046 # a word each
    settled "both" 2000 resolves_to twin.docker $(printf '%s\n' "$old" "$(address twin)" | sort)
    configure_daemon 'registry { conflict = newest }'
    injected "conflict = newest"
    settled "the newest alone" 2000 resolves_to twin.docker "$(address twin)"
    agent_dies KILL
    injected "kill -9 of the agent with two of one name"
    settled "the newest alone" 2000 resolves_to twin.docker "$(address twin)"
    lab_docker rm --force twin >/dev/null
    injected "the newest's end"
    settled "the older one" 1000 resolves_to twin.docker "$old"
    configuration_restore
    steadied calm
}
