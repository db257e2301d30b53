#ifndef CALLSIGN_AGENT_NETWATCH_H
#define CALLSIGN_AGENT_NETWATCH_H

#include "announce/addrwatch.h"

/*
 * An addrwatch of another process's network namespace. A socket stays in the namespace in which it was made, so a thread goes there, makes it and
 * ends; the rest of this program never leaves its own. NULL with errno: the process is gone, or we may not (setns(2): CAP_SYS_ADMIN).
 */
struct addrwatch *netwatch_open(int pidfd);

#endif
