#ifndef CALLSIGN_AGENTS_H
#define CALLSIGN_AGENTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a user's emitters say they are. A hundred thousand of them are of a few kinds, so that each text is kept once for a user, and a fact has its
 * number. One that tells a different thing of each of its containers runs out of numbers and is not shown further ones; nobody else notices.
 */
#define AGENTS_MAX 32

struct agents {
	struct agents_entry {
		char *text; /* NULL: free */
		size_t uses;
	} *entries; /* NULL until there is one */
};

/* The text's number, 1 to AGENTS_MAX, used once more; 0: "", no number is left, or no memory. */
uint8_t agents_take(struct agents *agents, const char *text);

/* Used once less. 0 is none. */
void agents_drop(struct agents *agents, uint8_t number);

/* NULL for 0. */
const char *agents_text(const struct agents *agents, uint8_t number);

void agents_free(struct agents *agents);

#endif
