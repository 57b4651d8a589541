/* A machine's disk in memory: see disk_sim.h, and sim_names.h for what lies on it. */
#include "store/disk_sim.h"

#include <assert.h>
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/disk.h"
#include "store/sim_names.h"

enum { PATH_BYTES = 4096, POISON = 0xdb };

struct sim_disk {
	struct rand rand;
	struct sim_names names;
	struct list handles, dead;
	bool full;
	bool stopping, stopped, stop_power; /* armed; `left` is what will be there */
	uint64_t stop_calls;
	struct sim_names left;
};

static _Thread_local struct sim_disk *current;

void *sim_alloc(size_t bytes)
{
	void *made = malloc(bytes);

	assert(made);
	return made;
}

/* ---- Handles ---- */

void sim_handle_open(
	struct sim_handle *handle, void (*end)(struct sim_handle *), void (*free_handle)(struct sim_handle *))
{
	assert(current);
	handle->disk = current;
	handle->end = end;
	handle->free = free_handle;
	list_append(&current->handles, &handle->link);
}

static void end_handle(struct sim_handle *handle)
{
	if (handle->disk)
		handle->end(handle);
	handle->disk = NULL;
	list_remove(&handle->link);
}

void sim_handle_close(struct sim_handle *handle)
{
	end_handle(handle);
	handle->free(handle);
}

static struct sim_handle *first_handle(struct list *handles)
{
	return list_empty(handles) ? NULL : container_of(handles->next, struct sim_handle, link);
}

/* ---- The machine ---- */

struct sim_disk *sim_disk_open(struct rand *rand)
{
	struct sim_disk *disk = sim_alloc(sizeof(*disk));

	memset(disk, 0, sizeof(*disk));
	rand_seed(&disk->rand, rand_u64(rand));
	list_init(&disk->handles);
	list_init(&disk->dead);
	return disk;
}

void sim_disk_close(struct sim_disk *disk)
{
	struct sim_handle *handle;

	while ((handle = first_handle(&disk->handles)))
		sim_handle_close(handle);
	while ((handle = first_handle(&disk->dead)))
		sim_handle_close(handle);
	sim_names_free(&disk->names);
	sim_names_free(&disk->left);
	if (current == disk)
		current = NULL;
	free(disk);
}

void sim_disk_use(struct sim_disk *disk)
{
	current = disk;
}

struct sim_disk *sim_disk_current(void)
{
	return current;
}

void sim_disk_process_died(struct sim_disk *disk)
{
	struct sim_handle *handle;

	while ((handle = first_handle(&disk->handles))) {
		end_handle(handle);
		list_append(&disk->dead, &handle->link);
	}
	if (disk->stopped) {
		sim_names_free(&disk->names);
		disk->names = disk->left;
		disk->left = (struct sim_names){.count = 0};
	}
	disk->stopping = disk->stopped = false;
}

void sim_disk_cut_power(struct sim_disk *disk)
{
	bool cut = disk->stopped && disk->stop_power;
	struct sim_names left;

	sim_disk_process_died(disk);
	if (cut)
		return;
	left = sim_names_survive(&disk->names, true, &disk->rand);
	sim_names_free(&disk->names);
	disk->names = left;
}

void sim_disk_stop_after(struct sim_disk *disk, uint64_t calls, bool power)
{
	assert(!disk->stopped);
	disk->stopping = true;
	disk->stop_calls = calls;
	disk->stop_power = power;
}

bool sim_disk_stopped(const struct sim_disk *disk)
{
	return disk->stopped;
}

void sim_disk_fill(struct sim_disk *disk, bool full)
{
	disk->full = full;
}

bool sim_disk_full(const struct sim_disk *disk)
{
	return disk->full;
}

struct rand *sim_disk_rand(struct sim_disk *disk)
{
	return &disk->rand;
}

