#ifndef CALLSIGN_ASKING_H
#define CALLSIGN_ASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/address.h"
#include "sinks/dnsmasq/dnsquery.h"

/* One question to a name server, over UDP (again and again) or TCP, with recursion desired as every resolver's is. */
enum asking_result {
	ASKING_NOT_TRIED,
	ASKING_ANSWERED, /* it knows, or says that there is no such name: answer.result says which */
	ASKING_REFUSED,  /* REFUSED, SERVFAIL and the like */
	ASKING_CLOSED,   /* nobody listens there */
	ASKING_NOTHING   /* nothing came within the time */
};

struct asking {
	enum asking_result result;
	enum dnsquery_result kind;
	struct dnsquery_answer answer;
};

void asking_ask(struct asking *asking, const struct address *server, uint16_t port, bool tcp, const char *name, unsigned timeout_ms);

#endif
