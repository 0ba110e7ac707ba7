"""Vectors of 256 bits in LLVM's terms: what numba has no words for.

An `Assembler` writes instructions where a kernel's loop stands; `kernel` makes a function of the
result that numba-compiled code can call. Addresses are int64, offsets count bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
F16, F32 = ir.HalfType(), ir.FloatType()
BYTES = ir.VectorType(I8, 32)
WORDS = ir.VectorType(I16, 16)
INTS = ir.VectorType(I32, 8)
FLOATS = ir.VectorType(F32, 8)
HALVES = ir.VectorType(F16, 8)


class Assembler:
    """Instructions on vectors, appended to the function that `builder` is building."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def at(self, address: Any, offset: Any = 0) -> Any:
        """`address + offset`; either may be a number known while compiling."""
        if isinstance(offset, int):
            offset = ir.Constant(I64, offset)
        return self.builder.add(address, offset)

    def times(self, value: Any, n: int) -> Any:
        """`value` times a number known while compiling."""
        return self.builder.mul(value, ir.Constant(I64, n))

    def load(self, kind: Any, address: Any, offset: Any = 0) -> Any:
        """A vector or number of type `kind`; no alignment is asked for."""
        pointer = self.builder.inttoptr(self.at(address, offset), kind.as_pointer())
        return self.builder.load(pointer, align=1)

    def store(self, value: Any, address: Any, offset: Any = 0) -> None:
        """Write a vector or number."""
        pointer = self.builder.inttoptr(self.at(address, offset), value.type.as_pointer())
        self.builder.store(value, pointer, align=1)

    def prefetch(self, address: Any, offset: Any) -> None:
        """Ask for a line of memory before it is needed; harmless if it does not exist."""
        pointer = self.builder.inttoptr(self.at(address, offset), I8.as_pointer())
        flags = [ir.Constant(I32, flag) for flag in (0, 3, 1)]  # to read, to keep, data
        self._call("llvm.prefetch.p0", ir.VoidType(), [pointer, *flags])

    def splat(self, value: Any) -> Any:
        """Eight times the same number of 32 bits."""
        kind = ir.VectorType(value.type, 8)
        one = self.builder.insert_element(
            ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0)
        )
        return self.builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * 8))

    def floats(self, address: Any, offset: Any = 0) -> Any:
        """Eight numbers stored in 16 bits, as float32."""
        return self.builder.fpext(self.load(HALVES, address, offset), FLOATS)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """`a * b + c`, rounded once."""
        return self._call("llvm.fma.v8f32", FLOATS, [a, b, c])

    def multiply_bytes(self, unsigned: Any, signed: Any) -> Any:
        """Products of bytes, two neighbours added, in 16 bits that must do (vpmaddubsw)."""
        return self._call("llvm.x86.avx2.pmadd.ub.sw", WORDS, [unsigned, signed])

    def widen(self, words: Any) -> Any:
        """Neighbours of 16 bits added in 32 (vpmaddwd by ones)."""
        return self._call("llvm.x86.avx2.pmadd.wd", INTS, [words, constant(WORDS, 1)])

    def with_sign_of(self, a: Any, b: Any) -> Any:
        """Bytes of `a`, negated where `b` is negative, 0 where it is 0 (vpsignb)."""
        return self._call("llvm.x86.avx2.psign.b", BYTES, [a, b])

    def magnitude(self, a: Any) -> Any:
        """Absolute values of bytes (vpabsb)."""
        return self._call("llvm.abs.v32i8", BYTES, [a, ir.Constant(ir.IntType(1), 0)])

    def loop(self, count: Any, starts: Sequence[Any], body: Callable[..., list[Any]]) -> list[Any]:
        """Run `body(i, *values) -> values` for i from 0 to `count` - 1, once at least.

        `starts` are the values before the first turn; returns those after the last.
        """
        b = self.builder
        before, turn = b.block, b.append_basic_block("turn")
        after = b.append_basic_block("after")
        b.branch(turn)
        b.position_at_end(turn)
        i = b.phi(I64)
        i.add_incoming(ir.Constant(I64, 0), before)
        values = [b.phi(start.type) for start in starts]
        for value, start in zip(values, starts, strict=True):
            value.add_incoming(start, before)
        results = body(i, *values)
        following = b.add(i, ir.Constant(I64, 1))
        i.add_incoming(following, b.block)
        for value, result in zip(values, results, strict=True):
            value.add_incoming(result, b.block)
        b.cbranch(b.icmp_signed("<", following, count), turn, after)
        b.position_at_end(after)
        return results

    def unary(self, name: str, x: Any) -> Any:
        """`rint` or `fabs` of eight numbers."""
        return self._call(f"llvm.{name}.v8f32", FLOATS, [x])

    def reduce(self, name: str, x: Any) -> Any:
        """`add`, `fadd` (in order) or `fmax` over a vector's eight numbers."""
        start = [ir.Constant(F32, 0.0)] if name == "fadd" else []
        kind = "i32" if x.type is INTS else "f32"
        return self._call(f"llvm.vector.reduce.{name}.v8{kind}", x.type.element, [*start, x])

    def _call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(get_or_insert_function(self.builder.module, kind, name), arguments)


def constant(kind: Any, value: float) -> Any:
    """A vector of equal numbers."""
    return ir.Constant(kind, [value] * kind.count)


def kernel(name: str, write: Callable[..., None], arguments: int) -> Any:
    """A function for numba-compiled code: `arguments` int64 in, nothing out.

    `write(assembler, *arguments)` writes its instructions. They stay a function of their own: put
    into their callers, the larger kernels lost a third of their speed for want of registers.

    Code from numba's cache and code compiled in this process find kernels by `name`. Each has its
    own, the same in every process: numbers in the order of imports led to a wrong kernel.
    """
    signature = types.void(*[types.int64] * arguments)
    kind = ir.FunctionType(ir.VoidType(), [I64] * arguments)
    symbol = f"pocketqa_{name}"

    def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        function = builder.module.globals.get(symbol)
        if function is None:
            function = ir.Function(builder.module, kind, symbol)
            function.linkage = "linkonce_odr"
            function.attributes.add("noinline")
            inner = ir.IRBuilder(function.append_basic_block("entry"))
            write(Assembler(inner), *function.args)
            inner.ret_void()
        builder.call(function, values)
        return context.get_dummy_value()

    # numba reads the parameters' names, so each number of arguments needs a function of its own.
    names = ", ".join(f"a{n}" for n in range(arguments))
    scope: dict[str, Any] = {"result": (signature, codegen)}
    exec(f"def typed(context, {names}): return result", scope)
    return intrinsic(scope["typed"])
