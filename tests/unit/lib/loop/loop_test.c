#include "loop/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

/* What the callbacks of a test write down, in the order they came. */
static char story[64];

static void tell(char what)
{
    size_t size = strlen(story);
    assert_true(size + 1 < sizeof story);
    story[size] = what;
    story[size + 1] = '\0';
}

static int set_up(void **state)
{
    memset(story, 0, sizeof story);
    *state = loop_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    loop_free(*state);
    return 0;
}

/* --- timers --- */

struct named_timer {
    struct loop_timer timer;
    struct loop *loop;
    char name;
    int again; /* how often it sets itself again, without a delay */
};

static void on_named_due(struct loop_timer *timer)
{
    struct named_timer *named = container_of(timer, struct named_timer, timer);
    tell(named->name);
    if (named->again-- > 0)
        loop_timer_set(named->loop, timer, 0);
}

static struct named_timer named_timer(struct loop *loop, char name)
{
    return (struct named_timer){.timer.on_due = on_named_due, .loop = loop, .name = name};
}

/* Sets timers inside one turn, where the clock stands still: outside, a machine that is busy
 * elsewhere could change their order. */
struct setter {
    struct loop_later later;
    struct loop *loop;
    struct named_timer *a, *b, *c;
};

static void on_set_three(struct loop_later *later)
{
    struct setter *setter = container_of(later, struct setter, later);
    loop_timer_set(setter->loop, &setter->c->timer, 6);
    loop_timer_set(setter->loop, &setter->a->timer, 0);
    loop_timer_set(setter->loop, &setter->b->timer, 3);
}

static void serves_timers_in_order_of_time(void **state)
{
    struct loop *loop = *state;
    struct named_timer a = named_timer(loop, 'a');
    struct named_timer b = named_timer(loop, 'b');
    struct named_timer c = named_timer(loop, 'c');
    struct setter setter = {
        .later.on_later = on_set_three, .loop = loop, .a = &a, .b = &b, .c = &c};
    loop_later(loop, &setter.later);
    while (strlen(story) < 3)
        assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "abc");
    assert_int_equal(loop_wait_ms(loop), -1);
}

static void on_move_and_stop(struct loop_later *later)
{
    struct setter *setter = container_of(later, struct setter, later);
    loop_timer_set(setter->loop, &setter->a->timer, 1);
    loop_timer_set(setter->loop, &setter->b->timer, 60000);
    loop_timer_set(setter->loop, &setter->c->timer, 2);
    loop_timer_set(setter->loop, &setter->a->timer, 5); /* moved behind what follows */
    loop_timer_set(setter->loop, &setter->b->timer, 1);
    loop_timer_stop(setter->loop, &setter->c->timer);
    loop_timer_stop(setter->loop, &setter->c->timer);
    assert_false(loop_timer_is_set(&setter->c->timer));
}

static void moves_and_stops_timers(void **state)
{
    struct loop *loop = *state;
    struct named_timer a = named_timer(loop, 'a');
    struct named_timer b = named_timer(loop, 'b');
    struct named_timer c = named_timer(loop, 'c');
    struct setter setter = {
        .later.on_later = on_move_and_stop, .loop = loop, .a = &a, .b = &b, .c = &c};
    loop_later(loop, &setter.later);
    while (strlen(story) < 2)
        assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "ba");
}

static void ends_the_turn_of_a_timer_that_sets_itself_again(void **state)
{
    struct loop *loop = *state;
    struct named_timer a = named_timer(loop, 'a');
    a.again = 2;
    loop_timer_set(loop, &a.timer, 0);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "a");
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "aaa");
}

static void takes_the_longest_delay(void **state)
{
    struct loop *loop = *state;
    struct named_timer a = named_timer(loop, 'a');
    loop_timer_set(loop, &a.timer, INT64_MAX);
    assert_int_equal(a.timer.due_ms, INT64_MAX);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_string_equal(story, "");
    loop_timer_stop(loop, &a.timer);
}

static void never_waits_past_the_next_timer(void **state)
{
    struct loop *loop = *state;
    struct named_timer a = named_timer(loop, 'a');
    loop_timer_set(loop, &a.timer, 20);
    assert_in_range(loop_wait_ms(loop), 0, 20);
    int64_t before_ms = loop_now_ms(loop);
    while (strlen(story) == 0)
        assert_int_equal(loop_turn(loop, 60000), 0);
    assert_true(loop_now_ms(loop) - before_ms < 30000);
}

/* --- later --- */

struct named_later {
    struct loop_later later;
    struct loop *loop;
    char name;
    struct loop_later *asks_for;
};

static void on_named_later(struct loop_later *later)
{
    struct named_later *named = container_of(later, struct named_later, later);
    tell(named->name);
    if (named->asks_for != NULL)
        loop_later(named->loop, named->asks_for);
    named->asks_for = NULL;
}

