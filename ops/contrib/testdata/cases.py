"""Writes cases.jsonl: small calls of com.microsoft operators with the outputs of ONNX Runtime.

Usage: cases.py ORT_MJS [NAME…]   (ORT_MJS: a script with "run MODEL --input DIR --output DIR")
A line holds the operator, its attributes, its inputs and its outputs; tensors as {t: type, s: shape, d: elements}.
With names, only lines of these operators are made anew.
"""
import json, os, subprocess, sys, tempfile
import numpy as np, onnx
from onnx import helper, numpy_helper

r = np.random.default_rng(7)
cases = []


def f(*s, lo=-1.0, hi=1.0): return np.round(r.uniform(lo, hi, s), 2).astype(np.float32)
def i8(*s): return r.integers(-128, 128, s).astype(np.int8)
def u8(*s): return r.integers(0, 256, s).astype(np.uint8)
def i32(*v): return np.array(v, np.int32)
def i64(*v): return np.array(v, np.int64)
def s32(v): return np.array(v, np.float32)
def ints(hi, *s, t=np.int32): return r.integers(0, hi, s).astype(t)


def case(op, inputs, outputs=1, domain="com.microsoft", wanted=None, const=(), **attrs):
    cases.append(dict(op=op, domain=domain, inputs=inputs, outputs=wanted or [True] * outputs, attrs=attrs, const=const))


case("Gelu", [f(2, 7, lo=-4, hi=4)])
case("BiasGelu", [f(2, 3, 4), f(4)])
case("FastGelu", [f(2, 3, 4, lo=-4, hi=4)])
case("FastGelu", [f(2, 3, 4), f(4)])
case("QuickGelu", [f(2, 3, 4)], alpha=1.702)
case("QuickGelu", [f(9)], alpha=1.0)
for out in (1, 4):
    case("SkipLayerNormalization", [f(2, 3, 8), f(2, 3, 8), f(8), f(8), f(8)], out, epsilon=1e-5, wanted=[True, False, False, True][:out])
case("SkipLayerNormalization", [f(2, 3, 8), f(3, 8), f(8), f(8)], epsilon=1e-12)
case("SkipLayerNormalization", [f(2, 3, 8), f(1, 3, 8), f(8)], epsilon=1e-5)
case("SkipSimplifiedLayerNormalization", [f(2, 3, 8), f(2, 3, 8), f(8), f(8)], 4, epsilon=1e-6, wanted=[True, False, False, True])
case("SkipSimplifiedLayerNormalization", [f(6, 8), f(6, 8), f(8)], epsilon=1e-6)
case("SimplifiedLayerNormalization", [f(2, 3, 8), f(8)], domain="", axis=-1, epsilon=1e-5)
emb = lambda: [ints(10, 2, 5), ints(2, 2, 5), f(10, 8), f(6, 8), f(2, 8), f(8), f(8)]
case("EmbedLayerNormalization", emb() + [i32([1, 1, 1, 0, 0], [1, 1, 1, 1, 1])], 2, epsilon=1e-12)
case("EmbedLayerNormalization", emb() + [i32([1, 1, 1, 0, 0], [1, 1, 1, 1, 1]), i32([3, 2, 1, 0, 4])], 3, epsilon=1e-5, wanted=[True, True, True])
e = emb(); e[1] = None; e[4] = None
case("EmbedLayerNormalization", e, 2, epsilon=1e-12)
case("QEmbedLayerNormalization", [ints(10, 2, 5), ints(2, 2, 5), u8(10, 8), u8(6, 8), u8(2, 8), u8(8), u8(8), i32([1, 1, 1, 0, 0], [1, 1, 1, 1, 1])] +
     [s32(0.01 * k) for k in (1, 2, 3, 4, 5)] + [np.array(120 + k, np.uint8) for k in range(5)], 2, epsilon=1e-5)

