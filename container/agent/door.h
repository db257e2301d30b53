#ifndef CALLSIGN_AGENT_DOOR_H
#define CALLSIGN_AGENT_DOOR_H

#include <stdbool.h>
#include <stddef.h>

#include "hookstate.h"
#include "shared/accepting.h"

/*
 * The socket at which hooks knock. Only root may connect (mode 0600), and a caller is heard only if every uid of its process is 0 and it lives in our
 * pid and user namespaces: not a program that is setuid root for somebody else, and not root of a container into which somebody has mounted this.
 */
#define DOOR_TEXT_SIZE (HOOKSTATE_SIZE_MAX + 1)
#define DOOR_ANSWER_SIZE 16384

struct door_message {
	char kind; /* HOOKWIRE_… */
	int pidfd; /* -1: none came, or there was no descriptor left for it. The receiver's to close */
	size_t length;
	char text[DOOR_TEXT_SIZE]; /* terminated */
};

/* A listening socket. -1 after logging why; among the reasons: another agent answers there. */
int door_open(const char *path);

/*
 * The next caller, or -1: there is none, or none can be taken now (accepting.h). One that may not be here is turned away with a line in the log. gone: one of root's
 * had ended before it was heard, or who it is cannot be told for now, and what it has said is not believed.
 */
int door_accept(int door, struct accepting *accepting, int64_t now_ms, bool *gone);

/* 1: *message is there. 0: nothing yet. -1: the caller has gone, or makes no sense (logged). */
int door_receive(int caller, struct door_message *message);

/* Never waits. */
void door_answer(int caller, const char *text, size_t length);

/* For a caller: say kind and text, with a pidfd (-1: none), and read the answer. Its length, or -1 with errno. */
int door_ask(const char *path, char kind, const char *text, int pidfd, char answer[DOOR_ANSWER_SIZE]);

#endif
