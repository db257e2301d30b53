#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haproxy.h"
#include "internal.h"
#include "shared/clock.h"
#include "shared/log.h"

#define CHECK_MS        1000 /* is HAProxy still what it was? */
#define ANSWER_MS       2000 /* without a sign of life it hangs */
#define AGAIN_FIRST_MS  100  /* after a failure */
#define AGAIN_MS        1000
#define PAYLOAD_MAX         8192 /* a command must fit into HAProxy's buffer (tune.bufsize, 16384) */
#define STEPS_MAX           16   /* reads in one turn of the loop */

const char *haproxy_map_file(const struct haproxy *haproxy)
{
	return haproxy->conf->map_file;
}

void haproxy_format_marker(const struct haproxy *haproxy, uint64_t content, char out[HAPROXY_MARKER_SIZE])
{
	snprintf(out, HAPROXY_MARKER_SIZE, "%s.%" PRIu64, haproxy->run, content);
}

/* ---- the end of a conversation ---- */

void haproxy_hang_up(struct haproxy *haproxy, int64_t next_ms)
{
	haproxy_cli_close(&haproxy->cli);
	haproxy->stage = IDLE;
	haproxy->answer_ms = CLOCK_NEVER;
	haproxy->next_ms = next_ms;
}

static void __attribute__((format(printf, 3, 4))) fail(struct haproxy *haproxy, int64_t now_ms, const char *format, ...)
{
	char before[HAPROXY_TEXT_SIZE];
	bool first = haproxy->failing_ms == CLOCK_NEVER;
	va_list arguments;

	memcpy(before, haproxy->socket_trouble, sizeof(before));
	va_start(arguments, format);
	vsnprintf(haproxy->socket_trouble, sizeof(haproxy->socket_trouble), format, arguments);
	va_end(arguments);
	if (first || strcmp(before, haproxy->socket_trouble) != 0)
		log_warnx("haproxy: %s", haproxy->socket_trouble);
	if (first)
		haproxy->failing_ms = now_ms;
	haproxy->whole = true;
	haproxy->hangs = false;
	haproxy_hang_up(haproxy, now_ms + (first ? AGAIN_FIRST_MS : AGAIN_MS));
}

static void fail_errno(struct haproxy *haproxy, int64_t now_ms)
{
	const char *path = haproxy->conf->socket;

	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		fail(haproxy, now_ms,
		     "nobody listens at socket=%s: is HAProxy running, and is \"stats socket %s\" in its "
		     "configuration?",
		     path, path);
		break;
	case EACCES:
	case EPERM:
		fail(haproxy, now_ms,
		     "socket=%s may not be opened: \"stats socket %s user callsign mode 600 level operator\" (level admin with HAProxy 3.3 or "
		     "newer) in HAProxy's configuration gives it to callsignd, and its folder must let callsignd through",
		     path, path);
		break;
	case EAGAIN:
		fail(haproxy, now_ms, "socket=%s takes no more connections: HAProxy hangs, or others hold them all",
		     path);
		haproxy->hangs = true;
		break;
	case ECONNRESET:
	case EPIPE:
		fail(haproxy, now_ms, "socket=%s was closed by HAProxy in the middle", path);
		break;
	default:
		fail(haproxy, now_ms, "socket=%s: %s", path, strerror(errno));
	}
}

static void fail_reply(struct haproxy *haproxy, const char *reply, int64_t now_ms)
{
	char shown[LOG_SAFE_MAX * 2];

	log_phrase(shown, sizeof(shown), reply, strcspn(reply, "\n"));
	if (strstr(reply, "Unknown map") != NULL)
		fail(haproxy, now_ms,
		     "HAProxy does not use map_file=%s: is callsign's part (examples/haproxy/callsign.cfg) in its "
		     "configuration, "
		     "with this path, and was it reloaded since?",
		     haproxy_map_file(haproxy));
	else if (strstr(reply, "Permission denied") != NULL)
		fail(haproxy, now_ms,
		     "HAProxy refuses changes over socket=%s: its \"stats socket\" needs \"level operator\", and with HAProxy 3.3 or newer "
		     "\"level admin\"",
		     haproxy->conf->socket);
	else
		fail(haproxy, now_ms, "HAProxy answers \"%s\" over socket=%s", shown, haproxy->conf->socket);
}

