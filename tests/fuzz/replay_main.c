/* Runs a fuzz target over files that are already there: each input that ever mattered lies in
 * tests/fuzz/corpus, and every ./dev test replays them all, under the sanitizers.
 *
 *     fuzz_uri tests/fuzz/corpus/uri ...    files, or folders whose files are taken
 *
 * An input that breaks something aborts; its name is the last line printed before. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LONGEST_INPUT = 1 << 20, LONGEST_PATH = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *room = malloc(LONGEST_INPUT);

    if (file == NULL || room == NULL) {
        perror(path);
        exit(1);
    }
    size_t len = fread(room, 1, LONGEST_INPUT, file);
    fclose(file);

    uint8_t *exact = malloc(len > 0 ? len : 1); /* so that a read past the end is seen */
    if (exact == NULL)
        abort();
    for (size_t i = 0; i < len; i++)
        exact[i] = room[i];
    free(room);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return true;
}

static unsigned replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    unsigned count = 0;

    if (folder == NULL) {
        perror(path);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[LONGEST_PATH];

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) < (int)sizeof(name))
            count += replay_file(name);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            count += replay_folder(argv[i]);
        else
            count += replay_file(argv[i]);
    }
    printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
