#include <config.h>

#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"

#define LINE_MAX_BYTES ((size_t)1 << 20) /* twice what the daemon ever keeps for us */

struct ctl_client {
	int fd;
	char *in;
	size_t used, start, size; /* start: of the next line */
};

/* ---- connection ---- */

static int connect_failed(const char *path)
{
	if (errno == EACCES || errno == EPERM) {
		ctl_error("%s may not be opened: run as root, or as a member of the socket's group", path);
		return CTL_NO;
	}
	if (errno == ENOENT || errno == ECONNREFUSED)
		ctl_error("callsignd is not running: nobody listens at %s", path);
	else
		ctl_error("%s: %s", path, strerror(errno));
	return CTL_NOT_RUNNING;
}

struct ctl_client *ctl_client_open(const struct ctl *ctl, int *code)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ctl_client *client;

	if (strlen(ctl->socket) >= sizeof address.sun_path)
		ctl_usage(ctl, "the socket's path is longer than %zu bytes", sizeof address.sun_path - 1);
	memcpy(address.sun_path, ctl->socket, strlen(ctl->socket));
	client = calloc(1, sizeof *client);
	if (client == NULL || (client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1) {
		ctl_error("%s", strerror(errno));
		free(client);
		*code = CTL_NO;
		return NULL;
	}
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return client;
	*code = connect_failed(ctl->socket);
	ctl_client_close(client);
	return NULL;
}

void ctl_client_close(struct ctl_client *client)
{
	if (client == NULL)
		return;
	close(client->fd);
	free(client->in);
	free(client);
}

int ctl_client_fd(const struct ctl_client *client)
{
	return client->fd;
}

int ctl_client_ask(struct ctl_client *client, json_t *request)
{
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	char *line = NULL;
	ssize_t length = text != NULL ? asprintf(&line, "%s\n", text) : -1;
	int result = -1;

	/* Short of what any socket buffer holds: it goes out whole or not at all. */
	if (length > 0 && send(client->fd, line, (size_t)length, MSG_NOSIGNAL) == length)
		result = 0;
	else
		ctl_error("the request could not be sent: %s", strerror(errno));
	if (length > 0)
		free(line);
	free(text);
	json_decref(request);
	return result;
}

/* ---- lines ---- */

/* Room for more, or -1: the line is too long. */
static int client_make_room(struct ctl_client *client)
{
	size_t size = client->size != 0 ? client->size * 2 : 65536;
	char *in;

	if (client->start > 0) {
		client->used -= client->start;
		memmove(client->in, client->in + client->start, client->used);
		client->start = 0;
	}
	if (client->used < client->size)
		return 0;
	in = size <= LINE_MAX_BYTES ? realloc(client->in, size) : NULL;
	if (in == NULL)
		return -1;
	client->in = in;
	client->size = size;
	return 0;
}

/* A line from the buffer: CTL_LINE_NONE if there is no whole one. */
static enum ctl_line client_take(struct ctl_client *client, json_t **line)
{
	char *begin = client->in + client->start;
	char *end = client->used > client->start ? memchr(begin, '\n', client->used - client->start) : NULL;
	json_error_t error;

	if (end == NULL)
		return CTL_LINE_NONE;
	*line = json_loadb(begin, (size_t)(end - begin), 0, &error);
	client->start = (size_t)(end - client->in) + 1;
	if (*line != NULL && json_is_object(*line))
		return CTL_LINE;
	json_decref(*line);
	ctl_error("what answers at the socket does not speak this program's language");
	return CTL_LINE_END;
}

enum ctl_line ctl_client_poll(struct ctl_client *client, json_t **line)
{
	enum ctl_line result;
	ssize_t got;

	while ((result = client_take(client, line)) == CTL_LINE_NONE) {
		if (client_make_room(client) == -1) {
			ctl_error("an answer is too long");
			return CTL_LINE_END;
		}
		got = recv(client->fd, client->in + client->used, client->size - client->used, MSG_DONTWAIT);
		if (got > 0) {
			client->used += (size_t)got;
			continue;
		}
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1 && errno == EAGAIN)
			return CTL_LINE_NONE;
		ctl_error("callsignd has closed the connection%s%s", got == -1 ? ": " : "", got == -1 ? strerror(errno) : "");
		return CTL_LINE_END;
	}
	return result;
}

json_t *ctl_client_line(struct ctl_client *client)
{
	struct pollfd fd = {.fd = client->fd, .events = POLLIN};
	int64_t until_ms = clock_ms() + CTL_ANSWER_MS;
	json_t *line;

	for (;;) {
		switch (ctl_client_poll(client, &line)) {
		case CTL_LINE:
			return line;
		case CTL_LINE_END:
			return NULL;
		case CTL_LINE_NONE:
			break;
		}
		if (poll(&fd, 1, clock_poll_timeout(clock_ms(), until_ms)) == 0) {
			ctl_error("callsignd has not answered within %d seconds", CTL_ANSWER_MS / 1000);
			return NULL;
		}
	}
}

/* ---- answers ---- */

void ctl_print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	putchar('\n');
}

bool ctl_refused(const struct ctl *ctl, const json_t *line)
{
	const json_t *ok = json_object_get(line, "ok");
	const char *error = json_string_value(json_object_get(line, "error"));
	char safe[512];

	if (ok == NULL || json_is_true(ok))
		return false;
	if (error == NULL)
		error = "refused without a reason";
	ctl_error("%s", log_phrase(safe, sizeof safe, error, strlen(error)));
	if (ctl->json)
		ctl_print_json(line);
	return true;
}

json_t *ctl_ask(const struct ctl *ctl, json_t *request, int *code)
{
	struct ctl_client *client = ctl_client_open(ctl, code);
	json_t *answer = NULL;

	if (client == NULL) {
		json_decref(request);
		return NULL;
	}
	if (ctl_client_ask(client, request) == 0)
		answer = ctl_client_line(client);
	ctl_client_close(client);
	*code = answer != NULL ? CTL_NO : CTL_NOT_RUNNING;
	if (answer == NULL || !ctl_refused(ctl, answer))
		return answer;
	json_decref(answer);
	return NULL;
}
