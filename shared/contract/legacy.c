#include <config.h>

#include "legacy.h"

#include <stdio.h>
#include <string.h>

#include "shared/log.h"

static uint64_t hash(uint64_t seed, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		seed = (seed ^ byte[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return seed;
}

/* A UUIDv8 (RFC 9562, 5.8) whose time is 0: it sorts before every real instance. */
static struct ident make_instance(const struct address *address, const char *name)
{
	uint64_t first = hash(hash(UINT64_C(14695981039346656037), address->bytes, 4), name, strlen(name));
	uint64_t second = hash(hash(UINT64_C(0x6c65676163793031), name, strlen(name)), address->bytes, 4);
	struct ident instance = {{0}};

	for (unsigned i = 0; i < 8; i++)
		instance.bytes[8 + i] = (uint8_t)(first >> 8 * i);
	instance.bytes[6] = (uint8_t)(0x80 | (second & 0x0f));
	instance.bytes[7] = (uint8_t)(second >> 8);
	instance.bytes[8] = (uint8_t)(0x80 | (instance.bytes[8] & 0x3f));
	return instance;
}

bool legacy_is_instance(const struct ident *instance)
{
	static const uint8_t no_time[6];

	return memcmp(instance->bytes, no_time, sizeof(no_time)) == 0 && instance->bytes[6] >> 4 == 8 && instance->bytes[8] >> 6 == 2;
}

static int take_op(const char *word, size_t length, enum announcement_op *op)
{
	if (length == 2 && memcmp(word, "up", 2) == 0)
		*op = ANNOUNCEMENT_UP;
	else if (length == 4 && memcmp(word, "down", 4) == 0)
		*op = ANNOUNCEMENT_DOWN;
	else
		return -1;
	return 0;
}

static int take_address(const char *word, size_t length, struct address *out, char error[ANNOUNCEMENT_ERROR_SIZE])
{
	const char *unusable;
	char shown[LOG_SAFE_MAX];

	if (address_parse(word, length, out) == -1 || out->family != 4) {
		snprintf(error, ANNOUNCEMENT_ERROR_SIZE, "older format: \"%s\" is no IPv4 address", log_safe(shown, sizeof(shown), word, length));
		return -1;
	}
	unusable = address_unusable(out);
	if (unusable != NULL)
		snprintf(error, ANNOUNCEMENT_ERROR_SIZE, "older format: address %s: %s", log_safe(shown, sizeof(shown), word, length), unusable);
	return unusable == NULL ? 0 : -1;
}

static int take_name(const char *word, size_t length, char out[HOSTNAME_NAME_SIZE], char error[ANNOUNCEMENT_ERROR_SIZE])
{
	enum hostname_error wrong = hostname_fold(word, length, out);
	char shown[LOG_SAFE_MAX / 2];

	if (wrong == HOSTNAME_OK && hostname_is_localhost(out))
		wrong = HOSTNAME_LOCALHOST;
	if (wrong == HOSTNAME_OK)
		return 0;
	snprintf(error, ANNOUNCEMENT_ERROR_SIZE, "older format: name \"%s\": %s", log_safe(shown, sizeof(shown), word, length),
	         hostname_error_text(wrong));
	return -1;
}

int legacy_decode(const void *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE])
{
	const char *text = body, *end = text + length, *first, *second;

	memset(out, 0, sizeof(*out));
	if (length > LEGACY_BODY_MAX) {
		snprintf(error, ANNOUNCEMENT_ERROR_SIZE, "older format: a body of %zu bytes: %d are allowed", length, LEGACY_BODY_MAX);
		return -1;
	}
	first = length > 0 ? memchr(text, ':', length) : NULL;
	second = first != NULL ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
	if (second == NULL || take_op(second + 1, (size_t)(end - second - 1), &out->op) == -1) {
		snprintf(error, ANNOUNCEMENT_ERROR_SIZE, "older format: the body is neither IP:HOSTNAME:up nor IP:HOSTNAME:down");
		return -1;
	}
	if (take_address(text, (size_t)(first - text), &out->addresses[0], error) == -1 ||
	    take_name(first + 1, (size_t)(second - first - 1), out->name, error) == -1)
		return -1;
	out->naddresses = 1;
	out->instance = make_instance(&out->addresses[0], out->name);
	return 0;
}

size_t legacy_encode(enum announcement_op op, const char *name, const struct address *address, char body[LEGACY_BODY_MAX + 1])
{
	char text[ADDRESS_TEXT_SIZE];

	return (size_t)snprintf(body, LEGACY_BODY_MAX + 1, "%s:%s:%s", address_format(address, text), name,
	                        op == ANNOUNCEMENT_UP ? "up" : "down");
}
