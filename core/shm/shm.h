/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shm.h - the face of core/shm: shared memory, the robust lock, sleeping and
 * waking, and the payload store. The only room that knows futex and memfd.
 */
#ifndef SHM_SHM_H
#define SHM_SHM_H

#include "shm/bell.h"
#include "shm/lock.h"
#include "shm/memory.h"
#include "shm/place.h"
#include "shm/spin.h"
#include "shm/store.h"
#include "shm/wait.h"

#endif
