"""Malicious and damaged weight files, each built by a function of the canary command that it would run."""

from __future__ import annotations

import json
import os
import pickle
import struct

import numpy as np

PROTO2, PROTO4 = b"\x80\x02", b"\x80\x04"


class Call:
    """Pickles as a call of ``function(*arguments)``."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def short(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def entry(value: bytes, name: str = "w") -> bytes:
    """A protocol 2 state dict of one entry, ``value`` being the instructions that make it."""
    return PROTO2 + b"}" + text(name) + value + b"s."


def reconstruct(module: bytes = b"numpy.core.multiarray", base: bytes = b"cnumpy\nndarray\n") -> bytes:
    return b"c" + module + b"\n_reconstruct\n" + base + b"K\x00\x85U\x01b\x87R"


def dtype(code: str = "f4", order: str = "<") -> bytes:
    made = b"cnumpy\ndtype\n" + text(code) + b"\x89\x88\x87R"
    return made + b"(K\x03" + text(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def array(shape: bytes = b"K\x01\x85", data: bytes = b"U\x04\0\0\0\0", kind: bytes | None = None) -> bytes:
    return reconstruct() + b"(K\x01" + shape + (kind or dtype()) + b"\x89" + data + b"tb"


def stack_global(module: str, name: str) -> bytes:
    return short(module) + short(name) + b"\x93"


def run4(module: str, name: str, argument: str) -> bytes:
    return PROTO4 + b"}" + short("w") + stack_global(module, name) + text(argument) + b"\x85Rs."


def safetensors(header: object, data: bytes = b"", declared: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if declared is None else declared) + raw + data


def f4(start: int, end: int, shape=(1,)) -> dict:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


def numpy_objects(command: str) -> bytes:
    return pickle.dumps({"w": np.array([Call(os.system, command)], dtype=object)}, protocol=4)


def billion_laughs(_: str) -> bytes:
    """A tuple of the same tuple twice, 5000 levels deep: 2 ** 5000 values when walked through."""
    return entry(b"K\x01" + b"q\x00h\x00\x86" * 5000)


def one_block_many_pieces(_: str) -> bytes:
    """One array of 1 MB under 1000 names, to be joined: a gigabyte from a megabyte."""
    names = [f"w@@.{i}" for i in range(1000)]
    data = np.zeros(1 << 18, np.float32)
    info = {"w": {"OriginShape": (1000 << 18,), "slices": names}}
    return pickle.dumps({**dict.fromkeys(names, data), "UnpackBigParamInfor@@": info}, protocol=2)


def valid() -> bytes:
    """An honest state dict, to damage."""
    return pickle.dumps({"w": np.arange(3000, dtype=np.float32), "b": np.ones(3, np.float32)}, protocol=4)


RUNS_CODE = {
    "os_system_protocol2": lambda c: pickle.dumps({"w": Call(os.system, c)}, protocol=2),
    "os_system_protocol4": lambda c: pickle.dumps({"w": Call(os.system, c)}, protocol=4),
    "os_system_protocol0": lambda c: pickle.dumps({"w": Call(os.system, c)}, protocol=0),
    "os_system_protocol5": lambda c: pickle.dumps({"w": Call(os.system, c)}, protocol=5),
    "os_system_alone": lambda c: pickle.dumps(Call(os.system, c), protocol=2),
    "inst_instruction": lambda c: PROTO2 + b"(" + text(c) + b"ios\nsystem\n.",
    "obj_instruction": lambda c: PROTO2 + b"(csubprocess\nPopen\n" + text(c) + b"o.",
    "newobj_instruction": lambda c: entry(b"csubprocess\nPopen\n" + text(c) + b"\x85\x81"),
    "newobj_of_an_allowed_class": lambda c: entry(b"cnumpy\nndarray\nK\x01\x85\x81"),
    "newobj_ex_instruction": lambda c: PROTO4 + stack_global("subprocess", "Popen") + text(c) + b"\x85}\x92.",
    "nested_reduce": lambda c: pickle.dumps({"w": Call(tuple, (Call(os.system, c), 1))}, protocol=2),
    "reduce_in_the_data_of_an_array": lambda c: entry(array(data=b"cposix\nsystem\n" + text(c) + b"\x85R")),
    "builtins_eval": lambda c: pickle.dumps({"w": Call(eval, f"__import__('os').system({c!r})")}, protocol=2),
    "builtins_exec": lambda c: pickle.dumps({"w": Call(exec, f"import os; os.system({c!r})")}, protocol=4),
    "paddle_tensor_by_eval": lambda c: pickle.dumps({"w": Call(eval, "data", {"data": np.ones(2)})}, protocol=4),
    "getattr_chain": lambda c: entry(
        b"c__builtin__\ngetattr\nc__builtin__\n__import__\n" + text("os") + b"\x85R" + text("system") + b"\x86R\x85R"
    ),
    "import_function": lambda c: entry(b"c__builtin__\n__import__\n" + text("antigravity") + b"\x85R"),
    "dotted_name": lambda c: run4("numpy", "f2py.os.system", c),
    "dotted_name_below_an_allowed_one": lambda c: run4("numpy", "ndarray.__class__", c),
    "dotted_name_of_a_marker_module": lambda c: run4("_codecs", "encode.__self__.__loader__.load_module", "os"),
    "allowed_name_of_another_module": lambda c: run4("os.path.numpy", "ndarray", c),
    "numpy_objects": numpy_objects,
    "numpy_load": lambda c: run4("numpy", "load", c),
    "numpy_object_dtype": lambda c: entry(array(kind=dtype("O8", "|"))),
    "numpy_subclass": lambda c: entry(reconstruct(base=b"cnumpy\nmemmap\n")),
    "numpy_scalar": lambda c: pickle.dumps({"w": np.float32(1)}, protocol=2),
    "functools_partial": lambda c: run4("functools", "partial", c),
    "operator_attrgetter": lambda c: run4("operator", "attrgetter", c),
    "copyreg_reconstructor": lambda c: run4("copyreg", "_reconstructor", c),
    "encode_with_another_codec": lambda c: entry(b"c_codecs\nencode\n" + text("x") + text("rot13") + b"\x86R"),
    "codecs_decode": lambda c: entry(b"c_codecs\ndecode\n" + text("x") + b"\x85R"),
    "persistent_id": lambda c: entry(text(c) + b"Q"),
    "extension_registry": lambda c: entry(b"\x82\x01"),
    "attributes_of_an_allowed_class": lambda c: entry(b"cnumpy\nndarray\n}" + text("x") + text(c) + b"sb"),
    "attributes_of_a_dict": lambda c: entry(b"}}" + text("__class__") + text(c) + b"sb"),
    "global_by_a_value_that_is_no_text": lambda c: PROTO4 + b"K\x01" + short("system") + b"\x93.",
    "call_of_a_text": lambda c: entry(text("os.system") + text(c) + b"\x85R"),
    "global_under_a_control_name": lambda c: entry(b"cos\x1b[2J\nsystem\n" + text(c) + b"\x85R"),
    "torch_before_1_6": lambda c: pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2),
}

TOO_MUCH = {
    "huge_declared_shape": lambda c: entry(array(shape=number(2**31) + number(2**31) + b"\x86")),
    "shape_beyond_64_bits": lambda c: entry(array(shape=number(2**62) * 3 + b"\x87")),
    "empty_shape_with_huge_axes": lambda c: entry(array(shape=b"K\x00" + number(2**62) * 2 + b"\x87", data=b"U\x00")),
    "negative_shape": lambda c: entry(array(shape=number(-1) + b"\x85")),
    "shape_of_a_hundred_axes": lambda c: entry(array(shape=b"(" + b"K\x01" * 100 + b"t")),
    "huge_declared_bytes": lambda c: PROTO4 + b"\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "four_gigabytes_declared": lambda c: PROTO2 + b"B" + struct.pack("<I", 2**32 - 1) + b"x.",
    "negative_string_length": lambda c: PROTO2 + b"T" + struct.pack("<i", -5) + b"x.",
    "huge_declared_text": lambda c: PROTO2 + b"X" + struct.pack("<I", 2**32 - 1) + b"x.",
    "huge_declared_frame": lambda c: PROTO4 + b"\x95" + struct.pack("<Q", 2**60) + b"}.",
    "huge_memo_index": lambda c: PROTO2 + b"}r" + struct.pack("<I", 2**32 - 1) + b".",
    "huge_integer": lambda c: entry(b"\x8b" + struct.pack("<i", 2**31 - 1)),
    "long_integer": lambda c: entry(b"\x8a\xff" + b"\x7f" * 255),
    "billion_laughs": billion_laughs,
    "million_dicts": lambda c: PROTO2 + b"}" * 3_000_000 + b".",
    "million_memos": lambda c: PROTO4 + b"}\x94" * 1_500_000 + b".",
    "million_marks": lambda c: PROTO2 + b"(" * 3_000_000 + b".",
    "text_of_four_bytes_a_letter": lambda c: PROTO2 + (text("\U0001f600" + "a" * 500) + b"q\0") * 60_000 + b".",
    "one_long_text": lambda c: entry(text("\u4e00" * 2_000_000)),
    "one_block_many_pieces": one_block_many_pieces,
}

DAMAGED = {
    "truncated": lambda c: valid()[:-2000],
    "truncated_in_the_head": lambda c: valid()[:1],
    "truncated_before_its_end": lambda c: valid()[:-1],
    "bytes_after_the_end": lambda c: valid() + b"<html>",
    "memo_that_is_not_there": lambda c: PROTO2 + b"h\x07.",
    "stack_underflow": lambda c: PROTO2 + b"}\x87.",
    "memo_of_a_mark": lambda c: PROTO2 + b"}(q\0h\0h\0s.",
    "mark_in_a_tuple": lambda c: PROTO2 + b"((\x86.",
    "no_mark": lambda c: PROTO2 + b"}t.",
    "nothing_on_the_stack": lambda c: PROTO2 + b".",
    "unknown_instruction": lambda c: PROTO2 + b"\xff.",
    "less_data_than_its_shape": lambda c: entry(array(shape=b"K\x02\x85")),
    "array_without_data": lambda c: entry(reconstruct()),
    "array_filled_twice": lambda c: entry(array() + array()[len(reconstruct()) :]),
    "array_as_an_argument": lambda c: entry(b"c_codecs\nencode\n" + text("x") + array() + b"\x86R"),
    "bytes_as_a_class": lambda c: entry(reconstruct(base=b"B" + struct.pack("<I", 3) + b"abc")),
    "bytes_as_a_byte_order": lambda c: entry(
        array(kind=dtype().replace(text("<"), b"B" + struct.pack("<I", 3) + b"abc"))
    ),
    "big_endian": lambda c: pickle.dumps({"w": np.ones(3, ">f4")}, protocol=4),
    "complex_numbers": lambda c: pickle.dumps({"w": np.ones(3, np.complex64)}, protocol=4),
    "structured_array": lambda c: pickle.dumps({"w": np.ones(3, [("a", "f4")])}, protocol=4),
    "text_array": lambda c: pickle.dumps({"w": np.array(["a"])}, protocol=4),
    "name_twice": lambda c: PROTO2 + b"}" + (text("w") + array() + b"s") * 2 + b".",
    "name_that_is_a_number": lambda c: pickle.dumps({1: np.ones(3)}, protocol=4),
    "name_that_is_a_dict": lambda c: PROTO2 + b"}}" + array() + b"s.",
    "not_a_dict": lambda c: pickle.dumps([np.ones(3)], protocol=4),
    "dict_in_itself": lambda c: PROTO2 + b"}q\0" + text("w") + b"h\0s.",
    "empty_dict": lambda c: pickle.dumps({}, protocol=4),
    "name_table_of_numbers": lambda c: pickle.dumps({"StructuredToParameterName@@": {"w": 1}}, protocol=2),
    "pieces_that_are_missing": lambda c: pickle.dumps(
        {"UnpackBigParamInfor@@": {"w": {"OriginShape": (4,), "slices": ["w@@.0"]}}}, protocol=2
    ),
    "pieces_of_another_size": lambda c: pickle.dumps(
        {"a": np.ones(3), "UnpackBigParamInfor@@": {"w": {"OriginShape": (4,), "slices": ["a"]}}}, protocol=2
    ),
    "pieces_that_are_a_number": lambda c: pickle.dumps({"UnpackBigParamInfor@@": 3}, protocol=2),
    "safetensors_header_longer_than_the_file": lambda c: safetensors(b"{}", declared=1000),
    "safetensors_header_of_gigabytes": lambda c: safetensors(b"{}", declared=2**39),
    "safetensors_header_of_9_megabytes": lambda c: safetensors(b"{" + b" " * (9 << 20) + b"}"),
    "safetensors_header_that_is_no_json": lambda c: safetensors(b"{,}"),
    "safetensors_offsets_beyond_the_file": lambda c: safetensors({"w": f4(0, 4000, (1000,))}, b"1234"),
    "safetensors_offsets_backwards": lambda c: safetensors({"w": f4(4, 0)}, b"1234"),
    "safetensors_overlap": lambda c: safetensors({"v": f4(0, 4), "w": f4(0, 4)}, b"1234"),
    "safetensors_hole": lambda c: safetensors({"v": f4(0, 4), "w": f4(8, 12)}, b"x" * 12),
    "safetensors_shape_overflow": lambda c: safetensors({"w": f4(0, 4, (2**40, 2**40))}, b"1234"),
    "safetensors_empty_with_huge_axes": lambda c: safetensors({"w": f4(0, 0, (0, 2**40, 2**20))}),
    "safetensors_float8": lambda c: safetensors(
        {"w": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"1"
    ),
    "safetensors_without_tensors": lambda c: safetensors(b"{}"),
    "safetensors_bytes_after_the_end": lambda c: safetensors({"w": f4(0, 4)}, b"12345"),
}
