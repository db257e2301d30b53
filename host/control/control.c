#include <config.h>

#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "answer.h"
#include "client.h"
#include "listen.h"
#include "request.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "stream.h"
#include "watch.h"

#define ACCEPTS_PER_TURN 4
#define REQUESTS_PER_TURN 16 /* of all clients */
#define EPOLL_EVENTS 16

struct control {
	struct control_daemon daemon;
	struct control_listen listen;
	int epoll;
	struct client *clients; /* in the order of their next turn */
	unsigned nclients, others, watchers;
	struct control_watch watch;
	bool quiet; /* too many clients: said already */
	bool listens; /* the listening socket is polled */
};

struct control *control_new(const struct control_daemon *daemon)
{
	struct control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return NULL;
	control->daemon = *daemon;
	control->listen.fd = -1;
	control->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (control_watch_init(&control->watch) == -1 || control->epoll == -1) {
		control_free(control);
		return NULL;
	}
	return control;
}

void control_configure(struct control *control, const struct conf *conf)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	int before = control->listen.fd;

	if (control_listen_open(&control->listen, conf->control.socket, conf->control.group) == -1 || control->listen.fd == before)
		return;
	if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, control->listen.fd, &event) == -1)
		log_warn("control socket=%s", conf->control.socket);
	control->listens = true;
}

/* Not where there is nothing left to take a caller with. */
static void control_listen_or_not(struct control *control, int64_t now_ms)
{
	bool listens = accepting_polls(&control->listen.accepting, now_ms);
	struct epoll_event event = {.events = listens ? EPOLLIN : 0, .data.ptr = NULL};

	if (control->listen.fd == -1 || listens == control->listens)
		return;
	if (epoll_ctl(control->epoll, EPOLL_CTL_MOD, control->listen.fd, &event) == 0)
		control->listens = listens;
}

int control_fd(const struct control *control)
{
	return control->epoll;
}

static struct status_sources control_sources(const struct control *control)
{
	struct status_sources sources;

	memset(&sources, 0, sizeof sources);
	control->daemon.sources(control->daemon.arg, &sources);
	return sources;
}

/* ---- clients ---- */

static void control_drop(struct control *control, struct client *client, const char *why)
{
	if (why != NULL)
		log_info("control client uid=%u pid=%d is dropped: %s", (unsigned)client->uid, (int)client->pid, why);
	DL_DELETE2(control->clients, client, prev, next_client);
	control->nclients--;
	control->others -= client->uid != 0;
	control->watchers -= client->stream == CLIENT_WATCHING;
	if (control->watchers == 0)
		events_clear(control->watch.events);
	client_free(client); /* closing takes it out of the epoll set */
}

static void control_set_interest(struct control *control, struct client *client)
{
	struct epoll_event event = {.events = client_wants(client), .data.ptr = client};

	if (event.events == client->interest)
		return;
	client->interest = event.events;
	if (epoll_ctl(control->epoll, EPOLL_CTL_MOD, client->fd, &event) == -1)
		client->broken = true;
}

/* One too many is told so, if that fits into the empty socket buffer, and let go. */
static void control_turn_away(struct control *control, int fd, const struct ucred *peer)
{
	static const char text[] = "{\"ok\":false,\"code\":\"busy\",\"error\":\"too many connections to the control socket\"}\n";

	if (!control->quiet)
		log_warnx("control socket: too many connections, the first one too many from uid=%u pid=%d", (unsigned)peer->uid,
		          (int)peer->pid);
	control->quiet = true;
	if (send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("control client pid=%d was gone already", (int)peer->pid);
	close(fd);
}

static void control_take_in(struct control *control, int fd, const struct ucred *peer, int64_t now_ms)
{
	struct client *client = client_new(fd, peer->uid, peer->pid, now_ms);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	if (client == NULL || epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
		log_warn("control socket: a client is turned away");
		if (client != NULL)
			client_free(client);
		else
			close(fd);
		return;
	}
	client->interest = event.events;
	DL_APPEND2(control->clients, client, prev, next_client);
	control->nclients++;
	control->others += client->uid != 0;
}

static void control_accept(struct control *control, int64_t now_ms)
{
	struct ucred peer;
	int i, fd;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = control_listen_accept(&control->listen, &peer, now_ms);
		if (fd == -1)
			return;
		if (control->nclients >= CONTROL_CLIENTS_MAX || (peer.uid != 0 && control->others >= CONTROL_CLIENTS_OTHERS)) {
			control_turn_away(control, fd, &peer);
			continue;
		}
		control->quiet = false;
		control_take_in(control, fd, &peer, now_ms);
	}
}

/* ---- requests ---- */

static void control_stream(struct control *control, struct client *client, const struct control_request *request, int64_t now_ms)
{
	struct status_sources sources = control_sources(control);

	memcpy(client->pattern, request->pattern, sizeof client->pattern);
	if (request->op == CONTROL_LIST) {
		stream_begin(client, CLIENT_LISTING);
		return;
	}
	control->watchers++;
	control_watch_begin(client, &sources, now_ms);
}

static void control_reply(struct control *control, struct client *client, const struct control_request *request, int64_t now_ms)
{
	if (request->op == CONTROL_LIST || request->op == CONTROL_WATCH)
		control_stream(control, client, request, now_ms);
	else if (!client_send(client, control_answer(&control->daemon, request, now_ms), now_ms) && !client->broken)
		client_send_error(client, "too-large", "the answer is too large", now_ms);
}

