/* trouble: how the functions of this module say that something did not work.
 *
 * The reasons are those of the driver contract, few and about sockets only; what they mean for a mail is decided
 * elsewhere. The text is one line for people. */
#ifndef SS_SOCK_TROUBLE_H
#define SS_SOCK_TROUBLE_H

typedef enum ss_why {
  SS_WHY_NONE,    /* no trouble: it is done */
  SS_WHY_AGAIN,   /* no trouble: it goes on when the descriptor is ready */
  SS_WHY_DNS,     /* the name has no address, or nobody could tell */
  SS_WHY_CONNECT, /* no address could be connected to */
  SS_WHY_TIMEOUT, /* the deadline passed */
  SS_WHY_CLOSED,  /* the peer ended the stream, or it was closed here */
  SS_WHY_ERROR    /* anything else that the system refused */
} ss_why;

enum { SS_TROUBLE_TEXT = 640 };

typedef struct ss_trouble {
  ss_why why;
  char text[SS_TROUBLE_TEXT];
} ss_trouble;

/* Notes the reason and the sentence (cut where it is too long) and returns the reason, so that a caller can write
 * `return ss_trouble_set(t, …)`. */
ss_why ss_trouble_set(ss_trouble *t, ss_why why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name that Lua knows it by: "again", "dns", … Never NULL. */
const char *ss_why_name(ss_why why);

#endif
