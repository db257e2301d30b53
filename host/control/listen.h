#ifndef CALLSIGN_CONTROL_LISTEN_H
#define CALLSIGN_CONTROL_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "shared/accepting.h"

/* The listening control socket: where it is, who may open it. */
struct control_listen {
	int fd; /* -1: does not listen */
	struct accepting accepting;
	char path[108]; /* struct sockaddr_un's */
	char group[64];
};

/*
 * Listen at path, mode 0660 and of this group; mode 0600 if there is no such group, which is logged. Closes the old socket if path or group are
 * others than before; else nothing happens. What an ended daemon has left at path is replaced; a socket on which somebody answers, or anything
 * else, is not. 0, or -1 after logging why.
 */
int control_listen_open(struct control_listen *listen, const char *path, const char *group);

/* The next connection, non-blocking, and who it is (SO_PEERCRED: at the time of connect()). -1: none, or none can be taken now (accepting.h). */
int control_listen_accept(struct control_listen *listen, struct ucred *peer, int64_t now_ms);

void control_listen_close(struct control_listen *listen); /* removes the socket */

#endif
