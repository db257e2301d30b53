#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/sinks/sections.h"
#include "host/web/http.h"
#include "host/web/microhttpd.h"
#include "host/web/page.h"

/*
 * The status page's listener: any bytes as what a client sends, through libmicrohttpd to http.c, page.c and metrics.c.
 * The names behind them mean harm to whoever shows them. The client is a socket pair, and time is ours.
 */
#define EVIL  "<x>&\"'\n\xff"
#define TURNS 64

static struct {
	struct conf *conf;
	struct view *view;
	struct registry *registry;
	struct refusals *refusals;
	struct subscriber *subscriber;
	struct dnsmasq *dnsmasq;
	struct status_changes changes;
	struct status_reloads reloads;
	struct measure measure;
	struct http *http;
	struct MHD_Daemon *daemon;
	int64_t now_ms;
} host = {.now_ms = 1000000};

static char answer[262144];

/* ---- in place of what http.c calls (the linker's --wrap) ---- */

int64_t __wrap_clock_ms(void);
int64_t __wrap_clock_us(void);

int64_t __wrap_clock_ms(void)
{
	return host.now_ms;
}

/* A second goes by between requests: what is bounded by the second is not what this looks for. */
int64_t __wrap_clock_us(void)
{
	return host.now_ms * 1000;
}

/* http.c asks for its descriptor as it begins to listen: that tells us who serves. */
static const union MHD_DaemonInfo *get_daemon_info(struct MHD_Daemon *daemon, enum MHD_DaemonInfoType type, ...)
{
	host.daemon = daemon;
	return MHD_get_daemon_info(daemon, type);
}

/* In place of host/web/microhttpd.c: this program is linked with it. */
int microhttpd_load(const char *soname, struct microhttpd *out, char *error, size_t size)
{
	(void)soname;
	(void)error;
	(void)size;
#define FUNCTION(name) .name = MHD_##name,
	*out = (struct microhttpd){MICROHTTPD_FUNCTIONS(FUNCTION)};
#undef FUNCTION
	out->get_daemon_info = get_daemon_info;
	return 0;
}

/* ---- the host ---- */

static void sources(void *arg, struct status_sources *out)
{
	(void)arg;
	*out = (struct status_sources){
		.conf = host.conf,
		.view = host.view,
		.registry = host.registry,
		.refusals = host.refusals,
		.subscriber = host.subscriber,
		.dnsmasq = host.dnsmasq,
		.changes = &host.changes,
		.reloads = &host.reloads,
		.measure = &host.measure,
	};
}

static uint32_t name_domains(void *arg, const char *user, const char *name)
{
	(void)arg;
	(void)user;
	(void)name;
	return true;
}

static uint32_t address_domains(void *arg, const char *user, const struct address *address)
{
	(void)arg;
	(void)user;
	(void)address;
	return true;
}

static size_t max_names(void *arg, const char *user)
{
	(void)arg;
	(void)user;
	return 0;
}

static void announce(uint8_t number, const char *name, const char *alias, const char *user)
{
	struct announcement message = {
		.op = ANNOUNCEMENT_UP, .instance = {{number}}, .seq = 1, .lease_s = 360, .naddresses = 2};

	message.addresses[0] = (struct address){4, {198, 18, 0, number}};
	message.addresses[1] = (struct address){6, {0xfd, [15] = number}};
	snprintf(message.name, sizeof message.name, "%s", name);
	if (alias != NULL)
		snprintf(message.aliases[message.naliases++], HOSTNAME_NAME_SIZE, "%s", alias);
	fuzz_check(registry_up(host.registry, &message, user, host.now_ms) == REGISTRY_APPLIED);
}

/* No such name gets past the intake. The page does not lean on that. */
static void announce_all(void)
{
	announce(1, "web", "shop", "emit");
	announce(2, "db-1", NULL, "emit");
	announce(3, "a" EVIL, "b" EVIL, "c" EVIL);
	announce(4, "%s%n</td><x>", "\"><x>", "");
	announce(5, "&lt;i&gt;", "{x=\"1\"} 1\n", "\x1b[2J");
	view_refresh(host.view);
	host.changes.last = STATUS_CAME;
	host.changes.last_ms = host.now_ms;
	snprintf(host.changes.last_name, sizeof host.changes.last_name, "d" EVIL);
}

