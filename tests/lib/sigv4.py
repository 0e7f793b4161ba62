# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4, the side that signs, written from the specification with hashlib."""

import hashlib
import hmac
import time
import urllib.parse


def sha256(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def stamp(seconds=None):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def encode(text, safe="-_.~"):
    return urllib.parse.quote(text, safe=safe)


def canonical_path(path):
    parts = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in ("", "."):
            parts.append(encode(part))
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


def canonical_query(query, without=()):
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    pairs = [(encode(urllib.parse.unquote(n)), encode(urllib.parse.unquote(v))) for n, v in pairs if n not in without]
    return "&".join(f"{n}={v}" for n, v in sorted(pairs))


class Signer:
    """Every member may be changed before sign(): that is how wrong requests are made."""

    def __init__(self, key_id, secret, region="local-1", service="fgrun", at=None):
        self.key_id, self.secret, self.region, self.service = key_id, secret, region, service
        self.at = at or stamp()
        self.date = self.at[:8]
        self.token = None

    def scope(self):
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    def signature(self, canonical):
        key = mac(("AWS4" + self.secret).encode(), self.date)
        for part in (self.region, self.service, "aws4_request"):
            key = mac(key, part)
        to_sign = f"AWS4-HMAC-SHA256\n{self.at}\n{self.scope()}\n{sha256(canonical)}"
        return mac(key, to_sign).hex()

    def canonical(self, method, uri, headers, signed, payload):
        path, _, query = uri.partition("?")
        lines = [f"{name}:{','.join(' '.join(v.split()) for n, v in headers if n.lower() == name)}\n"
                 for name in signed]
        return "\n".join([method, canonical_path(path), canonical_query(query, ("X-Amz-Signature",)),
                          "".join(lines), ";".join(signed), payload])

    def sign(self, method, uri, headers, body=b"", payload=None):
        """The headers, with those of the signature. @headers: [(name, value)…], Host among them."""
        headers = list(headers) + [("X-Amz-Date", self.at)]
        if self.token:
            headers.append(("X-Amz-Security-Token", self.token))
        signed = sorted({name.lower() for name, _ in headers})
        canonical = self.canonical(method, uri, headers, signed, payload or sha256(body))
        return headers + [("Authorization", f"AWS4-HMAC-SHA256 Credential={self.key_id}/{self.scope()}, "
                           f"SignedHeaders={';'.join(signed)}, Signature={self.signature(canonical)}")]

    def presign(self, method, uri, headers, expires=60):
        """The URI, with a signature in its query."""
        signed = sorted({name.lower() for name, _ in headers})
        query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.key_id}/{self.scope()}",
                 "X-Amz-Date": self.at, "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": ";".join(signed)}
        if self.token:
            query["X-Amz-Security-Token"] = self.token
        uri += ("&" if "?" in uri else "?") + "&".join(f"{n}={encode(v)}" for n, v in query.items())
        canonical = self.canonical(method, uri, headers, signed, sha256(b""))
        return f"{uri}&X-Amz-Signature={self.signature(canonical)}"
