#ifndef CALLSIGN_BUS_TLS_H
#define CALLSIGN_BUS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus.h"

/*
 * What librabbitmq leaves out of a TLS connection: the certificate is verified against server_name (or the host, be it a name or an
 * address: RFC 6125, RFC 9110 section 4.3.4), TLS 1.2 at least, and a failure says which check failed. Knows OpenSSL, not
 * librabbitmq.
 */

/*
 * Before anything else in the process uses OpenSSL: at exit it stays as it is. Otherwise its exit handler takes it apart, perhaps under a
 * thread that is in the middle of a handshake and that nobody waits for: a crash (SIGSEGV, SIGABRT) in place of the exit status.
 */
void bus_tls_begin(void);

/* ssl_ctx: the SSL_CTX that the connection will use. host: where it goes to. 0, or -1 with the reason in error. */
int bus_tls_prepare(void *ssl_ctx, const struct bus_tls *tls, const char *host, char *error, size_t size);

/*
 * librabbitmq keeps the connection's SSL to itself. Before the handshake: *ssl will be it, once that has begun. After the login: it is asked for no more.
 */
void bus_tls_watch(void *ssl_ctx, void **ssl);
void bus_tls_unwatch(void *ssl);

/* As recv(2) on a socket that does not wait; -1 with errno 0: OpenSSL knows why (bus_tls_failure). */
ssize_t bus_tls_read(void *ssl, void *to, size_t size);

/* How many bytes the socket has given to it so far, and whether it holds back some of them: a record that is not whole yet. */
uint64_t bus_tls_transported(void *ssl);
bool bus_tls_holds(const void *ssl);

/* After the login: the certificates that were trusted go, since a system's are some 140, and each connection reads its own. */
void bus_tls_settle(void *ssl_ctx);

/* Of the OpenSSL that runs: "3.0.17". */
const char *bus_tls_version(void);

/* After a failed handshake in the same thread: why, and what to do, in words; otherwise, if OpenSSL does not know. Returns out. */
const char *bus_tls_failure(const char *otherwise, char *out, size_t size);

#endif
