#!/usr/bin/env bats
# Emitters as people start them: hostnames with a domain, hostnames that are none, secrets as engines mount them, logs that nobody reads.

load common

mend() {
    lab_signal dockerd CONT || true
}

# ---- names ----

# bats test_tags=fast
@test "a hostname that ends in a served domain means itself" {
    configure_daemon 'serve "lab.test" {' '    users = { "admin" }' '}' 'serve "example" { }'
    start web.docker --env CALLSIGN_ALIASES=www,www.docker,api.example
    wait_resolves web.docker "$(address web.docker)"
    resolves_to www.docker "$(address web.docker)"
    resolves_to api.example "$(address web.docker)"
    [[ -z $(resolve web.docker.docker) && -z $(resolve www.docker.docker) && -z $(resolve api.example.docker) ]]
    [[ $(lab_in dig +short "@$LAB_ADDRESS" -x "$(address web.docker)" | head -n 1) == web.docker. ]]
    for name in web web.docker; do
        run -0 lab_in callsignctl why "$name"
        grep -q "$(address web.docker)" <<<"$output"
    done
    # Its end is found, too: the will is the whole name's.
    lab_in kill -9 "$(container_pid web.docker)"
    wait_gone web.docker
    # A domain that does not take it is no reason to be found in another.
    log_mark
    start web.lab.test
    wait_log 'below the domain lab.test, which does not take web from this user'
    [[ -z $(resolve web.docker) && -z $(resolve web.lab.test.docker) ]]
}

@test "--wait with a whole name is told that name" {
    configure_daemon 'serve "example" { }'
    lab_docker run --detach --hostname first.example --name first --entrypoint /bin/callsign-emit lab:1 --wait=10 -- sleep 1000 >/dev/null
    wait_output first 'resolves name=first.example fqdn=first.example '
    resolves_to first.example "$(address first)"
}

@test "an instance keeps its name when a reload adds its domain, or takes it away" {
    configure_daemon 'serve "example" { }'
    start kept.example
    start raw.lab
    wait_resolves kept.example "$(address kept.example)"
    wait_resolves raw.lab.docker "$(address raw.lab)"
    configure_daemon 'serve "lab" { }'
    wait_resolves kept.docker "$(address kept.example)"
    log_mark
    lab_in callsignctl rollcall
    sleep 1.5
    not log_has 'refused'
    resolves_to kept.docker "$(address kept.example)"
    resolves_to raw.lab.docker "$(address raw.lab)"
    lab_docker rm --force kept.example raw.lab >/dev/null
    wait_gone kept.docker
    wait_gone raw.lab.docker
}

# ---- hostnames that cannot be announced ----

# nameless CONTAINER PATTERN: its COMMAND runs, a warning says why it has no name, and so does the health check.
nameless() {
    wait_output "$1" "warning: .*$2.*COMMAND runs without a name"
    [[ $(lab_docker inspect --format '{{.State.Running}}' "$1") == true ]]
    lab_docker exec "$1" pidof sleep >/dev/null
    not lab_docker exec "$1" callsign-emit --healthcheck >"$BATS_TEST_TMPDIR/health"
    grep -qE "$2" "$BATS_TEST_TMPDIR/health"
}

LONG=$(printf 'x%.0s' {1..64})

@test "a hostname that cannot be announced keeps no COMMAND from running" {
    local name
    # Docker itself refuses a hostname of 64 bytes and more since 28; the kernel takes 64.
    for name in my_app trailing- -leading a..b localhost; do
        lab_docker run --detach --hostname "$name" --name bad lab:1 sleep 1000 >/dev/null
        nameless bad 'the hostname .* cannot be announced'
        lab_docker rm --force bad >/dev/null
    done
    for name in "$LONG" my_app '{nope}' 'a b' '"web"'; do
        lab_docker run --detach --env CALLSIGN_NAME="$name" --name bad lab:1 sleep 1000 >/dev/null
        nameless bad 'name|NAME'
        lab_docker rm --force bad >/dev/null
    done
    lab_docker run --detach --hostname good --env CALLSIGN_ALIASES=fine,not_fine --name bad lab:1 sleep 1000 >/dev/null
    nameless bad 'CALLSIGN_ALIASES: "not_fine"'
    [[ -z $(resolve good.docker) && -z $(resolve fine.docker) ]]
    no_names
}

