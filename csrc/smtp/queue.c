/* queue: see queue.h. */
#include "smtp/queue.h"

void ss_queue_init(ss_queue *q)
{
  q->head = q->unreplied = q->unreleased = 0;
  q->last_tag = 0;
  ss_buf_init(&q->text, SS_QUEUE_TEXT);
}

void ss_queue_free(ss_queue *q)
{
  ss_buf_free(&q->text);
}

static ss_command *at(ss_queue *q, size_t i)
{
  return &q->ring[(q->head + i) % SS_QUEUE_HELD];
}

int64_t ss_queue_add(ss_queue *q, ss_verb verb, size_t length)
{
  if (!ss_queue_room(q)) return SS_E_FULL;
  ss_command *c = at(q, q->unreplied + q->unreleased);
  q->last_tag = q->last_tag == INT32_MAX ? 1 : q->last_tag + 1;
  *c = (ss_command){.verb = verb, .tag = q->last_tag, .length = length};
  q->unreleased++;
  return c->tag;
}

ss_command *ss_queue_oldest(ss_queue *q)
{
  return q->unreplied ? at(q, 0) : NULL;
}

ss_command *ss_queue_newest_released(ss_queue *q)
{
  return q->unreplied ? at(q, q->unreplied - 1) : NULL;
}

ss_command *ss_queue_next(ss_queue *q)
{
  return q->unreleased ? at(q, q->unreplied) : NULL;
}

void ss_queue_place(ss_queue *q, uint64_t released, uint64_t wire)
{
  for (size_t i = q->unreplied; i-- > 0 && !at(q, i)->wire_at;)
    if (at(q, i)->ends_at <= released) at(q, i)->wire_at = wire;
}

ss_command *ss_queue_find(ss_queue *q, uint32_t tag)
{
  for (size_t i = 0; i < q->unreplied + q->unreleased; i++)
    if (at(q, i)->tag == tag) return at(q, i);
  return NULL;
}

void ss_queue_release(ss_queue *q)
{
  q->unreleased--;
  q->unreplied++;
}

bool ss_queue_pop(ss_queue *q, unsigned due)
{
  ss_command *c = at(q, 0);
  if (!c->replies) c->replies = due;
  if (--c->replies) return false;
  q->unreplied--;
  q->head = (q->head + 1) % SS_QUEUE_HELD;
  return true;
}
