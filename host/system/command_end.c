#include <config.h>

#include "command_end.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "process.h"

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

/* 0: it has ended. */
static pid_t parent_of(pid_t pid)
{
	struct process_stat stat;

	return process_read_stat(pid, &stat) == 0 ? stat.parent : 0;
}

/* Every child of a process in the tree that is not in it yet: stopped, and taken in. true: there was one. */
static bool grow(struct tree *tree, DIR *proc)
{
	const struct dirent *entry;
	bool grown = false;

	rewinddir(proc);
	while ((entry = readdir(proc)) != NULL && tree->count < TREE_MAX) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

		if (pid <= 1 || is_in(tree, pid) || !is_in(tree, parent_of(pid)))
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
