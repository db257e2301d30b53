#include <config.h>

#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MIN 16  /* characters: 96 bits; less is no secret */
#define SECRET_MAX 512
#define WORD_SIZE (SECRET_MAX + 1)

static const char base64_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

__attribute__((format(printf, 2, 3))) static int refuse(char error[ZONE_KEY_ERROR_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, ZONE_KEY_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -1;
}

bool zone_key_algorithm_known(const char *algorithm)
{
	return strcasecmp(algorithm, "hmac-sha256") == 0 || strcasecmp(algorithm, "hmac-sha512") == 0;
}

/* RFC 4648, section 4. */
static bool is_base64(const char *text)
{
	size_t length = strspn(text, base64_characters), padding = strspn(text + length, "=");

	return text[length + padding] == '\0' && padding <= 2 && (length + padding) % 4 == 0 && length >= SECRET_MIN;
}

/* ---- words of the file ---- */

struct words {
	const char *at, *end;
};

static void skip_line(struct words *words)
{
	while (words->at < words->end && *words->at != '\n')
		words->at++;
}

static void skip_blanks(struct words *words)
{
	while (words->at < words->end) {
		size_t left = (size_t)(words->end - words->at);

		if (*words->at == '#' || (left >= 2 && memcmp(words->at, "//", 2) == 0))
			skip_line(words);
		else if (strchr(" \t\r\n", *words->at) != NULL && *words->at != '\0')
			words->at++;
		else
			return;
	}
}

/* A quoted text, one of { } ; or a word of other characters. False: the end, or longer than any word may be. */
static bool next_word(struct words *words, char out[WORD_SIZE])
{
	const char *begin;
	size_t length;
	bool quoted;

	skip_blanks(words);
	if (words->at == words->end)
		return false;
	quoted = *words->at == '"';
	begin = words->at += quoted;
	while (words->at < words->end && *words->at != '\0' && (quoted ? *words->at != '"' : strchr(" \t\r\n{};\"", *words->at) == NULL))
		words->at++;
	if (words->at == begin && !quoted && words->at < words->end)
		words->at++; /* one of { } ; */
	length = (size_t)(words->at - begin);
	if (quoted && words->at < words->end)
		words->at++;
	if (length >= WORD_SIZE)
		return false;
	memcpy(out, begin, length);
	out[length] = '\0';
	return true;
}

/* ---- what it says ---- */

struct reading {
	char name[WORD_SIZE], algorithm[WORD_SIZE], secret[WORD_SIZE];
};

/* Behind `key`: "NAME" { algorithm …; secret …; }; */
static int read_statement(struct words *words, struct reading *reading, char error[ZONE_KEY_ERROR_SIZE])
{
	char word[WORD_SIZE], *into;
	int result = -1;

	if (!next_word(words, reading->name) || !next_word(words, word) || strcmp(word, "{") != 0)
		return refuse(error, "is cut short: key \"NAME\" { algorithm …; secret \"…\"; }; is expected");
	while (next_word(words, word) && strcmp(word, "}") != 0) {
		if (strcmp(word, ";") == 0)
			continue;
		into = strcmp(word, "algorithm") == 0 ? reading->algorithm : strcmp(word, "secret") == 0 ? reading->secret : NULL;
		if (into == NULL || into[0] != '\0' || !next_word(words, into)) {
			result = refuse(error, "holds something else than one algorithm and one secret in its key");
			goto out;
		}
	}
	result = strcmp(word, "}") == 0 ? 0 : refuse(error, "is cut short: its key has no }");
	while (result == 0 && next_word(words, word)) {
		if (strcmp(word, ";") != 0)
			result = refuse(error, "holds more than one key");
	}
out:
	explicit_bzero(word, sizeof word);
	return result;
}

static int read_words(const char *text, size_t length, struct reading *reading, char error[ZONE_KEY_ERROR_SIZE])
{
	struct words words = {text, text + length};
	char word[WORD_SIZE], rest[WORD_SIZE];
	int result = 0;

	if (!next_word(&words, word))
		return refuse(error, "holds no key");
	if (strcmp(word, "key") == 0)
		result = read_statement(&words, reading, error);
	else if (next_word(&words, rest))
		result = refuse(error, "is neither a secret in base64 alone nor a key as tsig-keygen writes it");
	else
		memcpy(reading->secret, word, sizeof reading->secret);
	explicit_bzero(word, sizeof word);
	explicit_bzero(rest, sizeof rest);
	return result;
}

static bool valid_name(const char *name)
{
	uint8_t wire[ZONE_NAME_WIRE_MAX];
	const char *c;

	for (c = name; *c != '\0'; c++) {
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", *c) == NULL)
			return false;
	}
	return strlen(name) < ZONE_NAME_SIZE && zone_name_to_wire(name, wire) > 0;
}

static void fold(char *name)
{
	size_t length = strlen(name), i;

	for (i = 0; i < length; i++)
		name[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
	if (length > 0 && name[length - 1] == '.')
		name[length - 1] = '\0';
}

/* The configuration's word and the file's: the same, or one of them alone. */
static int agree(char file[WORD_SIZE], const char *configured, const char *key, const char *otherwise, char error[ZONE_KEY_ERROR_SIZE])
{
	char other[WORD_SIZE] = "";

	if (configured != NULL)
		snprintf(other, sizeof other, "%s", configured);
	fold(other);
	fold(file);
	if (file[0] != '\0' && other[0] != '\0' && strcmp(file, other) != 0)
		return refuse(error, "is for %s \"%.64s\", and the configuration says \"%.64s\"", key, file, other);
	if (file[0] == '\0')
		snprintf(file, WORD_SIZE, "%s", other[0] != '\0' ? other : otherwise);
	return 0;
}

static int take(struct reading *reading, const char *name, const char *algorithm, struct zone_key *out, char error[ZONE_KEY_ERROR_SIZE])
{
	if (agree(reading->name, name, "key", "", error) == -1 || agree(reading->algorithm, algorithm, "algorithm", "hmac-sha256", error) == -1)
		return -1;
	if (!valid_name(reading->name))
		return refuse(error, "does not say the key's name, or none that a key may have: set key");
	if (!zone_key_algorithm_known(reading->algorithm))
		return refuse(error, "is for algorithm \"%.32s\": hmac-sha256 and hmac-sha512 are known here", reading->algorithm);
	if (!is_base64(reading->secret))
		return refuse(error, "holds no secret in base64 of at least %d characters", SECRET_MIN);
	/* Both are known to fit. */
	snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, reading->name);
	snprintf(out->algorithm, sizeof out->algorithm, "%.*s", (int)sizeof out->algorithm - 1, reading->algorithm);
	out->secret = strdup(reading->secret);
	return out->secret != NULL ? 0 : refuse(error, "cannot be kept: out of memory");
}

int zone_key_parse(const char *text, size_t length, const char *name, const char *algorithm, struct zone_key *out,
                   char error[ZONE_KEY_ERROR_SIZE])
{
	struct reading reading;
	int result;

	memset(out, 0, sizeof *out);
	memset(&reading, 0, sizeof reading);
	result = read_words(text, length, &reading, error);
	if (result == 0)
		result = take(&reading, name, algorithm, out, error);
	explicit_bzero(&reading, sizeof reading);
	return result;
}

/* ---- the file ---- */

static int check_file(int fd, char error[ZONE_KEY_ERROR_SIZE])
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return refuse(error, "%s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return refuse(error, "is not a regular file");
	if ((status.st_mode & S_IRWXO) != 0)
		return refuse(error, "may be read or written by others: chmod o= it");
	return 0;
}

static int read_file(int fd, char *text, size_t *length, char error[ZONE_KEY_ERROR_SIZE])
{
	ssize_t got;

	for (*length = 0; *length <= ZONE_KEY_FILE_MAX; *length += (size_t)got) {
		got = read(fd, text + *length, ZONE_KEY_FILE_MAX + 1 - *length);
		if (got == -1 && errno == EINTR)
			got = 0;
		else if (got == -1)
			return refuse(error, "%s", strerror(errno));
		else if (got == 0)
			return 0;
	}
	return refuse(error, "has more than %d bytes", ZONE_KEY_FILE_MAX);
}

int zone_key_read(const char *path, const char *name, const char *algorithm, struct zone_key *out, char error[ZONE_KEY_ERROR_SIZE])
{
	/* O_NONBLOCK: opening a FIFO must not hang. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), result;
	char text[ZONE_KEY_FILE_MAX + 1];
	size_t length;

	memset(out, 0, sizeof *out);
	if (fd == -1)
		return refuse(error, "%s", strerror(errno));
	result = check_file(fd, error);
	if (result == 0)
		result = read_file(fd, text, &length, error);
	if (result == 0)
		result = zone_key_parse(text, length, name, algorithm, out, error);
	explicit_bzero(text, sizeof text);
	close(fd);
	return result;
}

void zone_key_clear(struct zone_key *key)
{
	if (key->secret != NULL)
		explicit_bzero(key->secret, strlen(key->secret));
	free(key->secret);
	memset(key, 0, sizeof *key);
}
