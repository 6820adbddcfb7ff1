// The OpenAPI 3.1 document, made from the route table, and a page to browse it.
#pragma once

#include "http/router.hpp"

namespace skirmish::http {

// The document for all routes added so far.
json::value openapi_document(const router& routes);

// Adds GET /openapi.json and GET /docs. Call it last: the document is made once, from the routes
// that are there.
void add_documentation(router& routes);

}  // namespace skirmish::http