@test "--strict refuses such a name with 2, --wait with 75, and COMMAND's status is its own" {
    run -2 lab_docker run --rm --hostname my_app --entrypoint /bin/callsign-emit lab:1 --strict -- echo ran
    not grep -qx ran <<<"$output"
    run -75 lab_docker run --rm --hostname my_app --entrypoint /bin/callsign-emit lab:1 --wait=60 -- echo ran
    not grep -qx ran <<<"$output"
    grep -q 'my_app' <<<"$output"
    run -7 lab_docker run --rm --hostname my_app lab:1 sh -c 'exit 7'
    run -2 lab_docker run --rm --hostname my_app --entrypoint /bin/callsign-emit lab:1 --check-config
    run -2 lab_docker run --rm --hostname my_app --entrypoint /bin/callsign-emit lab:1 --once up
}

# ---- sandboxes ----

# 16 is AF_NETLINK, 97 EAFNOSUPPORT: as gVisor, or systemd's RestrictAddressFamilies, has it.
# bats test_tags=fast
@test "a sandbox without netlink: the address of the connection to the broker is announced, also by --once, which does not wait for better" {
    local profile=$BATS_TEST_TMPDIR/profile.json begun
    printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":97,%s}]}\n' \
        '"args":[{"index":0,"value":16,"op":"SCMP_CMP_EQ"}]' >"$profile"
    start bare --security-opt "seccomp=$profile"
    wait_resolves bare.docker "$(address bare)"
    [[ $(output_count bare 'its addresses cannot be read: those announced stay: Address family not supported by protocol') == 1 ]]
    begun=$(date +%s%N)
    start hook --security-opt "seccomp=$profile" --entrypoint sh -- -c 'callsign-emit --once up && exec sleep 1000'
    wait_resolves hook.docker "$(address hook)"
    (($(date +%s%N) - begun < 4000000000 * SLOWNESS))
    run -0 lab_docker exec hook callsign-emit --once down
    wait_gone hook
}

# ---- secrets ----

# secret MODE [OWNER]: a password file for a bind mount.
secret() {
    install -m "$1" -o "${2-0}" "$LAB/secret/emit" "$LAB/run/secret"
}

with_secret() {
    start "$@" --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign --volume /run/secret:/run/secrets/callsign:ro
}

@test "a secret as the engine mounts it is taken, and that is said once" {
    local mode
    for mode in 0444 0644 0440 0400; do
        secret "$mode"
        with_secret "mode$mode"
        wait_up "mode$mode"
        if [[ $mode == 0?[04]4 ]]; then
            (($(output_count "mode$mode" 'every user of this container may read it') == 1))
        else
            not output_has "mode$mode" 'may read it'
        fi
    done
    # An image that is not root's.
    secret 0444
    with_secret someone --user 1234:1234
    wait_up someone
}

@test "what is no secret is named for what it is" {
    secret 0666
    with_secret open
    [[ $(exit_status open) == 2 ]]
    output_has open 'secrets/callsign: others may change it \(mode 0666\)'
    secret 0400
    with_secret other --user 1234:1234
    [[ $(exit_status other) == 2 ]]
    output_has other "secrets/callsign: Permission denied: this is user 1234, the file is user 0's, mode 0400"
    # Docker makes a folder where the file to be mounted is missing.
    rm "$LAB/run/secret"
    with_secret missing
    [[ $(exit_status missing) == 2 ]]
    output_has missing 'secrets/callsign: a directory, not a file'
    rmdir "$LAB/run/secret"
    printf '\357\273\277%s\n' "$(<"$LAB/secret/emit")" >"$LAB/run/secret"
    with_secret bom
    [[ $(exit_status bom) == 2 ]]
    output_has bom 'byte order mark'
    rm "$LAB/run/secret"
}

