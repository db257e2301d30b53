#ifndef CALLSIGN_CONTROL_CLIENT_H
#define CALLSIGN_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "request.h"
#include "shared/contract/ident.h"

/*
 * One connection on the control socket: its buffers, both bounded, and how far its answer is. Whatever a client does (says nothing, half a line,
 * endless lines, reads nothing) costs this much memory and one entry in the table, for a bounded time.
 */
#define CLIENT_OUT_MAX ((size_t)512 << 10)
#define CLIENT_OUT_LOW ((size_t)64 << 10) /* a stream goes on below this */
#define CLIENT_IDLE_MS 60000    /* from the last whole request; not while watching */
#define CLIENT_STALLED_MS 10000 /* nothing read of what waits to be read */

enum client_stream { CLIENT_NO_STREAM, CLIENT_LISTING, CLIENT_WATCHING };

struct client {
	int fd;
	uid_t uid;
	pid_t pid;
	uint32_t interest; /* epoll events asked for */
	/* in */
	char in[CONTROL_LINE_MAX + 1];
	size_t in_used;
	bool in_ended;     /* end of file: answer what was asked, then close */
	int64_t idle_ms;   /* since when no whole request came */
	/* out */
	char *out;
	size_t out_used, out_sent, out_size;
	int64_t progress_ms; /* when something was last sent, or when the buffer was last empty */
	bool closing;      /* once the buffer is empty */
	bool broken;       /* close now */
	/* the answer under way */
	enum client_stream stream;
	char pattern[HOSTNAME_FQDN_SIZE];
	struct ident *snapshot;  /* instances still to be told of, from next on */
	size_t snapshot_size, next, told;
	bool snapshot_due;       /* to be taken (anew) */
	int64_t snapshot_ms;     /* when the last one was taken */
	bool lagged;             /* changes were left out: a snapshot makes up for it */
	struct client *prev, *next_client;
};

struct client *client_new(int fd, uid_t uid, pid_t pid, int64_t now_ms); /* NULL with errno; takes fd over only on success */
void client_free(struct client *client);                                 /* closes fd */

/* Read what is there. */
void client_read(struct client *client);

/* A whole line waits. line is valid until the next client_read(), not terminated. A line that is too long breaks the client, with an answer. */
bool client_line(struct client *client, const char **line, size_t *length);
void client_line_done(struct client *client, size_t length, int64_t now_ms);

/* Queue one line. false if it did not fit: nothing of it is queued then. */
bool client_send_text(struct client *client, const char *text, size_t length, int64_t now_ms);
bool client_send(struct client *client, json_t *json, int64_t now_ms); /* takes json over; NULL: out of memory, breaks the client */
void client_send_error(struct client *client, const char *code, const char *text, int64_t now_ms);

/* Send what the socket takes. */
void client_write(struct client *client, int64_t now_ms);
size_t client_waiting(const struct client *client); /* bytes queued */

int64_t client_deadline_ms(const struct client *client);
/* What time limit has run out, in words, or NULL. */
const char *client_timeout(const struct client *client, int64_t now_ms);

/* The events to poll for now (epoll(7)). */
uint32_t client_wants(const struct client *client);

#endif
