#ifndef CALLSIGN_SETTINGS_H
#define CALLSIGN_SETTINGS_H

#include <stdbool.h>

#include "conf.h"

/* One row for each key: where it comes from and how it is read. The file and the variables go through the same function. */

#define SETTING_ERROR_SIZE 320

struct setting {
	const char *key;      /* "SECTION|KEY" inside a section */
	const char *variable; /* or NULL */
	bool list;            /* in the file a list, or one string (ports: a section of NAME = NUMBER); in the variable comma-separated */
	/* Takes text whole or not at all: 0, or -1 with the reason, what is allowed included, in error; never a secret. */
	int (*set)(struct conf *conf, const char *text, char error[SETTING_ERROR_SIZE]);
};

extern const struct setting settings[]; /* ends with key NULL */

/* NULL if there is no such key. section NULL: the top level. */
const struct setting *setting_find(const char *section, const char *key);

#endif
