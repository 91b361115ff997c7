/* queue: the commands of a connection in the order of their replies, so that nobody guesses which command a reply
 * answers (spec/security: replies out of step).
 *
 * Two cursors cut it in three: answered (gone), on the wire without a reply, and waiting to be released. What may be
 * released when is proto's decision, by the verb table. */
#ifndef SS_QUEUE_H
#define SS_QUEUE_H

#include "base/buf.h"
#include "smtp/verb.h"

/* Most commands held, and most on the wire without a reply: each of those can bring a reply, and replies must fit into
 * the sockets' buffers while a driver is still writing, or both sides would wait for each other. 256 are 64 transactions of
 * four commands; their replies, of some 60 bytes each, are 16 kB. There is room for the longest line of each command
 * (param.h): who finds room for so many commands can queue them. */
enum { SS_QUEUE_HELD = 512, SS_QUEUE_UNREPLIED = 256, SS_QUEUE_TEXT = SS_QUEUE_HELD * 1012 };

typedef struct ss_command {
  ss_verb verb;
  uint32_t tag;
  unsigned replies; /* still due; 0 until the first has come, when it is known how many there are */
  size_t length;    /* of its line in `text`, until it is released */
  uint64_t ends_at; /* how many bytes had been released when its last byte was; 0 before */
  uint64_t wire_at; /* inside TLS, which makes more of them: likewise of the bytes for the wire; 0 before */
} ss_command;

typedef struct ss_queue {
  ss_command ring[SS_QUEUE_HELD];
  size_t head, unreplied, unreleased; /* ring[head] is the oldest without a reply */
  uint32_t last_tag;
  ss_buf text; /* lines not yet released */
} ss_queue;

void ss_queue_init(ss_queue *q);
void ss_queue_free(ss_queue *q);

/* Adds a command whose line is already the last `length` bytes of q->text. Its tag (above 0), or SS_E_FULL. */
int64_t ss_queue_add(ss_queue *q, ss_verb verb, size_t length);

static inline bool ss_queue_is_empty(const ss_queue *q)
{
  return q->unreplied + q->unreleased == 0;
}

static inline size_t ss_queue_room(const ss_queue *q)
{
  return SS_QUEUE_HELD - q->unreplied - q->unreleased;
}

/* The oldest without a reply, the last released one, the next to release; NULL where there is none. */
ss_command *ss_queue_oldest(ss_queue *q);
ss_command *ss_queue_newest_released(ss_queue *q);
ss_command *ss_queue_next(ss_queue *q);

/* Writes down where the commands that end within the first `released` bytes end on the wire, which is `wire` for all
 * that have no place there yet. */
void ss_queue_place(ss_queue *q, uint64_t released, uint64_t wire);

/* The command with this tag that has no reply yet, or NULL. */
ss_command *ss_queue_find(ss_queue *q, uint32_t tag);

/* Moves the release cursor over the next command; its line must have been taken from q->text. */
void ss_queue_release(ss_queue *q);

/* A reply to the oldest command has come, which has `due` in all. True, and it is gone, when that was the last one. */
bool ss_queue_pop(ss_queue *q, unsigned due);

#endif
