#ifndef CALLSIGN_CTL_MODEL_H
#define CALLSIGN_CTL_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The table of names as it follows from the events of a watch: what `watch` shows and `wait` waits for. A list that comes again, because we fell
 * behind, is compared with what is known, so that nobody sees more than what changed. Pure: time is an argument.
 */
struct model;

struct model_row {
	char instance[33];
	char *name, *fqdn, *state, *user;
	char *addresses, *aliases; /* served ones, joined with commas; "-": none */
	json_t *fqdns;             /* served whole names: an array of strings */
	bool name_served;
	int64_t since_ms;     /* monotonic, of this program */
	unsigned changes;     /* seen while watching */
	int64_t changed_ms;   /* the last of them; 0: none */
	bool seen;            /* in the list that is coming */
};

enum model_change { MODEL_IS, MODEL_CAME, MODEL_CHANGED, MODEL_WENT };

struct model_daemon {
	char broker[32], resync[32];
	bool blocked;
};

/* change: MODEL_IS for what the first list holds. why: MODEL_WENT only, else "". The row is freed after MODEL_WENT. */
typedef void model_watch(void *arg, enum model_change change, const struct model_row *row, const char *why);

struct model *model_new(model_watch *watch, void *arg); /* watch may be NULL. NULL: no memory */
void model_free(struct model *model);

/* One line of the stream. 0, or -1 if it is none of a watch's or memory is out. */
int model_take(struct model *model, const json_t *line, int64_t now_ms);

bool model_live(const struct model *model);                 /* the first list is complete */
bool model_lagged(const struct model *model);               /* the last list made up for changes that were left out */
uint64_t model_generation(const struct model *model);       /* of the newest change or list */
uint64_t model_served(const struct model *model);           /* what dnsmasq serves */
const struct model_daemon *model_daemon(const struct model *model); /* broker "": not told yet */
size_t model_count(const struct model *model);

/* In no particular order; visit returns false to stop. */
void model_each(const struct model *model, bool (*visit)(void *arg, const struct model_row *row), void *arg);

/* Whether this row makes name (lower case, with or without the domain) resolve. */
bool model_row_serves(const struct model_row *row, const char *name);

#endif
