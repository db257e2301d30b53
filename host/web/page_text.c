#include <config.h>

#include <inttypes.h>

#include "page_parts.h"

void page_escape(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			/* Control characters are not allowed in HTML, and bytes of others' choosing need not be UTF-8. */
			fputc((unsigned char)*text < ' ' || (unsigned char)*text > '~' ? '?' : *text, out);
		}
	}
}

void page_duration(FILE *out, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
	size_t i = 0;

	while (i < 3 && ms < 2 * units[i].ms)
		i++;
	fprintf(out, "%" PRId64 " %s", ms > 0 ? ms / units[i].ms : 0, units[i].unit);
}
