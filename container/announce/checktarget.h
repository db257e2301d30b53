#ifndef CALLSIGN_CHECKTARGET_H
#define CALLSIGN_CHECKTARGET_H

#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"

/* What a check asks, as configured, and how an HTTP server's answer reads (RFC 9112). Pure. */
enum check_kind { CHECK_NONE, CHECK_COMMAND, CHECK_TCP, CHECK_HTTP };

#define CHECKTARGET_WORDS_MAX 64
#define CHECKTARGET_TEXT_MAX 4096
#define CHECKTARGET_WORD_END '\x1f' /* between the words of a command: a character that no command has */

struct checktarget {
	enum check_kind kind;
	char *text;                             /* what the words point into, or the HTTP request */
	char *words[CHECKTARGET_WORDS_MAX + 1]; /* COMMAND, as execvp(3) wants it */
	struct address address;                 /* TCP, HTTP */
	uint16_t port;
};

/* 0, or -1 with the reason in *why; then *target is as it was. Free with checktarget_clear(). */
int checktarget_command(struct checktarget *target, const char *text, const char **why);
int checktarget_tcp(struct checktarget *target, const char *text, const char **why);
int checktarget_http(struct checktarget *target, const char *text, const char **why);
void checktarget_clear(struct checktarget *target);

#define CHECKTARGET_STATUS_LINE 13 /* bytes that are enough to know: "HTTP/1.1 200" and what follows */

/* The status code of an answer's first bytes; 0 if it is none of HTTP/1. Needs CHECKTARGET_STATUS_LINE bytes. */
unsigned checktarget_http_status(const char *bytes);

#endif
