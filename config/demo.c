/* SPDX-License-Identifier: MIT */
/* The bytes of config/demo.yaml, which the Makefile writes as a list of numbers. */
#include "config/config.h"

static const unsigned char demo_yaml[] = {
#include "config/demo_yaml.inc"
};

struct span config_demo_yaml(void)
{
	return (struct span){(const char *)demo_yaml, sizeof(demo_yaml)};
}
