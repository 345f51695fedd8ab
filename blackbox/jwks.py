"""Keys and signed tokens, made with Python's cryptography: another hand than the product's."""

import base64
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def text(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value, length=None):
    return text(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def public_jwk(key, kid):
    """RFC 7517, of an RSA or P-256 key."""
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}
    return {"kty": "EC", "use": "sig", "alg": "ES256", "kid": kid, "crv": "P-256", "x": number(numbers.x, 32),
            "y": number(numbers.y, 32)}  # fmt: skip


def private_jwk(key, kid):
    private = key.private_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        more = {"d": private.d, "p": private.p, "q": private.q, "dp": private.dmp1, "dq": private.dmq1, "qi": private.iqmp}
        return public_jwk(key, kid) | {name: number(value) for name, value in more.items()}
    return public_jwk(key, kid) | {"d": number(private.private_value, 32)}


def signed(key, kid, claims, header=None):
    """A JSON Web Token by that key."""
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    header = {"alg": algorithm, "typ": "JWT", "kid": kid} | (header or {})
    body = ".".join(text(json.dumps(part).encode()) for part in (header, claims))
    if isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{body}.{text(raw)}"
