# What the hostile suites share: `load common`. red is a tenant who holds his own credentials and means harm; blue is another tenant, whose container
# blue-web runs through all of it. After every test blue must be as well as before, and the daemon the same process.
# shellcheck shell=bash

# shellcheck source=tests/e2e/common.bash
source "$BATS_TEST_DIRNAME/../e2e/common.bash"

CONF=$LAB/etc/callsign/callsignd.conf
RED_MAILBOX=callsign.will.red-x.0123456789abcdef0123456789abcdef
MAILBOX_ARGUMENTS='"x-expires":60000,"x-message-ttl":0,"x-max-length":16,"x-dead-letter-exchange":"callsign"'

# What a careful host sets: each tenant's names and addresses, and how much. Docker gives addresses from the bottom of 198.18.0.0/16.
tenants_conf() {
    cat <<'CONF'
policy { subnets = { "198.18.0.0/16", "fd00::/8" } reserved = { "gateway" } }
user "red" { names = { "red-*" } subnets = { "198.18.64.0/18", "fd00::/8" } max_names = 50 }
user "blue" { names = { "blue-*" } subnets = { "198.18.0.0/18", "fd00::/8" } }
CONF
}

reload() {
    log_mark
    lab_signal callsignd HUP
    wait_log 'configuration .*read again'
}

setup_file() {
    cp -p "$CONF" "$LAB/conf.saved"
    tenants_conf >>"$CONF"
    reload
    start_as blue blue-web
    wait_up blue-web
    lab_pid callsignd >"$LAB/daemon.pid"
}

teardown_file() {
    mv "$LAB/conf.saved" "$CONF"
    remove_containers
    lab_start "${LAB_PARTS[@]}"
    reload
    forget_all
    poll_until 10000 no_names
}

# What red said without a session waits for blue's names and addresses, also over a restart, and would have them now.
forget_all() {
    local name
    for name in $(lab_in callsignctl list --json | jq -r '.[].name' | sort -u); do
        lab_in callsignctl forget "$name" >/dev/null || true # it has gone by itself meanwhile
    done
}

setup() {
    log_mark
    INSTANCE=$(new_instance)
}

teardown() {
    if [[ -z ${BATS_TEST_COMPLETED-} ]]; then
        show_logs
        return
    fi
    unharmed
}

# start_as USER HOSTNAME [DOCKER OPTION…] [-- COMMAND…]
start_as() {
    local user=$1 name=$2
    shift 2
    start "$name" --env "CALLSIGN_URLS=amqp://$user@gateway/callsign" \
        --env "CALLSIGN_PASSWORD=$(cat "$LAB/secret/$user")" "$@"
}

# Blue's name is blue's, for blue and for everyone; what blue says is heard; nobody's log has a line that was not ours; the daemon never ended.
unharmed() {
    poll_until 3000 resolves_to blue-web.docker "$(address blue-web)" || {
        printf 'blue-web.docker resolves to: %s\n' "$(resolve blue-web.docker | tr '\n' ' ')"
        return 1
    }
    blue_is_heard
    [[ $(lab_pid callsignd) == "$(cat "$LAB/daemon.pid")" ]] || {
        printf 'callsignd is another process than before\n'
        return 1
    }
    lab_docker exec blue-web callsign-emit --healthcheck
}

blue_is_heard() {
    local instance
    instance=$(new_instance)
    amqp blue publish callsign up.blue-new "$(up_body blue-new 198.18.9.9 "$instance")"
    wait_resolves blue-new.docker 198.18.9.9
    amqp blue publish callsign down.blue-new "$(down_body blue-new "$instance")"
    wait_gone blue-new.docker
}

# json WORD…: a JSON list of strings; a WORD that begins with { or is given as @JSON is taken as JSON.
json() {
    /usr/bin/python3 -c '
import json, sys
words = [word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for word in sys.argv[1:]]
print(json.dumps([json.loads(word[1:]) if word.startswith("@") else word for word in words]))' "$@"
}

# Standard input: a table, one attempt a line as JSON (json). The broker says no to every one, in so many words.
broker_refuses() {
    local allowed
    allowed=$(attack each_refused) || return 1
    [[ -z $allowed ]] || {
        printf 'the broker did not refuse for want of rights:\n%s\n' "$allowed"
        return 1
    }
}

# Standard input: a table of REASON<tab>KEY<tab>BODY[<tab>PROPERTIES as JSON]. red may publish each, and the daemon refuses each: one line, in
# this order, that names red and the REASON (an extended regular expression). What is served stays as it was.
host_refuses() {
    local before table reasons said i
    table=$(cat)
    before=$(records)
    log_mark
    /usr/bin/python3 -c '
import json, sys
for line in sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines():
    _, key, body, *more = line.split("\t")
    print(json.dumps([key, body, json.loads(more[0]) if more else {}]))' <<<"$table" | attack each_published || return 1
    mapfile -t reasons < <(cut -f 1 <<<"$table")
    poll_until 10000 refused_times "${#reasons[@]}" || true
    mapfile -t said < <(tail -c "+$LOG_MARK" "$LAB/log/callsignd" | grep 'refused user=red ')
    for i in "${!reasons[@]}"; do
        [[ ${said[i]-} =~ reason=\".*${reasons[i]} ]] || {
            printf 'not refused so (%s): %s\nbut: %s\n' "${reasons[i]}" "$(sed -n "$((i + 1))p" <<<"$table")" "${said[i]-nothing was said}"
            return 1
        }
    done
    ((${#said[@]} == ${#reasons[@]})) && [[ $(records) == "$before" ]] || {
        printf 'more refusals than attempts, or what is served has changed:\n%s\n' "$(records)"
        return 1
    }
}

refused_times() {
    (($(log_count 'refused user=red ') >= $1))
}

red_up() {
    up_body "${1-red-x}" "${2-198.18.64.9}" "$INSTANCE" "${3-}"
}

# What the hosts file tells of blue's instance: red is assumed to know it all.
blue_instance() {
    sed -n 's/.* blue-web\.docker .*instance=\([0-9a-f]*\).*/\1/p' "$HOSTS" | head -n 1
}

blue_session() {
    sed -n 's/.* blue-web\.docker .*session=\([0-9a-f]*\).*/\1/p' "$HOSTS" | head -n 1
}

# attack NAME [ARGUMENT…]: see attacks.py; as red.
attack() {
    lab_in /usr/bin/python3 "$BATS_TEST_DIRNAME/attacks.py" --password-file "$LAB/secret/red" "$@"
}
