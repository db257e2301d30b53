#include <config.h>

#include "page.h"

#include <inttypes.h>

#include "page_parts.h"

/* ---- how it is ---- */

static void write_health(const struct status *status, FILE *out)
{
	const char *unready = metrics_unready(status);

	if (status->nwarnings > 0)
		fprintf(out, "<p id=\"health\" role=\"status\" class=\"bad\">&#9888; Degraded: %u %s wrong</p>\n", status->nwarnings,
		        status->nwarnings == 1 ? "thing is" : "things are");
	else if (unready != NULL)
		fputs("<p id=\"health\" role=\"status\" class=\"poor\">&#8987; Not ready yet</p>\n", out);
	else
		fputs("<p id=\"health\" role=\"status\" class=\"good\">&#10003; All is well</p>\n", out);
}

static void write_warnings(const struct status *status, FILE *out)
{
	unsigned i;

	if (status->nwarnings == 0)
		return;
	fputs("<ul class=\"warnings\">\n", out);
	for (i = 0; i < status->nwarnings; i++) {
		fputs("<li>", out);
		page_escape(out, status->warnings[i]);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void write_names_card(const struct status *status, FILE *out)
{
	fprintf(out, "<div><dt>Names served</dt><dd>%zu<small>%zu announced, %zu unconfirmed</small></dd></div>\n", status->names,
	        status->registry.facts, status->registry.unconfirmed);
}

static void write_broker_card(const struct status *status, FILE *out)
{
	fprintf(out, "<div><dt>Broker</dt><dd>%s%s<small>for ", status_broker_word(status->broker.state),
	        status->broker.blocked ? ", in alarm" : "");
	page_duration(out, status->clock.now_ms - status->broker.since_ms);
	fprintf(out, "; emitters %s</small></dd></div>\n", status->registry.resync == REGISTRY_SYNCED ? "have answered" : "are still to answer");
}

static void write_dnsmasq_card(const struct status *status, FILE *out)
{
	const struct dnsmasq_stats *stats = &status->dnsmasq;
	uint32_t lag = status_serial_lag(status);

	fputs("<div><dt>dnsmasq</dt><dd>", out);
	if (stats->served_serial == HOSTSFILE_SERIAL_NONE)
		fputs("not serving", out);
	else if (lag > 0)
		fprintf(out, "%" PRIu32 " %s behind", lag, lag == 1 ? "file" : "files");
	else
		fputs("up to date", out);
	fprintf(out, "<small>%" PRIu64 " reloads", stats->reloads);
	if (stats->reloads > 0)
		fprintf(out, ", the last in %" PRIu64 ".%" PRIu64 " ms", stats->last_reload_us / 1000, stats->last_reload_us % 1000 / 100);
	fputs("</small></dd></div>\n", out);
}

/* dnsmasq has a card of its own. What is wrong with one stands above, among the warnings. */
static void write_sinks_card(const struct status *status, FILE *out)
{
	unsigned well = 0;

	if (status->nsinks < 2)
		return;
	for (unsigned i = 0; i < status->nsinks; i++)
		well += status->sinks[i].trouble[0] == '\0';
	fprintf(out, "<div><dt>Sinks</dt><dd>%u of %u well<small>", well, status->nsinks + status->sinks_missing);
	for (unsigned i = 0; i < status->nsinks; i++) {
		fprintf(out, "%s%s", i > 0 ? ", " : "", status->sinks[i].trouble[0] == '\0' ? "" : "&#9888; ");
		page_escape(out, status->sinks[i].name);
	}
	fputs("</small></dd></div>\n", out);
}

static void write_change_card(const struct status *status, FILE *out)
{
	const struct status_changes *changes = &status->changes;

	fputs("<div><dt>Last change</dt><dd>", out);
	if (changes->last == STATUS_NO_CHANGE) {
		fputs("none yet", out);
	} else {
		page_escape(out, changes->last_name);
		fprintf(out, " %s", status_change_word(changes->last));
	}
	fputs("<small>", out);
	if (changes->last != STATUS_NO_CHANGE) {
		page_duration(out, status->clock.now_ms - changes->last_ms);
		fputs(" ago; ", out);
	}
	fprintf(out, "%" PRIu64 " messages refused</small></dd></div>\n", status->refused);
}

static void write_overview(const struct metrics *metrics, FILE *out)
{
	const struct status *status = &metrics->status;

	fputs("<section id=\"overview\" aria-label=\"Overview\">\n", out);
	write_warnings(status, out);
	fputs("<dl>\n", out);
	write_names_card(status, out);
	write_broker_card(status, out);
	write_dnsmasq_card(status, out);
	write_sinks_card(status, out);
	write_change_card(status, out);
	fputs("</dl>\n", out);
	page_plots(&metrics->measure, status->clock.now_ms, out);
	fputs("</section>\n", out);
}

/* ---- the whole ---- */

static void write_form(const char *search, FILE *out)
{
	fputs("<form method=\"get\" action=\"/\" role=\"search\">\n<label for=\"q\">Name or address"
	      "<input id=\"q\" name=\"q\" type=\"search\" autocomplete=\"off\" placeholder=\"web-*\" value=\"",
	      out);
	page_escape(out, search != NULL ? search : "");
	fputs("\"></label>\n<button>Search</button>\n</form>\n", out);
}

void page_write(const struct status_sources *sources, const struct metrics *metrics, const char *search, FILE *out)
{
	const struct status *status = &metrics->status;

	page_head(out);
	fprintf(out, "<title>%s%zu names on ", status->nwarnings > 0 ? "! " : "", status->names);
	page_escape(out, status->hostname);
	fputs("</title>\n</head>\n<body>\n<header><h1>Callsign on ", out);
	page_escape(out, status->hostname);
	fputs("</h1><p id=\"fresh\" class=\"soft\">Loads itself anew each 5 seconds.</p></header>\n<main>\n", out);
	write_health(status, out);
	write_overview(metrics, out);
	write_form(search, out);
	page_names(sources, metrics, search, out);
	fputs("</main>\n<footer><small>callsignd " PACKAGE_VERSION ", <a href=\"/metrics\">metrics</a></small></footer>\n", out);
	page_script(out);
	fputs("</body>\n</html>\n", out);
}