# rotary
half = lambda n, d: (f(n, d), f(n, d))
for il in (0, 1):
    case("RotaryEmbedding", [f(2, 3, 16), i64(2), *half(8, 4)], interleaved=il)
    case("RotaryEmbedding", [f(2, 2, 3, 8), ints(8, 2, 3, t=np.int64), *half(8, 4)], interleaved=il)
    case("RotaryEmbedding", [f(2, 3, 16), i64(2), *half(8, 2)], interleaved=il, num_heads=2, rotary_embedding_dim=4)

# attention
x, w, b = lambda: f(2, 4, 8), lambda n=24: f(8, n), lambda n=24: f(n)
case("Attention", [x(), w(), b()], num_heads=2)
case("Attention", [x(), w(), b()], num_heads=2, unidirectional=1, scale=0.3)
case("Attention", [x(), w(), b(), i32(3, 4)], num_heads=2)
case("Attention", [x(), w(), b(), i32(3, 4)], num_heads=2, mask_filter_value=-3.4028234663852886e38, unidirectional=1)
case("Attention", [x(), w(), b(), i32(3, 4, 1, 0)], num_heads=2)
case("Attention", [x(), w(), b(), i32(3, 4, 0, 4, 8, 0, 4, 8)], num_heads=2)
case("Attention", [x(), w(), b(), i32([1, 1, 0, 0], [0, 0, 1, 1])], num_heads=2)
case("Attention", [x(), w(), b(), i32([0, 0, 0, 0], [0, 0, 1, 1])], num_heads=2, unidirectional=1, mask_filter_value=-3.4028234663852886e38)
case("Attention", [x(), w(), b(), ints(2, 2, 4, 4)], num_heads=2)
case("Attention", [x(), w(), b(), ints(2, 2, 4, 4) | i32(1, 0, 0, 0), None, f(1, 2, 4, 4)], num_heads=2)
case("Attention", [x(), w(), b(), None, None, f(2, 2, 4, 4)], num_heads=2)
case("Attention", [x(), w(), b(), None, None, f(2, 1, 4, 4)], num_heads=2)
case("Attention", [x(), w(20), b(20)], num_heads=2, qkv_hidden_sizes=[8, 8, 4])
case("Attention", [x(), w(), b()], 2, num_heads=2, unidirectional=1)
case("Attention", [x(), w(), b(), None, f(2, 2, 2, 3, 4)], 2, num_heads=2, unidirectional=1)
case("Attention", [x(), w(), b(), i32([0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0]), f(2, 2, 2, 3, 4)], 2, num_heads=2, unidirectional=1)
case("Attention", [f(1, 4, 8), w(), b(), i32([1]), f(2, 1, 2, 3, 4)], 2, num_heads=2)
case("QAttention", [u8(2, 4, 8), i8(8, 24), b(), s32(0.01), s32(0.02), i32(3, 4), np.uint8(120)], num_heads=2)
case("QAttention", [u8(2, 4, 8), u8(8, 24), b(), s32(0.01), f(24, lo=0.005, hi=0.02), None, np.uint8(120), u8(24)], num_heads=2, unidirectional=1)
case("QAttention", [u8(2, 4, 8), i8(8, 24), b(), s32(0.01), s32(0.02), None, np.uint8(120), np.int8(3), f(2, 2, 2, 3, 4)], 2, num_heads=2, unidirectional=1)
q, k, v = lambda: f(2, 3, 8), lambda: f(2, 5, 8), lambda: f(2, 5, 12)
case("MultiHeadAttention", [q(), k(), v()], num_heads=2)
case("MultiHeadAttention", [q(), k(), v(), f(28)], num_heads=2, scale=0.4)
case("MultiHeadAttention", [q(), k(), v(), f(28), i32([1, 1, 1, 0, 0], [1, 1, 1, 1, 1])], num_heads=2)
case("MultiHeadAttention", [q(), k(), v(), None, i32(3, 5)], num_heads=2)
case("MultiHeadAttention", [q(), k(), v(), None, None, f(1, 2, 3, 5)], num_heads=2)
case("MultiHeadAttention", [q(), q(), q(), f(24)], 3, num_heads=2, unidirectional=1)
case("MultiHeadAttention", [q(), q(), q(), f(24), None, None, f(2, 2, 4, 4), f(2, 2, 4, 4)], 3, num_heads=2, unidirectional=1)
case("MultiHeadAttention", [q(), q(), q(), None, None, None, f(2, 2, 4, 4), f(2, 2, 4, 4)], 3, num_heads=2)
case("MultiHeadAttention", [q(), f(2, 2, 5, 4), f(2, 2, 5, 4)], num_heads=2)
case("MultiHeadAttention", [q(), q(), q(), None, ints(2, 2, 3, 7) | i32(1, 0, 0, 0, 0, 0, 0), f(2, 1, 3, 7), f(2, 2, 4, 4), f(2, 2, 4, 4)], 3, num_heads=2)
one = lambda: f(2, 1, 8)
case("DecoderMaskedMultiHeadAttention", [one(), one(), one(), None, None, f(2, 2, 6, 4), f(2, 2, 6, 4), i32(3)], 3, num_heads=2, past_present_share_buffer=1)
case("DecoderMaskedMultiHeadAttention", [one(), one(), one(), i32([1, 0, 1, 1], [1, 1, 1, 1]), f(1, 2, 1, 4), f(2, 2, 6, 4), f(2, 2, 6, 4), i32(3), None, None, f(24)], 3, num_heads=2, past_present_share_buffer=1)
case("DecoderMaskedMultiHeadAttention", [one(), one(), one(), None, None, f(2, 2, 6, 4), f(2, 2, 6, 4), i32(3), i32(2), i32([[0, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]])], 3, num_heads=2, past_present_share_buffer=1)
case("DecoderMaskedMultiHeadAttention", [one(), f(2, 2, 5, 4), f(2, 2, 5, 4)], num_heads=2)

