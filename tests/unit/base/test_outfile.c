#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka needs those first */
#include <cmocka.h>

static char folder[64];

static int enter_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test-outfile-XXXXXX");
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0;
}

static void assert_holds(const char *path, const char *text)
{
    char bytes[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof(bytes) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, text);
}

static void put(const char *path, const char *text)
{
    assert_int_equal(outfile_write(path, text, strlen(text)), 0);
}

static ino_t inode(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    return file.st_ino;
}

static bool is_link(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 && S_ISLNK(file.st_mode);
}

static void a_file_is_replaced_and_keeps_its_mode(void **state)
{
    (void)state;
    put("new", "one");
    assert_int_equal(chmod("new", 0640), 0);
    int reader = open("new", O_RDONLY);
    char before[4] = "";
    put("new", "second");
    assert_holds("new", "second");
    assert_int_equal(read(reader, before, 3), 3);
    assert_string_equal(before, "one");
    close(reader);
    struct stat file;
    assert_int_equal(stat("new", &file), 0);
    assert_int_equal(file.st_mode & 07777, 0640);
}

static void links_stay_links(void **state)
{
    (void)state;
    assert_int_equal(mkdir("deep", 0777), 0);
    assert_int_equal(symlink("deep/second", "first"), 0);
    assert_int_equal(symlink("../file", "deep/second"), 0);
    put("first", "into the dangling one");
    assert_true(is_link("first") && is_link("deep/second") && !is_link("file"));
    assert_holds("file", "into the dangling one");
    ino_t old = inode("file");
    put("first", "again");
    assert_true(is_link("first") && is_link("deep/second"));
    assert_holds("file", "again");
    assert_true(inode("file") != old);
    assert_int_equal(outfile_discard("first"), 0);
    assert_true(is_link("first"));
    assert_int_equal(access("file", F_OK), -1);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(outfile_write("loop", "", 0), -ELOOP);
}

static void what_is_no_file_is_written_through(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    char bytes[8] = "";
    assert_int_equal(outfile_check("fifo"), 0);
    assert_int_equal(outfile_discard("fifo"), 0);
    put("fifo", "text");
    assert_int_equal(read(reader, bytes, 7), 4);
    assert_string_equal(bytes, "text");
    close(reader);
    struct stat file;
    assert_true(stat("fifo", &file) == 0 && S_ISFIFO(file.st_mode));
    assert_int_equal(outfile_write("/dev/full", "x", 1), -ENOSPC);
    assert_true(stat("/dev/full", &file) == 0 && S_ISCHR(file.st_mode));
    assert_int_equal(symlink("/dev/full", "full"), 0);
    assert_int_equal(outfile_write("full", "x", 1), -ENOSPC);
    assert_true(is_link("full"));
    put("/dev/null", "x");
    assert_int_equal(outfile_discard("/dev/null"), 0);
    assert_true(stat("/dev/null", &file) == 0 && S_ISCHR(file.st_mode));
}

static void a_descriptor_is_written_through(void **state)
{
    (void)state;
    char path[32];
    int fd = open("behind", O_RDWR | O_CREAT, 0600);
    ino_t old = inode("behind");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    put(path, "text");
    assert_true(inode("behind") == old);
    assert_holds("behind", "text");
    close(fd);
}

static void what_cannot_be_written_is_known_before(void **state)
{
    (void)state;
    assert_int_equal(outfile_check("."), -EISDIR);
    assert_int_equal(outfile_write(".", "x", 1), -EISDIR);
    assert_int_equal(outfile_check("none/x"), -ENOENT);
    assert_int_equal(outfile_check("fresh"), 0);
    assert_int_equal(access("fresh", F_OK), -1);
    put("there", "x");
    assert_int_equal(outfile_check("there/x"), -ENOTDIR);
    assert_int_equal(outfile_check("there"), 0);
    assert_holds("there", "x");
    assert_int_equal(outfile_discard("none"), 0);
    char path[5000];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(outfile_check(path), -ENAMETOOLONG);
}

static void a_file_in_a_folder_that_may_not_be_written_is_written_in_place(void **state)
{
    (void)state;
    put("file", "old");
    struct stat before;
    assert_int_equal(stat(".", &before), 0);
    assert_int_equal(chmod(".", 0500), 0);
    int rv = outfile_write("file", "new", 3); /* root may all the same */
    assert_int_equal(chmod(".", before.st_mode & 07777), 0);
    assert_int_equal(rv, 0);
    assert_holds("file", "new");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_replaced_and_keeps_its_mode),
        TEST(links_stay_links),
        TEST(what_is_no_file_is_written_through),
        TEST(a_descriptor_is_written_through),
        TEST(what_cannot_be_written_is_known_before),
        TEST(a_file_in_a_folder_that_may_not_be_written_is_written_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
