#include <config.h>

#include "replyto.h"

#include <stdint.h>
#include <string.h>

/* The external term format's tags (Erlang, erl_ext_dist). */
#define TERM_VERSION 131
#define TERM_PID 103             /* node, id, serial, creation: 4 + 4 + 1 bytes */
#define TERM_NEW_PID 88          /* likewise with a creation of 4 bytes */
#define TERM_ATOM 100            /* latin1, length in two bytes */
#define TERM_ATOM_UTF8 118
#define TERM_SMALL_ATOM_UTF8 119 /* length in one byte */

#define TERM_SIZE_MAX 192 /* what fits into a short string of AMQP, decoded */
#define KEY_LENGTH_MAX 64

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

/* How many bytes it stands for, and these in out if that is not NULL. 0: it is not base64, or has more than size bytes. */
static size_t base64_decode(const char *text, size_t length, unsigned char *out, size_t size)
{
	size_t padding = 0, bytes = 0, i;
	uint32_t bits = 0;

	if (length == 0 || length % 4 != 0)
		return 0;
	while (padding < 2 && text[length - 1 - padding] == '=')
		padding++;
	if (length / 4 * 3 - padding > size)
		return 0;
	for (i = 0; i < length; i++) {
		int digit = i < length - padding ? base64_digit(text[i]) : 0;

		if (digit == -1)
			return 0;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 3)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8) {
			if (bytes < length / 4 * 3 - padding && out != NULL)
				out[bytes] = (unsigned char)(bits >> shift);
			bytes++;
		}
		bits = 0;
	}
	return length / 4 * 3 - padding;
}

/* A node's name: what Erlang allows in one, and nothing that reads as something else. */
static bool node_valid(const unsigned char *name, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return length > 0 && memchr(name, '@', length) != NULL;
}

static bool process_valid(const unsigned char *term, size_t size)
{
	size_t tail, name, at;

	if (size < 5 || term[0] != TERM_VERSION || (term[1] != TERM_PID && term[1] != TERM_NEW_PID))
		return false;
	tail = term[1] == TERM_PID ? 9 : 12;
	switch (term[2]) {
	case TERM_SMALL_ATOM_UTF8:
		name = term[3];
		at = 4;
		break;
	case TERM_ATOM:
	case TERM_ATOM_UTF8:
		name = (size_t)term[3] << 8 | term[4];
		at = 5;
		break;
	default:
		return false;
	}
	return size == at + name + tail && node_valid(term + at, name);
}

bool replyto_valid(const char *text, size_t length)
{
	const size_t prefix = sizeof(REPLYTO_PREFIX) - 1;
	unsigned char term[TERM_SIZE_MAX] = {0};
	const char *dot, *key;
	size_t size, key_length;

	if (length <= prefix || memcmp(text, REPLYTO_PREFIX, prefix) != 0)
		return false;
	text += prefix;
	length -= prefix;
	dot = memchr(text, '.', length);
	if (dot == NULL)
		return false;
	key = dot + 1;
	key_length = length - (size_t)(key - text);
	if (key_length > KEY_LENGTH_MAX || base64_decode(key, key_length, NULL, KEY_LENGTH_MAX) == 0)
		return false;
	size = base64_decode(text, (size_t)(dot - text), term, sizeof(term));
	return size > 0 && process_valid(term, size);
}
