"""Writes a GeoIP database for the addresses of a test (MaxMind DB file format 2.0, IPv4)."""

import ipaddress
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"
TEXT, DOUBLE, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 3, 5, 6, 7, 9, 11


def control(kind, size):
    head, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind > 7:
        return bytes([head, kind - 7]) + more
    return bytes([kind << 5 | head]) + more


def encode(value):
    if isinstance(value, str):
        return control(TEXT, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return control(DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, dict):
        pairs = b"".join(encode(key) + encode(of) for key, of in value.items())
        return control(MAP, len(value)) + pairs
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(map(encode, value))
    kind, number = value
    size = (number.bit_length() + 7) // 8
    return control(kind, size) + number.to_bytes(size, "big")


def place(country, continent, latitude, longitude):
    return {
        "continent": {"code": continent},
        "country": {"iso_code": country},
        "location": {"latitude": float(latitude), "longitude": float(longitude)},
    }


def write(path, places, built_s):
    """places: {"10.77.1.0/24": place(...)}, which do not overlap."""
    nodes, data, offsets = [[None, None]], b"", {}
    for network, where in places.items():
        offsets[network] = len(data)
        data += encode(where)
    for network in places:
        parsed = ipaddress.ip_network(network)
        bits, at = int(parsed.network_address), 0
        for depth in range(parsed.prefixlen):
            side = bits >> (31 - depth) & 1
            if depth == parsed.prefixlen - 1:
                nodes[at][side] = network
            elif nodes[at][side] is None:
                nodes[at][side] = len(nodes)
                nodes.append([None, None])
            at = nodes[at][side]
    count = len(nodes)

    def record(of):
        if of is None:
            return count
        return of if isinstance(of, int) else count + 16 + offsets[of]

    tree = b"".join(struct.pack(">2I", record(left), record(right)) for left, right in nodes)
    metadata = {
        "binary_format_major_version": (UINT16, 2),
        "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, built_s),
        "database_type": "Meridian-Test-City",
        "description": {"en": "addresses of a test"},
        "ip_version": (UINT16, 4),
        "languages": ["en"],
        "node_count": (UINT32, count),
        "record_size": (UINT16, 32),
    }
    path.write_bytes(tree + bytes(16) + data + MARKER + encode(metadata))
