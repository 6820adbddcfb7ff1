"""Logging in with another login's signed token (JWT): keys and signatures are made by the openssl command."""

import base64
import json
import subprocess
import time

import pytest
from conftest import Server, unique, wait_until

ISSUER = "https://login.example.com"
ALGORITHMS = {"RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
              "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
              "EdDSA": ["-algorithm", "ED25519"]}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """A private key in a file, its JWK, and the tokens that it signs."""

    def __init__(self, folder, algorithm, kid):
        self.algorithm, self.kid, self.key = algorithm, kid, str(folder / f"{kid}.pem")
        self.folder = folder
        self.openssl("genpkey", *ALGORITHMS[algorithm], "-out", self.key)

    def openssl(self, *args):
        return subprocess.run(["openssl", *args], check=True, capture_output=True).stdout

    def jwk(self):
        der = self.openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        form = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "EdDSA":
            return {**form, "kty": "OKP", "crv": "Ed25519", "x": base64url(der[-32:])}
        if self.algorithm == "ES256":
            return {**form, "kty": "EC", "crv": "P-256", "x": base64url(der[-64:-32]), "y": base64url(der[-32:])}
        modulus = self.openssl("rsa", "-in", self.key, "-modulus", "-noout").decode().strip().partition("=")[2]
        return {**form, "kty": "RSA", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}

    def token(self, **claims):
        payload = {"iss": ISSUER, "aud": "my-game", "exp": int(time.time()) + 300, **claims}
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, payload))
        (self.folder / "text").write_text(text)
        if self.algorithm == "EdDSA":
            signature = self.openssl("pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", str(self.folder / "text"))
        else:
            signature = self.openssl("dgst", "-sha256", "-sign", self.key, str(self.folder / "text"))
        if self.algorithm == "ES256":
            signature = raw_of(signature)
        return f"{text}.{base64url(signature)}"


def raw_of(der):
    """The two numbers of an ECDSA signature, 32 bytes each."""
    r_size = der[3]
    r, s = der[4:4 + r_size], der[4 + r_size + 2:]
    return b"".join(n.lstrip(b"\0").rjust(32, b"\0") for n in (r, s))


def store_keys(folder, *signers):
    (folder / "new.json").write_text(json.dumps({"keys": [s.jwk() for s in signers]}))
    (folder / "new.json").rename(folder / "keys.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("issuers")


@pytest.fixture(scope="module")
def signers(folder):
    return {name: Signer(folder, name, name.lower()) for name in ALGORITHMS}


@pytest.fixture(scope="module")
def server(folder, signers, tmp_path_factory):
    store_keys(folder, *signers.values())
    (folder / "issuers.json").write_text(json.dumps({"issuers": [
        {"name": "studio", "issuer": ISSUER, "audience": "my-game", "jwks_file": "keys.json"}]}))
    s = Server(tmp_path_factory.mktemp("own"), {"SKIRMISH_SESSIONS_ISSUERS_FILE": str(folder / "issuers.json")}).start()
    yield s
    s.stop()


def log_in(server, token):
    return server.http("POST", "/api/sessions", {"token": token}, key=None)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_a_trusted_issuer_opens_a_session(server, signers, algorithm):
    subject = unique()
    opened = log_in(server, signers[algorithm].token(sub=subject, name="Ann"))
    assert opened.status == 201 and opened.json["player_id"] == f"studio:{subject}", opened
    headers = {"Authorization": "Bearer " + opened.json["token"]}
    profile = server.http("GET", f"/api/players/studio:{subject}", key=None, headers=headers)
    assert profile.status == 200 and profile.json["name"] == "Ann"
    current = server.http("GET", "/api/sessions/current", key=None, headers=headers).json
    assert current["method"] == "token"
    # The next login is the same player's, whatever it is called by then.
    again = log_in(server, signers[algorithm].token(sub=subject, name="Ann the Second"))
    assert again.json["player_id"] == f"studio:{subject}"
    assert server.http("GET", f"/api/players/studio:{subject}").json["name"] == "Ann"
    # An address is known for an account; a token is none.
    assert not list(server.redis().scan_iter("login_known:*"))


def test_whatever_is_wrong_the_answer_is_the_same(server, folder, signers):
    good = signers["ES256"]
    stranger = Signer(folder, "ES256", "stranger")
    stranger.kid = good.kid
    header, payload, signature = good.token(sub="a").split(".")
    unsigned = base64url(b'{"alg":"none"}') + "." + payload + "."
    refused = [log_in(server, token) for token in (
        stranger.token(sub="a"), unsigned, f"{header}.{payload}.{signature[:-4]}AAAA", "x.y.z", "a",
        good.token(sub="a", iss="https://evil.example.com"), good.token(sub="a", aud="another"),
        good.token(sub="a", exp=int(time.time()) - 120), good.token(sub=""),
        good.token(sub="a", nbf=int(time.time()) + 3600))]
    assert {(r.status, r.json["detail"]) for r in refused} == {(401, "the account or its secret is not right")}
    assert server.http("GET", "/api/players/studio:a").status == 404
    both = server.http("POST", "/api/sessions", {"token": good.token(sub="a"), "player_id": "a"}, key=None)
    assert both.status == 400


def test_new_keys_count_within_seconds_and_a_broken_file_keeps_the_old_ones(server, folder, signers):
    rotated = Signer(folder, "EdDSA", "rotated")
    assert log_in(server, rotated.token(sub="r")).status == 401
    (folder / "keys.json").write_text("{")
    wait_until(lambda: log_in(server, signers["EdDSA"].token(sub="r")).status == 201
               and "issuer_keys_not_read" in server.log_text(), seconds=30)
    store_keys(folder, *signers.values(), rotated)

    def is_known():
        time.sleep(0.5)  # failures are counted against the address
        return log_in(server, rotated.token(sub="r")).status == 201

    wait_until(is_known, seconds=30)


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path, short_tmp):
    (tmp_path / "issuers.json").write_text('{"issuers":[{"name":"a","issuer":"i","audience":"g","jwks_file":"none"}]}')
    s = Server(short_tmp / unique("own"), {"SKIRMISH_SESSIONS_ISSUERS_FILE": str(tmp_path / "issuers.json")})
    s.start(wait=False)
    assert s.process.wait(30) != 0
    assert "sessions.issuers_file" in s.log_text() and "none" in s.log_text()
