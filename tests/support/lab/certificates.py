"""Certificates that vouch for themselves."""

import subprocess


def make_certificate(folder, name):
    """edge.pem and edge.key of a host name or an IPv4 address."""
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + [
            "-nodes",
            "-days",
            "1",
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName={kind}:{name}",
        ]
        + ["-keyout", folder / "edge.key", "-out", folder / "edge.pem"],
        check=True,
        capture_output=True,
    )
