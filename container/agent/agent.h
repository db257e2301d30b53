#ifndef CALLSIGN_AGENT_AGENT_H
#define CALLSIGN_AGENT_AGENT_H

#include "agentconf.h"

/*
 * The room container/agent/: callsign-agent, and what the container runtime runs for it (callsign-hook, callsign-runtime): names for containers that carry
 * nothing. It uses container/announce and shared/bus, and must not know hosts, nor container/emit.
 */

#define AGENT_STATE "/run/callsign-agent" /* what the next agent needs; the lock; and the socket */
#define AGENT_PID_FILE AGENT_STATE "/callsign-agent.pid"

/*
 * The agent at work, until SIGTERM or SIGINT. It then just ends: names of containers that live are the next agent's, and the hosts give it lost_grace
 * to come. conf becomes the agent's; path is read again at SIGHUP. ready: called once, when hooks are heard. Returns the exit code.
 */
int agent_run(struct agentconf *conf, const char *path, void (*ready)(void));

#endif
