/* meridian.v1: JSON text frames, one object each, whose key `t` names the kind. See
 * docs/protocol.md. */
#pragma once

#include "edge/edge_session.h"

extern const struct edge_dialect edge_v1_dialect;