static void runs_laters_once_at_the_end_of_the_turn(void **state)
{
    struct loop *loop = *state;
    struct named_later a = {.later.on_later = on_named_later, .loop = loop, .name = 'L'};
    struct named_timer t = named_timer(loop, 't');
    loop_timer_set(loop, &t.timer, 0);
    loop_later(loop, &a.later);
    loop_later(loop, &a.later);
    assert_int_equal(loop_wait_ms(loop), 0);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "tL");
    assert_int_equal(loop_wait_ms(loop), -1);
}

static void runs_what_a_later_asks_for_in_the_next_turn(void **state)
{
    struct loop *loop = *state;
    struct named_later a = {.later.on_later = on_named_later, .loop = loop, .name = 'a'};
    struct named_later b = {.later.on_later = on_named_later, .loop = loop, .name = 'b'};
    a.asks_for = &a.later;
    loop_later(loop, &a.later);
    loop_later(loop, &b.later);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "ab");
    assert_int_equal(loop_wait_ms(loop), 0);
    assert_int_equal(loop_turn(loop, -1), 0); /* does not wait */
    assert_string_equal(story, "aba");
}

static void cancels_laters(void **state)
{
    struct loop *loop = *state;
    struct named_later a = {.later.on_later = on_named_later, .loop = loop, .name = 'a'};
    loop_later(loop, &a.later);
    loop_later_cancel(&a.later);
    loop_later_cancel(&a.later);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_string_equal(story, "");
}

/* --- descriptors --- */

struct named_io {
    struct loop_io io;
    struct loop *loop;
    char name;
    struct named_io *removes;  /* taken out, its descriptor closed */
    struct named_io *replaces; /* a new one, which gets the descriptor that was closed */
    int write_fd;
};

static void on_named_event(struct loop_io *io, uint32_t events)
{
    struct named_io *named = container_of(io, struct named_io, io);
    assert_true((events & EPOLLIN) != 0);
    tell(named->name);
    char byte;
    assert_int_equal(read(io->fd, &byte, 1), 1);
    struct named_io *victim = named->removes;
    named->removes = NULL;
    if (victim == NULL)
        return;
    loop_io_remove(named->loop, &victim->io);
    close(victim->io.fd);
    close(victim->write_fd);
    int closed_fd = victim->io.fd;
    free(victim);
    if (named->replaces == NULL)
        return;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(pipe_fds[0] == closed_fd || pipe_fds[1] == closed_fd); /* reused in this batch */
    named->replaces->io.fd = pipe_fds[0];
    named->replaces->write_fd = pipe_fds[1];
    assert_int_equal(loop_io_add(named->loop, &named->replaces->io), 0);
}

static struct named_io *named_io(struct loop *loop, char name)
{
    struct named_io *named = calloc(1, sizeof *named);
    assert_non_null(named);
    named->io = (struct loop_io){.fd = -1, .events = EPOLLIN, .on_event = on_named_event};
    named->loop = loop;
    named->name = name;
    return named;
}

static struct named_io *named_pipe(struct loop *loop, char name)
{
    struct named_io *named = named_io(loop, name);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    named->io.fd = fds[0];
    named->write_fd = fds[1];
    assert_int_equal(loop_io_add(loop, &named->io), 0);
    return named;
}

static void named_free(struct named_io *named)
{
    loop_io_remove(named->loop, &named->io);
    close(named->io.fd);
    close(named->write_fd);
    free(named);
}

static void ring(const struct named_io *named)
{
    assert_int_equal(write(named->write_fd, "x", 1), 1);
}

static void serves_descriptors_then_timers_then_laters(void **state)
{
    struct loop *loop = *state;
    struct named_io *io = named_pipe(loop, 'i');
    struct named_timer t = named_timer(loop, 't');
    struct named_later l = {.later.on_later = on_named_later, .loop = loop, .name = 'l'};
    loop_later(loop, &l.later);
    loop_timer_set(loop, &t.timer, 0);
    ring(io);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "itl");
    named_free(io);
}

static void spares_a_removed_owner_the_events_already_fetched(void **state)
{
    struct loop *loop = *state;
    struct named_io *first = named_pipe(loop, 'a');
    struct named_io *second = named_pipe(loop, 'b');
    first->removes = second;
    second->removes = first;
    ring(first);
    ring(second);
    /* Whichever is served first frees the other. */
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_int_equal(strlen(story), 1);
    named_free(story[0] == 'a' ? first : second);
}

static void spares_a_reused_descriptor_the_old_events(void **state)
{
    struct loop *loop = *state;
    struct named_io *first = named_pipe(loop, 'a');
    struct named_io *second = named_pipe(loop, 'b');
    struct named_io *fresh = named_io(loop, 'n');
    first->removes = second;
    second->removes = first;
    first->replaces = second->replaces = fresh;
    ring(first);
    ring(second);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_int_equal(strlen(story), 1);
    named_free(story[0] == 'a' ? first : second);
    ring(fresh);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_int_equal(strlen(story), 2);
    assert_int_equal(story[1], 'n');
    named_free(fresh);
}