void sim_disk_touch(struct sim_disk *disk)
{
	for (size_t i = 0; i < disk->names.count; i++) {
		struct sim_object *object = sim_name_now(&disk->names.items[i]);

		if (object && object->kind == SIM_FILE)
			sim_file_write_back(object, &disk->rand);
	}
	if (!disk->stopping || disk->stopped || disk->stop_calls-- > 0)
		return;
	disk->left = sim_names_survive(&disk->names, disk->stop_power, &disk->rand);
	disk->stopped = true;
}

struct sim_rows *sim_disk_rows(struct sim_disk *disk, const char *path, bool write, char *why, size_t why_bytes)
{
	struct sim_object *object = sim_names_find(&disk->names, path, SIM_DATABASE);

	if (!object && !write) {
		snprintf(why, why_bytes, "cannot open the database %s: there is none", path);
		return NULL;
	}
	if (!object) {
		object = sim_object_make(SIM_DATABASE);
		object->rows = sim_rows_open();
		sim_names_set(&disk->names, path, object);
	}
	if (write && object->taken) {
		snprintf(why, why_bytes, "cannot open the database %s: it is open already", path);
		return NULL;
	}
	if (write)
		object->taken = true;
	return object->rows;
}

void sim_disk_rows_release(struct sim_disk *disk, const char *path)
{
	struct sim_object *object = sim_names_find(&disk->names, path, SIM_DATABASE);

	assert(object && object->taken);
	object->taken = false;
}

/* ---- disk.h ---- */

struct disk_lock {
	struct sim_handle handle;
	struct sim_object *file;
};

static void end_lock(struct sim_handle *handle)
{
	struct disk_lock *lock = container_of(handle, struct disk_lock, handle);

	lock->file->taken = false;
	sim_object_drop(lock->file);
}

static void free_lock(struct sim_handle *handle)
{
	free(container_of(handle, struct disk_lock, handle));
}

/* 0, and *file is the lock file, made when `make`. */
static int find_lock_file(const char *data_dir, bool make, struct sim_object **file)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/lock", data_dir);
	*file = sim_names_find(&current->names, path, SIM_FILE);
	if (*file)
		return 0;
	if (!make)
		return -ENOENT;
	if (current->full)
		return -ENOSPC;
	sim_disk_touch(current);
	if (!sim_names_find(&current->names, data_dir, SIM_DIRECTORY)) {
		sim_names_set(&current->names, data_dir, sim_object_make(SIM_DIRECTORY));
		sim_names_sync_one(&current->names, data_dir);
	}
	*file = sim_file_make(0);
	sim_names_set(&current->names, path, *file);
	return 0;
}

int disk_lock(struct disk_lock **lock, const char *data_dir, bool make, char *why, size_t why_bytes)
{
	struct disk_lock *made;
	struct sim_object *file;
	int rc;

	assert(current);
	*lock = NULL;
	rc = find_lock_file(data_dir, make, &file);
	if (rc == 0 && file->taken)
		rc = -EBUSY;
	if (rc == -EBUSY)
		snprintf(why, why_bytes, "data_dir %s is in use by another process: stop it, or give each its own",
			data_dir);
	else if (rc < 0)
		snprintf(why, why_bytes, "cannot open %s/lock: %s", data_dir, strerror(-rc));
	if (rc < 0)
		return rc;
	made = sim_alloc(sizeof(*made));
	made->file = sim_object_use(file);
	file->taken = true;
	sim_handle_open(&made->handle, end_lock, free_lock);
	*lock = made;
	return 0;
}

void disk_unlock(struct disk_lock *lock)
{
	sim_handle_close(&lock->handle);
}

/* From any name on, by the seed. */
int disk_each_name(const char *directory, int (*each)(void *context, const char *name), void *context)
{
	size_t first, count;
	int rc = 0;

	assert(current);
	if (!sim_names_find(&current->names, directory, SIM_DIRECTORY))
		return -ENOENT;
	count = current->names.count;
	first = rand_below(&current->rand, count);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct sim_name *item = &current->names.items[(first + i) % count];
		const char *name = sim_name_now(item) ? sim_name_within(item->path, directory) : NULL;

		if (name)
			rc = each(context, name);
	}
	return rc;
}