/* HAProxy has all that it was sent. */
static void told(struct haproxy *haproxy)
{
	haproxy->told = haproxy->sending_content;
	haproxy->served = haproxy->sending;
	haproxy->whole = false;
	if (haproxy->failing_ms != CLOCK_NEVER)
		log_info("haproxy: has all %zu services", routes_services(haproxy->routes));
	haproxy->failing_ms = CLOCK_NEVER;
	haproxy->reload_pause_ms = HAPROXY_RELOAD_PAUSE_MS;
	haproxy->reload_trouble[0] = '\0';
	haproxy->loaded = haproxy->told;
	haproxy->reloading = false;
}

/* ---- commands ---- */

/* What was printed becomes commands with so many replies. 0, or -1 after failing. */
static int send_printed(struct haproxy *haproxy, FILE *out, char **text, size_t *length, size_t replies, int64_t now_ms)
{
	int result = -1;

	if (fclose(out) == 0 && replies <= UINT_MAX)
		result = haproxy_cli_send(&haproxy->cli, *text, *length, (unsigned)replies);
	if (result == -1)
		fail(haproxy, now_ms, "out of memory");
	free(*text);
	return result;
}

static void begin_stage(struct haproxy *haproxy, enum haproxy_stage stage)
{
	haproxy->stage = stage;
	haproxy->sending = haproxy->generation;
	haproxy->sending_content = haproxy->content;
}

static void send_changes(struct haproxy *haproxy, int64_t now_ms)
{
	char *text = NULL, marker[HAPROXY_MARKER_SIZE];
	size_t length = 0, replies;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL) {
		fail(haproxy, now_ms, "out of memory");
		return;
	}
	begin_stage(haproxy, CHANGING);
	haproxy->refused = false;
	haproxy_format_marker(haproxy, haproxy->content, marker);
	replies = routes_write_changes(haproxy->routes, haproxy_map_file(haproxy), out);
	fprintf(out, "set map %s " HAPROXY_MARKER_KEY " %s\n", haproxy_map_file(haproxy), marker);
	send_printed(haproxy, out, &text, &length, replies + 1, now_ms);
}

static void send_prepare(struct haproxy *haproxy, int64_t now_ms)
{
	char command[PATH_MAX + 32];
	int length = snprintf(command, sizeof(command), "prepare map %s\n", haproxy_map_file(haproxy));

	haproxy->stage = PREPARING;
	if (haproxy_cli_send(&haproxy->cli, command, (size_t)length, 1) == -1)
		fail(haproxy, now_ms, "out of memory");
}

/* Entries are payloads of `add map`, each of them as long as HAProxy can take. */
struct filling {
	const struct haproxy *haproxy;
	FILE *out;
	size_t payload; /* of the command that is open; 0: none is */
	size_t commands;
};

static void fill_entry(void *arg, const char *key, const char *value)
{
	struct filling *filling = arg;
	int length;

	if (filling->payload == 0) {
		fprintf(filling->out, "add map @%u %s <<\n", filling->haproxy->version, haproxy_map_file(filling->haproxy));
		filling->commands++;
	}
	length = fprintf(filling->out, "%s %s\n", key, value);
	filling->payload += length > 0 ? (size_t)length : 0;
	if (filling->payload < PAYLOAD_MAX)
		return;
	fputc('\n', filling->out);
	filling->payload = 0;
}

static void send_all(struct haproxy *haproxy, int64_t now_ms)
{
	char *text = NULL, marker[HAPROXY_MARKER_SIZE];
	size_t length = 0;
	struct filling filling = {.haproxy = haproxy, .out = open_memstream(&text, &length)};

	if (filling.out == NULL) {
		fail(haproxy, now_ms, "out of memory");
		return;
	}
	begin_stage(haproxy, FILLING);
	haproxy_format_marker(haproxy, haproxy->content, marker);
	fill_entry(&filling, HAPROXY_MARKER_KEY, marker);
	routes_each(haproxy->routes, true, fill_entry, &filling);
	if (filling.payload > 0)
		fputc('\n', filling.out);
	send_printed(haproxy, filling.out, &text, &length, filling.commands, now_ms);
}

static void send_commit(struct haproxy *haproxy, int64_t now_ms)
{
	char command[PATH_MAX + 48];
	int length = snprintf(command, sizeof(command), "commit map @%u %s\n", haproxy->version, haproxy_map_file(haproxy));

	haproxy->stage = COMMITTING;
	if (haproxy_cli_send(&haproxy->cli, command, (size_t)length, 1) == -1)
		fail(haproxy, now_ms, "out of memory");
}

/* With HAProxy on the line: what is next? */
static void proceed(struct haproxy *haproxy, int64_t now_ms)
{
	if (haproxy->whole) {
		send_prepare(haproxy, now_ms);
	} else if (haproxy->told != haproxy->content) {
		send_changes(haproxy, now_ms);
	} else {
		haproxy->sending = haproxy->generation;
		haproxy->sending_content = haproxy->content;
		told(haproxy);
		haproxy_hang_up(haproxy, now_ms + CHECK_MS);
	}
}

