#include <config.h>

#include <inttypes.h>

#include "page_parts.h"

/* In the units of viewBox: 60 bars of 5 with 0 to the left of them, text below. */
#define STEP 5
#define WIDTH (MEASURE_MINUTES * STEP)
#define HEIGHT 60

/* The axis ends at a round number that is not below: 1, 2 or 5 times a power of ten. */
static uint64_t round_up(uint64_t value)
{
	uint64_t power = 1;

	while (power * 10 <= value)
		power *= 10;
	if (value <= power)
		return power;
	if (value <= 2 * power)
		return 2 * power;
	return value <= 5 * power ? 5 * power : 10 * power;
}

/* top: what the upper line stands for. Text stays out of the picture, so that it is as large as all other text. */
static void write_frame(FILE *out, const char *id, const char *title, const char *top)
{
	fprintf(out, "<figure><figcaption id=\"%s\">%s</figcaption>\n<div class=\"scale\"><span>%s</span></div>\n<svg viewBox=\"0 -2 %d %d\" role=\"img\" aria-labelledby=\"%s\">\n", id, title, top,
	        WIDTH, HEIGHT + 4, id);
	fprintf(out, "<line x1=\"0\" y1=\"0\" x2=\"%d\" y2=\"0\"/><line x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", WIDTH, HEIGHT, WIDTH,
	        HEIGHT);
}

static void write_end(FILE *out)
{
	fputs("</svg>\n<div class=\"scale\"><span>60 min ago</span><span>now</span></div></figure>\n", out);
}

/* At least 2, so that little is not taken for nothing. */
static uint64_t height(uint64_t value, uint64_t most)
{
	uint64_t height = value * HEIGHT / most;

	return height < 2 ? 2 : height;
}

static unsigned left_of(unsigned ago)
{
	return (MEASURE_MINUTES - 1 - ago) * STEP;
}

static void plot_changes(const struct measure *measure, int64_t now_ms, FILE *out)
{
	uint64_t most = 0, sum = 0, high;
	char title[96], text[48];
	unsigned ago;

	for (ago = 0; ago < MEASURE_MINUTES; ago++) {
		uint64_t changes = measure_minute(measure, ago, now_ms).changes;

		sum += changes;
		most = changes > most ? changes : most;
	}
	snprintf(title, sizeof title, "Changes: %" PRIu64 " in the last hour, %" PRIu64 " in the busiest minute", sum, most);
	most = round_up(most);
	snprintf(text, sizeof text, "%" PRIu64 " a minute", most);
	write_frame(out, "plot-changes", title, text);
	for (ago = 0; ago < MEASURE_MINUTES; ago++) {
		uint64_t changes = measure_minute(measure, ago, now_ms).changes;

		if (changes == 0)
			continue;
		high = height(changes, most);
		fprintf(out, "<rect class=\"bar\" x=\"%u\" y=\"%" PRIu64 "\" width=\"%d\" height=\"%" PRIu64 "\"/>\n", left_of(ago) + 1,
		        HEIGHT - high, STEP - 1, high);
	}
	write_end(out);
}

static const char *milliseconds(uint64_t us, char out[32])
{
	if (us < 10000)
		snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " ms", us / 1000, us % 1000 / 100);
	else
		snprintf(out, 32, "%" PRIu64 " ms", us / 1000);
	return out;
}

static void plot_reloads(const struct measure *measure, int64_t now_ms, FILE *out)
{
	uint64_t most = 0, sum = 0;
	char title[96], text[32];
	unsigned ago;

	for (ago = 0; ago < MEASURE_MINUTES; ago++) {
		struct measure_minute minute = measure_minute(measure, ago, now_ms);

		sum += minute.reloads;
		most = minute.slowest_us > most ? minute.slowest_us : most;
	}
	snprintf(title, sizeof title, "dnsmasq&#8217;s reloads: %" PRIu64 " in the last hour, the slowest took %s", sum, milliseconds(most, text));
	most = round_up(most);
	write_frame(out, "plot-reloads", title, milliseconds(most, text));
	for (ago = 0; ago < MEASURE_MINUTES; ago++) {
		struct measure_minute minute = measure_minute(measure, ago, now_ms);

		if (minute.reloads > 0)
			fprintf(out, "<circle class=\"dot\" cx=\"%u.5\" cy=\"%" PRIu64 "\" r=\"2.2\"/>\n", left_of(ago) + STEP / 2,
			        HEIGHT - minute.slowest_us * HEIGHT / most);
	}
	write_end(out);
}

void page_plots(const struct measure *measure, int64_t now_ms, FILE *out)
{
	fputs("<div class=\"plots\">\n", out);
	plot_changes(measure, now_ms, out);
	plot_reloads(measure, now_ms, out);
	fputs("</div>\n", out);
}
