#ifndef CALLSIGN_CTL_ENTRY_H
#define CALLSIGN_CTL_ENTRY_H

#include <jansson.h>
#include <stddef.h>

#include "table.h"

/* Reading the daemon's JSON, and its numbers as people read them. Pure. */

/* "" where the key is missing, null or something else. */
const char *entry_text(const json_t *object, const char *key);
double entry_number(const json_t *object, const char *key, double otherwise);
const json_t *entry_in(const json_t *object, const char *first, const char *second);

/* An array of strings, joined with commas; "-" if empty. Returns out; what does not fit ends in "..". */
const char *entry_join(const json_t *array, char *out, size_t size);

/* An object of numbers: "http=9090,ws=9091"; "-" if empty. As entry_join(). */
const char *entry_ports(const json_t *object, char *out, size_t size);

/* Seconds in one or two units: "0 s", "59 s", "2 min 5 s", "3 h 4 min", "12 d 3 h". Negative or no number: "-". */
const char *entry_age(double seconds, char *out, size_t size);

enum table_tone entry_tone(const char *state);

#endif