@test "a variable with what an env file did to it is refused in words" {
    local file=$BATS_TEST_TMPDIR/env
    printf 'CALLSIGN_PASSWORD="%s"\n' "$(<"$LAB/secret/emit")" >"$file"
    start quoted --env-file "$file" --env CALLSIGN_PASSWORD_FILE=
    [[ $(exit_status quoted) == 2 ]]
    output_has quoted 'CALLSIGN_PASSWORD: stands in quotes'
    not output_has quoted "$(<"$LAB/secret/emit")"
    # Docker's own reader of env files takes the end of a line off; podman's, compose's and a shell's do not.
    start windows --env $'CALLSIGN_URLS=amqp://emit@gateway/callsign\r'
    [[ $(exit_status windows) == 2 ]]
    output_has windows 'CALLSIGN_URLS: ends in a carriage return'
    lab_docker run --rm --env CALLSIGN_URLS= --env SUPERVISOR_ENABLED=1 lab:1 true 2>&1 | grep -q "not configured.*supervisor's environment="
    lab_docker run --rm --env CALLSIGN_URLS= --env INVOCATION_ID=1 lab:1 true 2>&1 | grep -q "not configured.*unit's Environment="
}

# ---- a log that nobody reads ----

# idle_log CONTAINER: whether all that COMMAND wrote has arrived.
idle_log() {
    (($(output_count "$1" '^y$') == 150000))
}

@test "a container whose log pipe is full keeps its name, and its COMMAND's output stays as it was" {
    local address
    start loud --env CALLSIGN_RENEW=1 -- sh -c 'until [ -e /tmp/go ]; do sleep 0.1; done; yes | head -c 300000 >&2; exec sleep 1000'
    wait_up loud
    address=$(address loud)
    container_pid loud >"$BATS_TEST_TMPDIR/pid"
    # The engine reads nothing any more: COMMAND fills the pipe and waits, the emitter goes on. Its lease is 5 s.
    injected "dockerd stopped, the log's pipe full"
    lab_signal dockerd STOP
    lab_in touch "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/root/tmp/go"
    steady loud "$address"
    sleep 10
    steadied loud
    # What it has to say meanwhile: that its connection is gone, and that it is back.
    rabbitmqctl close_all_connections --vhost callsign noise >/dev/null
    wait_resolves loud.docker "$address"
    sleep 6
    resolves_to loud.docker "$address"
    lab_signal dockerd CONT
    # With its next line, when all has been read, it says how many are missing.
    poll_until 10000 idle_log loud
    rabbitmqctl close_all_connections --vhost callsign noise >/dev/null
    wait_output loud 'dropped count=[0-9]+ lines: standard error was full' 20000
    (($(output_count loud '^y$') == 150000))
    lab_docker rm --force loud >/dev/null
}

@test "callsignd in the foreground serves on with a log that nobody reads" {
    lab_stop callsignd
    # shellcheck disable=SC2016 # for the inner shell
    lab_in bash -c '
        mkfifo /run/full; exec 5<>/run/full
        head -c 65536 /dev/zero >&5
        setsid callsignd --foreground -c /etc/callsign/callsignd.conf </dev/null 2>&5 >/dev/null 5>&- 3>&- &
        echo $! >"$1/pid/callsignd"
        exec 3>&-
        setsid sleep 60 <&5 >/dev/null 2>&1 &
        echo $! >"$1/pid/holder"' - "$LAB" 3>&-
    poll_until 15000 callsignd_answers
    start quiet
    wait_announced quiet
    lab_docker kill quiet >/dev/null
    wait_gone quiet.docker
    lab_stop callsignd
    lab_signal holder TERM
    rm -f "$LAB/run/full" "$LAB/pid/holder"
}
