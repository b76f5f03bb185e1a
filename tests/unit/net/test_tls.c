/* Making contexts: every bad file is one sentence that names it. */
#include "harness.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(certificate(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_server_error(const char *cert, const char *key, const char *file,
                                const char *reason)
{
    struct net_tls_server_config config = {.cert_file = certificate(cert),
                                           .key_file = certificate(key)};
    struct net_error error = {0};

    assert_null(net_tls_server_new(&config, &error));
    assert_non_null(strstr(error.text, certificate(file)));
    if (strstr(error.text, reason) == NULL) {
        fail_msg("expected \"%s\" in: %s", reason, error.text);
    }
    assert_null(strchr(error.text, '\n'));
}

static void expect_client_error(const char *ca, const char *reason)
{
    struct net_tls_client_config config = {.cacert_file = certificate(ca)};
    struct net_error error = {0};

    assert_null(net_tls_client_new(&config, &error));
    assert_non_null(strstr(error.text, certificate(ca)));
    if (strstr(error.text, reason) == NULL) {
        fail_msg("expected \"%s\" in: %s", reason, error.text);
    }
}

static void good_files_make_contexts(void **state)
{
    struct net_tls_server_config server = {.cert_file = certificate("cert.pem"),
                                           .key_file = certificate("key.pem")};
    struct net_tls_client_config client = {.cacert_file = certificate("ca.pem")};
    struct net_error error;
    struct net_tls *tls;

    (void)state;
    tls = net_tls_server_new(&server, &error);
    assert_non_null(tls);
    net_tls_free(tls);
    tls = net_tls_client_new(&client, &error);
    assert_non_null(tls);
    net_tls_free(tls);
    net_tls_free(NULL);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    expect_server_error("none.pem", "key.pem", "none.pem", "No such file");
    expect_server_error("cert.pem", "none.pem", "none.pem", "No such file");
    expect_client_error("none.pem", "No such file");
}

static void files_that_are_no_pem_are_named(void **state)
{
    (void)state;
    write_file("text.pem", "hello\n");
    write_file("empty.pem", "");
    write_file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect_server_error("text.pem", "key.pem", "text.pem", "PEM");
    expect_server_error("empty.pem", "key.pem", "empty.pem", "empty");
    expect_server_error("broken.pem", "key.pem", "broken.pem", "not usable");
    expect_server_error("cert.pem", "text.pem", "text.pem", "PEM");
    expect_server_error("cert.pem", "cert.pem", "cert.pem", "PEM");
    expect_server_error("", "key.pem", "", "directory");
    expect_client_error("text.pem", "no certificate");
    expect_client_error("empty.pem", "empty");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    expect_server_error("cert.pem", "other/key.pem", "other/key.pem", "does not belong");
}

static void an_expired_certificate_is_refused(void **state)
{
    (void)state;
    certificate_sign("expired", -7200, -3600);
    expect_server_error("expired.pem", "key.pem", "expired.pem", "expired");
}

/* A question on the terminal would hang; the deadline of the test run would end it. */
static void an_encrypted_key_is_refused_without_a_question(void **state)
{
    char command[512];

    (void)state;
    snprintf(command, sizeof(command),
             "openssl pkey -in '%s' -aes128 -passout pass:secret -out '%s'", certificate("key.pem"),
             certificate("locked.pem"));
    assert_int_equal(system(command), 0);
    expect_server_error("cert.pem", "locked.pem", "locked.pem", "encrypted");
}

static void an_unreadable_file_is_named(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        skip(); /* root reads everything */
    }
    write_file("secret.pem", "x");
    assert_int_equal(chmod(certificate("secret.pem"), 0), 0);
    expect_server_error("cert.pem", "secret.pem", "secret.pem", "Permission denied");
}

static void ssl_cert_file_that_is_not_there_is_named(void **state)
{
    struct net_tls_client_config config = {0};
    struct net_error error = {0};

    (void)state;
    setenv("SSL_CERT_FILE", "/nowhere/ca.pem", 1);
    assert_null(net_tls_client_new(&config, &error));
    unsetenv("SSL_CERT_FILE");
    assert_non_null(strstr(error.text, "/nowhere/ca.pem"));
    assert_non_null(strstr(error.text, "SSL_CERT_FILE"));
}

static int count_lines_with(const char *path, const char *what)
{
    char line[512];
    int count = 0;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, what) != NULL;
    }
    fclose(file);
    return count;
}

static int generate(const char *arguments)
{
    char command[1024];

    snprintf(command, sizeof(command), "'%s' --out '%s' %s >'%s' 2>&1", GENERATE_CERTS,
             certificate("script"), arguments, certificate("script.log"));
    return WEXITSTATUS(system(command));
}

