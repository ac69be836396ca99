#include "base/thread.h"

#include "base/clock.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void *wait(void *context)
{
    sem_wait(context);
    return NULL;
}

static void waits_no_longer_than_it_is_told(void **state)
{
    (void)state;
    sem_t may_end;
    pthread_t thread;
    sem_init(&may_end, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, wait, &may_end), 0);
    assert_int_equal(thread_join_until(thread, INT64_MIN / 2), -ETIMEDOUT); /* long ago */
    const int64_t due_ms = clock_monotonic_ms() + 20;
    assert_int_equal(thread_join_until(thread, due_ms), -ETIMEDOUT);
    assert_true(clock_monotonic_ms() >= due_ms - 1);
    sem_post(&may_end);
    assert_int_equal(thread_join_until(thread, clock_monotonic_ms() + 60000), 0);
    sem_destroy(&may_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(waits_no_longer_than_it_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
