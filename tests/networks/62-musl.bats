#!/usr/bin/env bats
# musl's resolver asks all name servers at once and believes the first answer: 1,000 look-ups of a name that is there, while others change.

load common

setup_file() {
    "$TESTS_DIR/lib/packages" musl-tools
    musl-gcc -static -O1 -o "$LAB/run/lookups" "$TESTS_DIR/tools/lookups.c"
}

teardown() {
    [[ -z ${CHURN-} ]] || kill "$CHURN" 2>/dev/null || true
    printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    common_teardown
}

# dnsmasq reads its names anew ten times a second.
churn() {
    while lab_signal dnsmasq HUP; do
        sleep 0.1
    done
}

failed_lookups() {
    lab_in /run/lookups web.docker 1000
}

@test "musl: with dnsmasq alone none of 1,000 look-ups fails while names change" {
    start web
    wait_up web
    printf 'nameserver %s\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    churn 3>&- &
    CHURN=$!
    run -0 failed_lookups
    [[ $output == 0 ]]
}

@test "musl: a second name server that knows nothing of our names makes look-ups fail, as resolvers.md says" {
    start web
    wait_up web
    printf 'nameserver %s\nnameserver 127.0.0.9\n' "$LAB_ADDRESS" >"$LAB/etc/resolv.conf"
    run -0 failed_lookups
    ((output > 0))
}
