/* SPDX-License-Identifier: MIT */
/* The decision for a 413; body_limit.h holds the contract. */
#include "service/http/body_limit.h"

enum error_code body_limit_check(size_t most, size_t have, uint64_t more)
{
	return more > most - have ? ERROR_BODY_TOO_LARGE : ERROR_NONE;
}
