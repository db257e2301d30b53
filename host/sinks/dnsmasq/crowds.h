#ifndef CALLSIGN_CROWDS_H
#define CALLSIGN_CROWDS_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/contract/hostname.h"

/*
 * Names with more addresses than an answer has room for. Without EDNS, as musl asks, that is 512 bytes (RFC 1035, section 4.2.1): of what has more
 * dnsmasq 2.91 and newer give none and "ask by TCP", which a resolver that cannot (musl before 1.2.4) takes for no address at all, and a dnsmasq that
 * forwards keeps of it as little. So of each such name as many addresses are served at a time as there is room for, in turn. The two families are
 * answers of their own.
 *
 * Each time anew all addresses of a name are counted, and then asked for in one order: begin, count …, counted, serve …. Pure.
 */
struct crowds;

#define CROWDS_ANSWER 512 /* bytes */

/* How many addresses fit into an answer to a question for a whole name of this length, beside other bytes of the server's own. At least one. */
size_t crowds_room(size_t length, unsigned family, size_t besides);

struct crowds *crowds_new(void); /* NULL with errno */
void crowds_free(struct crowds *crowds);

/*
 * What the server says with each answer besides addresses: so many bytes for a name below the first domain. Where it is authoritative that is the domain
 * and its server's name, so that below a longer domain it is as much more. CROWDS_ENDLESS: nobody is cut, all of each name is served.
 */
#define CROWDS_ENDLESS ((size_t)-1)
void crowds_set_besides(struct crowds *crowds, size_t besides);

void crowds_begin(struct crowds *crowds);
/* One more address of a whole name, which is not terminated, of family 4 or 6. */
void crowds_count(struct crowds *crowds, unsigned family, const char *name, size_t length);
void crowds_counted(struct crowds *crowds, const char (*domains)[HOSTNAME_FQDN_SIZE], size_t ndomains);
/* Whether the next address of that name is served. */
bool crowds_serve(struct crowds *crowds, unsigned family, const char *name, size_t length);

/* From the next time on those that come after these are served. */
void crowds_turn(struct crowds *crowds);

/* Names, each family by itself, that have too many. */
size_t crowds_over(const struct crowds *crowds);

struct crowd {
	const char *name; /* whole */
	unsigned family;
	size_t count, room; /* addresses; so many at a time */
};

/* Whether this name has too many of that family. */
bool crowds_find(const struct crowds *crowds, unsigned family, const char *name, struct crowd *out);

/* Those that have too many since the last call, or (over: false) have clearly few enough again. */
void crowds_news(struct crowds *crowds, void (*visit)(void *arg, const struct crowd *crowd, bool over), void *arg);

#endif
