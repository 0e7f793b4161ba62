/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How a request that wants in is judged. One row per outcome: its exception in the JSON protocol
 * and in the REST API, its code in the query protocol, and the statuses of these three. fgd says
 * what AWS says, so that SDKs act on it as they do there.
 */
#define FG_AUTH_LIST(X)                                                                            \
        X(OK, "", "", 200, 200, 200)                                                               \
        X(MISSING, "MissingAuthenticationTokenException", "MissingAuthenticationToken", 400, 403,  \
          401)                                                                                     \
        X(INCOMPLETE, "IncompleteSignatureException", "IncompleteSignature", 400, 400, 400)        \
        X(UNKNOWN_KEY, "UnrecognizedClientException", "InvalidClientTokenId", 400, 403, 403)       \
        X(SIGNATURE, "InvalidSignatureException", "SignatureDoesNotMatch", 400, 403, 403)          \
        X(EXPIRED, "RequestExpired", "RequestExpired", 400, 400, 400)                              \
        X(DENIED, "AccessDeniedException", "AccessDenied", 400, 403, 403)                          \
        X(UNAVAILABLE, "ServiceUnavailable", "ServiceUnavailable", 503, 503, 503)

enum fg_auth_result {
#define FG_AUTH_ENUM(name, json, query, json_status, query_status, rest_status) FG_AUTH_##name,
        FG_AUTH_LIST(FG_AUTH_ENUM)
#undef FG_AUTH_ENUM
};
