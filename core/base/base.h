/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base.h - the face of core/base: what every other room stands on.
 *
 * Errors, text, clock, containers, descriptors, log. Nothing here knows of
 * items, processes or jobs; nothing prints, exits or aborts.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/processors.h"
#include "base/stat.h"
#include "base/text.h"
#include "base/vec.h"

#endif
