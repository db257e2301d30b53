# The lab's image, lab:1: busybox and callsign-emit, both static, nothing else (but see under.bash). Part of lab.bash.
# shellcheck shell=bash

# callsign-emit is the entrypoint and is configured, partly by its file, partly by the environment, so a container is one command away:
# tests/lab docker run -d --hostname my-cool-host lab:1 sleep 1000
image_make() {
    local root=$LAB/image
    mkdir -p "$root"/{bin,etc/callsign,proc,run,tmp}
    image_busybox "$root"
    if [[ -z $UNDER ]]; then
        cp "$BUILD/static/container/callsign-emit" "$root/bin" || return 1
    else
        under_image "$root" || return 1
    fi
    install -m 0600 "$LAB/secret/emit" "$root/etc/callsign/password"
    printf 'password_file = "/etc/callsign/password"\n' >"$root/etc/callsign/emit.conf"
    printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
    tar -C "$root" --owner=0 --group=0 -c . | lab_docker import \
        --change 'ENTRYPOINT ["/bin/callsign-emit", "--"]' \
        --change 'CMD ["sh"]' \
        --change 'ENV CALLSIGN_URLS=amqp://emit@gateway/callsign' \
        - lab:1 >/dev/null
    image_make_plain
}

# plain:1: busybox and nothing else. What is called anything in there, its runtime has told the agent:
# tests/lab docker run -d --runtime callsign --hostname my-cool-host plain:1 sleep 1000
image_make_plain() {
    local root=$LAB/plain
    mkdir -p "$root/bin"
    image_busybox "$root"
    tar -C "$root" --owner=0 --group=0 -c . | lab_docker import --change 'CMD ["sh"]' - plain:1 >/dev/null
}

# image_busybox ROOT: with a link for each of its some 270 applets, in one process.
image_busybox() {
    cp /bin/busybox "$1/bin"
    chroot "$1" /bin/busybox --install -s /bin
}