static void the_script_makes_private_keys_and_never_overwrites_silently(void **state)
{
    struct stat before;
    struct stat after;

    (void)state;
    assert_int_equal(generate("--san extra.example --san 10.1.2.3"), 0);
    assert_int_equal(stat(certificate("script/key.pem"), &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    assert_int_equal(stat(certificate("script/ca-key.pem"), &after), 0);
    assert_int_equal(after.st_mode & 0777, 0600);

    assert_int_equal(generate(""), 2);
    assert_int_equal(count_lines_with(certificate("script.log"), "--force"), 1);
    assert_int_equal(stat(certificate("script/key.pem"), &after), 0);
    assert_true(before.st_ino == after.st_ino);

    assert_int_equal(generate("--force"), 0);
    assert_int_equal(stat(certificate("script/key.pem"), &after), 0);
    assert_true(before.st_ino != after.st_ino);
    assert_int_equal(generate("--force --san 'a,b'"), 2);
    assert_int_equal(generate("--force --san 999.1.1.1"), 2);
    assert_int_equal(generate("--force --days 0"), 2);
    assert_int_equal(generate("--unknown"), 2);
}

/* Its bytes differ from those of `from` by what is appended, which no PEM is. */
static void copy_file(const char *from, const char *to, const char *appended)
{
    char *bytes;
    size_t len;
    assert_int_equal(file_read(certificate(from), 100000, &bytes, &len), 0);
    bytes = mem_realloc(bytes, len + strlen(appended) + 1);
    strcpy(bytes + len, appended);
    write_file(to, bytes);
    free(bytes);
}

static const struct net_tls_server_config RENEWED = {.cert_file = "renew-cert.pem",
                                                     .key_file = "renew-key.pem"};

/* The context of `config`, whose files are named as certificate() wants them. */
static struct net_tls *renew(struct net_tls *current, struct net_tls_server_config config)
{
    struct net_error error;
    config.cert_file = certificate(config.cert_file);
    config.key_file = certificate(config.key_file);
    config.client_ca_file =
        config.client_ca_file != NULL ? certificate(config.client_ca_file) : NULL;
    return net_tls_server_renew(current, &config, &error);
}

static void check_renewal(struct net_tls **current, const struct net_tls_server_config *config,
                          bool shared)
{
    struct net_tls *next = renew(*current, *config);
    assert_non_null(next);
    assert_int_equal(next == *current, shared);
    net_tls_free(*current);
    *current = next;
}

static void a_context_is_shared_while_its_files_hold_the_same(void **state)
{
    (void)state;
    struct net_tls_server_config config = RENEWED;
    struct net_tls *tls = NULL;
    copy_file("cert.pem", config.cert_file, "");
    copy_file("key.pem", config.key_file, "");
    check_renewal(&tls, &config, false);
    check_renewal(&tls, &config, true);
    copy_file("cert.pem", config.cert_file, "\n");
    check_renewal(&tls, &config, false);
    copy_file("key.pem", config.key_file, "\n");
    check_renewal(&tls, &config, false);
    copy_file("ca.pem", "renew-ca.pem", "");
    config.client_ca_file = "renew-ca.pem";
    check_renewal(&tls, &config, false);
    check_renewal(&tls, &config, true);
    copy_file("ca.pem", "renew-ca.pem", "\n");
    check_renewal(&tls, &config, false);
    config.client_cert_optional = true;
    check_renewal(&tls, &config, false);
    check_renewal(&tls, &config, true);
    net_tls_free(tls);
}

static void what_is_wrong_now_is_no_renewal(void **state)
{
    (void)state;
    struct net_tls *tls = NULL;
    certificate_sign("renew-cert", -10, 2);
    copy_file("key.pem", RENEWED.key_file, "");
    check_renewal(&tls, &RENEWED, false);
    copy_file("other/key.pem", RENEWED.key_file, "");
    assert_null(renew(tls, RENEWED));
    unlink(certificate(RENEWED.key_file));
    assert_null(renew(tls, RENEWED));
    copy_file("key.pem", RENEWED.key_file, "");
    while (!net_tls_is_expired(tls)) {
        usleep(10000);
    }
    assert_null(renew(tls, RENEWED));
    net_tls_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_make_contexts),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(files_that_are_no_pem_are_named),
        cmocka_unit_test(a_key_of_another_certificate_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(an_encrypted_key_is_refused_without_a_question),
        cmocka_unit_test(an_unreadable_file_is_named),
        cmocka_unit_test(ssl_cert_file_that_is_not_there_is_named),
        cmocka_unit_test(a_context_is_shared_while_its_files_hold_the_same),
        cmocka_unit_test(what_is_wrong_now_is_no_renewal),
        cmocka_unit_test(the_script_makes_private_keys_and_never_overwrites_silently),
    };

    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
