/* SPDX-License-Identifier: MIT */
/*
 * What one worker records of use: a table for about a second, which then goes to the thread that keeps it (usage.h). A
 * worker never waits for it. At most USAGE_RECORDER_ROWS rows are on their way from a recorder, and as many are with
 * it; then keys are counted together (table.h).
 */
#ifndef SLUICE_SERVICE_USAGE_RECORDER_H
#define SLUICE_SERVICE_USAGE_RECORDER_H

#include "service/loop/loop.h"
#include "service/usage/table.h"

enum { USAGE_RECORDER_ROWS = 4096 };

struct bill_call;
struct config_model;
struct prices;
struct request;
struct usage_keeper;
struct usage_recorder;

/* loop: the worker's. keeper, loop, prices: borrows; prices NULL = nothing costs money. NULL: out of memory. */
struct usage_recorder *usage_recorder_create(struct usage_keeper *keeper, struct loop *loop,
					     const struct prices *prices);
/* Gives away what it still has. The loop may be turned no more. NULL is harmless. */
void usage_recorder_destroy(struct usage_recorder *recorder);

/* Records a request that was taken, once it is over. model: NULL = several. target: the name of who answered; NULL =
 * nobody, or several. */
void usage_record_request(struct usage_recorder *recorder, const struct request *request,
			  const struct config_model *model, const char *target);

/* Records what a call used, or an estimate where the backend read the request and did not tell. request: for whom it
 * was made. */
void usage_record_call(struct usage_recorder *recorder, const struct request *request, const struct bill_call *call);

#endif