static void host_start(void)
{
	static const char text[] = "bus {\n\turls = {\"amqp://u:p@127.0.0.1/callsign\"}\n}\n";
	static const struct view_policy policy = {.name_domains = name_domains, .address_domains = address_domains};
	struct registry_options options = {
		.resync_timeout_ms = 8000, .max_lease_s = ANNOUNCEMENT_LEASE_MAX_S, .max_ended_per_user = 4};
	struct registry_watcher watcher;
	struct localaddr *localaddr;

	fuzz_trusts_input = true;
	host.conf = conf_load(fuzz_file((const uint8_t *)text, sizeof text - 1), sinks_sections);
	fuzz_trusts_input = false;
	fuzz_check(host.conf != NULL);
	host.view = view_new(VIEW_ALL, &policy);
	fuzz_check(host.view != NULL);
	watcher = view_registry_watcher(host.view);
	watcher.max_names = max_names;
	host.registry = registry_new(&options, &watcher, host.now_ms);
	host.refusals = refusals_new();
	fuzz_check(host.registry != NULL && host.refusals != NULL);
	host.subscriber = subscriber_new(host.conf, host.registry, host.refusals, host.now_ms);
	localaddr = localaddr_new(host.now_ms);
	fuzz_check(localaddr != NULL);
	host.dnsmasq = dnsmasq_new(host.conf, localaddr, host.now_ms);
	host.http = http_new(sources, NULL);
	fuzz_check(host.subscriber != NULL && host.dnsmasq != NULL && host.http != NULL);
	announce_all();
	/* Any free port: nobody connects to it. */
	host.conf->metrics = (struct conf_metrics){.on = true, .address = {4, {127, 0, 0, 1}}};
	http_configure(host.http, host.conf);
	fuzz_check(host.daemon != NULL);
}

/* ---- the client ---- */

static int dial(void)
{
	struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_port = htons(40000), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fds[2];

	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	fuzz_check(MHD_add_connection(host.daemon, fds[0], (struct sockaddr *)&from, sizeof from) == MHD_YES);
	return fds[1];
}

/* Turn the daemon's wheel until the connection is closed (true), or it does nothing any more. */
static bool listen_until_closed(int fd, size_t *length)
{
	ssize_t got;
	int turn;

	for (turn = 0; turn < TURNS; turn++) {
		http_step(host.http, true, host.now_ms);
		got = recv(fd, answer + *length, sizeof answer - 1 - *length, 0);
		if (got == 0 || (got == -1 && errno == ECONNRESET))
			return true;
		fuzz_check(got > 0 || errno == EAGAIN);
		if (got > 0) {
			*length += (size_t)got;
			turn = 0;
		}
		fuzz_check(*length < sizeof answer - 1);
	}
	return false;
}

/* ---- what must hold ---- */

/* The search is whatever the client wrote: it ends where the attribute does, and the form goes on. */
static void check_search(const char *body)
{
	static const char before[] = "placeholder=\"web-*\" value=\"",
			  after[] = "\"></label>\n<button>Search</button>\n</form>\n";
	const char *value = strstr(body, before);

	fuzz_check(value != NULL);
	value += strlen(before);
	fuzz_check(strncmp(value + strcspn(value, "<>\"'"), after, strlen(after)) == 0);
}

static void check_page(const char *body)
{
	const char *at;

	fuzz_check(strstr(body, "<x") == NULL && strstr(body, "x>") == NULL && strstr(body, "</html>\n") != NULL);
	for (at = body; *at != '\0'; at++)
		fuzz_check(*at == '\n' || (*at >= ' ' && *at <= '~'));
	check_search(body);
}

static void check_metrics(const char *body)
{
	for (; *body != '\0'; body += strcspn(body, "\n") + 1)
		fuzz_check(strncmp(body, "callsign_", 9) == 0 || strncmp(body, "# HELP callsign_", 16) == 0 ||
			   strncmp(body, "# TYPE callsign_", 16) == 0);
}

static void check_answer(size_t length)
{
	char *body;

	answer[length] = '\0';
	fuzz_check(strlen(answer) == length && strncmp(answer, "HTTP/1.", 7) == 0);
	body = strstr(answer, "\r\n\r\n");
	fuzz_check(body != NULL);
	*body = '\0';
	body += 4;
	if (*body == '\0')
		return; /* HEAD, or libmicrohttpd's own word */
	if (strstr(answer, "Content-Type: " PAGE_TYPE) != NULL)
		check_page(body);
	else if (strstr(answer, "Content-Type: " METRICS_TYPE) != NULL)
		check_metrics(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = 0;
	bool closed;
	int fd;

	if (host.http == NULL)
		host_start();
	host.now_ms += 1000;
	fd = dial();
	fuzz_check(size == 0 || send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
	closed = listen_until_closed(fd, &length);
	/* What waits for more is ended once its time is over. */
	host.now_ms += HTTP_WHOLE_MS;
	fuzz_check(closed || listen_until_closed(fd, &length));
	close(fd);
	if (length > 0)
		check_answer(length);
	return 0;
}