void haproxy_open_line(struct haproxy *haproxy, int64_t now_ms)
{
	char command[PATH_MAX + 64];
	int length = snprintf(command, sizeof(command), "get map %s " HAPROXY_MARKER_KEY "\n", haproxy_map_file(haproxy));

	if (haproxy_cli_open(&haproxy->cli, haproxy->conf->socket) == -1 ||
	    haproxy_cli_send(&haproxy->cli, command, (size_t)length, 1) == -1) {
		fail_errno(haproxy, now_ms);
		return;
	}
	haproxy->stage = ASKING;
	haproxy->greeted = false;
	haproxy->answer_ms = now_ms + ANSWER_MS;
}

/* ---- replies ---- */

static void take_marker(struct haproxy *haproxy, const char *reply, int64_t now_ms)
{
	char found[HAPROXY_MARKER_SIZE] = "", wanted[HAPROXY_MARKER_SIZE];

	if (!haproxy->greeted && reply[0] == '\0') {
		haproxy->greeted = true;
		return;
	}
	if (haproxy_cli_value(reply, found, sizeof(found)) == -1 && strstr(reply, "found=yes") == NULL) {
		fail_reply(haproxy, reply, now_ms);
		return;
	}
	haproxy_format_marker(haproxy, haproxy->told, wanted);
	if (!haproxy->whole && strcmp(found, wanted) != 0) {
		log_info("haproxy: was restarted or changed by others: it gets the whole map");
		haproxy->whole = true;
	}
	proceed(haproxy, now_ms);
}

/* Each is silent if it worked. The map is not what it should be: all of it, then. */
static void take_change(struct haproxy *haproxy, const char *reply, int64_t now_ms)
{
	char shown[LOG_SAFE_MAX * 2];

	if (reply[0] != '\0' && !haproxy->refused) {
		log_phrase(shown, sizeof(shown), reply, strcspn(reply, "\n"));
		log_warnx("haproxy: answers \"%s\" to a change: it gets the whole map", shown);
		haproxy->refused = true;
	}
	if (haproxy->cli.awaited > 0)
		return;
	if (haproxy->refused)
		haproxy->whole = true;
	else
		told(haproxy);
	proceed(haproxy, now_ms);
}

static void take_version(struct haproxy *haproxy, const char *reply, int64_t now_ms)
{
	if (haproxy_cli_version(reply, &haproxy->version) == -1)
		fail_reply(haproxy, reply, now_ms);
	else
		send_all(haproxy, now_ms);
}

static void take_reply(struct haproxy *haproxy, const char *reply, int64_t now_ms)
{
	switch (haproxy->stage) {
	case ASKING:
		take_marker(haproxy, reply, now_ms);
		break;
	case CHANGING:
		take_change(haproxy, reply, now_ms);
		break;
	case PREPARING:
		take_version(haproxy, reply, now_ms);
		break;
	case FILLING:
		if (reply[0] != '\0')
			fail_reply(haproxy, reply, now_ms);
		else if (haproxy->cli.awaited == 0)
			send_commit(haproxy, now_ms);
		break;
	case COMMITTING:
		if (reply[0] != '\0') {
			fail_reply(haproxy, reply, now_ms);
			break;
		}
		told(haproxy);
		proceed(haproxy, now_ms);
		break;
	default:
		break;
	}
}

void haproxy_talk(struct haproxy *haproxy, int64_t now_ms)
{
	const char *reply;
	int moved;

	/* Bounded: others wait. What is left is there at the next poll. */
	for (unsigned i = 0; i < STEPS_MAX && haproxy->stage != IDLE; i++) {
		moved = haproxy_cli_step(&haproxy->cli);
		/* What has come before it broke off may say why. */
		while (haproxy->stage != IDLE && (reply = haproxy_cli_reply(&haproxy->cli)) != NULL)
			take_reply(haproxy, reply, now_ms);
		if (haproxy->stage == IDLE)
			return;
		if (moved == -1) {
			fail_errno(haproxy, now_ms);
			return;
		}
		if (moved == 0)
			break;
		haproxy->answer_ms = now_ms + ANSWER_MS;
	}
	if (haproxy->stage != IDLE && haproxy->answer_ms <= now_ms) {
		fail(haproxy, now_ms, "HAProxy does not answer at socket=%s: it hangs", haproxy->conf->socket);
		haproxy->hangs = true;
	}
}
