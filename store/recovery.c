/*
 * Starting again after a run that may have been killed. The order matters: an old journal is overwritten only after
 * what it held is synced in the database together with the position behind it, and that position is forgotten only
 * after the journal's new header, or that it is gone, is on the disk: else a power cut would bring back records without
 * their position, and they would be taken twice.
 */
#include "store/recovery.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/rand.h"
#include "store/disk.h"

enum { PATH_BYTES = 4096 };

/* The shard's number in "journal-NUMBER"; -1 for another file. */
static long journal_index(const char *name)
{
	static const char start[] = "journal-";
	char *end;
	long index;

	if (strncmp(name, start, sizeof(start) - 1) != 0 || name[sizeof(start) - 1] < '0' ||
		name[sizeof(start) - 1] > '9')
		return -1;
	index = strtol(name + sizeof(start) - 1, &end, 10);
	return *end == '\0' && index < COMMIT_JOURNALS_MAX ? index : -1;
}

static int path_of(char path[static PATH_BYTES], const char *data_dir, long index)
{
	return snprintf(path, PATH_BYTES, "%s/journal-%ld", data_dir, index) < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* A journal of an earlier run, its head found. */
static int load(struct kv *kv, const char *path, struct journal **journal)
{
	uint64_t tail;
	int rc = journal_load(journal, path);

	if (rc < 0)
		return rc;
	rc = commit_journal_tail(kv, journal_generation(*journal), &tail);
	if (rc == 0)
		rc = journal_recover(*journal, tail);
	if (rc < 0)
		journal_close(*journal);
	return rc;
}

static int replay_journal(struct commit *commit, struct kv *kv, const char *path, uint64_t *replayed)
{
	struct journal *journal;
	int rc = load(kv, path, &journal);

	if (rc < 0)
		return rc;
	while ((rc = commit_group(commit, &journal, 1, clock_wall_ns(), true)) > 0)
		*replayed += (uint64_t)rc;
	journal_close(journal);
	return rc;
}

struct replay {
	struct commit *commit;
	struct kv *kv;
	const char *data_dir;
	long shards_kept;
	uint64_t *replayed;
	char *why;
	size_t why_bytes;
};

static int replay_file(void *context, const char *name)
{
	struct replay *replay = context;
	long index = journal_index(name);
	char path[PATH_BYTES];
	int rc;

	if (index < 0)
		return 0;
	rc = path_of(path, replay->data_dir, index);
	if (rc == 0)
		rc = replay_journal(replay->commit, replay->kv, path, replay->replayed);
	if (rc == -EBADMSG)
		snprintf(replay->why, replay->why_bytes,
			"%s is damaged or of a newer version: its receipts cannot be taken "
			"over; move it away to start without them",
			path);
	else if (rc < 0)
		snprintf(
			replay->why, replay->why_bytes, "cannot take over the receipts in %s: %s", path, strerror(-rc));
	if (rc < 0 || index < replay->shards_kept)
		return rc;
	rc = disk_remove(path);
	if (rc < 0)
		snprintf(replay->why, replay->why_bytes, "cannot remove %s: %s", path, strerror(-rc));
	return rc;
}

int recovery_replay(struct commit *commit, struct kv *kv, const char *data_dir, unsigned shards_kept,
	uint64_t *replayed, char *why, size_t why_bytes)
{
	struct replay replay = {commit, kv, data_dir, (long)shards_kept, replayed, why, why_bytes};
	int rc;

	*replayed = 0;
	snprintf(why, why_bytes, "%s", "");
	rc = disk_each_name(data_dir, replay_file, &replay);
	if (rc < 0 && *why == '\0')
		snprintf(why, why_bytes, "cannot read %s: %s", data_dir, strerror(-rc));
	return rc;
}

int recovery_open_journals(struct commit *commit, const char *data_dir, bool in_memory, struct journal **journals,
	unsigned count, size_t journal_bytes, char *why, size_t why_bytes)
{
	char path[PATH_BYTES];
	unsigned opened = 0;
	int rc = 0;

	while (rc == 0 && opened < count) {
		uint64_t generation;

		rand_system(&generation, sizeof(generation));
		rc = path_of(path, data_dir, opened);
		if (rc == 0)
			rc = journal_open(&journals[opened], in_memory ? NULL : path, journal_bytes, generation);
		if (rc == 0)
			opened++;
		else
			snprintf(why, why_bytes, "cannot make %s of %zu bytes: %s", path, journal_bytes, strerror(-rc));
	}
	if (rc == 0) {
		rc = disk_sync_names(data_dir);
		if (rc < 0)
			snprintf(why, why_bytes, "cannot sync %s: %s", data_dir, strerror(-rc));
	}
	if (rc == 0) {
		rc = commit_forget_journals(commit, journals, count);
		if (rc < 0)
			snprintf(why, why_bytes, "cannot write to the database: is the disk full?");
	}
	while (rc < 0 && opened > 0)
		journal_close(journals[--opened]);
	return rc;
}

static int64_t count_journal(struct kv *kv, const char *path)
{
	struct journal *journal;
	struct slice record;
	uint64_t position;
	int64_t count = 0;
	int rc = load(kv, path, &journal);

	if (rc < 0)
		return rc;
	position = journal_tail(journal);
	while (journal_next(journal, &position, &record))
		count++;
	journal_close(journal);
	return count;
}

struct pending {
	struct kv *kv;
	const char *data_dir;
	int64_t count;
};

static int count_file(void *context, const char *name)
{
	struct pending *pending = context;
	long index = journal_index(name);
	char path[PATH_BYTES];
	int64_t count;

	if (index < 0)
		return 0;
	count = path_of(path, pending->data_dir, index);
	if (count == 0)
		count = count_journal(pending->kv, path);
	if (count < 0)
		return (int)count;
	pending->count += count;
	return 0;
}

int64_t recovery_count_pending(struct kv *kv, const char *data_dir)
{
	struct pending pending = {kv, data_dir, 0};
	int rc = disk_each_name(data_dir, count_file, &pending);

	return rc < 0 ? rc : pending.count;
}