int disk_sync_names(const char *directory)
{
	assert(current);
	if (!sim_names_find(&current->names, directory, SIM_DIRECTORY))
		return -ENOENT;
	sim_disk_touch(current);
	sim_names_sync(&current->names, directory);
	return 0;
}

int disk_make(const char *path, size_t bytes, const void *head, size_t head_bytes)
{
	struct sim_object *file;

	assert(current && head_bytes <= bytes);
	sim_disk_touch(current);
	if (current->full)
		return -ENOSPC;
	file = sim_file_make(bytes);
	memcpy(file->pages, head, head_bytes);
	sim_file_sync(file);
	sim_names_set(&current->names, path, file);
	return 0;
}

int disk_write_head(const char *path, const void *head, size_t head_bytes)
{
	struct sim_object *file = sim_names_find(&current->names, path, SIM_FILE);

	if (!file)
		return -ENOENT;
	assert(head_bytes <= file->bytes);
	sim_disk_touch(current);
	memcpy(file->pages, head, head_bytes);
	sim_file_sync(file);
	return 0;
}

int disk_read_head(const char *path, void *head, size_t head_bytes, uint64_t *file_bytes)
{
	const struct sim_object *file = sim_names_find(&current->names, path, SIM_FILE);

	if (!file)
		return -ENOENT;
	if (file->bytes < head_bytes)
		return -EBADMSG;
	memcpy(head, file->pages, head_bytes);
	*file_bytes = file->bytes;
	return 0;
}

int disk_remove(const char *path)
{
	if (!sim_names_find(&current->names, path, SIM_FILE))
		return -ENOENT;
	sim_disk_touch(current);
	sim_names_set(&current->names, path, NULL);
	return 0;
}

/* ---- Maps: the file's pages themselves, which the file gets back as a copy, so that later use of them shows ---- */

struct map {
	struct sim_handle handle;
	struct sim_object *file; /* NULL: memory alone */
	char *pages;
	size_t bytes;
};

static struct map *map_of(struct sim_handle *handle)
{
	return container_of(handle, struct map, handle);
}

static void end_map(struct sim_handle *handle)
{
	struct map *map = map_of(handle);

	if (map->file) {
		map->file->pages = sim_pages_copy(map->pages, map->file->bytes);
		map->file->taken = false;
		sim_object_drop(map->file);
	}
	memset(map->pages, POISON, map->bytes);
	ASAN_POISON_MEMORY_REGION(map->pages, map->bytes);
}

static void free_map(struct sim_handle *handle)
{
	struct map *map = map_of(handle);

	ASAN_UNPOISON_MEMORY_REGION(map->pages, map->bytes);
	free(map->pages);
	free(map);
}

int disk_map(char **map, const char *path, size_t bytes)
{
	struct sim_object *file = path ? sim_names_find(&current->names, path, SIM_FILE) : NULL;
	struct map *made;

	*map = NULL;
	if (path && !file)
		return -ENOENT;
	assert(!file || (!file->taken && bytes <= file->bytes));
	made = sim_alloc(sizeof(*made));
	made->bytes = bytes;
	made->file = file ? sim_object_use(file) : NULL;
	made->pages = file ? file->pages : sim_pages_copy(NULL, bytes);
	if (file)
		file->taken = true;
	sim_handle_open(&made->handle, end_map, free_map);
	*map = made->pages;
	return 0;
}

void disk_warm(char *map, size_t bytes)
{
	(void)map;
	(void)bytes;
}

static struct map *find_map(struct list *handles, const char *pages)
{
	for (struct list *at = handles->next; at != handles; at = at->next) {
		struct sim_handle *handle = container_of(at, struct sim_handle, link);

		if (handle->end == end_map && map_of(handle)->pages == pages)
			return map_of(handle);
	}
	return NULL;
}

void disk_unmap(char *map, size_t bytes)
{
	struct map *found = find_map(&current->handles, map);

	if (!found)
		found = find_map(&current->dead, map);
	assert(found && found->bytes == bytes);
	sim_handle_close(&found->handle);
}