# grouped
gq = lambda s=3: [f(2, s, 64), f(2, s, 32), f(2, s, 32)]
cs = lambda n=16: list(half(n, 8))
case("GroupQueryAttention", gq() + [None, None, i32(2, 2), i32(3)], 3, num_heads=4, kv_num_heads=2)
case("GroupQueryAttention", gq() + [None, None, i32(2, 1), i32(3)] + cs(), 3, num_heads=4, kv_num_heads=2, do_rotary=1)
case("GroupQueryAttention", [f(2, 3, 128), None, None, None, None, i32(2, 2), i32(3)] + cs(), 3, num_heads=4, kv_num_heads=2, do_rotary=1, rotary_interleaved=1)
past = lambda n: [f(2, 2, n, 16), f(2, 2, n, 16)]
case("GroupQueryAttention", gq(1) + past(4) + [i32(4, 4), i32(5)] + cs(), 3, num_heads=4, kv_num_heads=2, do_rotary=1, scale=0.3)
case("GroupQueryAttention", gq(1) + past(6) + [i32(4, 2), i32(5)] + cs(), 3, num_heads=4, kv_num_heads=2, do_rotary=1)
case("GroupQueryAttention", [v[:1] for v in gq(2) + past(4)] + [i32(5), i32(6)] + cs(), 3, num_heads=4, kv_num_heads=2, do_rotary=1, softcap=2.0)
case("GroupQueryAttention", gq(1) + past(6) + [i32(6, 6), i32(7)], 3, num_heads=4, kv_num_heads=2, local_window_size=3)
case("GroupQueryAttention", gq(5) + [None, None, i32(4, 4), i32(5)], 3, num_heads=4, kv_num_heads=2, local_window_size=2)
case("GroupQueryAttention", gq() + [None, None, i32(2, 2), i32(3)], 3, num_heads=4, kv_num_heads=2, smooth_softmax=1)
case("GroupQueryAttention", gq() + [None, None, i32(2, 2), i32(3), None, None, None, f(1, 4, 3, 3), f(4)], 3, num_heads=4, kv_num_heads=2)
case("GroupQueryAttention", gq(1) + past(4) + [i32(4, 4), i32(5)] + cs() + [i64([7], [2]), f(2, 1, 1, 5)], 3, num_heads=4, kv_num_heads=2, do_rotary=1)
for qk in (1, 2):
    case("GroupQueryAttention", [v[:1] for v in gq() + past(2)] + [i32(4), i32(5)], 4, num_heads=4, kv_num_heads=2, qk_output=qk)
