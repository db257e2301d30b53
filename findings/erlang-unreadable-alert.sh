#!/bin/sh
# Erlang/OTP 27.3.4.1+dfsg-1+deb13u4 (what RabbitMQ 4 has under it) with OpenSSL 3.5 as the client: a TLS version that does not suit the
# client is in the server's log as "Bad Record MAC".
#
# Guess: a server that has only TLS 1.1 and a client that wants 1.2 at least end with "protocol version" on both sides.
# Seen: the server accepts the hello and answers with its 1.1; the client, whose least that is not, says so in an alert whose record is
# marked 1.2; the server cannot take a record of that version, and logs that as an alert of its own, `Fatal - Bad Record MAC`, with
# {unsupported_version,{3,3}} on the next line. The client says "unsupported protocol".
# It matters to whoever searches a broker's log for the reason: nothing was tampered with, no cipher or network card is at fault, and
# filters for "protocol version" find nothing.
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of trixie erlang-base=1:27.3.4.1+dfsg-1+deb13u4 erlang-ssl=1:27.3.4.1+dfsg-1+deb13u4 openssl mawk sed
cat >"$root/tmp/server" <<'ERLANG'
main([Version]) ->
    {ok, _} = application:ensure_all_started(ssl),
    Keys = [#{certfile => "/tmp/certificate.pem", keyfile => "/tmp/key.pem"}],
    Options = [{ip, {127, 0, 0, 1}}, {reuseaddr, true}, {certs_keys, Keys}, {versions, [list_to_atom(Version)]}],
    {ok, Listener} = ssl:listen(5671, Options),
    io:format("ready~n"),
    {ok, Socket} = ssl:transport_accept(Listener),
    case ssl:handshake(Socket, 10000) of
        {ok, _} -> io:format("accepted~n");
        {error, {tls_alert, {Alert, Text}}} -> io:format("~s~n~s~n", [Alert, Text])
    end,
    io:format("ended~n").
ERLANG
sed -i '1i #!/usr/bin/env escript' "$root/tmp/server"
inside openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key.pem -out /tmp/certificate.pem -subj /CN=localhost -days 2 2>/dev/null

# server VERSION OPTION…: a client with these options against a server that has only that; what both said
server() {
    start server escript /tmp/server "$1"
    until_it grep -q '^ready' "$work/server.log" || changed "the server does not start: $(tail -n 3 "$work/server.log")"
    shift
    echo Q | inside timeout 20 openssl s_client -connect 127.0.0.1:5671 "$@" >"$work/client.log" 2>&1 || :
    until_it grep -q '^ended' "$work/server.log" || changed 'the handshake does not end'
}

server tlsv1.2 -tls1_2
expect 'both have TLS 1.2: the server' "$(sed -n 2p "$work/server.log")" accepted

server tlsv1.1 -min_protocol TLSv1.2
expect 'TLS 1.1 alone: the server' "$(grep -o 'SERVER ALERT: .*' "$work/server.log" | head -n 1)" 'SERVER ALERT: Fatal - Bad Record MAC'
expect '  and its next line' "$(grep -o '{unsupported_version,{3,3}}' "$work/server.log" | head -n 1)" '{unsupported_version,{3,3}}'
expect '  words of a protocol version in its log' "$(grep -i 'protocol.version' "$work/server.log" || :)" ''
expect '  the client' "$(grep -o 'unsupported protocol' "$work/client.log" | head -n 1)" 'unsupported protocol'
as_stated 'a version that does not suit an OpenSSL client is "Bad Record MAC" in the log of an Erlang server'
