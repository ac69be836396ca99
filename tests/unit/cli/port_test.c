#include "cli/port.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct error_text why;

static void a_free_address_is_free(void **state)
{
    (void)state;
    assert_int_equal(cli_port_check("127.0.0.1:1", &why), geteuid() == 0 ? 0 : -EACCES);
}

static void a_taken_one_names_address_and_process(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);

    char text[32], process[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port));
    snprintf(process, sizeof process, "(process %ld)", (long)getpid());
    assert_int_equal(cli_port_check(text, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, text));
    assert_non_null(strstr(why.text, "is taken by cli_port_test"));
    assert_non_null(strstr(why.text, process));
    close(fd);
    assert_int_equal(cli_port_check(text, &why), 0);
}

static void what_is_not_of_this_machine_is_refused(void **state)
{
    (void)state;
    assert_int_equal(cli_port_check("192.0.2.1:9999", &why), -EADDRNOTAVAIL);
    assert_non_null(strstr(why.text, "192.0.2.1:9999"));
    assert_int_equal(cli_port_check("nonsense", &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_address_is_free),
        cmocka_unit_test(a_taken_one_names_address_and_process),
        cmocka_unit_test(what_is_not_of_this_machine_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