static void is_level_triggered_and_obeys_changes(void **state)
{
    struct loop *loop = *state;
    struct named_io *io = named_pipe(loop, 'a');
    ring(io);
    ring(io);
    assert_int_equal(loop_turn(loop, -1), 0);
    loop_io_change(loop, &io->io, 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_string_equal(story, "a");
    loop_io_change(loop, &io->io, EPOLLIN);
    assert_int_equal(loop_turn(loop, -1), 0);
    assert_string_equal(story, "aa");
    named_free(io);
}

static void refuses_a_closed_descriptor(void **state)
{
    struct loop *loop = *state;
    struct loop_io io = {.fd = -1, .events = EPOLLIN};
    assert_int_not_equal(loop_io_add(loop, &io), 0);
}

/* --- messages from other threads --- */

enum { THREADS = 4, POSTS = 20000 };

struct post {
    struct loop_message message;
    int thread;
    int number;
};

static struct loop *post_loop;
static int received[THREADS];

static void on_post(struct loop_message *message)
{
    struct post *post = container_of(message, struct post, message);
    assert_int_equal(post->number, received[post->thread]);
    received[post->thread]++;
    int total = 0;
    for (int i = 0; i < THREADS; i++)
        total += received[i];
    if (total == THREADS * POSTS)
        loop_stop(post_loop);
    free(post);
}

static void *post_many(void *argument)
{
    int thread = (int)(intptr_t)argument;
    for (int number = 0; number < POSTS; number++) {
        struct post *post = calloc(1, sizeof *post);
        if (post == NULL)
            abort();
        post->message.on_message = on_post;
        post->thread = thread;
        post->number = number;
        loop_post(post_loop, &post->message);
    }
    return NULL;
}

static void keeps_the_order_of_each_posting_thread(void **state)
{
    struct loop *loop = *state;
    pthread_t threads[THREADS];
    post_loop = loop;
    memset(received, 0, sizeof received);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)(intptr_t)i), 0);
    loop_run(loop);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(received[i], POSTS);
    }
}

static void on_told_post(struct loop_message *message)
{
    (void)message;
    tell('p');
}

static void delivers_what_is_posted_before_it_is_freed(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    assert_non_null(loop);
    struct loop_message message = {.on_message = on_told_post};
    loop_post(loop, &message);
    loop_free(loop);
    assert_string_equal(story, "p");
}

/* --- inside another loop --- */

static bool outer_wakes(int outer_fd)
{
    struct epoll_event event;
    return epoll_wait(outer_fd, &event, 1, 0) == 1;
}

static void runs_inside_another_loop(void **state)
{
    struct loop *loop = *state;
    int outer_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(outer_fd, EPOLL_CTL_ADD, loop_fd(loop), &event), 0);
    assert_false(outer_wakes(outer_fd));

    struct named_io *io = named_pipe(loop, 'i');
    ring(io);
    assert_true(outer_wakes(outer_fd));
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_false(outer_wakes(outer_fd));

    struct loop_message message = {.on_message = on_told_post};
    loop_post(loop, &message);
    assert_true(outer_wakes(outer_fd));
    assert_int_equal(loop_wait_ms(loop), 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_false(outer_wakes(outer_fd));
    assert_string_equal(story, "ip");

    struct named_timer t = named_timer(loop, 't');
    loop_timer_set(loop, &t.timer, 5);
    while (loop_wait_ms(loop) > 0)
        epoll_wait(outer_fd, &event, 1, loop_wait_ms(loop));
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_string_equal(story, "ipt");
    named_free(io);
    close(outer_fd);
}

static void reads_the_clock_outside_a_turn(void **state)
{
    struct loop *loop = *state;
    int64_t before_us = loop_now_us(loop);
    while (loop_now_us(loop) == before_us)
        ;
    assert_true(loop_now_us(loop) > before_us);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(serves_timers_in_order_of_time),
        LOOP_TEST(moves_and_stops_timers),
        LOOP_TEST(ends_the_turn_of_a_timer_that_sets_itself_again),
        LOOP_TEST(takes_the_longest_delay),
        LOOP_TEST(never_waits_past_the_next_timer),
        LOOP_TEST(runs_laters_once_at_the_end_of_the_turn),
        LOOP_TEST(runs_what_a_later_asks_for_in_the_next_turn),
        LOOP_TEST(cancels_laters),
        LOOP_TEST(serves_descriptors_then_timers_then_laters),
        LOOP_TEST(spares_a_removed_owner_the_events_already_fetched),
        LOOP_TEST(spares_a_reused_descriptor_the_old_events),
        LOOP_TEST(is_level_triggered_and_obeys_changes),
        LOOP_TEST(refuses_a_closed_descriptor),
        LOOP_TEST(keeps_the_order_of_each_posting_thread),
        LOOP_TEST(delivers_what_is_posted_before_it_is_freed),
        LOOP_TEST(runs_inside_another_loop),
        LOOP_TEST(reads_the_clock_outside_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