case("GroupQueryAttention", gq(1) + [i8(2, 2, 4, 16), i8(2, 2, 4, 16), i32(4, 4), i32(5), None, None, None, None, None, s32([0.01]), s32([0.02])], 3,
     num_heads=4, kv_num_heads=2, k_quant_type="PER_TENSOR", v_quant_type="PER_TENSOR", kv_cache_bit_width=8)
# products
case("FusedMatMul", [f(2, 3, 4), f(2, 4, 5)], alpha=0.5)
case("FusedMatMul", [f(2, 4, 3), f(2, 5, 4)], transA=1, transB=1)
case("FusedMatMul", [f(3, 2, 4), f(2, 4, 5)], transBatchA=1)
case("FusedMatMul", [f(2, 3, 4), f(4, 2, 5)], transBatchB=1, transB=0)
case("FusedMatMul", [f(4, 2, 3), f(2, 4, 5)], transBatchA=1, transA=1)
case("FusedMatMul", [f(4), f(4, 5)])
case("FusedMatMul", [f(2, 3, 4), f(4)])
case("TransposeMatMul", [f(2, 4, 3), f(4, 5)], transA=1)
case("FusedGemm", [f(3, 4), f(4, 5), f(5)], activation="Relu", alpha=0.5, beta=2.0)
case("FusedGemm", [f(4, 3), f(5, 4), f(3, 1)], activation="LeakyRelu", activation_alpha=0.2, transA=1, transB=1)
for act, p in (("Relu", None), ("HardSigmoid", [0.2, 0.4]), ("LeakyRelu", [0.3]), ("Clip", [-0.2, 0.5]), ("Sigmoid", None), ("Tanh", None)):
    case("FusedConv", [f(1, 2, 5, 5), f(3, 2, 3, 3), f(3)], activation=act, kernel_shape=[3, 3], **({"activation_params": p} if p else {}))
case("FusedConv", [f(1, 2, 5, 5), f(2, 1, 3, 3), f(2), f(1, 2, 5, 5)], activation="Relu", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2)
case("NhwcMaxPool", [u8(1, 5, 5, 3)], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1])
case("NhwcMaxPool", [i8(1, 5, 5, 3)], kernel_shape=[3, 3])

