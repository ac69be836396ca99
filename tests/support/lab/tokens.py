"""Tokens as an issuer makes them that shares no code with us."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "a secret of the integration tests"
ISSUER, AUDIENCE = "https://login.example", "meridian"


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(user="alice", left_s=600, secret=SECRET, alg="HS256", **more):
    """A token as an issuer that shares no code with us makes it."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + left_s, **more}
    header = {"alg": alg, "kid": "shared"}
    head = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    code = hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{b64(code)}"
