"""Reads slices of the 24-hour window, open and sealed: written from the description in
src/activity/packed_slice.hpp, not from its code."""

import redis
import uuid


def slice_counts(r, name):
    """Player → interactions of the slice under the key `name`. `r` decodes its answers; this does not."""
    raw = redis.Redis(connection_pool=redis.ConnectionPool(
        connection_class=r.connection_pool.connection_class,
        **{**r.connection_pool.connection_kwargs, "decode_responses": False}))
    if raw.type(name) == b"hash":
        return {k.decode(): int(v) for k, v in raw.hgetall(name).items()}
    return unpack(raw.get(name) or b"\x01")


def unpack(text):
    assert text[0] == 1, text[:10]
    counts, at = {}, 1

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            byte, at = text[at], at + 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    while at < len(text):
        size = varint()
        end, name = at + size, b""
        while at < end:
            shared, rest, at = text[at] >> 4, text[at] & 15, at + 1
            if (shared, rest) == (15, 15):
                shared, rest, at = text[at], text[at + 1], at + 2
            name, at = name[:shared] + text[at:at + rest], at + rest
            player = str(uuid.UUID(bytes=name[1:])) if name[0] == 0 else name.decode()
            counts[player] = varint()
    return counts


def all_counts(r):
    """The slices' counts together: what leaderboard:active must show once due slices are swept."""
    total = {}
    for name in r.scan_iter("activity:[0-9]*"):
        for player, count in slice_counts(r, name).items():
            total[player] = total.get(player, 0) + count
    return total
