#!/bin/sh
# libconfuse 3.3-3: when the validating callback of a list runs.
#
# Guess: cfg_set_validate_func() on a CFG_STR_LIST has the function called once with the whole list, whatever that is.
# Seen: for {a, b, c} it is called four times: with a; a, b; a, b, c; and once more with all three at the closing brace. For an empty
# list it is not called at all, nor for the default's items; after `+=` the default's items are in the list that it sees.
# It matters to whoever checks a list there: a rule about the whole ("two at least", "a, then b") fails at the first item of what is right,
# "must not be empty" never runs, and a message is given several times. Check one item (the last) there, and the whole after cfg_parse().
set -eu
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
root_of bookworm libconfuse-dev=3.3-3 libconfuse2=3.3-3 gcc libc6-dev
cat >"$root/tmp/list.c" <<'C'
#include <confuse.h>
#include <stdio.h>

static int check(cfg_t *cfg, cfg_opt_t *option)
{
	(void) cfg;
	for (unsigned i = 0; i < cfg_opt_size(option); i++)
		printf("%s", cfg_opt_getnstr(option, i));
	printf(" ");
	return 0;
}

int main(int argc, char **argv)
{
	cfg_opt_t options[] = {CFG_STR_LIST("list", "{x, y}", CFGF_NONE), CFG_END()};
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	if (argc != 2 || !cfg)
		return 1;
	cfg_set_validate_func(cfg, "list", check);
	printf(cfg_parse_buf(cfg, argv[1]) == CFG_SUCCESS ? "parsed" : "not parsed");
	printf(" %u\n", cfg_size(cfg, "list"));
	return cfg_free(cfg);
}
C
inside gcc -o /tmp/list /tmp/list.c -lconfuse

# list TEXT STATED
list() {
    expect "'$1'" "$(inside /tmp/list "$1")" "$2"
}

list 'list = {a, b, c}' 'a ab abc abc parsed 3'
list 'list = {a}' 'a a parsed 1'
list 'list = {}' 'parsed 0'
list '' 'parsed 2'
list 'list += {a}' 'xya xya parsed 3'
as_stated "a list's validator sees it grow, the whole of it twice, and an empty one never"
