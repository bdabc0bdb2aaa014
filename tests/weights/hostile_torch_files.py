"""Malicious and damaged PyTorch checkpoints, each built by a function of the canary command that it would run.

No PyTorch is needed: the pickles are written by hand, and Python's zipfile makes the zips.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile

import numpy as np
from hostile_files import PROTO2, Call, number, text

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
VERSION = pickle.dumps(1001, protocol=2)
SYSTEM = pickle.dumps({"protocol_version": 1001, "little_endian": True}, protocol=2)
DATA = np.arange(6, dtype="<f4").tobytes()


def storage(key="0", kind=b"ctorch\nFloatStorage\n", count=b"K\x06", last=b"") -> bytes:
    return b"(" + text("storage") + kind + text(key) + text("cpu") + count + last + b"tQ"


def hooks() -> bytes:
    return b"ccollections\nOrderedDict\n)R"


def tensor(source: bytes | None = None, offset=b"K\x00", shape=b"K\x06\x85", strides=b"K\x01\x85") -> bytes:
    source = storage() if source is None else source
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + source + offset + shape + strides + b"\x89" + hooks() + b"tR"


def entry(value: bytes, name="w") -> bytes:
    return text(name) + value + b"s"


def checkpoint(*entries: bytes, meta: bytes = b"N", built: bytes = b"") -> bytes:
    """{"meta": meta, "state_dict": OrderedDict of the entries}."""
    return PROTO2 + b"}" + entry(meta, "meta") + text("state_dict") + hooks() + b"".join(entries) + built + b"s."


def packed(pickled: bytes, members: dict | None = None, compression=zipfile.ZIP_STORED, folder="archive") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr(f"{folder}/data.pkl", pickled)
        for name, data in ({"data/0": DATA} if members is None else members).items():
            archive.writestr(f"{folder}/{name}", data)
    return stream.getvalue()


def streamed(pickled: bytes, keys=("0",), data: bytes | None = None, system: bytes = SYSTEM) -> bytes:
    data = struct.pack("<q", 6) + DATA if data is None else data
    return MAGIC + VERSION + system + pickled + pickle.dumps(list(keys), protocol=2) + data


def honest() -> bytes:
    return checkpoint(entry(tensor()))


def patched(raw: bytes, position: int, value: bytes) -> bytes:
    return raw[:position] + value + raw[position + len(value) :]


def in_directory(raw: bytes, field: int, value: bytes) -> bytes:
    """A zip with some bytes of its first directory entry replaced."""
    return patched(raw, raw.index(b"PK\x01\x02") + field, value)


def call(function, *arguments) -> bytes:
    """The instructions that call ``function``, without PROTO and STOP."""
    return pickle.dumps(Call(function, *arguments), protocol=2)[2:-1]


def everything_that_runs(command: str) -> list[bytes]:
    shell = text(command)
    return [
        call(os.system, command),
        b"cbuiltins\neval\n" + text(f"__import__('os').system({command!r})") + b"\x85R",
        b"(" + shell + b"ios\nsystem\n",
        b"(csubprocess\nPopen\n" + shell + b"o",
        b"csubprocess\nPopen\n" + shell + b"\x85\x81",
        b"cos\nsystem\n" + shell + b"\x85R}" + text("x") + shell + b"sb",
        b"c__builtin__\ngetattr\nc__builtin__\n__import__\n"
        + text("os")
        + b"\x85R"
        + text("system")
        + b"\x86R"
        + shell
        + b"\x85R",
        b"ctorch\nload\n" + shell + b"\x85R",
        b"ctorch.hub\nload\n" + shell + b"\x85R",
        b"ctorch._utils\n_rebuild_tensor_v2\ncos\nsystem\n" + shell + b"\x85R\x85R",
        b"ctorch._utils\n_rebuild_parameter\ncos\nsystem\n\x88N\x87R",
        text(command) + b"Q",
        b"ccollections\nOrderedDict\ncos\nsystem\n" + shell + b"\x85R\x85R",
        b"\x82\x01",
    ]


# An attack in the part that is not wanted: neutralised, and the tensors are read. In the state dict: refused.
NEUTRALISED = {
    f"attack_{number}": (lambda c, n=number: everything_that_runs(c)[n])
    for number in range(len(everything_that_runs("")))
}

REFUSED = {
    **{
        f"in_the_state_dict_{name}": (lambda c, m=make: packed(checkpoint(entry(m(c)))))
        for name, make in NEUTRALISED.items()
    },
    "whole_file_is_a_call": lambda c: packed(pickle.dumps(Call(os.system, c), protocol=2)),
    "state_dict_is_a_call": lambda c: packed(PROTO2 + b"}" + entry(call(os.system, c), "state_dict") + b"."),
    "state_dict_is_a_subclass": lambda c: packed(
        checkpoint().replace(b"ccollections\nOrderedDict", b"cevil\nOrderedDict")
    ),
    "name_that_is_a_tuple": lambda c: packed(checkpoint(b"K\x01\x85" + tensor() + b"s")),
    "name_twice": lambda c: packed(checkpoint(entry(tensor()), entry(tensor()))),
    "another_rebuild_function": lambda c: packed(checkpoint(entry(tensor().replace(b"_v2", b"_v3")))),
    "quantised_storage": lambda c: packed(checkpoint(entry(tensor(storage(kind=b"ctorch\nQInt8Storage\n"))))),
    "storage_of_a_dotted_name": lambda c: packed(
        checkpoint(entry(tensor(storage(kind=b"ctorch\nFloatStorage.from_file\n"))))
    ),
    "storage_with_a_view": lambda c: packed(checkpoint(entry(tensor(storage(last=b"K\x01"))))),
    "storage_by_a_path": lambda c: packed(checkpoint(entry(tensor(storage("../../../etc/passwd"))))),
    "storage_in_two_ways": lambda c: packed(
        checkpoint(entry(tensor()), entry(tensor(storage(kind=b"ctorch\nHalfStorage\n")), "v"))
    ),
    "storage_that_is_missing": lambda c: packed(honest(), {}),
    "storage_of_another_size": lambda c: packed(honest(), {"data/0": DATA + b"\0"}),
    "storage_of_a_negative_size": lambda c: packed(checkpoint(entry(tensor(storage(count=number(-6)))))),
    "reaches_beyond_its_storage": lambda c: packed(checkpoint(entry(tensor(shape=b"K\x07\x85")))),
    "offset_beyond_its_storage": lambda c: packed(checkpoint(entry(tensor(offset=b"K\x01")))),
    "strides_beyond_its_storage": lambda c: packed(checkpoint(entry(tensor(shape=b"K\x02\x85", strides=b"K\x06\x85")))),
    "negative_offset": lambda c: packed(checkpoint(entry(tensor(offset=number(-1))))),
    "negative_stride": lambda c: packed(checkpoint(entry(tensor(strides=number(-1) + b"\x85")))),
    "strides_of_another_length": lambda c: packed(checkpoint(entry(tensor(strides=b"K\x01K\x01\x86")))),
    "shape_that_is_a_list": lambda c: packed(checkpoint(entry(tensor(shape=b"]K\x06a")))),
    "offset_that_is_text": lambda c: packed(checkpoint(entry(tensor(offset=text("0"))))),
    "terabytes_of_one_number": lambda c: packed(
        checkpoint(entry(tensor(shape=number(2**20) + number(2**20) + b"\x86", strides=b"K\x00K\x00\x86")))
    ),
    "shape_beyond_64_bits": lambda c: packed(
        checkpoint(entry(tensor(shape=number(2**62) * 3 + b"\x87", strides=b"K\x00K\x00K\x00\x87")))
    ),
    "one_storage_many_tensors": lambda c: packed(checkpoint(*(entry(tensor(), f"w{i}") for i in range(1000)))),
    "billion_laughs": lambda c: packed(checkpoint(entry(b"K\x01" + b"q\x00h\x00\x86" * 5000))),
    "billion_laughs_as_a_name": lambda c: packed(checkpoint(b"K\x01" + b"q\x00h\x00\x86" * 5000 + b"Ns")),
    "million_dicts": lambda c: packed(PROTO2 + b"}" * 3_000_000 + b"."),
    "million_globals": lambda c: packed(PROTO2 + b"ca\nb\n0" * 600_000 + b"."),
    "long_number": lambda c: packed(PROTO2 + b"\x8b" + struct.pack("<I", 2**32 - 1) + b"."),
    "empty_state_dict": lambda c: packed(checkpoint()),
    "only_numbers": lambda c: packed(pickle.dumps({"epoch": 3}, protocol=2)),
    "big_endian": lambda c: packed(honest(), {"data/0": DATA, "byteorder": b"big"}),
    "compressed": lambda c: packed(honest(), compression=zipfile.ZIP_DEFLATED),
    "bomb": lambda c: packed(honest(), {"data/0": b"\0" * (200 << 20)}, compression=zipfile.ZIP_DEFLATED),
    "pickle_with_a_tail": lambda c: packed(honest() + b"x"),
    "protocol_5": lambda c: packed(pickle.dumps({"w": 1}, protocol=5)),
    "protocol_0": lambda c: packed(pickle.dumps(Call(os.system, c), protocol=0)),
    "torchscript": lambda c: packed(honest(), {"data/0": DATA, "constants.pkl": b"", "code/__torch__.py": b""}),
    "two_pickles": lambda c: packed(honest(), {"data/0": DATA, "more/data.pkl": honest()}),
    "two_members_of_one_name": lambda c: in_directory(
        packed(honest(), {"data/0": DATA, "data/1": DATA}).replace(b"data/1", b"data/0"), 0, b"PK\x01\x02"
    ),
    "members_that_overlap": lambda c: _overlapping(),
    "no_pickle": lambda c: packed(honest()).replace(b"data.pkl", b"data.pcl"),
    "truncated": lambda c: packed(honest())[:-30],
    "truncated_in_the_middle": lambda c: packed(honest())[:200],
    "bytes_changed": lambda c: packed(honest()).replace(DATA, DATA[::-1]),
    "encrypted": lambda c: in_directory(packed(honest()), 8, b"\x01\x00"),
    "method_unknown": lambda c: in_directory(packed(honest()), 10, b"\x63\x00"),
    "size_of_gigabytes": lambda c: in_directory(packed(honest()), 20, struct.pack("<II", 2**31, 2**31)),
    "header_elsewhere": lambda c: in_directory(packed(honest()), 42, struct.pack("<I", 7)),
    "header_beyond_the_end": lambda c: in_directory(packed(honest()), 42, struct.pack("<I", 2**31)),
    "directory_beyond_the_end": lambda c: patched(packed(honest()), len(packed(honest())) - 6, b"\xff\xff\xff\x7f"),
    "directory_of_megabytes": lambda c: packed(honest(), {f"{i:0500d}": b"" for i in range(9000)}),
    "stream_is_a_call": lambda c: streamed(pickle.dumps(Call(os.system, c), protocol=2), ()),
    "stream_system_is_a_call": lambda c: streamed(honest(), system=pickle.dumps(Call(os.system, c), protocol=2)),
    "stream_keys_are_a_call": lambda c: (
        MAGIC + VERSION + SYSTEM + honest() + pickle.dumps(Call(os.system, c), protocol=2)
    ),
    "stream_of_another_version": lambda c: MAGIC + pickle.dumps(1002, protocol=2) + SYSTEM + honest(),
    "stream_big_endian": lambda c: streamed(honest(), system=pickle.dumps({"little_endian": False}, protocol=2)),
    "stream_cut_off": lambda c: streamed(honest())[:-1],
    "stream_with_a_tail": lambda c: streamed(honest()) + b"x",
    "stream_without_keys": lambda c: streamed(honest(), ()),
    "stream_with_a_key_twice": lambda c: streamed(honest(), ("0", "0")),
    "stream_of_another_count": lambda c: streamed(honest(), data=struct.pack("<q", 2**40) + DATA),
    "stream_of_a_huge_count": lambda c: streamed(
        checkpoint(entry(tensor(storage(count=number(2**60))))), data=struct.pack("<q", 2**60) + DATA
    ),
    "stream_of_a_negative_count": lambda c: streamed(
        checkpoint(entry(tensor(storage(count=number(-2))))), data=struct.pack("<q", -2) + DATA
    ),
}


def _overlapping() -> bytes:
    """A member ``data/1`` that lies inside the data of ``data/0``, its local header included."""
    raw = packed(honest(), {"data/0": bytes(100), "data/1": b""})
    header = raw[raw.rindex(b"PK\x03\x04") : raw.index(b"PK\x01\x02")]
    raw = packed(honest(), {"data/0": header + bytes(100 - len(header)), "data/1": b""})
    return patched(raw, raw.rindex(b"PK\x01\x02") + 42, struct.pack("<I", raw.index(header)))
