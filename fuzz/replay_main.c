/*
 * A fuzz target without a fuzzer: gives it each file named, and each in a folder named, in order of their names. A
 * fault ends it as it would the fuzzer; the file is named before it is read.
 *
 * usage: TARGET_fuzz FILE|FOLDER...
 */
#include "fuzz/input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = 1 << 20, PATH_BYTES = 4096 };

/* The file's size, or -errno. */
static int replay_file(const char *path)
{
	uint8_t *bytes = malloc(INPUT_MAX_BYTES), *exact;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = -1;

	if (bytes && fd >= 0)
		size = read(fd, bytes, INPUT_MAX_BYTES);
	if (size < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	} else {
		exact = (uint8_t *)copy_of(slice_of(bytes, (size_t)size));
		printf("%s\n", path);
		fflush(stdout);
		LLVMFuzzerTestOneInput(exact, (size_t)size);
		free(exact);
	}
	if (fd >= 0)
		close(fd);
	free(bytes);
	return size < 0 ? -1 : 0;
}

static int replay_folder(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort), rc = 0;

	if (count < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char file[PATH_BYTES];
		int size = snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);

		if (names[i]->d_name[0] != '.' && (size >= (int)sizeof(file) || replay_file(file) < 0))
			rc = -1;
		free(names[i]);
	}
	free(names);
	return rc;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	for (int i = 1; i < argc; i++) {
		struct stat status;

		if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode))
			failed |= replay_folder(argv[i]) < 0;
		else
			failed |= replay_file(argv[i]) < 0;
	}
	return failed;
}
