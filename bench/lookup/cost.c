/* Processor time of this process by thread, as the scheduler counts it; the threads of one pool are one row. */
#include "bench/lookup/lookup.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { LOOKS_MAX = 300 };

#define LOOK_NS (100 * 1000 * 1000)
#define QUIET_NS (2 * 1000 * 1000ull)

static bool read_line(const char *thread, const char *what, char *line, size_t line_bytes)
{
	char path[128];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "/proc/self/task/%s/%s", thread, what);
	file = fopen(path, "r");
	if (!file)
		return false;
	good = fgets(line, (int)line_bytes, file);
	fclose(file);
	return good;
}

static void add(struct cost *cost, const char *name, uint64_t ns)
{
	char plain[COST_NAME_BYTES] = "";
	size_t size = strcspn(name, "0123456789/\n");
	unsigned i = 0;

	memcpy(plain, name, size < sizeof(plain) ? size : sizeof(plain) - 1);
	while (i < cost->count && strcmp(cost->rows[i].name, plain) != 0)
		i++;
	if (i == COST_ROWS_MAX)
		i--;
	else if (i == cost->count)
		memcpy(cost->rows[cost->count++].name, plain, sizeof(plain));
	cost->rows[i].ns += ns;
}

struct cost cost_now(void)
{
	struct cost cost = {.count = 0};
	DIR *threads = opendir("/proc/self/task");
	char name[64], line[128];
	uint64_t ns;

	if (!threads)
		return cost;
	for (struct dirent *entry; (entry = readdir(threads));) {
		if (entry->d_name[0] != '.' && read_line(entry->d_name, "comm", name, sizeof(name)) &&
			read_line(entry->d_name, "schedstat", line, sizeof(line)) && sscanf(line, "%" SCNu64, &ns) == 1)
			add(&cost, name, ns);
	}
	closedir(threads);
	return cost;
}

struct cost cost_since(const struct cost *before)
{
	struct cost cost = cost_now();

	for (unsigned i = 0; i < cost.count; i++)
		for (unsigned j = 0; j < before->count; j++)
			if (strcmp(cost.rows[i].name, before->rows[j].name) == 0)
				cost.rows[i].ns -= before->rows[j].ns;
	return cost;
}

uint64_t cost_sum_ns(const struct cost *cost)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < cost->count; i++)
		sum += cost->rows[i].ns;
	return sum;
}

void cost_wait_quiet(void)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	unsigned quiet = 0;

	for (unsigned i = 0; i < LOOKS_MAX && quiet < 3; i++) {
		struct cost before = cost_now(), used;

		nanosleep(&look, NULL); /* the database tells nobody that it has finished */
		used = cost_since(&before);
		quiet = cost_sum_ns(&used) < QUIET_NS ? quiet + 1 : 0;
	}
}
