/* tls: all that the rest of the engine and the bindings need of TLS. */
#ifndef SS_TLS_TLS_H
#define SS_TLS_TLS_H

#include "tls/context.h"
#include "tls/facts.h"
#include "tls/filter.h"
#include "tls/peer.h"
#include "tls/session.h"

#endif
