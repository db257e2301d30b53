#!/usr/bin/env bats
# The agent: its way of dying, and its door.

load common

HOOK=$BUILD/host/container/agent/callsign-hook
SESSION=0123456789abcdef0123456789abcdef

setup_file() {
    cp -p "$CONF" "$LAB/conf.saved"
    tenants_conf >>"$CONF"
    reload
    start_as blue blue-web
    wait_up blue-web
    lab_pid callsignd >"$LAB/daemon.pid"
}

# The agent's names are as they were, and it is the same process: besides what common.bash looks at.
agent_unharmed() {
    [[ $(agent_pid) == "$AGENT" ]]
    lab_in callsign-agent --list
}

setup() {
    log_mark
    AGENT=$(agent_pid)
    AGENT_MARK=$(($(stat -c %s "$LAB/log/agent") + 1))
}

agent_said() {
    tail -c "+$AGENT_MARK" "$LAB/log/agent" | grep -qE -- "$1"
}

# forged PID: a runtime's state, as root of somewhere would have it.
forged() {
    mkdir -p "$LAB/forged"
    printf '{"ociVersion":"1.0.2","hostname":"forged","process":{"env":[]},"linux":{"namespaces":[{"type":"uts"}]}}' >"$LAB/forged/config.json"
    printf '{"ociVersion":"1.0.2","id":"forged","status":"creating","pid":%s,"bundle":"%s"}' "$1" "$LAB/forged" >"$LAB/forged/state"
}

@test "red makes, fills, binds or reads a mailbox of an agent's: the broker" {
    local mailbox=callsign.will.@agent.lab.$SESSION
    run -1 attack own_mailbox "$mailbox" lost.blue-web "{}"
    [[ $output == *ACCESS_REFUSED* ]]
    json publish "$mailbox" lost.blue-web "{}" '@{}' | broker_refuses
    agent_unharmed
}

@test "red says lost of blue's by the mailbox of an agent's session, as the broker would write it: the daemon" {
    local text
    text=$(printf '{"v":1,"op":"lost","name":"blue-web","instance":"%s","session":"%s"}' "$(blue_instance)" "$(blue_session)")
    attack own_mailbox "callsign.will.red-@agent.lab.$(blue_session)" lost.blue-web "$text"
    wait_log 'refused user=red key=lost.blue-web reason="lost from another mailbox'
    agent_unharmed
}

@test "nobody but root reaches the socket" {
    run lab_in setpriv --reuid 12345 --regid 12345 --clear-groups callsign-agent --list
    [[ $status == 1 && $output == *"Permission denied"* ]]
    agent_unharmed
}

@test "root of a container into which somebody has mounted the socket is turned away" {
    forged 1
    lab_docker run --rm --hostname evil --volume /run/callsign-agent:/run/callsign-agent --volume "$HOOK:/hook:ro" --volume "$LAB/forged:/forged:ro" \
        plain:1 sh -c '/hook createRuntime </forged/state; echo ended with $?' | grep -q 'ended with 0'
    poll_until 2000 agent_said 'turned away: pid='
    not lab_in sh -c 'callsign-agent --list | grep forged'
    agent_unharmed
}

@test "a setuid program that runs the hook for somebody else is turned away" {
    forged "$(container_pid blue-web)"
    install -m 4755 "$HOOK" "$LAB/setuid-hook"
    chmod 0755 "$LAB"
    lab_in setpriv --reuid 12345 --regid 12345 --clear-groups "$LAB/setuid-hook" createRuntime <"$LAB/forged/state"
    chmod 0700 "$LAB"
    rm "$LAB/setuid-hook"
    poll_until 2000 agent_said 'turned away: pid=.* uid=0'
    not lab_in sh -c 'callsign-agent --list | grep forged'
    agent_unharmed
}

@test "a state that is cut, huge, odd, or of a process that is gone: the hook ends well, and nothing has a name" {
    local text i=0
    forged 3999999
    for text in '' '{' '[]' '{"pid":1}' '{"id":"x","pid":2}' '{"id":"../x","pid":2,"bundle":"/x"}' '{"id":"x","pid":2,"bundle":"x"}' \
        '{"id":"x","id":"y","pid":2,"bundle":"/x"}' "$(cat "$LAB/forged/state")" "$(printf '%70000s' '')" \
        "{\"id\":\"$(printf 'x%.0s' {1..200})\",\"pid\":2,\"bundle\":\"/x\"}"; do
        lab_in "$HOOK" createRuntime <<<"$text"
        lab_in "$HOOK" poststop <<<"$text"
        i=$((i + 1))
    done
    ((i == 11))
    lab_in "$HOOK" no-such-phase </dev/null
    lab_in "$HOOK" createRuntime nonsense </dev/null
    # Each says so, with what it begins with: a state that is too long, or cut, is no silence.
    poll_until 2000 agent_said "a hook's state is not understood, and its container has no name: 65536 bytes"
    poll_until 2000 agent_said 'has no name: 2 bytes, [{]'
    poll_until 2000 agent_said "a hook's state has no id, pid or bundle that could be one"
    [[ -z $(agent_unharmed) ]]
}

@test "a process on the machine's own network has no name, whatever its state says" {
    lab_in sh -c 'sleep 30 & echo $!' >"$LAB/own.pid"
    forged "$(cat "$LAB/own.pid")"
    lab_in "$HOOK" createRuntime <"$LAB/forged/state"
    lab_in kill "$(cat "$LAB/own.pid")"
    poll_until 2000 agent_said "on this machine's own network"
    [[ -z $(agent_unharmed) ]]
}

@test "1,000 hooks at once: each ends well, and the agent hears on" {
    forged 3999999
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c 'for ((i = 0; i < 1000; i++)); do "$1" createRuntime <"$2" || echo failed & done; wait' - "$HOOK" "$LAB/forged/state" >"$LAB/forged/out"
    [[ ! -s $LAB/forged/out ]]
    [[ -z $(agent_unharmed) ]]
    lab_docker run --detach --runtime callsign --hostname after --name after plain:1 sleep 100 >/dev/null
    wait_up after
    lab_docker rm --force after >/dev/null
    wait_gone after.docker
}
