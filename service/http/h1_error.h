/* SPDX-License-Identifier: MIT */
/* Inside of service/http: the errors that h2o answers itself on HTTP/1.1, put into our form. */
#ifndef SLUICE_SERVICE_HTTP_H1_ERROR_H
#define SLUICE_SERVICE_HTTP_H1_ERROR_H

#include <h2o.h>

/* Adds the filter to a path's configuration. */
void h1_error_register(h2o_pathconf_t *path);

#endif
