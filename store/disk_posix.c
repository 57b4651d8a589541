/* The file system of the machine: see disk.h. */
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct disk_lock {
	int fd;
};

int disk_sync_names(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	/* EINVAL: a file system that knows no such thing, as some on a network. */
	if (fsync(fd) < 0 && errno != EINVAL)
		rc = -errno;
	close(fd);
	return rc;
}

/* The name of `path` itself. A parent that may not be read (mode 0711) cannot be synced, and is not ours. */
static int sync_name(const char *path)
{
	size_t size = strlen(path);
	char parent[PATH_BYTES];
	int rc;

	while (size > 1 && path[size - 1] == '/')
		size--;
	while (size > 0 && path[size - 1] != '/')
		size--;
	if (size >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, size);
	memcpy(parent + size, ".", 2);
	rc = disk_sync_names(parent);
	return rc == -EACCES ? 0 : rc;
}

static int make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0)
		return sync_name(path);
	return errno == EEXIST ? 0 : -errno;
}

/* Returns a descriptor that holds the lock until it is closed. */
static int lock_directory(const char *data_dir, bool make, char *why, size_t why_bytes)
{
	char path[PATH_BYTES];
	int fd, rc;

	rc = make ? make_directory(data_dir) : 0;
	if (rc < 0) {
		snprintf(why, why_bytes, "cannot make data_dir %s: %s", data_dir, strerror(-rc));
		return rc;
	}
	if (snprintf(path, sizeof(path), "%s/lock", data_dir) >= (int)sizeof(path)) {
		snprintf(why, why_bytes, "data_dir has too long a name");
		return -ENAMETOOLONG;
	}
	fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
	if (fd < 0) {
		rc = -errno;
		snprintf(why, why_bytes, "cannot open %s: %s", path, strerror(-rc));
		return rc;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (rc == -EBUSY)
		snprintf(why, why_bytes, "data_dir %s is in use by another process: stop it, or give each its own",
			data_dir);
	else
		snprintf(why, why_bytes, "cannot lock %s: %s", path, strerror(-rc));
	close(fd);
	return rc;
}

int disk_lock(struct disk_lock **lock, const char *data_dir, bool make, char *why, size_t why_bytes)
{
	struct disk_lock *made = malloc(sizeof(*made));

	*lock = NULL;
	if (!made) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	made->fd = lock_directory(data_dir, make, why, why_bytes);
	if (made->fd < 0) {
		int rc = made->fd;

		free(made);
		return rc;
	}
	*lock = made;
	return 0;
}

void disk_unlock(struct disk_lock *lock)
{
	close(lock->fd);
	free(lock);
}

int disk_each_name(const char *directory, int (*each)(void *context, const char *name), void *context)
{
	DIR *names = opendir(directory);
	const struct dirent *entry;
	int rc = 0;

	if (!names)
		return -errno;
	while (rc == 0 && (entry = readdir(names)))
		rc = each(context, entry->d_name);
	closedir(names);
	return rc;
}

static int write_all(int fd, const void *bytes, size_t size, off_t offset)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t written = pwrite(fd, at, size, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		at += written;
		offset += written;
		size -= (size_t)written;
	}
	return 0;
}

static int write_head(int fd, const void *head, size_t head_bytes)
{
	int rc = write_all(fd, head, head_bytes, 0);

	return rc < 0 ? rc : fdatasync(fd) < 0 ? -errno : 0;
}

static int write_blocks(int fd, size_t bytes)
{
	enum { CHUNK_BYTES = 1 << 20 };
	char *zeros = calloc(1, CHUNK_BYTES);
	int rc = zeros ? 0 : -ENOMEM;

	for (size_t done = 0; rc == 0 && done < bytes; done += CHUNK_BYTES)
		rc = write_all(fd, zeros, bytes - done < CHUNK_BYTES ? bytes - done : CHUNK_BYTES, (off_t)done);
	free(zeros);
	return rc;
}

/* Under another name until it is whole, so that a crash leaves no half file. */
int disk_make(const char *path, size_t bytes, const void *head, size_t head_bytes)
{
	char draft[PATH_BYTES];
	int fd, rc;

	if (snprintf(draft, sizeof(draft), "%s.new", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	fd = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_blocks(fd, bytes);
	if (rc == 0)
		rc = write_head(fd, head, head_bytes);
	close(fd);
	if (rc == 0 && rename(draft, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(draft);
	return rc;
}

int disk_write_head(const char *path, const void *head, size_t head_bytes)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_head(fd, head, head_bytes);
	close(fd);
	return rc;
}

int disk_read_head(const char *path, void *head, size_t head_bytes, uint64_t *file_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		rc = -errno;
	else if (pread(fd, head, head_bytes, 0) != (ssize_t)head_bytes)
		rc = -EBADMSG;
	else
		*file_bytes = (uint64_t)status.st_size;
	close(fd);
	return rc;
}

int disk_remove(const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

int disk_map(char **map, const char *path, size_t bytes)
{
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;
	int rc;

	*map = NULL;
	if (path && fd < 0)
		return -errno;
	mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	rc = mapped == MAP_FAILED ? -errno : 0;
	if (rc == 0)
		*map = mapped;
	if (fd >= 0)
		close(fd); /* the mapping keeps the file */
	return rc;
}

void disk_warm(char *map, size_t bytes)
{
	madvise(map, bytes, MADV_POPULATE_WRITE); /* an old kernel refuses it */
}

void disk_unmap(char *map, size_t bytes)
{
	munmap(map, bytes);
}
