#ifndef CALLSIGN_ZONE_KEY_H
#define CALLSIGN_ZONE_KEY_H

#include <stddef.h>

#include "name.h"

/* The key that updates are signed with (TSIG, RFC 8945), as a file has it. Pure, but for the reading. */
struct zone_key {
	char name[ZONE_NAME_SIZE];
	char algorithm[32]; /* "hmac-sha256" or "hmac-sha512" */
	char *secret;       /* base64; NULL: not read */
};

#define ZONE_KEY_FILE_MAX 4096
#define ZONE_KEY_ERROR_SIZE 256

/*
 * text: either the secret alone, in base64, or a key as tsig-keygen and BIND write it: key "NAME" { algorithm ALGORITHM; secret "BASE64"; };
 * (comments as there). name and algorithm: from the configuration; NULL: whatever the file says (and hmac-sha256 if it does not say). What is
 * said twice must be the same. 0 and *out (clear it with zone_key_clear()), or -1 with error; the secret is never in it.
 */
int zone_key_parse(const char *text, size_t length, const char *name, const char *algorithm, struct zone_key *out,
                   char error[ZONE_KEY_ERROR_SIZE]);

/* The same for a file. Refused too: one that is not a regular file, that others may read, of over ZONE_KEY_FILE_MAX bytes. */
int zone_key_read(const char *path, const char *name, const char *algorithm, struct zone_key *out, char error[ZONE_KEY_ERROR_SIZE]);

void zone_key_clear(struct zone_key *key); /* wipes it */

bool zone_key_algorithm_known(const char *algorithm);

#endif
