#ifndef CALLSIGN_HTTP_H
#define CALLSIGN_HTTP_H

/*
 * The room host/web/: the daemon's status as a page for browsers and as metrics for Prometheus. It reads the status, the configuration and counts, and must not
 * know sinks or brokers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "status/status.h"

/*
 * The HTTP server (libmicrohttpd, driven from the loop through its epoll descriptor): the status page at /, /metrics, /healthz and /readyz. Off
 * unless metrics { listen } is set. GET and HEAD only, one request a connection.
 *
 * Whoever connects costs a bounded amount of memory for a bounded time, and pages take at most a tenth of the daemon's time: more are answered
 * with 503. At rest nothing wakes the daemon.
 *
 *   /healthz   200: the daemon works; its body says "ok" or lists what is wrong around it. For whoever restarts what hangs.
 *   /readyz    200 if names come and go and dnsmasq serves them; else 503 with the reason
 */
struct http;

#define HTTP_CONNECTIONS_MAX 32
#define HTTP_CONNECTIONS_PER_IP 16
#define HTTP_MEMORY 8192     /* for each connection's request */
#define HTTP_IDLE_S 5        /* without a byte */
#define HTTP_WHOLE_MS 20000  /* for a connection, however busy it looks */
#define HTTP_BUSY_US 100000  /* of pages in one second */

/* NULL with errno. sources(arg) is asked at each request. It listens from http_configure() on. */
struct http *http_new(void (*sources)(void *arg, struct status_sources *out), void *arg);
void http_free(struct http *http);

/* Listen where conf->metrics says, or go on doing so. Failing is logged and no reason to end. Nothing of conf is kept. */
void http_configure(struct http *http, const struct conf *conf);

/* The descriptor to poll for reading (epoll(7)), or -1; the next deadline; what to do when either fires. */
int http_fd(const struct http *http);
int64_t http_deadline_ms(const struct http *http, int64_t now_ms);
void http_step(struct http *http, bool readable, int64_t now_ms);

#endif
