# SPDX-License-Identifier: Apache-2.0
"""fgd's verification of signatures against two signers: tests/lib/sigv4.py and botocore's."""

import calendar
import json
import os
import pathlib
import random
import subprocess
import sys
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import sigv4  # noqa: E402

# The key of the examples in AWS's documentation.
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
AT = "20150830T123600Z"
NOW = calendar.timegm(time.strptime(AT, "%Y%m%dT%H%M%SZ"))
HOST = [("Host", "example.amazonaws.com")]


@pytest.fixture(scope="module")
def tool():
    process = subprocess.Popen([os.environ["FG_SIGV4_TOOL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.stdin.close()
    assert process.wait(30) == 0


@pytest.fixture
def verify(tool):
    def ask(method, uri, headers, body="", now=NOW, secret=SECRET, **members):
        tool.stdin.write(json.dumps({"method": method, "uri": uri, "headers": headers, "body": body, "now": now,
                                     "secret": secret, **members}) + "\n")
        tool.stdin.flush()
        return json.loads(tool.stdout.readline())
    return ask


def signer(**members):
    s = sigv4.Signer(KEY, SECRET, "us-east-1", "service", AT)
    for name, value in members.items():
        setattr(s, name, value)
    return s


def test_the_example_of_the_documentation(verify):
    """GET ListUsers of IAM: the one example that is printed with all its steps."""
    headers = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("Host", "iam.amazonaws.com")]
    uri = "/?Action=ListUsers&Version=2010-05-08"
    signed = signer(service="iam").sign("GET", uri, headers)
    assert signed[-1][1].endswith("Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
    answer = verify("GET", uri, signed)
    assert answer["result"] == "OK" and answer["keyId"] == KEY
    assert sigv4.sha256(answer["canonical"]) == "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"


# What the published examples are about, one by one.
@pytest.mark.parametrize("method, uri, headers, body", [
    ("GET", "/", [], ""),
    ("POST", "/", [], ""),
    ("GET", "/?Param2=value2&Param1=value1", [], ""),
    ("GET", "/?Param1=value2&Param1=Value1", [], ""),
    ("GET", "/?Param1=b&Param1=a&Param=z&Param1", [], ""),
    ("GET", "/?-._~0123456789=x&%E1%88%B4=bar&a=%2f%20", [], ""),
    ("GET", "/-._~0123456789ABCDEFabcdef", [], ""),
    ("GET", "/%E1%88%B4/a%20b%2fc", [], ""),
    ("GET", "/v1/tasks/arn:aws:ecs:eu-1:1:task/default/abc", [], ""),
    ("GET", "/example/..", [], ""),
    ("GET", "/example1/example2/../..", [], ""),
    ("GET", "/./", [], ""),
    ("GET", "//example//", [], ""),
    ("GET", "/", [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")], ""),
    ("GET", "/", [("My-Header1", "  value1 "), ("My-Header2", ' "a   b   c" ')], ""),
    ("POST", "/", [("Content-Type", "application/x-www-form-urlencoded")], "Param1=value1"),
    ("POST", "/", [("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListTasks"),
                   ("Content-Type", "application/x-amz-json-1.1")], '{"cluster":"\u1234"}'),
])
def test_each_part_of_a_request(verify, method, uri, headers, body):
    for token in (None, "AQoDYXdzEPT//////////wEXAMPLE"):
        s = signer(token=token)
        signed = s.sign(method, uri, HOST + headers, body)
        answer = verify(method, uri, signed, body)
        assert answer["result"] == "OK", answer
        for wrong in ({"body": body + "x"}, {"method": "PUT"}, {"uri": uri + "/x"}, {"secret": SECRET[:-1] + "x", "forget": True}):
            call = {"method": method, "uri": uri, "headers": signed, "body": body, **wrong}
            assert verify(**call)["result"] == "SIGNATURE", wrong
        assert verify(method, s.presign(method, uri, HOST), HOST, forget=True)["result"] == "OK"


def test_botocore_signs_the_same(verify):
    generator = random.Random(1)
    credentials = botocore.credentials.Credentials(KEY, SECRET)
    letters = "abcXYZ019-_.~ /%&=+:,;@*'()!$\u00fc\u20ac"
    for i in range(300):
        text = lambda n: "".join(generator.choice(letters) for _ in range(generator.randrange(n)))  # noqa: E731
        path = "/" + sigv4.encode(text(12).replace("/", ""), safe="-_.~:")
        query = "&".join(f"{sigv4.encode('p' + text(3))}={sigv4.encode(text(9))}" for _ in range(generator.randrange(5)))
        uri, body = path + ("?" + query if query else ""), text(50)
        request = botocore.awsrequest.AWSRequest("POST", f"https://example.com:8443{uri}", {"X-Amz-Target": "a.b"}, body.encode())
        credentials.token = "token" if i % 3 == 0 else None
        botocore.auth.SigV4Auth(credentials, "ecs", "local-1").add_auth(request)
        headers = [("Host", "example.com:8443"), *request.headers.items()]
        answer = verify("POST", uri, headers, body, now=int(time.time()))
        assert answer["result"] == "OK", (uri, answer)
        assert verify("POST", uri, headers, body + "x", now=int(time.time()))["result"] == "SIGNATURE"


def test_botocore_presigns_the_same(verify):
    credentials = botocore.credentials.Credentials(KEY, SECRET, "token")
    request = botocore.awsrequest.AWSRequest("GET", "https://example.com/v1/tasks/ab/logs?follow=1&since=2026-01-01T00:00:00Z")
    botocore.auth.SigV4QueryAuth(credentials, "fgrun", "local-1", expires=600).add_auth(request)
    uri, now, host = request.url.removeprefix("https://example.com"), int(time.time()), [("Host", "example.com")]
    assert verify("GET", uri, host, now=now)["result"] == "OK"
    assert verify("GET", uri, host, now=now + 590)["result"] == "OK"
    answer = verify("GET", uri, host, now=now + 605)
    assert (answer["result"], answer["message"]) == ("EXPIRED", "Request has expired.")
    assert verify("GET", uri, host, now=now - 310)["result"] == "SIGNATURE"
    assert verify("GET", uri.replace("follow=1", "follow=2"), host, now=now)["result"] == "SIGNATURE"
    assert verify("GET", uri.replace("X-Amz-Expires=600", "X-Amz-Expires=6000"), host, now=now)["result"] == "SIGNATURE"


def test_the_clock_may_be_five_minutes_off(verify):
    signed = signer().sign("GET", "/", HOST)
    for off, result in ((-300, "OK"), (300, "OK"), (-301, "SIGNATURE"), (301, "SIGNATURE")):
        answer = verify("GET", "/", signed, now=NOW + off)
        assert answer["result"] == result, off
    assert answer["message"] == "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
    assert "not yet current" in verify("GET", "/", signed, now=NOW - 301)["message"]


def test_date_instead_of_x_amz_date(verify):
    for date in ("Sun, 30 Aug 2015 12:36:00 GMT", AT):
        headers = [*HOST, ("Date", date)]
        s = signer()
        canonical = s.canonical("GET", "/", headers, ["date", "host"], sigv4.sha256(b""))
        authorization = (f"AWS4-HMAC-SHA256 Credential={KEY}/{s.scope()},SignedHeaders=date;host,"
                         f"Signature={s.signature(canonical)}")
        assert verify("GET", "/", [*headers, ("Authorization", authorization)])["result"] == "OK"


def test_the_scope_is_signed(verify):
    signed = signer().sign("GET", "/", HOST)
    for old, new in (("us-east-1", "us-east-2"), ("/service/", "/ecs/"), (KEY, "AKIDEXAMPLF")):
        changed = [(n, v.replace(old, new) if n == "Authorization" else v) for n, v in signed]
        # A key of another name has another secret; here it is the name that is not signed.
        expected = "OK" if old == KEY else "SIGNATURE"
        assert verify("GET", "/", changed)["result"] == expected
    answer = verify("GET", "/", signer(date="20150829").sign("GET", "/", HOST))
    assert answer["result"] == "SIGNATURE" and "Date in Credential scope does not match" in answer["message"]


def test_what_must_be_signed(verify):
    signed = signer().sign("POST", "/", [*HOST, ("Content-Type", "x")])
    answer = verify("POST", "/", [*signed, ("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.DeleteCluster")])
    assert answer["result"] == "SIGNATURE" and "'X-Amz-Target' must be a 'SignedHeader'" in answer["message"]
    answer = verify("POST", "/", signer().sign("POST", "/", [("Content-Type", "x")]))
    assert answer["result"] == "SIGNATURE" and "'Host'" in answer["message"]
    assert verify("POST", "/", [h for h in signed if h[0] != "Content-Type"])["result"] == "SIGNATURE"
    assert verify("POST", "/", [*signed, ("content-type", "y")])["result"] == "SIGNATURE"


def test_the_payload_may_be_unsigned_only_where_allowed(verify):
    headers = [*HOST, ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")]
    signed = signer().sign("POST", "/", headers, payload="UNSIGNED-PAYLOAD")
    assert verify("POST", "/", signed, "body")["result"] == "SIGNATURE"
    assert verify("POST", "/", signed, "body", unsignedOk=True)["result"] == "OK"
    assert verify("POST", "/", signed, "")["result"] == "OK"
    for said in (sigv4.sha256("other"), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        headers = [*HOST, ("X-Amz-Content-SHA256", said)]
        assert verify("POST", "/", signer().sign("POST", "/", headers, payload=said), "body")["result"] == "SIGNATURE"


def test_a_client_that_signs_what_it_sends(verify):
    """libcurl before 8.3: parameters in the order they came, no second encoding."""
    uri = "/v1/tasks/arn%3Aaws/logs?since=1&follow=1"
    s = signer()
    headers = [*HOST, ("X-Amz-Date", AT)]
    path, _, query = uri.partition("?")
    canonical = f"GET\n{path}\n{query}\nhost:example.amazonaws.com\nx-amz-date:{AT}\n\nhost;x-amz-date\n{sigv4.sha256(b'')}"
    authorization = (f"AWS4-HMAC-SHA256 Credential={KEY}/{s.scope()}, SignedHeaders=host;x-amz-date, "
                     f"Signature={s.signature(canonical)}")
    headers.append(("Authorization", authorization))
    assert verify("GET", uri, headers)["result"] == "OK"
    assert verify("GET", uri.replace("since=1&follow=1", "follow=1&since=1"), headers)["result"] == "SIGNATURE"


def test_incomplete(verify):
    good = signer().sign("GET", "/", HOST)[-1][1]
    date = ("X-Amz-Date", AT)
    assert verify("GET", "/", [*HOST])["result"] == "MISSING"
    for broken in ("", "Basic eDp5", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512 " + good[17:], "AWS4-HMAC-SHA256Credential=x",
                   good.replace("Credential=", "Credentials="), good.replace(", Signature", "Signature"),
                   good + ", Signature=" + "0" * 64, good[:-1], good[:-1] + "g", good.replace("aws4_request", "aws4"),
                   good.replace(KEY, "A" * 200), good.replace(KEY, ""), good.replace("us-east-1", "us east"),
                   good.replace("host;", "Host;"), good.replace("host;x-amz-date", ""), good + " more"):
        answer = verify("GET", "/", [*HOST, date, ("Authorization", broken)])
        assert answer["result"] == "INCOMPLETE" and answer["message"], broken
    for when in ("", "20150830", "20150830T123600", "30 Aug 2015", "20151330T123600Z"):
        answer = verify("GET", "/", [*HOST, ("X-Amz-Date", when), ("Authorization", good)])
        assert answer["result"] == "INCOMPLETE", when
    assert "'Date' header" in verify("GET", "/", [*HOST, ("Authorization", good)])["message"]
    uri = signer().presign("GET", "/", HOST)
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"):
        answer = verify("GET", uri.replace(f"X-Amz-{name}=", "X-Other="), HOST)
        assert answer["result"] == "INCOMPLETE" and f"X-Amz-{name}" in answer["message"]
    for old, new in (("Expires=60", "Expires=0"), ("Expires=60", "Expires=604801"), ("Expires=60", "Expires=x"),
                     ("SHA256", "SHA1"), ("Expires=60", "Expires=60&X-Amz-Expires=60"), ("Date=2015", "Date=%zz")):
        assert verify("GET", uri.replace(old, new), HOST)["result"] == "INCOMPLETE", new
    twice = signer().sign("GET", "/", HOST)
    assert verify("GET", uri, twice)["result"] == "INCOMPLETE"
