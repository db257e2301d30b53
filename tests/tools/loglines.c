/*
 * loglines [-t TIMEOUT_MS] FILE OFFSET PATTERN: print how many lines of FILE from its byte OFFSET (counted from 0)
 * match PATTERN, an extended regular expression.
 *
 * With -t it waits until there is one. Exit status 0: there is one; 1: there is none; 2: wrong usage, or FILE cannot be
 * read. A file that is not there yet has no lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US 5000 /* a file is looked at in microseconds */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A line's end may not be there yet: what is there of it counts, as for grep. */
static long count(const char *name, off_t offset, const regex_t *pattern)
{
	FILE *file = fopen(name, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	long found = 0;

	if (file == NULL) {
		if (errno == ENOENT)
			return 0;
		perror(name);
		exit(2);
	}
	if (fseeko(file, offset, SEEK_SET) != 0) {
		perror(name);
		exit(2);
	}
	while ((length = getline(&line, &room, file)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		found += regexec(pattern, line, 0, NULL, 0) == 0;
	}
	free(line);
	fclose(file);
	return found;
}

static int usage(void)
{
	fputs("usage: loglines [-t TIMEOUT_MS] FILE OFFSET PATTERN\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int64_t end = now_ms();
	regex_t pattern;
	off_t offset;
	long found;
	int option, error;

	while ((option = getopt(argc, argv, "+t:")) != -1) {
		if (option != 't')
			return usage();
		end += strtol(optarg, NULL, 10);
	}
	if (argc - optind != 3)
		return usage();
	offset = (off_t)strtoll(argv[optind + 1], NULL, 10);
	error = regcomp(&pattern, argv[optind + 2], REG_EXTENDED | REG_NOSUB);
	if (error != 0) {
		char why[128];

		regerror(error, &pattern, why, sizeof why);
		fprintf(stderr, "loglines: %s: %s\n", argv[optind + 2], why);
		return 2;
	}
	while ((found = count(argv[optind], offset, &pattern)) == 0 && now_ms() < end)
		usleep(PAUSE_US);
	printf("%ld\n", found);
	return found == 0;
}
