#include <config.h>

#include "hostname.h"

#include <string.h>

/* ASCII only, whatever the locale: names are compared and written as bytes. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_alphanumeric(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* text is length bytes, not empty, and no longer than out can hold with its NUL. */
static enum hostname_error fold_labels(const char *text, size_t length, char *out)
{
	size_t label = 0;

	for (size_t i = 0; i < length; i++) {
		char c = lower(text[i]);

		out[i] = c;
		if (c == '.') {
			if (label == 0)
				return HOSTNAME_LABEL_EMPTY;
			if (text[i - 1] == '-')
				return HOSTNAME_BAD_HYPHEN;
			label = 0;
			continue;
		}
		if (c != '-' && !is_alphanumeric(c))
			return HOSTNAME_BAD_CHARACTER;
		if (c == '-' && label == 0)
			return HOSTNAME_BAD_HYPHEN;
		if (++label > HOSTNAME_LABEL_MAX)
			return HOSTNAME_LABEL_TOO_LONG;
	}
	if (label == 0)
		return HOSTNAME_LABEL_EMPTY;
	if (text[length - 1] == '-')
		return HOSTNAME_BAD_HYPHEN;
	out[length] = '\0';
	return HOSTNAME_OK;
}

static enum hostname_error fold(const char *text, size_t length, char *out, size_t max)
{
	enum hostname_error error;

	if (length == 0)
		error = HOSTNAME_EMPTY;
	else if (length > max)
		error = HOSTNAME_TOO_LONG;
	else
		error = fold_labels(text, length, out);
	if (error != HOSTNAME_OK)
		out[0] = '\0';
	return error;
}

enum hostname_error hostname_fold(const char *text, size_t length, char out[HOSTNAME_NAME_SIZE])
{
	return fold(text, length, out, HOSTNAME_NAME_MAX);
}

enum hostname_error hostname_fold_fqdn(const char *text, size_t length, char out[HOSTNAME_FQDN_SIZE])
{
	return fold(text, length, out, HOSTNAME_FQDN_MAX);
}

static bool equal_folded(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

bool hostname_is_localhost(const char *name)
{
	static const char localhost[] = "localhost";
	size_t length = strlen(name);
	size_t tail = sizeof(localhost) - 1;

	if (length < tail || !equal_folded(name + length - tail, localhost))
		return false;
	return length == tail || name[length - tail - 1] == '.';
}

enum hostname_error hostname_join(const char *name, const char *domain, char out[HOSTNAME_FQDN_SIZE])
{
	size_t name_length = strlen(name);
	size_t domain_length = strlen(domain);

	out[0] = '\0';
	if (name_length == 0 || domain_length == 0)
		return HOSTNAME_EMPTY;
	if (name_length >= HOSTNAME_FQDN_MAX || domain_length > HOSTNAME_FQDN_MAX - name_length - 1)
		return HOSTNAME_TOO_LONG;
	memcpy(out, name, name_length);
	out[name_length] = '.';
	memcpy(out + name_length + 1, domain, domain_length + 1);
	return HOSTNAME_OK;
}

bool hostname_pattern_valid(const char *pattern)
{
	size_t length = strnlen(pattern, HOSTNAME_FQDN_MAX + 1);

	if (length == 0 || length > HOSTNAME_FQDN_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(pattern[i]) && strchr("-.*?", pattern[i]) == NULL)
			return false;
	return true;
}

/*
 * On a mismatch only the last '*' takes one character more: whatever an earlier one could still take, the last can take
 * as well, so there is no need to go further back. That bounds the work to pattern × name; recursion would be
 * exponential.
 */
bool hostname_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	while (*name != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern != '\0' && (*pattern == '?' || lower(*pattern) == lower(*name))) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

const char *hostname_error_text(enum hostname_error error)
{
	switch (error) {
	case HOSTNAME_OK:
		return "no error";
	case HOSTNAME_EMPTY:
		return "it is empty";
	case HOSTNAME_TOO_LONG:
		return "it is longer than 200 characters, or than 253 with the domain";
	case HOSTNAME_LABEL_EMPTY:
		return "a label is empty (a dot at the beginning or the end, or two dots in a row)";
	case HOSTNAME_LABEL_TOO_LONG:
		return "a label is longer than 63 characters";
	case HOSTNAME_BAD_CHARACTER:
		return "only letters, digits, hyphens and dots are allowed";
	case HOSTNAME_BAD_HYPHEN:
		return "a label begins or ends with a hyphen";
	case HOSTNAME_LOCALHOST:
		return "localhost is every machine's own name";
	}
	return "unknown error";
}