# integers
for t in (u8, i8):
    case("DynamicQuantizeMatMul", [f(2, 3, 4), t(4, 5), s32(0.02), t(1)])
    case("DynamicQuantizeMatMul", [f(3, 4), t(4, 5), f(5, lo=0.01, hi=0.03), t(5), f(5)])
    case("MatMulIntegerToFloat", [u8(2, 3, 4), t(4, 5), s32(0.02), s32(0.01), np.uint8(120), t(1)])
    case("MatMulIntegerToFloat", [u8(2, 3, 4), t(4, 5), s32(0.02), f(5, lo=0.01, hi=0.03), np.uint8(120), t(5), f(5)])
    case("QGemm", [u8(3, 4), s32(0.02), np.uint8(100), t(4, 5), s32(0.03), t(1)[0], ints(50, 5)], alpha=0.5)
    case("QGemm", [u8(4, 3), s32(0.02), np.uint8(100), t(5, 4), f(5, lo=0.01, hi=0.03), t(5), ints(50, 1, 5), s32(0.1), np.uint8(7)], transA=1, transB=1)
    z = lambda: t(1)[0]
    case("QLinearAdd", [t(2, 3, 4), s32(0.03), z(), t(4), s32(0.02), z(), s32(0.05), z()])
    case("QLinearMul", [t(3, 1), s32(0.03), z(), t(2, 1, 4), s32(0.02), z(), s32(0.05), z()])
    case("QLinearSigmoid", [t(3, 20), s32(0.03), z(), s32(1 / 256), z()])
    case("QLinearLeakyRelu", [t(3, 20), s32(0.03), z(), s32(0.02), z()], alpha=0.2)
    case("QLinearSoftmax", [t(2, 6, 3), s32(0.03), z(), s32(1 / 256), np.array(0, t(1).dtype) if t is u8 else np.int8(-128)], axis=1, opset=13)
    case("QLinearSoftmax", [t(2, 6, 3), s32(0.03), z(), s32(1 / 256), np.array(0, t(1).dtype) if t is u8 else np.int8(-128)], axis=1, opset=12)
    case("QLinearConcat", [s32(0.05), z(), t(2, 3), s32(0.03), z(), t(2, 2), s32(0.05), z()], axis=1)
    case("QLinearWhere", [ints(2, 2, 1, 4).astype(bool), t(3, 4), s32(0.03), z(), t(1), s32(0.04), z(), s32(0.05), z()])
    case("QLinearAveragePool", [t(1, 2, 6, 6), s32(0.0317), z(), s32(0.04), z()], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    case("QLinearAveragePool", [t(1, 6, 6, 2), s32(0.0317), z(), s32(0.04), z()], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1, channels_last=1)
    case("QLinearGlobalAveragePool", [t(2, 3, 4, 5), s32(0.0317), z(), s32(0.02), z()])
    case("QLinearGlobalAveragePool", [t(2, 4, 5, 3), s32(0.0317), z(), s32(0.02), z()], channels_last=1)
case("DynamicQuantizeLSTM", [f(3, 2, 4), i8(1, 4, 12), i8(1, 3, 12), f(1, 24), None, f(1, 2, 3), f(1, 2, 3), None, s32([0.01]), i8(1), s32([0.02]), i8(1)], 3, hidden_size=3)

# weights
for bits, k, n, block in ((4, 32, 3, 16), (4, 40, 3, 32), (8, 32, 3, 16), (2, 32, 3, 16), (4, 64, 5, 32)):
    blocks = -(-k // block)
    blob = block * bits // 8
    zb = -(-blocks * bits // 8)
    case("MatMulNBits", [f(2, 2, k), u8(n, blocks, blob), f(n * blocks)], K=k, N=n, bits=bits, block_size=block)
    case("MatMulNBits", [f(2, k), u8(n, blocks, blob), f(n * blocks), u8(n * zb), None, f(n)], K=k, N=n, bits=bits, block_size=block)
case("MatMulNBits", [f(2, 32), u8(3, 2, 8), f(6), f(3, 2)], K=32, N=3, bits=4, block_size=16)
case("MatMulNBits", [f(2, 32), u8(3, 2, 8), f(6), None, ints(2, 32)], K=32, N=3, bits=4, block_size=16)
case("MatMulNBits", [f(2, 64), u8(3, 2, 16), f(6)], const=(1, 2), K=64, N=3, bits=4, block_size=32, accuracy_level=4)
for qt in (0, 1):
    case("MatMulBnb4", [f(2, 32), u8(5 * 16), f(10, lo=0.1, hi=1)], K=32, N=5, block_size=16, quant_type=qt)
gb = dict(block_size=16, gather_axis=0, quantize_axis=1)
case("GatherBlockQuantized", [u8(5, 16), ints(5, 2, 3, t=np.int64), f(5, 2)], bits=4, **gb)
case("GatherBlockQuantized", [u8(5, 16), ints(5, 4), f(5, 2), u8(5, 1)], bits=4, **gb)
case("GatherBlockQuantized", [u8(5, 32), i64(-1, 2), f(5, 2), u8(5, 2)], bits=8, **gb)
case("MoE", [f(5, 8), f(5, 3), f(3, 6, 8), f(3, 6), f(3, 8, 6), f(3, 8)], k=2, activation_type="relu")
for act in ("relu", "gelu", "silu", "identity"):
    case("MoE", [f(2, 3, 8), f(6, 3), f(3, 6, 8), None, f(3, 8, 6)], k=1, activation_type=act, normalize_routing_weights=1)
case("MoE", [f(5, 8), f(5, 3), f(3, 12, 8), f(3, 12), f(3, 8, 6), f(3, 8)], k=2, activation_type="swiglu", swiglu_fusion=1, activation_alpha=1.702, activation_beta=1.0, swiglu_limit=0.7, normalize_routing_weights=1)
for bits in (4, 8):
    p = 8 // bits
    case("QMoE", [f(5, 16), f(5, 3), u8(3, 12, 16 // p), f(3, 12, lo=0, hi=.05), f(3, 12), u8(3, 16, 12 // p), f(3, 16, lo=0, hi=.05), f(3, 16)], k=2, activation_type="relu", expert_weight_bits=bits, normalize_routing_weights=1)
    case("QMoE", [f(5, 16), f(5, 3), u8(3, 24, 16 // p), f(3, 24, lo=0, hi=.05), None, u8(3, 16, 12 // p), f(3, 16, lo=0, hi=.05)], k=1, activation_type="swiglu", swiglu_fusion=1, expert_weight_bits=bits, activation_alpha=1.702, activation_beta=1.0)
case("QMoE", [f(5, 32), f(5, 3), u8(3, 32, 16), f(3, 32, 2, lo=0, hi=.05), None, u8(3, 32, 16), f(3, 32, 2, lo=0, hi=.05)], k=2, activation_type="silu", block_size=16, expert_weight_bits=4)

# small ones
m = f(2, 3, 3)
case("Inverse", [m + 2 * np.eye(3, dtype=np.float32)])
case("Trilu", [f(2, 3, 4), i64(1)[0]], upper=0)
case("ExpandDims", [f(2, 3), i32(-1)[0]])
case("Unique", [s32([2, 1, 1, 3, 2])], 3)
case("GatherND", [f(2, 3, 4), i64([0, 1], [1, 2])])
case("Pad", [f(2, 3), i64(1, 0, 0, 2), s32([0.5])])
case("Pad", [f(2, 3), i64(1, 0, 0, 2)], mode="reflect")
case("QuantizeLinear", [f(2, 3), s32(0.01), np.uint8(3)])
case("QuantizeLinear", [f(2, 3), s32([0.01, 0.02]), np.array([3, 4], np.int16)], axis=0)
case("DequantizeLinear", [u8(2, 3), s32(0.01), np.uint8(3)])
case("DequantizeLinear", [r.integers(0, 65536, (2, 3)).astype(np.uint16), s32(0.01), np.uint16(300)])
case("NGramRepeatBlock", [i64([1, 2, 3, 1, 2], [4, 4, 4, 4, 4]), f(2, 6)], ngram_size=3)
case("CausalConvWithState", [f(2, 4, 5), f(4, 1, 3), f(4), f(2, 4, 2)], 2, activation="silu")
case("CausalConvWithState", [f(2, 4, 1), f(4, 1, 3)], 2)
la = lambda t=3: [f(2, t, 8), f(2, t, 8), f(2, t, 12)]
case("LinearAttention", la(), 2, q_num_heads=2, kv_num_heads=2, update_rule="linear")
case("LinearAttention", la() + [f(2, 2, 4, 6), f(2, 3, 8, lo=-1, hi=0)], 2, q_num_heads=2, kv_num_heads=2, update_rule="gated")
case("LinearAttention", la() + [None, None, f(2, 3, 2, lo=0)], 2, q_num_heads=2, kv_num_heads=2, update_rule="delta")
case("LinearAttention", la(1) + [f(2, 2, 4, 6), f(2, 1, 2, lo=-1, hi=0), f(2, 1, 2, lo=0)], 2, q_num_heads=2, kv_num_heads=2, update_rule="gated_delta", scale=0.3)
case("LinearAttention", [f(2, 3, 16), f(2, 3, 8), f(2, 3, 12), None, f(2, 3, 2, lo=-1, hi=0), f(2, 3, 2, lo=0)], 2, q_num_heads=4, kv_num_heads=2)

TYPES = {np.dtype(k): v for k, v in dict(float32="float", float64="double", uint8="uint8", int8="int8", int32="int32", int64="int64", bool="bool", uint16="uint16", int16="int16").items()}


def text(a):
    if a is None: return None
    a = np.asarray(a)
    d = a.ravel().tolist()
    if a.dtype.kind == "f": d = [float(f"{min(max(v, -1e39), 1e39):.7g}") for v in d]
    return dict(t=TYPES[a.dtype], s=list(a.shape), d=[int(v) if isinstance(v, bool) else v for v in d])


def run(c, script):
    names = ["" if v is None else f"i{n}" for n, v in enumerate(c["inputs"])]
    outs = [f"o{n}" if w else "" for n, w in enumerate(c["outputs"])]
    node = helper.make_node(c["op"], names, outs, domain=c["domain"], **c["attrs"])
    vi = [helper.make_tensor_value_info(n, numpy_helper.from_array(np.asarray(v)).data_type, np.shape(v)) for n, v in zip(names, c["inputs"]) if n and int(n[1:]) not in c["const"]]
    init = [numpy_helper.from_array(np.asarray(c["inputs"][n]), f"i{n}") for n in c["const"]]
    g = helper.make_graph([node], "g", vi, [onnx.ValueInfoProto(name=o) for o in outs if o], init)
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=9)
    with tempfile.TemporaryDirectory() as d:
        onnx.save(model, d + "/m.onnx")
        for k, (n, v) in enumerate((n, v) for n, v in zip(names, c["inputs"]) if n and int(n[1:]) not in c["const"]):
            open(f"{d}/input_{k}.pb", "wb").write(numpy_helper.from_array(np.asarray(v), n).SerializeToString())
        p = subprocess.run(["node", script, "run", d + "/m.onnx", "--input", d, "--output", d + "/out"], capture_output=True, text=True)
        if p.returncode: return p.stderr.strip().split("\n")
        got, k = [], 0
        for w in c["outputs"]:
            if not w: got.append(None); continue
            t = onnx.TensorProto(); t.ParseFromString(open(f"{d}/out/output_{k}.pb", "rb").read()); k += 1
            got.append(numpy_helper.to_array(t))
        return got


def main():
    script, only = sys.argv[1], set(sys.argv[2:])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.jsonl")
    kept = [l for l in open(path)] if only and os.path.exists(path) else []
    lines = [l for l in kept if json.loads(l)["op"] not in only]
    for c in cases:
        if only and c["op"] not in only: continue
        got = run(c, script)
        if got and isinstance(got[0], str):
            print(c["op"], c["attrs"], "refused:", [l for l in got if "rror" in l][:1], file=sys.stderr)
            continue
        lines.append(json.dumps(dict(op=c["op"], domain=c["domain"], attrs=c["attrs"], **{"in": [text(v) for v in c["inputs"]], "out": [text(v) for v in got]}), separators=(",", ":")) + "\n")
    lines.sort(key=lambda l: json.loads(l)["op"])
    open(path, "w").writelines(lines)


main()
