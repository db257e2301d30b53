# What a machine is put through, in this order. A case is a function; it fails with the first of its commands that does, and what it printed is
# shown then. Sourced by tests/machine.
# shellcheck shell=bash

# shellcheck source=tests/lib/machine.bash
source "$(dirname "${BASH_SOURCE[0]}")/machine.bash"

# The function, and what it shows.
CASES_ALL=(
    case_boot "a bare machine boots, and finds the outside"
    case_apt "README's lines for apt: installed, and no unit failed that set-up does not mend"
    case_before "before set-up callsignctl doctor says what to run, and all that the units name is there"
    case_setup "README's commands, typed: callsign-setup, and all is well for callsignctl doctor"
    case_quickstart "the quick start, typed"
    case_names "ours and the world's from the host, the default, a user-defined and a compose network"
    case_folder "a password file that Docker made a folder of is named as one"
    case_user "a container that is not root's announces itself"
    case_twice "callsign-setup once more changes nothing"
    case_restarts "each service restarted: names are there again"
    case_kept "whoever takes docker0's settings from systemd-resolved: told again; and networks that come and go"
    case_docker_settings "callsignctl doctor asks the Docker that runs"
    case_dead "callsignctl doctor sees a dnsmasq that is dead"
    case_reboot "rebooted: names are there again, and no error in the journal"
    case_cut "the plug pulled: names are there again"
    case_second "a machine on docker0 with callsign-emit's package: announced, renamed, shut down"
    case_agent "the agent: ten containers that carry nothing, and their names after a reboot"
    case_upgrade "upgraded: the daemon is the new one, and no name was missing in one answer"
    case_undo "callsign-setup --undo: /etc and the enabled units are as before, and containers find the world"
    case_nobody "dnsmasq has nobody to ask: set-up says so, and Docker is left as it was"
    case_again "set-up, undo and set-up in one go"
    case_interrupted "set-up killed at any moment, and run again, ends as one that was not"
    case_remove "removed: nothing of it runs"
    case_purge "purged: the record stays, and what is installed next takes everything back"
)
PASSED=0 FAILED=0

