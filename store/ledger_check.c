/* The ledger of a closed data directory: rows without a gap whose sums are right, and each workspace's balance. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "store/commit.h"
#include "store/disk.h"
#include "store/ledger.h"
#include "store/pack.h"

enum { WORKSPACES_MAX = 65536, NAME_BYTES = 200, LINE_BYTES = 512 };

struct account {
	char name[NAME_BYTES];
	size_t name_bytes;
	uint64_t last;
	int64_t credit_nusd, used_nusd;
};

struct ledger {
	struct kv *kv;
	void (*say)(void *context, const char *line);
	void *context;
	struct account *accounts;
	size_t count;
	uint64_t rows, findings;
	struct receipt receipt;
};

__attribute__((format(printf, 2, 3))) static void find(struct ledger *ledger, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	ledger->findings++;
	ledger->say(ledger->context, line);
}

static struct account *account_of(struct ledger *ledger, struct slice name)
{
	struct account *grown;

	for (size_t i = 0; i < ledger->count; i++)
		if (slice_equal(slice_of(ledger->accounts[i].name, ledger->accounts[i].name_bytes), name))
			return &ledger->accounts[i];
	if (name.size > NAME_BYTES || ledger->count == WORKSPACES_MAX)
		return NULL;
	grown = realloc(ledger->accounts, (ledger->count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	ledger->accounts = grown;
	grown[ledger->count] = (struct account){.name_bytes = name.size};
	memcpy(grown[ledger->count].name, name.data, name.size);
	return &grown[ledger->count++];
}

static int check_row(struct ledger *ledger, struct slice key, struct slice value)
{
	const char *nul = key.size > 10 ? memchr(key.data + 1, 0, key.size - 1) : NULL;
	struct unpacker u = {nul ? nul + 1 : key.data, key.data + key.size, false};
	uint64_t number = unpack_be64(&u);
	struct ledger_row row;
	struct account *account;

	ledger->rows++;
	if (!nul || u.bad || u.at != u.end || !ledger_row_read(value, &row)) {
		find(ledger, "row %" PRIu64 " of the ledger cannot be read", ledger->rows);
		return 0;
	}
	account = account_of(ledger, slice_of(key.data + 1, (size_t)(nul - key.data) - 1));
	if (!account)
		return -ENOMEM;
	if (number != account->last + 1)
		find(ledger, "workspace %.*s: transaction %" PRIu64 " follows %" PRIu64, (int)account->name_bytes,
			account->name, number, account->last);
	account->last = number;
	account->credit_nusd = add_nusd(account->credit_nusd, row.amount_nusd);
	if (account->credit_nusd != row.credit_nusd)
		find(ledger,
			"workspace %.*s: up to transaction %" PRIu64 " it says %" PRId64
			" nano-USD, the rows add up to %" PRId64,
			(int)account->name_bytes, account->name, number, row.credit_nusd, account->credit_nusd);
	return 0;
}

static int check_rows(struct ledger *ledger)
{
	struct kv_walk *walk = kv_walk_open(ledger->kv, KV_RECORDS);
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	for (kv_walk_seek(walk, SLICE("l")); rc == 0 && kv_walk_valid(walk) && kv_walk_key(walk).data[0] == 'l';
		kv_walk_next(walk))
		rc = check_row(ledger, kv_walk_key(walk), kv_walk_value(walk));
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static int add_block(struct ledger *ledger, struct slice value)
{
	struct block_view view;

	if (block_view_open(&view, value) < 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < view.count; i++) {
		struct slice record = block_view_record(&view, i);
		struct account *account;

		if (record.size == 0 || receipt_decode(record, &ledger->receipt) < 0 || !ledger->receipt.hosted)
			continue;
		account = account_of(ledger, ledger->receipt.workspace);
		if (!account)
			return -ENOMEM;
		account->used_nusd = add_nusd(account->used_nusd, receipt_total_nusd(&ledger->receipt));
	}
	return 0;
}

/* The running totals outlive the receipts that they add up. */
static int add_totals(struct ledger *ledger)
{
	static const char prefix[] = {COUNTER_HOSTED, 0};
	struct kv_walk *walk = kv_walk_open(ledger->kv, KV_COUNTERS);
	int rc = walk ? 0 : -EIO;

	if (!walk)
		return rc;
	for (kv_walk_seek(walk, slice_of(prefix, sizeof(prefix))); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk)) {
		struct counter counter;
		struct account *account;

		if (!slice_starts_with(kv_walk_key(walk), slice_of(prefix, sizeof(prefix))))
			break;
		account = account_of(ledger, slice_after(kv_walk_key(walk), sizeof(prefix)));
		rc = account ? counters_read_row(kv_walk_value(walk), &counter) : -ENOMEM;
		if (rc == 0)
			account->used_nusd = add_nusd(account->used_nusd, counter.spend_nusd);
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

/* Those of the blocks that the totals lack so far. */
static int add_receipts(struct ledger *ledger)
{
	struct kv_walk *walk = kv_walk_open(ledger->kv, KV_RECEIPTS);
	uint64_t counted;
	char key[8];
	int rc = walk ? commit_read_counted(ledger->kv, &counted) : -EIO;

	if (!walk)
		return rc;
	block_key(key, rc == 0 ? counted + 1 : 0);
	for (kv_walk_seek(walk, slice_of(key, sizeof(key))); rc == 0 && kv_walk_valid(walk); kv_walk_next(walk))
		rc = add_block(ledger, kv_walk_value(walk));
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	return rc;
}

static void tell(struct ledger *ledger)
{
	char line[LINE_BYTES];

	for (size_t i = 0; i < ledger->count; i++) {
		const struct account *account = &ledger->accounts[i];

		snprintf(line, sizeof(line),
			"workspace %.*s: %" PRIu64 " transactions, %" PRId64 " nano-USD credited, %" PRId64
			" used, balance %" PRId64,
			(int)account->name_bytes, account->name, account->last, account->credit_nusd,
			account->used_nusd, account->credit_nusd - account->used_nusd);
		ledger->say(ledger->context, line);
	}
	snprintf(line, sizeof(line), "%" PRIu64 " transactions of %zu workspaces: %s", ledger->rows, ledger->count,
		ledger->findings ? "not sound" : "sound");
	ledger->say(ledger->context, line);
}

int ledger_check(const char *data_dir, void (*say)(void *context, const char *line), void *context)
{
	struct ledger ledger = {.say = say, .context = context};
	char path[4096], why[LINE_BYTES];
	struct disk_lock *lock = NULL;
	int rc = disk_lock(&lock, data_dir, false, why, sizeof(why));

	if (rc < 0)
		goto out;
	snprintf(path, sizeof(path), "%s/db", data_dir);
	rc = kv_open(&ledger.kv, path, true, why, sizeof(why));
	if (rc == 0)
		rc = commit_check_schema(ledger.kv, why, sizeof(why));
	if (rc < 0)
		goto out;
	snprintf(why, sizeof(why), "the database cannot be read to its end");
	rc = check_rows(&ledger);
	if (rc == 0)
		rc = add_totals(&ledger);
	if (rc == 0)
		rc = add_receipts(&ledger);
	if (rc == 0)
		tell(&ledger);
out:
	if (rc < 0)
		say(context, why);
	if (ledger.kv)
		kv_close(ledger.kv);
	if (lock)
		disk_unlock(lock);
	free(ledger.accounts);
	return rc < 0 ? rc : ledger.findings > 0;
}
