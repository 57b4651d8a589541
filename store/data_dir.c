/* One process a data_dir: see data_dir.h. */
#include "store/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int data_dir_lock(const char *data_dir, int make, char *why, size_t why_bytes)
{
	char path[4096];
	int fd, rc;

	if (make && mkdir(data_dir, 0700) < 0 && errno != EEXIST) {
		rc = -errno;
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
		snprintf(why, why_bytes, "data_dir %s is in use by another process: stop it, or give each its own", data_dir);
	else
		snprintf(why, why_bytes, "cannot lock %s: %s", path, strerror(-rc));
	close(fd);
	return rc;
}
