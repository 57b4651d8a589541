/* Objects, names and their versions: see sim_names.h. */
#include "store/sim_names.h"

#include <assert.h>
#include <stdlib.h>

#include "store/disk_sim.h"

enum {
	PAGE_BYTES = 4096,
	/* One touch of the disk in so many writes a page of a file back. */
	TOUCHES_A_PAGE = 4,
};

static size_t paged(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

char *sim_pages_copy(const char *pages, size_t bytes)
{
	char *copy = aligned_alloc(PAGE_BYTES, paged(bytes));

	assert(copy);
	if (pages)
		memcpy(copy, pages, paged(bytes));
	else
		memset(copy, 0, paged(bytes));
	return copy;
}

struct sim_object *sim_object_make(enum sim_object_kind kind)
{
	struct sim_object *made = sim_alloc(sizeof(*made));

	*made = (struct sim_object){.users = 1, .kind = kind};
	return made;
}

struct sim_object *sim_object_use(struct sim_object *object)
{
	object->users++;
	return object;
}

void sim_object_drop(struct sim_object *object)
{
	if (!object || --object->users > 0)
		return;
	if (object->rows)
		sim_rows_close(object->rows);
	free(object->pages);
	free(object->platter);
	free(object);
}

struct sim_object *sim_file_make(size_t bytes)
{
	struct sim_object *made = sim_object_make(SIM_FILE);

	made->bytes = bytes;
	made->pages = sim_pages_copy(NULL, bytes);
	made->platter = sim_pages_copy(NULL, bytes);
	return made;
}

void sim_file_sync(struct sim_object *file)
{
	memcpy(file->platter, file->pages, paged(file->bytes));
}

void sim_file_write_back(struct sim_object *file, struct rand *rand)
{
	size_t offset;

	if (file->bytes == 0 || rand_below(rand, TOUCHES_A_PAGE) != 0)
		return;
	offset = PAGE_BYTES * rand_below(rand, paged(file->bytes) / PAGE_BYTES);
	memcpy(file->platter + offset, file->pages + offset, PAGE_BYTES);
}

/* Each page as it was last or as it lies on the platter, of which the seed may favour one; then both are the same. */
static void lose_pages(struct sim_object *file, struct rand *rand)
{
	static const unsigned chances[] = {0, 1, 8, 15, 16}; /* of 16 that a page is lost */
	unsigned chance = chances[rand_below(rand, sizeof(chances) / sizeof(*chances))];

	for (size_t offset = 0; offset < file->bytes; offset += PAGE_BYTES)
		if (rand_below(rand, 16) < chance)
			memcpy(file->pages + offset, file->platter + offset, PAGE_BYTES);
	sim_file_sync(file);
}

static struct sim_object *survive_object(const struct sim_object *object, bool power, struct rand *rand)
{
	struct sim_object *left = sim_object_make(object->kind);

	if (object->kind == SIM_DATABASE)
		left->rows = sim_rows_survive(object->rows, power, rand);
	if (object->kind != SIM_FILE)
		return left;
	left->bytes = object->bytes;
	left->pages = sim_pages_copy(object->pages, object->bytes);
	left->platter = sim_pages_copy(object->platter, object->bytes);
	if (power)
		lose_pages(left, rand);
	return left;
}

void sim_names_free(struct sim_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		for (size_t v = 0; v < names->items[i].version_count; v++)
			sim_object_drop(names->items[i].versions[v]);
		free(names->items[i].path);
	}
	free(names->items);
	memset(names, 0, sizeof(*names));
}

static struct sim_name *add_name(struct sim_names *names, const char *path)
{
	struct sim_name *name;

	if (names->count == names->capacity) {
		names->capacity = names->capacity ? 2 * names->capacity : 8;
		names->items = reallocarray(names->items, names->capacity, sizeof(*names->items));
		assert(names->items);
	}
	name = &names->items[names->count++];
	memset(name, 0, sizeof(*name));
	name->path = sim_alloc(strlen(path) + 1);
	memcpy(name->path, path, strlen(path) + 1);
	name->version_count = 1;
	return name;
}

static struct sim_name *find_name(const struct sim_names *names, const char *path)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].path, path) == 0)
			return &names->items[i];
	return NULL;
}

struct sim_object *sim_name_now(const struct sim_name *name)
{
	return name->versions[name->version_count - 1];
}

struct sim_object *sim_names_find(const struct sim_names *names, const char *path, enum sim_object_kind kind)
{
	const struct sim_name *name = find_name(names, path);
	struct sim_object *object = name ? sim_name_now(name) : NULL;

	return object && object->kind == kind ? object : NULL;
}

void sim_names_set(struct sim_names *names, const char *path, struct sim_object *object)
{
	struct sim_name *name = find_name(names, path);

	if (!name)
		name = add_name(names, path);
	if (name->version_count == SIM_VERSIONS_MAX)
		sim_object_drop(name->versions[--name->version_count]); /* one moment less to come back to */
	name->versions[name->version_count++] = object;
}

static void sync_name(struct sim_name *name)
{
	while (name->version_count > 1) {
		sim_object_drop(name->versions[0]);
		name->version_count--;
		memmove(name->versions, name->versions + 1, name->version_count * sizeof(*name->versions));
	}
}

const char *sim_name_within(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	if (strncmp(path, directory, size) != 0 || path[size] != '/' || strchr(path + size + 1, '/'))
		return NULL;
	return path + size + 1;
}

void sim_names_sync(struct sim_names *names, const char *directory)
{
	for (size_t i = 0; i < names->count; i++)
		if (sim_name_within(names->items[i].path, directory))
			sync_name(&names->items[i]);
}

void sim_names_sync_one(struct sim_names *names, const char *path)
{
	struct sim_name *name = find_name(names, path);

	assert(name);
	sync_name(name);
}

struct sim_names sim_names_survive(const struct sim_names *names, bool power, struct rand *rand)
{
	struct sim_names left = {.count = 0};

	for (size_t i = 0; i < names->count; i++) {
		const struct sim_name *name = &names->items[i];
		size_t count = power ? 1 : name->version_count;
		size_t first = power ? rand_below(rand, name->version_count) : 0;
		struct sim_name *copy = add_name(&left, name->path);

		copy->version_count = count;
		for (size_t v = 0; v < count; v++)
			if (name->versions[first + v])
				copy->versions[v] = survive_object(name->versions[first + v], power, rand);
	}
	return left;
}
