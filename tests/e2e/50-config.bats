#!/usr/bin/env bats
# Emitters that are not configured, or wrongly, and brokers that are not ready for them.

load common
export LAB_ENGINE=runc

# unconfigured DOCKER-OPTIONS… IMAGE…: an emitter's run in a container that is removed, without the image's configuration.
unconfigured() {
    lab_docker run --rm --hostname web --env CALLSIGN_URLS= "$@"
}

@test "no URL: says so once, exits 0" {
    run -0 unconfigured --entrypoint callsign-emit lab:1
    ((${#lines[@]} == 1))
    [[ $output == *"not configured"* || $output == *"no URL"* ]]
}

@test "no URL: COMMAND runs all the same, with its own exit status" {
    run -4 unconfigured lab:1 sh -c 'echo ran; exit 4'
    [[ $output == *ran* ]]
}

@test "no URL: the health check finds nothing wrong while COMMAND runs, and 1 where no emitter runs" {
    run -0 unconfigured lab:1 callsign-emit --healthcheck
    run -1 unconfigured --entrypoint callsign-emit lab:1 --healthcheck
}

# How often the broker refused a login of an emitter.
refusals() {
    cat "$LAB"/broker/log/*.log | grep -cE "$1" || true
}

more_refusals() {
    (($(refusals "$1") >= $2))
}

# refused_login PATTERN-IN-THE-BROKER'S-LOG PATTERN-OF-OURS DOCKER-OPTION…: the broker refuses three times, the emitter says it once.
refused_login() {
    local theirs=$1 ours=$2 before
    shift 2
    before=$(refusals "$theirs")
    start web "$@"
    poll_until 20000 more_refusals "$theirs" $((before + 3))
    wait_output web "$ours"
    [[ $(output_count web "$ours") == 1 ]]
    not output_repeats web
    [[ -z $(resolve web.docker) ]]
    [[ $(lab_docker inspect --format '{{.State.Running}}' web) == true ]]
}

@test "wrong password: one clear line, and retried" {
    refused_login "login refused: user 'emit'" 'password' --env CALLSIGN_PASSWORD=wrong
    # Neither the wrong one nor the user's name is enough to tell what to mend: where it was tried is.
    output_has web 'emit@198\.18\.0\.1'
}

@test "wrong vhost: one clear line, and retried" {
    refused_login "vhost nosuch not found|vhost 'nosuch' not found|nosuch" 'vhost.*nosuch|nosuch.*vhost' \
        --env CALLSIGN_URLS=amqp://emit@gateway/nosuch
}

@test "a missing exchange: one clear line, retried, and announced once it is there" {
    lab_stop callsignd
    amqp admin delete-exchange callsign
    amqp admin delete-exchange callsign.will
    start web
    wait_output web 'exchange'
    poll_until 20000 more_refusals "no exchange 'callsign" 3
    not output_repeats web
    lab_start callsignd
    wait_resolves web.docker "$(address web)" 15000
}

@test "a broker that is away: one clear line, and announced once it is back" {
    lab_stop broker
    start web
    wait_output web '198\.18\.0\.1.*(refused|reach)'
    [[ $(output_count web '198\.18\.0\.1.*(refused|reach)') == 1 ]]
    lab_start broker
    wait_resolves web.docker "$(address web)" 30000
}

@test "a second URL is used when the first does not answer" {
    start web --env CALLSIGN_URLS=amqp://emit@198.18.0.1:5999/callsign,amqp://emit@gateway/callsign
    wait_up web
}

@test "an unsuitable name, and no COMMAND: an error that says which rule it broke, exit status 2" {
    local name
    for name in 'a_b' '-a' 'a..b' "$(printf 'a%.0s' {1..64})" 'a b' 'localhost' '*' 'a/b' 'a#b' $'a\nb'; do
        run -2 lab_docker run --rm --hostname web --env CALLSIGN_NAME="$name" --entrypoint callsign-emit lab:1
        [[ $output == *CALLSIGN_NAME* ]]
        ((${#lines[@]} == 1))
    done
    [[ -z $(records) ]]
}

@test "a wrong URL, a wrong number, an unknown key: exit status 2, with file, line and key" {
    run -2 lab_docker run --rm --env CALLSIGN_URLS=http://x/ --entrypoint callsign-emit lab:1
    [[ $output == *CALLSIGN_URLS* ]]
    run -2 lab_docker run --rm --env CALLSIGN_RENEW=soon --entrypoint callsign-emit lab:1
    [[ $output == *CALLSIGN_RENEW* ]]
    run -2 lab_docker run --rm --entrypoint sh lab:1 -c 'printf "# one\nnonsense = 1\n" >/tmp/c; exec callsign-emit -c /tmp/c --check-config'
    [[ $output == */tmp/c:2:*nonsense* ]]
}

@test "--check-config: 0 for the image's, and nothing is announced" {
    run -0 lab_docker run --rm --hostname web --entrypoint callsign-emit lab:1 --check-config
    [[ -z $(resolve web.docker) ]]
}

@test "a password file that others can change is refused; engines mount them readable" {
    run -2 lab_docker run --rm --entrypoint sh lab:1 -c 'echo x >/tmp/p; chmod 646 /tmp/p; CALLSIGN_PASSWORD_FILE=/tmp/p exec callsign-emit'
    [[ $output == */tmp/p:*others\ may\ change* ]]
    run -0 lab_docker run --rm --hostname web --entrypoint sh lab:1 -c \
        'echo x >/tmp/p; chmod 644 /tmp/p; CALLSIGN_PASSWORD_FILE=/tmp/p exec callsign-emit --check-config'
}

@test "--once up and --once down, for hooks" {
    start web --entrypoint sleep -- 1000
    run -0 lab_docker exec web callsign-emit --once up --lease 60
    [[ -n $output ]]
    wait_up web
    run -0 lab_docker exec web callsign-emit --once down
    [[ -n $output ]]
    wait_gone web.docker 2000
    run -1 lab_docker exec web callsign-emit --once down
}

@test "--once: what waits for somebody else's name survives a restart of the daemon, and so does a lease that was made longer" {
    local held until more
    held=$(new_instance)
    amqp admin publish callsign up.shared "$(up_body shared 198.18.200.1 "$held")"
    wait_resolves shared.docker 198.18.200.1
    until=$(sed -n "s/.*instance=$held .*until=\\([0-9]*\\).*/\\1/p" "$HOSTS")
    start web --hostname shared --entrypoint sleep -- 1000
    lab_docker exec web callsign-emit --once up --lease 600
    wait_log 'name=shared.* user=emit '
    amqp admin publish callsign up.shared "$(up_body shared 198.18.200.1 "$held" | sed 's/"seq":1/"seq":2/; s/"lease":60/"lease":900/')"
    poll_until 3000 grep -q '^# waits .* shared.docker .*user=emit until=' "$HOSTS"
    lab_restart callsignd
    wait_resolves shared.docker 198.18.200.1
    more=$(sed -n "s/.*instance=$held .*until=\\([0-9]*\\).*/\\1/p" "$HOSTS")
    ((more > until + 500000))
    amqp admin publish callsign down.shared "$(down_body shared "$held" | sed 's/"seq":2/"seq":3/')"
    wait_resolves shared.docker "$(address web)"
    lab_docker exec web callsign-emit --once down
    wait_gone shared.docker 2000
}

@test "--once: an alias that waits for somebody else's name survives a restart of the daemon beside the name that is served" {
    local held
    held=$(new_instance)
    amqp admin publish callsign up.shared "$(up_body shared 198.18.200.1 "$held")"
    wait_resolves shared.docker 198.18.200.1
    start web --env CALLSIGN_ALIASES=shared --entrypoint sleep -- 1000
    lab_docker exec web callsign-emit --once up --lease 600
    wait_up web
    poll_until 3000 grep -q '^# said .* web.docker shared.docker ' "$HOSTS"
    lab_restart callsignd
    amqp admin publish callsign down.shared "$(down_body shared "$held")"
    wait_resolves shared.docker "$(address web)"
    [[ $(resolve web.docker) == "$(address web)" ]]
    lab_docker exec web callsign-emit --once down
    wait_gone shared.docker 2000
}

@test "--once: exit status 69 when the broker is out of reach" {
    run -69 lab_docker run --rm --hostname web --env CALLSIGN_URLS=amqp://emit@198.18.0.1:5999/callsign --entrypoint callsign-emit lab:1 --once up
}

# OpenSSL grew in 3.5 by what a default handshake uses (ML-KEM) and by what it does not.
static_tls_bound() {
    pkg-config --max-version=3.4.99 libcrypto && echo 5000000 || echo 6000000
}

@test "the static emitter is small, with the libraries of every suite: under 1.1 MB, with TLS under 6 MB, on Debian 12 under 5 MB" {
    [[ $(stat -c %s "$BUILD/small/container/callsign-emit") -lt 1100000 ]]
    [[ $(stat -c %s "$BUILD/static/container/callsign-emit") -lt $(static_tls_bound) ]]
    figure "static callsign-emit: $(stat -c %s "$BUILD/small/container/callsign-emit") bytes, with TLS $(stat -c %s "$BUILD/static/container/callsign-emit")"
}

# It has C library functions of its own, cut down to what its libraries ask of them.
@test "the smallest emitter, static and without TLS, is let in by the broker and announces itself" {
    start web --volume "$BUILD/small/container/callsign-emit:/bin/callsign-emit:ro"
    wait_up web
    [[ $(lab_docker exec web callsign-emit --version) != *OpenSSL* ]]
}

@test "the static emitter, arranged by container/emit/rest.ld: only code can be run, and nothing that runs or is constant can be written" {
    local kind headers
    for kind in static small; do
        readelf --wide --section-headers "$BUILD/$kind/container/callsign-emit" | grep ' \.text\.rest '
        headers=$(readelf --wide --program-headers "$BUILD/$kind/container/callsign-emit")
        not grep -E ' (RWE|WE) ' <<<"$headers"
        not grep -E ' \.text .*\.rodata|\.rodata.* \.text ' <<<"$headers"
        not grep -E ' \.rodata.* \.data' <<<"$headers"
        grep ' GNU_RELRO ' <<<"$headers"
        grep -E ' GNU_STACK .* RW  ' <<<"$headers"
    done
    grep ' \.rodata\.tables ' <<<"$(readelf --wide --program-headers "$BUILD/static/container/callsign-emit")"
}

# bats test_tags=native
@test "the emitter's memory: under 2.5 MB resident with TLS built in" {
    start web
    wait_up web
    figure "resident: $(resident_kb web) kB (static, TLS built in)"
    (($(resident_kb web) < 2500))
}
