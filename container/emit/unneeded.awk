# Only for the static emitter with TLS. OpenSSL's archive is made for every program: a quarter of what a link takes from it can never run in a client
# of AMQP over TCP, and comes along because a table or a switch names it. From the list of the archives' symbols (nm -A) this makes assignments
# for the linker, which then takes what container/emit/lean.c has in their place, and leaves the members out. Each stands for one of these:
#
#   callsign_absent       says NULL or 0, as OpenSSL's own functions do where it was built without that part, or on a processor without that instruction
#   callsign_no_kind      gives a method of no kind, as COMP_zlib() does there
#   callsign_nothing      a table that ends where it begins: nobody asks for it
#   callsign_unreachable  ends the program: nothing reaches it, and nothing that should have been encrypted or judged may pass as if it had been
#
# A member is left out as a whole, so that no symbol is there twice. Names that another OpenSSL does not have do no harm: the emitter gets larger.
# configure tries whether all this links and begins a handshake, and does without if not. tests/e2e/85-tls runs what comes of it.

NF < 3 { next } # what is undefined, and blank lines

{
	parts = split($1, part, ":")
	object = part[parts - 1]
	sub(/^lib[a-z]+-lib-/, "", object)
	sub(/\.o$/, "", object)
	code = $(NF - 1) ~ /^[TtWwi]$/
	symbol = $NF
}

# Compression: of records (no OpenSSL does it unless it is told to) and of certificates (RFC 8879, offered only if it is there). Pulls in zlib and zstd.
object ~ /^c_(brotli|zlib|zstd)$/ { leave(!code ? "nothing" : symbol ~ /^COMP_/ ? "no_kind" : "absent") }

# AES with the widest registers: for loads that an emitter does not have in a year. Without it AES-NI does the work.
object ~ /^(aes-gcm|aesni-xts)-avx512$/ { leave(symbol ~ /_(capable|eligible)$/ ? "absent" : "unreachable") }

# Writing keys into files. Reading them is another part.
object ~ /^encode_key2(any|blob|ms|text)$/ { leave("nothing") }

# TLS over UDP. Whether a connection is of that kind is asked by comparing with its methods, which are absent.
object ~ /^(quic_.*|qlog.*|cc_newreno|event_queue|json_enc|poll_builder|poll_immediate|rio_notifier|uint_set)$/ { leave(code ? "absent" : "nothing") }

function leave(as)
{
	print symbol " = callsign_" as ";"
}