# cases_run [PATTERN…]: those whose names fit one, or all. Without the first few there is nothing to try the others on.
cases_run() {
    local i failed
    for ((i = 0; i < ${#CASES_ALL[@]}; i += 2)); do
        case_chosen "${CASES_ALL[i]#case_}" "${@:-*}" || continue
        if [[ -e $WORK/hopeless ]]; then
            FAILED=$((FAILED + 1))
            printf 'FAIL %s: %s: not tried\n' "${CASES_ALL[i]#case_}" "${CASES_ALL[i + 1]}"
            continue
        fi
        failed=$FAILED
        case_run "${CASES_ALL[i]}" "${CASES_ALL[i + 1]}"
        ((FAILED == failed)) || [[ ! ${CASES_ALL[i]} =~ ^case_(boot|apt|setup)$ ]] || : >"$WORK/hopeless"
    done
}

case_chosen() {
    local name=$1 pattern
    shift
    for pattern; do
        # shellcheck disable=SC2053 # a pattern
        [[ $name != $pattern ]] || return 0
    done
    return 1
}

case_run() {
    local start processor status=0 took
    start=$(now_ms)
    processor=$(processor_ms)
    set +e
    (set -e && "$1") >"$WORK/said" 2>&1
    status=$?
    set -e
    took="$((($(now_ms) - start + 500) / 1000)) s, $((($(processor_ms) - processor + 500) / 1000)) of a processor"
    if ((status == 0)); then
        PASSED=$((PASSED + 1))
        printf 'ok   %s (%s)\n' "$2" "$took"
        [[ ! -e $WORK/figure ]] || sed 's/^/     | /' "$WORK/figure"
    else
        FAILED=$((FAILED + 1))
        printf 'FAIL %s: %s (%s)\n' "${1#case_}" "$2" "$took"
        tail -n 60 "$WORK/said" | sed 's/^/     | /'
    fi
    rm -f "$WORK/figure"
}

# What the guest and those who ask from outside have used of all processors, in milliseconds: on a busy machine a case takes longer, and this is what it
# has to do. 0 where cgroups are version 1 alone.
processor_ms() {
    local group
    while read -r group; do
        [[ -e $group/cpu.stat ]] || continue
        awk '$1 == "usage_usec" { printf "%d\n", $2 / 1000 }' "$group/cpu.stat"
        return
    done < <(cgroups)
    echo 0
}

cases_say() {
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    ((FAILED == 0))
}

# ---- what many ask ----

fail() {
    printf 'here: %s\n' "$*"
    return 1
}

# not COMMAND…: a case ends there if it succeeds, which with ! it would not.
not() {
    ! "$@"
}

# no_unit_failed [EXCEPT]
no_unit_failed() {
    local failed
    failed=$(guest systemctl --failed --plain --no-legend | grep -v "^${1:-none} " || true)
    [[ -z $failed ]] || {
        printf '%s\n' "$failed"
        guest journalctl --no-pager --lines 30 --unit "${failed%% *}"
        return 1
    }
}

# Where systemd-resolved has port 53, dnsmasq does not start as it is installed: README says so.
before_setup() {
    [[ $resolver != resolved ]] || printf 'dnsmasq.service\n'
}

finds_world() {
    guest getent ahostsv4 world.example | grep -q "^$MACHINE_WORLD "
}

# Where nobody writes resolv.conf, the host's own programs are left as they are, and dnsmasq itself is asked.
host_is_told() {
    [[ $resolver != networkd ]]
}

host_finds() {
    if host_is_told; then
        guest getent ahostsv4 "$1.docker" | grep -q '^198\.1[89]\.'
    else
        answers "$1"
    fi
}

host_address() {
    if host_is_told; then
        guest getent ahostsv4 "$1.docker" | awk 'NR == 1 { print $1 }'
    else
        dnsmasq_says "$1"
    fi
}

# Then resolv.conf names the loopback alone, before set-up, too: Docker gives containers of the default network servers of the world's instead, which is not
# to be reached from here.
by_resolvconf() {
    [[ $resolver == resolvconf || $resolver == openresolv ]]
}

# The machine's own dig, in the guest's network.
dnsmasq_says() {
    nsenter --net="/proc/$(cat "$WORK/$MACHINE_NAME.leader")/ns/net" dig +short +tries=1 +time=1 @"${MACHINE_DOCKER%/*}" "$1.docker" A 2>&1
}

# container_finds NETWORK NAME: from a container that is new there. NAME is on that network, and reached; Docker keeps networks apart, so another one is
# only found; and the world.
container_finds() {
    # shellcheck disable=SC2016 # for the container
    guest docker run --rm --network "$1" busybox sh -c 'ping -c 1 -w 5 "$1.docker" && ping -c 1 -w 5 world.example &&
        ping -c 1 -w 1 steady.docker | grep "^PING steady.docker (198\."' - "$2"
}

host_finds_all() {
    host_finds steady && host_finds shop && host_finds composed && finds_world
}

# The containers at the same time: most of what each takes is waiting.
everywhere() {
    local asking=() pid status=0
    host_finds_all || return 1
    container_finds bridge steady & asking+=($!)
    container_finds shop shop & asking+=($!)
    container_finds project_default composed & asking+=($!)
    for pid in "${asking[@]}"; do
        wait "$pid" || status=1
    done
    return "$status"
}

# snapshot NAME: /etc, and which units are enabled.
snapshot() {
    typed <<END
rm -rf /root/$1
cp -a /etc /root/$1
systemctl list-unit-files --no-legend --no-pager | awk '{ print \$1, \$2 }' | sort >/root/$1.units
END
}

# same_as NAME: but for what is not ours: what a boot or apt writes.
same_as() {
    typed <<END
diff -r --no-dereference --exclude=ld.so.cache --exclude=mtab --exclude=.updated --exclude='*-' /root/$1 /etc
systemctl list-unit-files --no-legend --no-pager | awk '{ print \$1, \$2 }' | sort | diff /root/$1.units -
END
}

doctor_is_well() {
    guest callsignctl doctor
}

# What it says, without rabbitmqctl: up to two Erlang machines are started for that, most of what the doctor takes, and whoever asks here has something
# else in mind.
doctor_says() {
    typed <<'END'
mkdir -p none
printf '#!/bin/sh\necho left out >&2\nexit 69\n' >none/rabbitmqctl
chmod 0755 none/rabbitmqctl
PATH=/root/none:$PATH callsignctl doctor || true
END
}

# ---- the cases ----

case_boot() {
    machine_boot
    poll_until 10000 finds_world
    no_unit_failed
}

case_apt() {
    local lines
    lines=$(sed -n "/^echo 'deb /,/^\`\`\`/p" "$TOP_DIR/README" | sed '$d')
    printf '%s\n' "$lines"
    typed <<<"$lines"
    no_unit_failed "$(before_setup)"
    snapshot before
}

case_before() {
    local said
    said=$(guest callsignctl doctor || true)
    printf '%s\n' "$said"
    grep -q 'callsign-setup' <<<"$said"
    not grep -q 'check-config' <<<"$said"
    # shellcheck disable=SC2016 # for the guest
    typed <<'END'
for unit in callsignd callsign-agent callsign-emit; do
    for document in $(systemctl show --property Documentation --value $unit); do
        document=${document//\"/}
        case $document in
        file:*) ls "${document#file:}" ;;
        man:*) zcat /usr/share/man/man*/"$(sed 's/man:\(.*\)(\(.*\))/\1.\2/' <<<"$document")".gz >/dev/null ;;
        *) false ;;
        esac
    done
done
END
}

case_setup() {
    "$TESTS_DIR/lib/commands" script "$TOP_DIR/README" | typed
    no_unit_failed
}

# The images that are on a registry elsewhere.
images() {
    typed <<'END'
docker import /images/debian.tar debian:12
mkdir -p /root/busybox/bin
cp /bin/busybox /root/busybox/bin
for applet in sh ping grep sleep; do ln -sf busybox /root/busybox/bin/$applet; done
tar -C /root/busybox -c . | docker import - busybox
END
}

case_quickstart() {
    images
    "$TESTS_DIR/lib/commands" script "$TOP_DIR/docs/quickstart.md" | if host_is_told; then cat; else grep -v '^ping '; fi | typed
}

# Containers that stay for what comes: they start again with the machine.
case_names() {
    typed <<'END'
apt-get install docker-compose
docker network create shop
run() {
    docker run --detach --restart=always --env CALLSIGN_URLS=amqp://callsign-emit@gateway/callsign --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign \
        --mount type=bind,source=/etc/callsign/emit.password,target=/run/secrets/callsign,readonly "$@" my-image sleep 100000
}
run --hostname steady --name steady
run --hostname shop --name shop --network shop
mkdir -p project
cat >project/compose.yaml <<'YAML'
services:
  web:
    image: my-image
    hostname: composed
    restart: always
    environment:
      CALLSIGN_URLS: amqp://callsign-emit@gateway/callsign
      CALLSIGN_PASSWORD_FILE: /run/secrets/callsign
    secrets: [callsign]
secrets:
  callsign:
    file: /etc/callsign/emit.password
YAML
cd project
if docker compose version >/dev/null 2>&1; then
    docker compose up --detach
else
    { echo 'version: "3.8"'; cat compose.yaml; } >docker-compose.yml
    docker-compose up --detach
fi
callsignctl wait steady && callsignctl wait shop && callsignctl wait composed
END
    everywhere
}

case_folder() {
    local said
    said=$(typed <<'END'
docker run --rm --hostname folder --env CALLSIGN_URLS=amqp://callsign-emit@gateway/callsign --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign \
    -v /srv/not-there:/run/secrets/callsign my-image sh -c 'sleep 1' 2>&1 || true
END
    )
    printf '%s\n' "$said"
    [[ $said == *directory* && $said == */run/secrets/callsign* ]]
}

case_user() {
    typed <<'END'
docker run --detach --name person --hostname person --user 1000 --group-add "$(getent group callsign | cut -d : -f 3)" \
    --env CALLSIGN_URLS=amqp://callsign-emit@gateway/callsign --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign \
    --mount type=bind,source=/etc/callsign/emit.password,target=/run/secrets/callsign,readonly my-image sleep 1000
callsignctl wait person || { docker logs person; exit 1; }
docker rm --force person
END
}

case_twice() {
    snapshot twice
    guest callsign-setup | tee "$WORK/twice"
    grep -qx 'nothing to do' "$WORK/twice"
    not grep -q '^run:' "$WORK/twice"
    same_as twice
}

case_restarts() {
    local service
    for service in rabbitmq-server dnsmasq callsign-dnsmasq callsignd callsign-dns systemd-resolved systemd-networkd NetworkManager docker; do
        guest systemctl --quiet is-active "$service" || continue
        printf 'restarting %s\n' "$service"
        guest systemctl restart "$service"
        poll_until 20000 host_finds_all || { doctor_is_well; return 1; }
        no_unit_failed
    done
    ours_restarted_often
    poll_until 20000 everywhere >/dev/null 2>&1 || { everywhere; return 1; }
    doctor_is_well
}

# systemd refuses the sixth start within ten seconds, unless a unit says otherwise.
ours_restarted_often() {
    local service time
    for service in callsign-dnsmasq callsignd callsign-dns; do
        guest systemctl --quiet is-active "$service" || continue
        for time in {1..8}; do guest systemctl restart "$service" || fail "$service: not restarted $time times"; done
        no_unit_failed
    done
}

told_of_docker0() {
    guest resolvectl domain docker0 | grep -qF " $1"
}

not_told_of_docker0() {
    not told_of_docker0 "$1"
}

times_kept() {
    guest journalctl --no-pager --quiet --output cat --unit callsign-dns-kept.service | grep -c '^Starting' || true
}

# Nobody but systemd-resolved is told by link: with the others names are found, and that is all.
case_kept() {
    local take times before
    poll_until 20000 host_finds_all
    [[ $resolver == resolved ]] || return 0
    before=$(times_kept)
    for take in 'resolvectl revert docker0' 'resolvectl domain docker0 "" && resolvectl dns docker0 ""'; do
        guest sh -c "$take"
        poll_until 10000 told_of_docker0 "~docker"
        poll_until 10000 host_finds_all
    done
    # What is told again is seen, too, and is no reason to tell it again. One run looks more than once: the second time may be the first one's.
    sleep 3
    times=$(($(times_kept) - before))
    ((times >= 1 && times <= 12)) || fail "told again $times times"
    sleep 3
    (($(times_kept) - before == times)) || fail "and goes on"
    guest docker network create --subnet 198.19.250.0/24 passing >/dev/null
    poll_until 10000 told_of_docker0 "~250.19.198.in-addr.arpa"
    guest docker network rm passing >/dev/null
    poll_until 10000 not_told_of_docker0 "~250.19.198.in-addr.arpa"
    no_unit_failed
}

# Docker reads its settings when it starts: those that it runs with count. docker.service does not start more than three times a minute, and this is not what
# is asked here.
case_docker_settings() {
    local said
    guest systemctl reset-failed docker
    typed <<'END'
cp /etc/docker/daemon.json daemon.json
printf '{"bip": "198.18.64.1/20", "default-address-pools": [{"base": "198.19.0.0/16", "size": 24}]}\n' >/etc/docker/daemon.json
systemctl restart docker
cp daemon.json /etc/docker/daemon.json
END
    said=$(doctor_says)
    printf '%s\n' "$said"
    guest systemctl reset-failed docker
    guest systemctl restart docker
    poll_until 20000 everywhere >/dev/null 2>&1
    grep -q '^warning  *docker .*after Docker had started' <<<"$said"
}

case_dead() {
    local said
    guest systemctl stop dnsmasq
    said=$(doctor_says)
    guest systemctl start dnsmasq
    printf '%s\n' "$said"
    grep -q '^broken' <<<"$said"
    not grep -q '^ok *port-53: dnsmasq' <<<"$said"
    grep -q '^skipped  *freshness ' <<<"$said"
    poll_until 20000 everywhere >/dev/null 2>&1
}

# Names that are gone meanwhile come with the containers, which Docker starts again.
case_reboot() {
    machine_off "$MACHINE_NAME"
    machine_boot
    poll_until 30000 everywhere >/dev/null 2>&1 || { everywhere; doctor_is_well; return 1; }
    no_unit_failed
    doctor_is_well
    no_errors
    daemon_waited_for_no_broker
}

daemon_waited_for_no_broker() {
    local daemon broker
    daemon=$(unit_ms callsignd.service ActiveEnterTimestampMonotonic)
    broker=$(unit_ms rabbitmq-server.service ActiveEnterTimestampMonotonic)
    printf 'callsignd was there %d ms before rabbitmq-server\n' $((broker - daemon)) | tee "$WORK/figure"
    ((daemon < broker)) || fail "callsignd has waited for the broker"
}

# Of our units and those that set-up has configured.
no_errors() {
    local said
    said=$(guest journalctl --no-pager --boot --priority err --unit callsignd --unit callsign-dnsmasq --unit callsign-dns --unit dnsmasq --quiet)
    [[ -z $said ]] || { printf '%s\n' "$said"; return 1; }
}

case_cut() {
    machine_off "$MACHINE_NAME" cut
    machine_boot
    poll_until 30000 everywhere >/dev/null 2>&1 || { everywhere; doctor_is_well; return 1; }
    no_unit_failed
}

# What a virtual machine has: the package, a broker and a password that is root's alone in its emit.conf, and no more.
case_second() {
    local root=$WORK/second.root
    machine_root second "$root"
    cp "$OURS"/callsign-emit_*.deb "$root/root/callsign-emit.deb"
    chroot "$root" dpkg --install /root/callsign-emit.deb
    printf 'urls = {"amqp://callsign-emit@gateway/callsign"}\npassword_file = "/etc/callsign/emit.password"\n' >"$root/etc/callsign/emit.conf"
    install -m 0600 "$WORK/root/etc/callsign/emit.password" "$root/etc/callsign/emit.password"
    printf '[Match]\nName=host0\n[Network]\nAddress=198.18.79.200/20\nGateway=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' "${MACHINE_DOCKER%/*}" \
        >"$root/etc/systemd/network/10-host0.network"
    chroot "$root" systemctl --quiet enable systemd-networkd callsign-emit
    machine_spawn second "$root" "/proc/$(cat "$WORK/$MACHINE_NAME.leader")/ns/net" --network-bridge=docker0
    poll_until 40000 machine_is_up second
    second_speaks || {
        machine_off second cut
        return 1
    }
    machine_off second
    guest callsignctl wait --gone other
}

second_speaks() {
    guest callsignctl wait second && [[ $(host_address second) == 198.18.79.200 ]] && within second hostnamectl set-hostname other &&
        guest callsignctl wait other && guest callsignctl wait --gone second && return
    within second journalctl --no-pager --unit callsign-emit
    return 1
}

# Ten that carry nothing, each of which asks for its own name before anything else. Docker starts before the broker is there, so after a boot the last name
# comes with the broker: when is printed. With the broker there, which is so when they are started first, each finds its name; Docker 28 and newer plugs the
# network in later, and there it is not judged.
case_agent() {
    typed <<'END'
callsign-setup --agent || true
systemctl restart docker
for i in 0 1 2 3 4 5 6 7 8 9; do
    docker run --detach --restart=always --runtime callsign --hostname plain-$i --name plain-$i busybox \
        sh -c 'if ping -c 1 -w 5 "$HOSTNAME.docker" >/dev/null; then echo there; else echo missed; fi; exec sleep 100000'
done
for i in 0 1 2 3 4 5 6 7 8 9; do callsignctl wait plain-$i; done
END
    poll_until 10000 plain_have_said 1
    plain_in_time || fail "$(plain_said | grep -c missed) of ten did not find their own name as they started"
    machine_off "$MACHINE_NAME" cut
    machine_start
    agent_figure
    poll_until 60000 machine_is_up "$MACHINE_NAME"
    no_unit_failed
    no_errors
    # shellcheck disable=SC2016 # for the guest
    typed <<<'docker rm --force $(docker ps --quiet --filter name=plain-)'
    for i in {0..9}; do guest callsignctl wait --gone "plain-$i"; done
}

# plain_said: a line of each, there or missed, of its last start.
plain_said() {
    # shellcheck disable=SC2016 # for the guest
    guest bash -c 'for i in 0 1 2 3 4 5 6 7 8 9; do docker logs --tail 1 plain-$i; done' 2>&1
}

# plain_have_said TIMES: each has been started that often.
plain_have_said() {
    # shellcheck disable=SC2016 # for the guest
    guest bash -c 'for i in 0 1 2 3 4 5 6 7 8 9; do (($(docker logs plain-$i 2>&1 | wc -l) >= $1)) || exit 1; done' - "$1" 2>/dev/null
}

plain_in_time() {
    (($(guest docker version --format '{{.Server.Version}}' | cut -d . -f 1) >= 28)) || not grep -q missed <<<"$(plain_said)"
}

# What came when, in milliseconds from docker.service's start. The last name is there soon after the later of what it needs: its container, and the broker.
agent_figure() {
    local i last base broker container
    for i in {0..9}; do poll_until 60000 answers "plain-$i"; done
    last=$(uptime_ms)
    poll_until 20000 plain_have_said 2
    base=$(unit_ms docker.service ExecMainStartTimestampMonotonic)
    broker=$(unit_ms rabbitmq-server.service ActiveEnterTimestampMonotonic)
    container=$(plain_started_ms)
    printf 'from docker.service'\''s start: the last container after %d ms, rabbitmq-server after %d ms, the last of ten names after %d ms; %d found theirs as they started\n' \
        $((container - base)) $((broker - base)) $((last - base)) "$(plain_said | grep -c there || true)" | tee "$WORK/figure"
    ((last <= (broker > container ? broker : container) + 10000)) || fail "the last name came too late"
}

# Milliseconds since the machine outside was started, which is the guest's clock, too.
uptime_ms() {
    awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

unit_ms() {
    local at
    poll_until 60000 unit_at "$1" "$2"
    at=$(guest systemctl show --property "$2" --value "$1")
    printf '%d\n' $((at / 1000))
}

unit_at() {
    (($(guest systemctl show --property "$2" --value "$1") > 0))
}

# When the last of the ten was started.
plain_started_ms() {
    local at
    # shellcheck disable=SC2016 # for the guest
    at=$(guest bash -c 'docker inspect --format "{{.State.StartedAt}}" plain-{0..9} | sort | tail -n 1')
    printf '%d\n' $(($(uptime_ms) - ($(date +%s%3N) - $(date --date "$at" +%s%3N))))
}

# Whether dnsmasq has the name.
answers() {
    dnsmasq_says "$1" | grep -q '^198\.1[89]\.'
}

# ask_on FILE: ask dnsmasq, where containers do, until FILE is gone; what is not an answer goes to WORK/missing.
ask_on() {
    local said asked=0
    while [[ -e $1 ]]; do
        said=$(dnsmasq_says steady)
        asked=$((asked + 1))
        [[ $said =~ ^198\. ]] || printf '%s: %s\n' "$asked" "$said" >>"$WORK/missing"
    done
    printf 'asked %s times\n' "$asked"
}

case_upgrade() {
    local before asker
    before=$(guest systemctl show --property MainPID --value callsignd)
    rm -f "$WORK/missing"
    : >"$WORK/ask"
    ask_on "$WORK/ask" &
    asker=$!
    typed <<<'apt-get install ./deb/newer/callsign-host_99.deb ./deb/newer/callsign-emit_99.deb' || { rm "$WORK/ask" && return 1; }
    poll_until 10000 guest callsignctl status >/dev/null
    sleep 1
    rm "$WORK/ask"
    wait "$asker"
    [[ ! -e $WORK/missing ]] || { cat "$WORK/missing" && return 1; }
    [[ $(guest systemctl show --property MainPID --value callsignd) != "$before" ]] || fail "the daemon is the old one"
    guest systemctl --quiet is-enabled callsignd
    no_unit_failed
    poll_until 10000 doctor_is_well >/dev/null || doctor_is_well
}

# Docker is restarted only where no container runs, so ours end before.
case_undo() {
    # shellcheck disable=SC2016 # for the guest
    typed <<<'docker rm --force $(docker ps --quiet)'
    guest callsign-setup --undo | tee "$WORK/undone"
    (($(grep -c '^run: systemctl restart docker' "$WORK/undone") <= 1))
    same_as before
    no_unit_failed "$(before_setup)"
    poll_until 10000 finds_world
    not host_finds steady
    by_resolvconf || guest docker run --rm busybox ping -c 1 -w 5 world.example
    guest docker run --rm --network shop busybox ping -c 1 -w 5 world.example
}

# The host itself finds the world by whomever it asks; containers, who would ask dnsmasq alone, would find nothing any more. Where the host asks dnsmasq, too,
# it finds nothing either, as on a machine that has no world: then that is said, and the doctor says what to do.
case_nobody() {
    local said words='containers would find none. Docker is left as it was'
    ! by_resolvconf || words='neither dnsmasq nor this host itself finds a name of the world'
    typed <<'END'
cp /etc/docker/daemon.json daemon.json
printf 'no-resolv\n' >/etc/dnsmasq.d/nobody
END
    if said=$(guest callsign-setup 2>&1); then
        printf '%s\n' "$said"
        fail "set-up calls that well"
    fi
    printf '%s\n' "$said"
    grep -q "$words" <<<"$said"
    if by_resolvconf; then
        grep -q 'tell dnsmasq whom to ask' <<<"$said"
        typed <<'END'
rm /etc/dnsmasq.d/nobody
callsign-setup --undo
END
        return
    fi
    typed <<'END'
cmp /etc/docker/daemon.json daemon.json
docker run --rm busybox ping -c 1 -w 5 world.example
rm /etc/dnsmasq.d/nobody
END
}

case_again() {
    guest callsign-setup
    guest callsign-setup --undo
    set_up
    no_unit_failed
}

# set_up: and note how long it took to the point from which on it changes nothing any more, in WORK/span.
set_up() {
    local start line
    start=$(now_ms)
    guest callsign-setup | while IFS= read -r line; do
        printf '%s\n' "$line"
        [[ $line != 'callsignctl doctor:' ]] || echo $(($(now_ms) - start)) >"$WORK/span"
    done
}

# Killed as a whole, as by the machine's end: what it started goes on, or not. The moments are random ones of a whole run's time; each run goes on where
# the one before was ended, and every fifth begins where nothing was done.
case_interrupted() {
    local i span moment
    snapshot whole
    [[ -e $WORK/span ]] || { guest callsign-setup --undo && set_up; }
    span=$(cat "$WORK/span")
    for ((i = 0; i < 20; i++)); do
        ((i % 5 != 0)) || guest callsign-setup --undo >/dev/null
        moment=$((RANDOM % span))
        printf 'killed after %d of %d ms\n' "$moment" "$span"
        guest timeout --signal KILL "$((moment / 1000)).$(printf %03d $((moment % 1000)))" callsign-setup >/dev/null 2>&1 || true
    done
    guest callsign-setup
    no_unit_failed
    same_passwords_aside whole
    guest callsign-setup | tee "$WORK/twice"
    grep -qx 'nothing to do' "$WORK/twice"
}

# Passwords are made anew after an undo.
same_passwords_aside() {
    typed <<<"rm -f /root/$1/callsign/*.password; mkdir -p /root/passwords; mv /etc/callsign/*.password /root/passwords"
    same_as "$1" || { typed <<<'mv /root/passwords/* /etc/callsign'; return 1; }
    typed <<<'mv /root/passwords/* /etc/callsign'
}

# What ran by its runtime stops and starts as ever, and what stays for it goes with the last one.
case_remove() {
    local name
    typed <<'END'
callsign-setup --agent || true
systemctl reload docker
for i in stop restart always; do docker run --detach --runtime callsign --hostname left-$i --name left-$i busybox sleep 100000; done
docker update --restart always left-always
END
    guest sh -c 'apt-get remove --yes callsign-host 2>&1' | tee "$WORK/removed"
    grep -q 'callsign-runtime stays, .* needed by container' "$WORK/removed" || fail "what stays is not said"
    typed <<'END'
docker stop --time 1 left-stop
docker start left-stop
docker restart --time 1 left-restart
kill -9 $(docker inspect --format '{{.State.Pid}}' left-always)
END
    poll_until 10000 not guest test -e /usr/bin/callsign-runtime -o -e /usr/libexec/callsign-hook || fail "it stays behind"
    guest systemctl restart docker
    # shellcheck disable=SC2016 # for the guest
    poll_until 10000 guest sh -c '[ "$(docker inspect --format "{{.State.Running}}" left-always)" = true ]'
    typed <<'END'
docker start left-stop left-restart
docker rm --force left-stop left-restart left-always
END
    not guest pgrep -a callsign
    no_unit_failed
}

case_purge() {
    guest dpkg --purge callsign-host 2>&1 | tee "$WORK/purged"
    grep -q 'callsign-setup --undo' "$WORK/purged"
    typed <<<'apt-get install ./deb/callsign-host_*.deb'
    guest callsign-setup --undo
    same_as before
    no_unit_failed "$(before_setup)"
    guest dpkg --purge callsign-host callsign-emit
    typed <<<'test ! -e /etc/callsign && test ! -e /var/lib/callsign'
}
