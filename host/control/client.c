#include <config.h>

#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"

#define OUT_FIRST 4096

struct client *client_new(int fd, uid_t uid, pid_t pid, int64_t now_ms)
{
	struct client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->fd = fd;
	client->uid = uid;
	client->pid = pid;
	client->idle_ms = client->progress_ms = now_ms;
	return client;
}

void client_free(struct client *client)
{
	close(client->fd);
	free(client->out);
	free(client->snapshot);
	free(client);
}

/* ---- in ---- */

void client_read(struct client *client)
{
	/* Somebody who watches has nothing to say any more: only the end of it counts. */
	if (client->stream == CLIENT_WATCHING)
		client->in_used = 0;
	while (client->in_used < sizeof client->in) {
		ssize_t got = recv(client->fd, client->in + client->in_used, sizeof client->in - client->in_used, MSG_DONTWAIT);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			client->in_ended = true;
		else if (got == -1 && errno != EAGAIN)
			client->broken = true;
		if (got <= 0)
			return;
		client->in_used += (size_t)got;
	}
}

bool client_line(struct client *client, const char **line, size_t *length)
{
	const char *end = memchr(client->in, '\n', client->in_used);

	if (end == NULL)
		return false;
	*line = client->in;
	*length = (size_t)(end - client->in);
	return true;
}

void client_line_done(struct client *client, size_t length, int64_t now_ms)
{
	size_t whole = length + 1;

	client->in_used -= whole;
	memmove(client->in, client->in + whole, client->in_used);
	client->idle_ms = now_ms;
}

/* ---- out ---- */

size_t client_waiting(const struct client *client)
{
	return client->out_used - client->out_sent;
}

static bool out_reserve(struct client *client, size_t more)
{
	size_t size = client->out_size != 0 ? client->out_size : OUT_FIRST;
	char *out;

	if (client->out_sent > 0) {
		client->out_used -= client->out_sent;
		memmove(client->out, client->out + client->out_sent, client->out_used);
		client->out_sent = 0;
	}
	if (more > CLIENT_OUT_MAX - client->out_used)
		return false;
	while (size < client->out_used + more)
		size *= 2;
	if (size == client->out_size)
		return true;
	out = realloc(client->out, size);
	if (out == NULL)
		return false;
	client->out = out;
	client->out_size = size;
	return true;
}

bool client_send_text(struct client *client, const char *text, size_t length, int64_t now_ms)
{
	bool empty = client_waiting(client) == 0;

	if (client->broken || !out_reserve(client, length + 1))
		return false;
	memcpy(client->out + client->out_used, text, length);
	client->out_used += length;
	client->out[client->out_used++] = '\n';
	if (empty)
		client->progress_ms = now_ms;
	return true;
}

bool client_send(struct client *client, json_t *json, int64_t now_ms)
{
	/* Plain ASCII: nothing that a terminal could take for a command, whatever the names' makers meant. */
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) : NULL;
	bool sent = false;

	json_decref(json);
	if (text == NULL)
		client->broken = true;
	else
		sent = client_send_text(client, text, strlen(text), now_ms);
	free(text);
	return sent;
}

void client_send_error(struct client *client, const char *code, const char *text, int64_t now_ms)
{
	client_send(client, json_pack("{s:b, s:s, s:s}", "ok", 0, "code", code, "error", text), now_ms);
}

void client_write(struct client *client, int64_t now_ms)
{
	while (client_waiting(client) > 0 && !client->broken) {
		ssize_t sent = send(client->fd, client->out + client->out_sent, client_waiting(client), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1 && errno != EAGAIN)
			client->broken = true;
		if (sent == -1)
			return;
		client->out_sent += (size_t)sent;
		client->progress_ms = now_ms;
	}
	if (client->out_size > OUT_FIRST && client_waiting(client) == 0 && client->stream == CLIENT_NO_STREAM) {
		free(client->out);
		client->out = NULL;
		client->out_size = client->out_used = client->out_sent = 0;
	}
}

/* ---- time and polling ---- */

int64_t client_deadline_ms(const struct client *client)
{
	if (client_waiting(client) > 0)
		return client->progress_ms + CLIENT_STALLED_MS;
	return client->stream == CLIENT_NO_STREAM ? client->idle_ms + CLIENT_IDLE_MS : CLOCK_NEVER;
}

const char *client_timeout(const struct client *client, int64_t now_ms)
{
	if (now_ms < client_deadline_ms(client))
		return NULL;
	return client_waiting(client) > 0 ? "it does not read its answers" : "it asks nothing";
}

uint32_t client_wants(const struct client *client)
{
	uint32_t events = client_waiting(client) > 0 ? EPOLLOUT : 0;

	/* While an answer is under way the next question waits in the socket. */
	if (!client->in_ended && !client->closing && client->stream != CLIENT_LISTING && client_waiting(client) < CLIENT_OUT_LOW)
		events |= EPOLLIN;
	return events;
}
