#include <config.h>

#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics.h"
#include "microhttpd.h"
#include "page.h"
#include "shared/clock.h"
#include "shared/log.h"

#define BACKLOG 32

struct connection {
	int fd; /* -1: free */
	int64_t since_ms;
};

struct http {
	void (*sources)(void *arg, struct status_sources *out);
	void *arg;
	struct microhttpd mhd;
	bool loaded;               /* mhd is */
	struct MHD_Daemon *daemon; /* NULL: does not listen */
	int epoll;
	struct conf_metrics where;
	struct connection connections[HTTP_CONNECTIONS_MAX];
	int64_t second_ms, busy_us; /* pages made since then */
};

struct http *http_new(void (*sources)(void *arg, struct status_sources *out), void *arg)
{
	struct http *http = calloc(1, sizeof *http);
	int i;

	if (http == NULL)
		return NULL;
	http->sources = sources;
	http->arg = arg;
	http->epoll = -1;
	for (i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		http->connections[i].fd = -1;
	return http;
}

/* ---- answers ---- */

/* Takes body over (malloc); NULL: out of memory. */
static enum MHD_Result respond(const struct http *http, struct MHD_Connection *connection, unsigned status, const char *type, char *body,
                               size_t length)
{
	static const struct {
		const char *name, *value;
	} headers[] = {
		{"Connection", "close"},
		{"Cache-Control", "no-store"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
	};
	struct MHD_Response *response = body != NULL ? http->mhd.create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE) : NULL;
	enum MHD_Result result;
	size_t i;

	if (response == NULL) {
		free(body);
		return MHD_NO; /* closes the connection */
	}
	for (i = 0; i < sizeof headers / sizeof *headers; i++)
		http->mhd.add_response_header(response, headers[i].name, headers[i].value);
	http->mhd.add_response_header(response, "Content-Type", type);
	http->mhd.add_response_header(response, "Content-Security-Policy", page_csp());
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		http->mhd.add_response_header(response, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		http->mhd.add_response_header(response, "Retry-After", "1");
	result = http->mhd.queue_response(connection, status, response);
	http->mhd.destroy_response(response);
	return result;
}

static enum MHD_Result respond_text(const struct http *http, struct MHD_Connection *connection, unsigned status, const char *text)
{
	char *body = NULL;
	int length = asprintf(&body, "%s\n", text);

	return respond(http, connection, status, "text/plain; charset=utf-8", length >= 0 ? body : NULL, length >= 0 ? (size_t)length : 0);
}

static void gather(const struct http *http, struct status_sources *sources, struct status *status)
{
	http->sources(http->arg, sources);
	status_gather(sources, status_clock_at(clock_ms()), status);
}

static enum MHD_Result answer_health(struct http *http, struct MHD_Connection *connection)
{
	struct status_sources sources;
	struct status status;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	unsigned i;

	if (out == NULL)
		return MHD_NO;
	gather(http, &sources, &status);
	fputs(status.nwarnings == 0 ? "ok\n" : "degraded\n", out);
	for (i = 0; i < status.nwarnings; i++)
		fprintf(out, "%s\n", status.warnings[i]);
	if (fclose(out) != 0) {
		free(text);
		return MHD_NO;
	}
	return respond(http, connection, MHD_HTTP_OK, "text/plain; charset=utf-8", text, length);
}

static enum MHD_Result answer_ready(struct http *http, struct MHD_Connection *connection)
{
	struct status_sources sources;
	struct status status;
	const char *unready;

	gather(http, &sources, &status);
	unready = metrics_unready(&status);
	return respond_text(http, connection, unready == NULL ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
	                    unready == NULL ? "ready" : unready);
}

/* A flood of requests must not keep names waiting. */
static bool is_busy(struct http *http, int64_t now_ms)
{
	if (now_ms - http->second_ms >= 1000) {
		http->second_ms = now_ms;
		http->busy_us = 0;
	}
	return http->busy_us >= HTTP_BUSY_US;
}

static enum MHD_Result answer_metrics(struct http *http, struct MHD_Connection *connection)
{
	struct status_sources sources;
	size_t length;
	char *text;

	http->sources(http->arg, &sources);
	text = metrics_text(&sources, status_clock_at(clock_ms()), &length);
	return respond(http, connection, MHD_HTTP_OK, METRICS_TYPE, text, length);
}

static enum MHD_Result answer_page(struct http *http, struct MHD_Connection *connection)
{
	struct status_sources sources;
	struct metrics metrics;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return MHD_NO;
	http->sources(http->arg, &sources);
	metrics_gather(&sources, status_clock_at(clock_ms()), &metrics);
	page_write(&sources, &metrics, http->mhd.lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q"), out);
	if (fclose(out) != 0) {
		free(text);
		return MHD_NO;
	}
	return respond(http, connection, MHD_HTTP_OK, PAGE_TYPE, text, length);
}

static enum MHD_Result answer_timed(struct http *http, struct MHD_Connection *connection,
                                    enum MHD_Result (*answer)(struct http *http, struct MHD_Connection *connection))
{
	enum MHD_Result result;
	int64_t begin_us = clock_us();

	if (is_busy(http, begin_us / 1000))
		return respond_text(http, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests: try again in a second");
	result = answer(http, connection);
	http->busy_us += clock_us() - begin_us;
	return result;
}

/* ---- requests ---- */

static bool is_loopback(const struct address *address)
{
	static const struct address loopback6 = {.family = 6, .bytes = {[15] = 1}};

	return address->family == 4 ? address->bytes[0] == 127 : address_equal(address, &loopback6);
}

/*
 * A web page elsewhere can give its own name our address (DNS rebinding), and then read from loopback what this host's user could. It cannot choose
 * another Host than its name, so on loopback only addresses and localhost are us.
 */
static bool host_is_ours(const struct http *http, const char *host)
{
	struct address address;
	size_t length;

	if (host == NULL || !is_loopback(&http->where.address))
		return true;
	if (host[0] == '[')
		return address_parse(host + 1, strcspn(host + 1, "]"), &address) == 0;
	length = strcspn(host, ":");
	return (length == strlen("localhost") && strncasecmp(host, "localhost", length) == 0) || address_parse(host, length, &address) == 0;
}

static enum MHD_Result http_answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_size, void **context)
{
	struct http *http = arg;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)context;
	/* Answered once the head is there: a body is never read. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return respond_text(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
	if (!host_is_ours(http, http->mhd.lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
		return respond_text(http, connection, MHD_HTTP_MISDIRECTED_REQUEST, "ask for the address, not for a name");
	if (strcmp(url, "/") == 0)
		return answer_timed(http, connection, answer_page);
	if (strcmp(url, "/metrics") == 0)
		return answer_timed(http, connection, answer_metrics);
	if (strcmp(url, "/healthz") == 0)
		return answer_health(http, connection);
	if (strcmp(url, "/readyz") == 0)
		return answer_ready(http, connection);
	return respond_text(http, connection, MHD_HTTP_NOT_FOUND, "there is /, /metrics, /healthz and /readyz");
}

/* ---- connections ---- */

static struct connection *find_connection(struct http *http, int fd)
{
	int i;

	for (i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		if (http->connections[i].fd == fd)
			return &http->connections[i];
	}
	return NULL;
}

static void http_notify(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http *http = arg;
	int fd = http->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct connection *slot = find_connection(http, code == MHD_CONNECTION_NOTIFY_STARTED ? -1 : fd);

	(void)context;
	if (slot != NULL)
		*slot = (struct connection){.fd = code == MHD_CONNECTION_NOTIFY_STARTED ? fd : -1, .since_ms = clock_ms()};
}

/* One byte each few seconds looks busy for ever: libmicrohttpd only knows idleness. */
static void http_end_overdue(struct http *http, int64_t now_ms)
{
	int i;

	for (i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		if (http->connections[i].fd == -1 || now_ms - http->connections[i].since_ms < HTTP_WHOLE_MS)
			continue;
		log_debug("http connection is over its time");
		shutdown(http->connections[i].fd, SHUT_RDWR);
		http->connections[i].since_ms = now_ms; /* libmicrohttpd closes it; until then it is not asked each turn */
	}
}

/* ---- listening ---- */

static socklen_t socket_address(const struct conf_metrics *where, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (where->address.family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(where->port);
		memcpy(&four->sin_addr, where->address.bytes, sizeof four->sin_addr);
		return sizeof *four;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(where->port);
	memcpy(&six->sin6_addr, where->address.bytes, sizeof six->sin6_addr);
	return sizeof *six;
}

static int listen_at(const struct conf_metrics *where)
{
	struct sockaddr_storage address;
	socklen_t length = socket_address(where, &address);
	int saved, yes = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
	    (address.ss_family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0) &&
	    bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

__attribute__((format(printf, 2, 0))) static void http_log(void *arg, const char *format, va_list arguments)
{
	char text[256], safe[LOG_SAFE_MAX];

	(void)arg;
	vsnprintf(text, sizeof text, format, arguments);
	log_debug("http: %s", log_phrase(safe, sizeof safe, text, strcspn(text, "\n")));
}

/* fd is libmicrohttpd's from then on. */
static struct MHD_Daemon *http_start(struct http *http, int fd)
{
	return http->mhd.start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, http_answer, http,
	                        /* First: what follows may already have something to say. */
	                        MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	                        (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_PER_IP,
	                        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	                        (size_t)HTTP_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, http_notify, http,
	                        MHD_OPTION_END);
}

static void http_stop(struct http *http)
{
	if (http->daemon != NULL)
		http->mhd.stop_daemon(http->daemon);
	http->daemon = NULL;
	http->epoll = -1;
}

static bool http_load(struct http *http)
{
	char error[256];

	if (!http->loaded && microhttpd_load(MICROHTTPD_SONAME, &http->mhd, error, sizeof error) == -1)
		log_warnx("metrics.listen: there is no status page: libmicrohttpd cannot be loaded: %s; install it (Debian: " MICROHTTPD_PACKAGE
		          "), then have the configuration read again", error);
	else
		http->loaded = true;
	return http->loaded;
}

static void http_listen(struct http *http)
{
	char text[ADDRESS_TEXT_SIZE];
	const char *address = address_format(&http->where.address, text);
	int fd = listen_at(&http->where);

	if (fd == -1) {
		log_warn("metrics.listen: address=%s port=%u cannot be used: there is no status page", address, http->where.port);
		return;
	}
	http->daemon = http_start(http, fd);
	if (http->daemon == NULL) {
		log_warnx("metrics.listen: libmicrohttpd cannot start: there is no status page");
		close(fd);
		return;
	}
	http->epoll = http->mhd.get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	log_info("status page address=%s port=%u", address, http->where.port);
	if (!is_loopback(&http->where.address))
		log_warnx("metrics.listen: whoever reaches address=%s sees every name: there is no password", address);
}

void http_configure(struct http *http, const struct conf *conf)
{
	const struct conf_metrics *where = &conf->metrics;

	if (http->daemon != NULL && where->on && where->port == http->where.port && address_equal(&where->address, &http->where.address))
		return;
	http_stop(http);
	http->where = *where;
	if (where->on && http_load(http))
		http_listen(http);
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	http_stop(http);
	free(http);
}

/* ---- the loop ---- */

int http_fd(const struct http *http)
{
	return http->epoll;
}

int64_t http_deadline_ms(const struct http *http, int64_t now_ms)
{
	int64_t due = CLOCK_NEVER, other;
	MHD_UNSIGNED_LONG_LONG timeout;
	int i;

	if (http->daemon == NULL)
		return CLOCK_NEVER;
	for (i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		other = http->connections[i].since_ms + HTTP_WHOLE_MS;
		if (http->connections[i].fd != -1 && other < due)
			due = other;
	}
	if (http->mhd.get_timeout(http->daemon, &timeout) == MHD_YES && now_ms + (int64_t)timeout < due)
		due = now_ms + (int64_t)timeout;
	return due;
}

void http_step(struct http *http, bool readable, int64_t now_ms)
{
	if (http->daemon == NULL || (!readable && now_ms < http_deadline_ms(http, now_ms)))
		return;
	http_end_overdue(http, now_ms);
	http->mhd.run(http->daemon);
}
