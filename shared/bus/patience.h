#ifndef CALLSIGN_PATIENCE_H
#define CALLSIGN_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How long to wait for a broker that has taken our connection. It may be slow because thousands have come at once: whoever gives up then has it do
 * the work a second time, for a new connection, and if all do so none is ever served. So each time that it was too slow we wait twice as long as
 * before, and for any crowd there is a turn in which waiting is enough. It says nothing of brokers that cannot be reached: those take nobody's time.
 */
struct patience {
	unsigned turns;    /* that were too short, one after the other */
	unsigned requests; /* of these, those in which it had let us in */
};

#define PATIENCE_TURNS_MAX 3

/* It answered too late, or not at all: our login, or (let_in) a request behind it. */
void patience_grow(struct patience *patience, bool let_in);

/* We were served. */
void patience_reset(struct patience *patience);

/* Milliseconds for a login: first_ms (at most 2^28) in the first turn, up to eight times as long later. */
uint32_t patience_ms(const struct patience *patience, uint32_t first_ms);

/*
 * Likewise for the answer to a request. Where there are other brokers to go to, slow logins do not count: a node that is cut off from its cluster may let
 * us in and never answer (RabbitMQ 4.3 does not pause it), while another one serves.
 */
uint32_t patience_request_ms(const struct patience *patience, uint32_t first_ms, bool others);

#endif
