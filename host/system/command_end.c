#include <config.h>

#include "command_end.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TREE_MAX 256  /* processes of one command */
#define ROUNDS_MAX 64 /* in each of them a process may have started another one; then it is stopped itself */

struct tree {
	pid_t pids[TREE_MAX];
	size_t count;
};

static bool is_in(const struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->pids[i] == pid)
			return true;
	return false;
}

/* Field 4 of proc(5)'s stat, counted behind the command's name, which may hold blanks and brackets. 0: it has ended. */
static pid_t parent_of(const char *pid)
{
	char path[64], text[512];
	const char *behind;
	ssize_t length;
	int fd;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	behind = strrchr(text, ')');
	/* ") S PARENT": what is no number is 0. */
	return behind != NULL && strlen(behind) > 4 ? (pid_t)strtol(behind + 4, NULL, 10) : 0;
}

/* Every child of a process in the tree that is not in it yet: stopped, and taken in. true: there was one. */
static bool grow(struct tree *tree, DIR *proc)
{
	const struct dirent *entry;
	bool grown = false;

	rewinddir(proc);
	while ((entry = readdir(proc)) != NULL && tree->count < TREE_MAX) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

		if (pid <= 1 || is_in(tree, pid) || !is_in(tree, parent_of(entry->d_name)))
			continue;
		kill(pid, SIGSTOP);
		tree->pids[tree->count++] = pid;
		grown = true;
	}
	return grown;
}

/*
 * A process that is stopped starts no other one, and its children keep it as their parent: so the whole tree is stopped from its root on before any
 * of it is ended. Ended one by one, the children of each would become somebody else's, and could no longer be told.
 */
void command_end(pid_t pid)
{
	struct tree tree = {.pids = {pid}, .count = 1};
	DIR *proc = opendir("/proc");

	kill(pid, SIGSTOP);
	for (int round = 0; proc != NULL && round < ROUNDS_MAX && grow(&tree, proc); round++)
		;
	if (proc != NULL)
		closedir(proc);
	for (size_t i = tree.count; i > 0; i--)
		kill(tree.pids[i - 1], SIGKILL);
}
