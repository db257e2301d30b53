#include <config.h>

#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "shared/log.h"

#define CELL_MAX 1024

struct row {
	enum table_tone tone;
	char *cells[TABLE_COLUMNS_MAX];
};

struct table {
	const struct table_column *columns;
	unsigned count;
	bool hidden[TABLE_COLUMNS_MAX];
	unsigned natural[TABLE_COLUMNS_MAX]; /* the width that the widest cell of each column needs */
	struct row *rows;
	size_t used, size;
};

struct table *table_new(const struct table_column *columns, unsigned count)
{
	struct table *table = calloc(1, sizeof *table);
	unsigned i;

	if (table == NULL)
		return NULL;
	table->columns = columns;
	table->count = count;
	for (i = 0; i < count; i++)
		table->natural[i] = (unsigned)strlen(columns[i].title);
	return table;
}

void table_free(struct table *table)
{
	size_t i;

	if (table == NULL)
		return;
	for (i = 0; i < table->used; i++)
		free(table->rows[i].cells[0]);
	free(table->rows);
	free(table);
}

size_t table_rows(const struct table *table)
{
	return table->used;
}

void table_hide(struct table *table, unsigned column)
{
	table->hidden[column] = true;
}

/* All cells of a row in one block. */
static int row_fill(struct row *row, unsigned count, const char *const *cells)
{
	static char safe[TABLE_COLUMNS_MAX][CELL_MAX];
	size_t size = 0;
	char *text;
	unsigned i;

	for (i = 0; i < count; i++)
		size += strlen(log_phrase(safe[i], CELL_MAX, cells[i], strlen(cells[i]))) + 1;
	/* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): there is no table without a column */
	text = malloc(size);
	if (text == NULL)
		return -1;
	for (i = 0; i < count; i++) {
		row->cells[i] = text;
		text = stpcpy(text, safe[i]) + 1;
	}
	return 0;
}

int table_add(struct table *table, enum table_tone tone, const char *const *cells)
{
	size_t size = table->size != 0 ? table->size * 2 : 64;
	struct row *rows;
	unsigned i, length;

	if (table->used == table->size) {
		rows = realloc(table->rows, size * sizeof *rows);
		if (rows == NULL)
			return -1;
		table->rows = rows;
		table->size = size;
	}
	table->rows[table->used].tone = tone;
	if (row_fill(&table->rows[table->used], table->count, cells) == -1)
		return -1;
	for (i = 0; i < table->count; i++) {
		length = (unsigned)strlen(table->rows[table->used].cells[i]);
		table->natural[i] = length > table->natural[i] ? length : table->natural[i];
	}
	table->used++;
	return 0;
}

/* ---- layout ---- */

static unsigned total_width(const unsigned *widths, unsigned count)
{
	unsigned i, total = 0;

	for (i = 0; i < count; i++)
		total += widths[i] != 0 ? widths[i] + (total != 0 ? TABLE_GAP : 0) : 0;
	return total;
}

static unsigned least_width(const struct table *table, unsigned i)
{
	return table->natural[i] < table->columns[i].least ? table->natural[i] : table->columns[i].least;
}

/* The column that can best give a character away, or -1. */
static int widest(const struct table *table, const unsigned *widths)
{
	unsigned i;
	int found = -1;

	for (i = 0; i < table->count; i++) {
		if (widths[i] > least_width(table, i) && (found == -1 || widths[i] > widths[found]))
			found = (int)i;
	}
	return found;
}

static int least_important(const struct table *table, const unsigned *widths)
{
	unsigned i;
	int found = -1;

	for (i = 0; i < table->count; i++) {
		if (widths[i] != 0 && table->columns[i].priority != 0 &&
		    (found == -1 || table->columns[i].priority < table->columns[found].priority))
			found = (int)i;
	}
	return found;
}

void table_layout(const struct table *table, unsigned width, unsigned widths[TABLE_COLUMNS_MAX])
{
	unsigned least[TABLE_COLUMNS_MAX];
	unsigned i;
	int column;

	memset(widths, 0, TABLE_COLUMNS_MAX * sizeof *widths);
	for (i = 0; i < table->count; i++) {
		widths[i] = table->hidden[i] ? 0 : table->natural[i];
		least[i] = table->hidden[i] ? 0 : least_width(table, i);
	}
	if (width == 0)
		return;
	while (total_width(least, table->count) > width && (column = least_important(table, least)) != -1)
		widths[column] = least[column] = 0;
	while (total_width(widths, table->count) > width && (column = widest(table, widths)) != -1)
		widths[column]--;
}

/* ---- printing ---- */

const char *table_tone_on(enum table_tone tone, bool colour)
{
	static const char *const codes[] = {
		[TABLE_PLAIN] = "",
		[TABLE_GOOD] = "\033[32m",
		[TABLE_DOUBTFUL] = "\033[33m",
		[TABLE_BAD] = "\033[31m",
	};

	return colour ? codes[tone] : "";
}

const char *table_tone_off(bool colour)
{
	return colour ? "\033[0m" : "";
}

static void print_cell(FILE *out, const char *text, unsigned width, bool right, bool last)
{
	unsigned length = (unsigned)strlen(text);

	if (length > width && width > 2)
		fprintf(out, "%.*s..", (int)width - 2, text);
	else if (length > width)
		fprintf(out, "%.*s", (int)width, text);
	else if (right)
		fprintf(out, "%*s", (int)width, text);
	else if (last)
		fputs(text, out);
	else
		fprintf(out, "%-*s", (int)width, text);
}

static void print_line(const struct table *table, FILE *out, const unsigned *widths, const struct row *row, bool colour, const char *eol)
{
	unsigned i, last = 0;
	bool first = true;

	for (i = 0; i < table->count; i++)
		last = widths[i] != 0 ? i : last;
	for (i = 0; i < table->count; i++) {
		const char *text = row != NULL ? row->cells[i] : table->columns[i].title;
		bool toned = colour && row != NULL && table->columns[i].tone && row->tone != TABLE_PLAIN;

		if (widths[i] == 0)
			continue;
		if (!first)
			fprintf(out, "%*s", TABLE_GAP, "");
		first = false;
		if (toned)
			fputs(table_tone_on(row->tone, true), out);
		print_cell(out, text, widths[i], table->columns[i].right, i == last);
		if (toned)
			fputs(table_tone_off(true), out);
	}
	fputs(eol, out);
}

void table_print(const struct table *table, FILE *out, unsigned width, bool colour, size_t first, size_t count, const char *eol)
{
	unsigned widths[TABLE_COLUMNS_MAX];
	size_t i;

	table_layout(table, width, widths);
	print_line(table, out, widths, NULL, colour, eol);
	for (i = first; i < table->used && i - first < count; i++)
		print_line(table, out, widths, &table->rows[i], colour, eol);
}
