#ifndef CALLSIGN_AGENT_HOOKWIRE_H
#define CALLSIGN_AGENT_HOOKWIRE_H

/*
 * What callsign-hook says to callsign-agent, over a SOCK_SEQPACKET socket that only root may connect to: one message, two bytes and the runtime's state
 * as it came. With HOOKWIRE_CREATE comes a pidfd of the container's process 1, if the kernel gave one: while the runtime waits for us nobody reaps that
 * process, so it is the right one. The answer is one byte, or the end of the connection; a hook does not care which.
 *
 * The socket lies in the agent's own folder, which is root's: /run/callsign belongs to callsignd's user, who could put another one in its place, and where
 * a root without CAP_DAC_OVERRIDE, as the unit has it, may not make one.
 */
#define HOOKWIRE_SOCKET "/run/callsign-agent/agent.sock"
#define HOOKWIRE_VERSION '1'
#define HOOKWIRE_CREATE 'c'
#define HOOKWIRE_STOP 's'
#define HOOKWIRE_HEADER 2
/* callsign-agent --adopt PID and --list say these; the answer is text: '+' and what is so, or '-' and why not. */
#define HOOKWIRE_ADOPT 'a'
#define HOOKWIRE_LIST 'l'
#define HOOKWIRE_ANSWER '.'

#define HOOKWIRE_TIMEOUT_MS 200

#endif
