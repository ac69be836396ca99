#include "hub_asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct asked *asked = container_of(request, struct asked, request);
    struct wire_frame frame;
    struct wire_entry entry;
    asked->ended = true;
    asked->answered = outcome == BUS_ANSWER;
    if (!asked->answered)
        return false;
    assert_int_equal(wire_frame_read(message->data, message->size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.kind, WIRE_MOVE_STATE);
    asked->code = entry.move_state.code;
    asked->move = entry.move_state.move;
    asked->generation = frame.generation;
    asked->mailbox = entry.move_state.mailbox;
    assert_int_equal(text_put(asked->region, sizeof asked->region, entry.move_state.region), 0);
    while (wire_entry_next(&frame, &entry) == 0) {
        assert_int_equal(entry.kind, WIRE_MOVE_ROW_COPY);
        assert_true(asked->rows == 0 || entry.move_row.seq == asked->last + 1);
        asked->first = asked->rows++ == 0 ? entry.move_row.seq : asked->first;
        asked->last = entry.move_row.seq;
    }
    return false;
}

static void write_ask(struct buffer *out, const char *at, const struct wire_move_ask *ask)
{
    const struct wire_frame head = {.region = text_of(at), .from = TEXT("operator")};
    const struct wire_entry entry = {.kind = WIRE_MOVE_ASK, .move_ask = *ask};
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, out, &head);
    wire_entry_write(&frame, &entry);
    assert_int_equal(wire_frame_end(&frame), 0);
}

struct asked ask_once(struct lab *lab, const char *at, const struct wire_move_ask *ask,
                      int64_t timeout_ms)
{
    struct asked asked = {.request.on_answer = on_answer};
    struct buffer bytes = {0};
    write_ask(&bytes, at, ask);
    assert_int_equal(bus_request(lab->bus, &asked.request, wire_move_subject(at, 0).text,
                                 bytes.data, bytes.size, timeout_ms),
                     0);
    buffer_free(&bytes);
    LAB_WAIT(lab, asked.ended);
    return asked;
}

void ask_with_reply(struct lab *lab, const char *at, const struct wire_move_ask *ask,
                    const char *reply)
{
    struct buffer bytes = {0};
    write_ask(&bytes, at, ask);
    assert_int_equal(
        bus_publish(lab->bus, wire_move_subject(at, 0).text, reply, bytes.data, bytes.size), 0);
    buffer_free(&bytes);
}

struct asked ask_move(struct lab *lab, const char *at, struct wire_move_ask ask)
{
    for (int tries = 0; tries < 200; tries++) {
        struct asked asked = ask_once(lab, at, &ask, 2000);
        if (asked.answered && asked.code != WIRE_MOVE_WAIT)
            return asked;
        lab_turn(lab, 50);
    }
    fail_msg("no answer about a move");
    return (struct asked){0};
}

struct asked begin(struct lab *lab, const char *user, const char *to)
{
    return ask_move(lab, to,
                    (struct wire_move_ask){
                        .what = WIRE_MOVE_BEGIN, .user = text_of(user), .region = text_of(to)});
}

struct asked freeze(struct lab *lab, const char *user, const char *at, const char *to,
                    uint64_t move)
{
    return ask_move(
        lab, at,
        (struct wire_move_ask){
            .what = WIRE_MOVE_FREEZE, .move = move, .user = text_of(user), .region = text_of(to)});
}

struct asked give_up(struct lab *lab, const char *user, const char *at)
{
    return ask_move(lab, at,
                    (struct wire_move_ask){
                        .what = WIRE_MOVE_ABORT, .user = text_of(user), .region = text_of(at)});
}

struct asked rows(struct lab *lab, const char *user, const char *at, const char *to, uint64_t move,
                  uint64_t from)
{
    return ask_move(lab, at,
                    (struct wire_move_ask){.what = WIRE_MOVE_ROWS,
                                           .move = move,
                                           .user = text_of(user),
                                           .region = text_of(to),
                                           .from = from});
}

void set_home(struct lab *lab, const char *user, const char *home)
{
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = 1};
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    lab_store(lab, wire_directory_subject(text_of(user), 1).text, bytes.data, bytes.size);
    buffer_free(&bytes);
}