static void control_request(struct control *control, struct client *client, const char *line, size_t length, int64_t now_ms)
{
	struct status_sources sources = control_sources(control);
	struct control_request request;
	char error[CONTROL_ERROR_SIZE];

	if (control_request_parse(line, length, &sources.conf->policy, &request, error) == -1) {
		client_send_error(client, "bad-request", error, now_ms);
		return;
	}
	if (control_op_changes(request.op)) {
		if (client->uid != 0) {
			client_send_error(client, "denied", "only root may ask for this", now_ms);
			return;
		}
		log_info("control op=%s%s%s uid=%u pid=%d", control_op_name(request.op), request.name[0] != '\0' ? " name=" : "",
		         request.name, (unsigned)client->uid, (int)client->pid);
	}
	control_reply(control, client, &request, now_ms);
}

/* Answers what a client has asked, as far as its answers are read. */
static void control_serve(struct control *control, struct client *client, unsigned *requests, int64_t now_ms)
{
	const char *line;
	size_t length;

	while (*requests > 0 && client->stream == CLIENT_NO_STREAM && !client->closing && client_waiting(client) < CLIENT_OUT_LOW &&
	       client_line(client, &line, &length)) {
		(*requests)--;
		control_request(control, client, line, length, now_ms);
		client_line_done(client, length, now_ms);
	}
	if (client->stream != CLIENT_NO_STREAM || client->closing || client_line(client, &line, &length))
		return;
	if (client->in_used == sizeof client->in) {
		client_send_error(client, "bad-request", "a line longer than 4096 bytes", now_ms);
		client->closing = true;
	}
	if (client->in_ended)
		client->closing = true;
}

/* ---- one turn ---- */

static void control_poll(struct control *control, int64_t now_ms)
{
	struct epoll_event ready[EPOLL_EVENTS];
	int i, count = epoll_wait(control->epoll, ready, EPOLL_EVENTS, 0);

	for (i = 0; i < count; i++) {
		struct client *client = ready[i].data.ptr;

		if (client == NULL) {
			control_accept(control, now_ms);
			continue;
		}
		if ((ready[i].events & EPOLLIN) != 0)
			client_read(client);
		else if ((ready[i].events & (EPOLLHUP | EPOLLERR)) != 0)
			client->broken = true; /* whoever is gone altogether reads no answer */
	}
}

static bool client_ends(struct client *client, int64_t now_ms, const char **why)
{
	*why = NULL;
	if (client->broken || (client->in_ended && client->stream == CLIENT_WATCHING))
		return true;
	if (client->closing && client_waiting(client) == 0)
		return true;
	*why = client_timeout(client, now_ms);
	return *why != NULL;
}

static bool client_has_request(struct client *client)
{
	const char *line;
	size_t length;

	return client->stream == CLIENT_NO_STREAM && !client->closing && client_waiting(client) < CLIENT_OUT_LOW &&
	       client_line(client, &line, &length);
}

int64_t control_deadline_ms(const struct control *control, int64_t now_ms)
{
	int64_t due = accepting_deadline_ms(&control->listen.accepting, now_ms), other;
	struct client *client;

	DL_FOREACH2(control->clients, client, next_client) {
		if (client_has_request(client))
			return now_ms;
		other = client_deadline_ms(client);
		due = other < due ? other : due;
		other = stream_due_ms(client);
		due = other < due ? other : due;
	}
	return due;
}

void control_step(struct control *control, bool readable, int64_t now_ms)
{
	unsigned budget = STREAM_STEP, requests = REQUESTS_PER_TURN;
	struct status_sources sources;
	struct client *client, *next;
	bool may_snapshot = true;
	const char *why;

	if (readable)
		control_poll(control, now_ms);
	control_listen_or_not(control, now_ms);
	DL_FOREACH2(control->clients, client, next_client)
		control_serve(control, client, &requests, now_ms);
	sources = control_sources(control); /* not earlier: a reload changes the configuration */
	DL_FOREACH2(control->clients, client, next_client) {
		stream_step(client, &sources, status_clock_at(now_ms), &budget, &may_snapshot);
		client_write(client, now_ms);
	}
	DL_FOREACH_SAFE2(control->clients, client, next, next_client) {
		control_set_interest(control, client);
		if (client_ends(client, now_ms, &why))
			control_drop(control, client, why);
	}
	/* Whoever came first this time is last next time, so that the budget goes round. */
	if (control->nclients > 1) {
		client = control->clients;
		DL_DELETE2(control->clients, client, prev, next_client);
		DL_APPEND2(control->clients, client, prev, next_client);
	}
}

/* ---- for those who watch ---- */

void control_changed(struct control *control, const struct fact *fact)
{
	if (control->watchers > 0)
		events_changed(control->watch.events, fact);
}

void control_gone(struct control *control, const struct fact *fact, const char *why)
{
	if (control->watchers > 0)
		events_gone(control->watch.events, fact, why);
}

void control_publish(struct control *control, int64_t now_ms)
{
	struct status_sources sources;
	struct client *client;

	if (control->watchers == 0)
		return;
	sources = control_sources(control);
	control_watch_publish(&control->watch, control->clients, &sources, status_clock_at(now_ms));
	DL_FOREACH2(control->clients, client, next_client) {
		if (client->stream != CLIENT_WATCHING)
			continue;
		client_write(client, now_ms);
		control_set_interest(control, client);
	}
}

void control_free(struct control *control)
{
	struct client *client, *next;

	if (control == NULL)
		return;
	DL_FOREACH_SAFE2(control->clients, client, next, next_client)
		control_drop(control, client, NULL);
	control_listen_close(&control->listen);
	if (control->epoll != -1)
		close(control->epoll);
	control_watch_free(&control->watch);
	free(control);
}
