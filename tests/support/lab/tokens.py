"""Tokens as an issuer makes them that shares no code with us."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "a secret of the integration tests"
ISSUER, AUDIENCE = "https://login.example", "meridian"


def auth_file(folder, **more):
    """A file of settings for daemons that ask for tokens of here; `more` are others of auth."""
    (folder / "secret").touch(0o600)
    (folder / "secret").write_text(SECRET)
    auth = {"required": "true", "issuer": ISSUER, "audience": AUDIENCE, "leeway": "0s", **more}
    key = f"{{file: {folder / 'secret'}, format: secret, kid: shared}}"
    lines = [f"  {name}: {value}" for name, value in auth.items()]
    path = folder / "auth.yaml"
    path.write_text("\n".join(["auth:", *lines, f"  keys: [{key}]", ""]))
    return path


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(header, claims, secret=SECRET):
    """Any two texts, with a code that is right for them."""
    head = f"{b64(header.encode())}.{b64(claims.encode())}"
    return f"{head}.{b64(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest())}"


def claims_of(user="alice", left_s=600, **more):
    """A good set of claims; `more` replaces some, ... leaves one out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + left_s, **more}
    return {name: value for name, value in claims.items() if value is not ...}


def token(user="alice", left_s=600, secret=SECRET, alg="HS256", kid="shared", **more):
    """A token as an issuer makes it."""
    header = {"alg": alg, "kid": kid}
    return signed(json.dumps(header), json.dumps(claims_of(user, left_s, **more)), secret)
