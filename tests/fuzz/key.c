#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "shared/contract/announcement.h"

/* A name and a routing key: OP (one byte), NAME (a length, then its bytes), and the key is the rest. */

static void check_name(const char *name, size_t length)
{
	char fqdn[HOSTNAME_FQDN_SIZE], again[HOSTNAME_NAME_SIZE];

	fuzz_check(strlen(name) == length && length <= HOSTNAME_NAME_MAX);
	fuzz_check(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length);
	fuzz_check(hostname_fold(name, length, again) == HOSTNAME_OK && strcmp(name, again) == 0);
	fuzz_check(hostname_join(name, "docker", fqdn) == HOSTNAME_OK);
	fuzz_check(hostname_matches("*", name) && hostname_matches(name, name));
}

/* The rest of the input as a pattern and as addresses too: they are as short. */
static void check_others(const char *name, const char *text, size_t length)
{
	char formatted[ADDRESS_TEXT_SIZE];
	struct address address, again;
	struct prefix prefix;

	if (hostname_pattern_valid(text))
		(void)hostname_matches(text, name);
	if (address_parse(text, length, &address) == 0) {
		address_format(&address, formatted);
		fuzz_check(address_parse(formatted, strlen(formatted), &again) == 0 && address_equal(&address, &again));
		(void)address_unusable(&address);
	}
	if (prefix_parse(text, length, &prefix) == 0)
		fuzz_check(prefix_contains(&prefix, &prefix.base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct announcement message = {.op = fuzz_byte(&input) % (ANNOUNCEMENT_REFUSED + 1)};
	struct fuzz_input name = fuzz_short(&input);
	char key[ANNOUNCEMENT_KEY_MAX + 1];
	char *text;
	bool same;

	if (hostname_fold((const char *)name.data, name.size, message.name) != HOSTNAME_OK) {
		fuzz_check(message.name[0] == '\0');
		return 0;
	}
	check_name(message.name, name.size);
	announcement_key(message.op, message.name, key);
	same = input.size == strlen(key) && strncasecmp((const char *)input.data, key, input.size) == 0;
	fuzz_check(announcement_key_matches(&message, (const char *)input.data, input.size) ==
	           (same && message.op != ANNOUNCEMENT_ROLLCALL));
	text = fuzz_text(input.data, input.size);
	if (text != NULL)
		check_others(message.name, text, input.size);
	free(text);
	return 0;
}
