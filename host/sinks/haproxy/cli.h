#ifndef CALLSIGN_HAPROXY_CLI_H
#define CALLSIGN_HAPROXY_CLI_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A conversation with HAProxy over its runtime socket (management guide, section 9.3 "Unix Socket commands"), in
 * interactive mode, so that many commands go over one connection: each is answered by its text and a prompt. Never
 * blocks. Whoever uses it keeps the deadline.
 *
 * A conversation is short: HAProxy that was told to reload lets an old process live as long as one lasts, and that
 * process is not the one to talk to any more.
 */
struct haproxy_cli {
	int fd; /* readable: call haproxy_cli_step(); -1: closed */
	char *out;
	size_t out_length, out_sent;
	char *in;
	size_t in_length, in_used;
	unsigned awaited; /* replies to come */
};

#define HAPROXY_CLI_REPLY_MAX 16384 /* a longer one is refused: none of the commands used has it */

/* 0: connected (the prompt's own reply is the first), or -1 with errno (EAGAIN: nobody takes connections off its
 * queue). */
int haproxy_cli_open(struct haproxy_cli *cli, const char *path);
void haproxy_cli_close(struct haproxy_cli *cli); /* also if it was never opened: fd -1 */

/* Commands that bring so many replies; out grows by them. 0, or -1 with errno. Sent by the next step. */
int haproxy_cli_send(struct haproxy_cli *cli, const char *commands, size_t length, unsigned replies);

/* Write and read what is possible. How many bytes moved, or -1 with errno (ECONNRESET: the other side has closed). */
int haproxy_cli_step(struct haproxy_cli *cli);

/* The next whole reply, without prompts and blank lines around it: valid until the next step. NULL: none yet. */
const char *haproxy_cli_reply(struct haproxy_cli *cli);

short haproxy_cli_events(const struct haproxy_cli *cli);

/*
 * The first reply in text (length bytes, changed): cut out, terminated, *used bytes of text belong to it. NULL: it is
 * not whole yet. Pure.
 */
char *haproxy_cli_take(char *text, size_t length, size_t *used);

/* The value in an answer to `get map`. 1 and out, 0: there is no such entry, -1: that is no such answer. Pure. */
int haproxy_cli_value(const char *reply, char *out, size_t size);

/* The number of a new version in an answer to `prepare map`. 0, or -1. Pure. */
int haproxy_cli_version(const char *reply, unsigned *version);

#endif
