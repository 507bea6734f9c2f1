"""Payloads whose bytes can't lie in a text file of this repository: broken encodings, and programs that are too big.

Each is (name, header, bytes); the header says what a head comment says in the other payloads.
"""


def leb128(value):
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def section(number, body):
    return bytes([number]) + leb128(len(body)) + body


WASM = b"\0asm\1\0\0\0"
# (type () -> ()), one function of it, a memory, exports memory and _start, and a body.
TYPES = section(1, b"\1\x60\0\0")
FUNCTIONS = section(3, b"\1\0")
MEMORY = section(5, b"\1\0\1")
EXPORTS = section(7, b"\2\6memory\2\0\6_start\0\0")


def code(body):
    function = b"\0" + body + b"\x0b"
    return section(10, b"\1" + leb128(len(function)) + function)


EMPTY_COMMAND = WASM + TYPES + FUNCTIONS + MEMORY + EXPORTS + code(b"")
MEGABYTE = 1 << 20


def python_payloads():
    yield "empty", "expect: completed", b""
    yield "only_a_comment", "expect: completed", b"# nothing"
    yield "only_a_newline", "expect: completed", b"\n"
    yield "bom", "expect: completed\nshows: bom", b"\xef\xbb\xbfprint('bom')\n"
    yield "only_a_bom", "expect: completed", b"\xef\xbb\xbf"
    yield "crlf", "expect: completed\nshows: crlf", b"if True:\r\n    print('crlf')\r\n"
    yield "lone_cr", "expect: completed\nshows: 2", b"print(1)\rprint(2)\r"
    yield "form_feed", "expect: completed\nshows: ff", b"\x0cif 1:\n\x0c    print('ff')\n"
    yield "nul_in_source", "expect: completed | exception SyntaxError", b"print(1)\0print(2)\n"
    yield "nul_in_string", "expect: exception SyntaxError", b"x = '''a\0b'''\nprint('no')\n"
    yield "only_nul", "expect: completed | exception SyntaxError", b"\0"
    yield "many_nuls", "expect: exception SyntaxError", b"\0" * MEGABYTE
    yield "invalid_utf8", "expect: exception SyntaxError", b"print('\xff')\n"
    yield "invalid_utf8_in_comment", "expect: exception SyntaxError", b"print(1)\n# caf\xe9\n"
    yield "truncated_utf8", "expect: exception SyntaxError", b"x = '\xe4\xb8"
    yield "encoded_surrogate", "expect: exception SyntaxError", b"x = '\xed\xa0\x80'\n"
    yield "utf16", "expect: exception SyntaxError", "print('é')\n".encode("utf-16")
    yield "latin1_with_cookie", "expect: completed\nshows: é", b"# coding: latin-1\nprint('\xe9')\n"
    yield "unknown_cookie", "expect: exception SyntaxError", b"# coding: klingon\nprint(1)\n"
    yield "rot13_cookie", "expect: exception", b"# coding: rot13\ncevag(1)\n"
    yield "shebang_crlf", "expect: completed\nshows: ok", b"#!/usr/bin/python3\r\nprint('ok')\r\n"
    yield "no_final_newline", "expect: completed\nshows: end", b"if 1:\n  print('end')"
    yield "backslash_at_the_end", "expect: exception SyntaxError", b"x = 1 \\"
    yield "a_binary", "expect: exception SyntaxError", b"\x7fELF" + bytes(range(256)) * 64
    yield ("ten_megabytes_of_comment", "expect: completed\nshows: small\ntimeout: 10",
           b"# " + b"x" * 78 + b"\n" + (b"#" * 79 + b"\n") * (10 * MEGABYTE // 80) + b"print('small')\n")
    yield ("ten_megabytes_in_a_line", "expect: completed\nshows: 10485760\ntimeout: 10",
           b"x = '" + b"y" * (10 * MEGABYTE) + b"'\nprint(len(x))\n")
    yield ("ten_megabytes_of_statements", "expect: completed | memory_limit | timeout\ntimeout: 10",
           b"x = 1\n" * (10 * MEGABYTE // 6))
    yield ("a_list_of_a_million", "expect: completed | memory_limit | timeout\ntimeout: 10",
           b"x = [" + b"1.5," * 1_000_000 + b"]\nprint(len(x))\n")
    yield "deep_indentation", "expect: exception IndentationError", b"".join(b" " * i + b"if 1:\n" for i in range(150))
    yield "deep_parentheses", "expect: exception SyntaxError", b"(" * 100_000 + b")" * 100_000
    yield ("deep_unary", "expect: exception MemoryError | exception RecursionError | exception SyntaxError | stack_limit",
           b"-" * 100_000 + b"1\n")
    yield ("deep_f_string", "expect: exception", b"x = " + b"f'{" * 200 + b"1" + b"}'" * 200 + b"\n")
    yield ("deep_else_chain", "expect: completed | exception | stack_limit\ntimeout: 10",
           b"x = 1\nif x == 0: pass\n" + b"elif x == 2: pass\n" * 20_000)
    yield ("deep_binary", "expect: exception RecursionError | exception MemoryError | stack_limit",
           b"x = " + b"1 + " * 100_000 + b"1\n")
    yield "long_name", "expect: result_limit", b"a" * MEGABYTE + b"\n"
    yield "huge_integer_literal", "expect: exception SyntaxError", b"x = " + b"9" * MEGABYTE + b"\n"
    yield ("huge_hexadecimal_literal", "expect: completed\nshows: 4194304",
           b"x = 0x" + b"f" * MEGABYTE + b"\nprint(x.bit_length())\n")


def module_payloads():
    yield "empty", "expect: refused", b""
    yield "only_the_magic", "expect: refused", b"\0asm"
    yield "no_sections", "expect: refused", WASM
    yield "version_2", "expect: refused", b"\0asm\2\0\0\0"
    yield "a_component", "expect: refused", b"\0asm\x0d\0\1\0"
    yield "random_bytes", "expect: refused", bytes((i * 7919 + i // 3) & 0xFF for i in range(5000))
    yield "elf", "expect: refused", b"\x7fELF\2\1\1" + bytes(500)
    yield "control", "expect: completed", EMPTY_COMMAND
    for cut in (9, 12, 20, 30, len(EMPTY_COMMAND) - 1):
        yield f"truncated_at_{cut}", "expect: refused", EMPTY_COMMAND[:cut]
    for place in (8, 10, 13, 17, 23, 45):
        yield (f"byte_{place}_broken", "expect: refused",
               EMPTY_COMMAND[:place] + b"\xff" + EMPTY_COMMAND[place + 1:])
    yield "trailing_garbage", "expect: refused", EMPTY_COMMAND + b"\xfe\xff"
    yield "section_twice", "expect: refused", WASM + TYPES + TYPES
    yield "sections_out_of_order", "expect: refused", WASM + FUNCTIONS + TYPES
    yield "section_too_long", "expect: refused", WASM + b"\1\xff\xff\xff\xff\x0f\1"
    yield "overlong_leb128", "expect: refused", WASM + b"\1\x80\x80\x80\x80\x80\x80\0"
    yield "a_billion_types", "expect: refused", WASM + section(1, leb128(1_000_000_000))
    yield "a_billion_functions", "expect: refused", WASM + TYPES + section(3, leb128(1_000_000_000))
    yield ("a_billion_locals", "expect: refused", WASM + TYPES + FUNCTIONS + MEMORY + EXPORTS
           + section(10, b"\1" + leb128(8) + b"\1" + leb128(1_000_000_000) + b"\x7f\x0b"))
    # Deep nesting and long bodies are aimed at the compiler: it runs under limits too.
    yield ("deep_blocks", "expect: completed | refused\ntimeout: 10",
           WASM + TYPES + FUNCTIONS + MEMORY + EXPORTS + code(b"\2\x40" * 20_000 + b"\x0b" * 20_000))
    yield ("a_huge_function", "expect: completed | refused | timeout\ntimeout: 10",
           WASM + TYPES + FUNCTIONS + MEMORY + EXPORTS + code(b"\x41\1\x1a" * 1_500_000))
    yield ("many_functions", "expect: completed | refused | timeout\ntimeout: 10",
           WASM + TYPES + section(3, leb128(20_000) + b"\0" * 20_000) + MEMORY + EXPORTS
           + section(10, leb128(20_000) + b"\2\0\x0b" * 20_000))
    yield ("over_fifty_megabytes", "expect: refused",
           EMPTY_COMMAND + section(0, b"\4junk" + bytes(51 * MEGABYTE)))
    yield ("under_fifty_megabytes", "expect: completed\ntimeout: 10",
           EMPTY_COMMAND + section(0, b"\4junk" + bytes(45 * MEGABYTE)))
