package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// cacheCodec stores the rows of a quantized state: element i of a head's row is code·scale(head, i).
type cacheCodec struct {
	dtype       tensor.DType
	four        bool // two codes, less 8, in a byte
	size        int
	scale       []float32
	head, cells int // strides of scale along heads and columns
}

func (o gqa) newCacheCodec(past, scale *tensor.Tensor, kvHeads, size int) (cacheCodec, error) {
	d := past.DType()
	k := cacheCodec{size: size, four: d == tensor.Uint8, dtype: d}
	if scale == nil || scale.DType() != tensor.Float32 {
		return k, fmt.Errorf("a quantized state needs scales")
	}
	k.scale = scale.Float32()
	switch {
	case len(k.scale) == 1:
	case len(k.scale) == kvHeads*size:
		k.head, k.cells = size, 1
	default:
		return k, fmt.Errorf("scales have shape %v for %d heads of size %d", scale.Shape(), kvHeads, size)
	}
	if bits := o.cacheBits; !k.four && d != tensor.Int8 && d != tensor.Float8E4M3FN || bits == 4 && !k.four || bits == 8 && k.four {
		return k, fmt.Errorf("state of %d bits in %v: %w", o.cacheBits, d, ops.ErrUnsupported)
	}
	return k, nil
}

// bytes is the length of a stored row.
func (k cacheCodec) bytes() int {
	if k.four {
		return (k.size + 1) / 2
	}
	return k.size
}

func (k cacheCodec) decode(dst []float32, src []uint8, head int) {
	for i := range dst {
		s := k.scale[head*k.head+i*k.cells]
		switch {
		case k.four:
			dst[i] = float32(int(src[i/2]>>(4*(i&1))&15)-8) * s
		case k.dtype == tensor.Int8:
			dst[i] = float32(int8(src[i])) * s
		default:
			dst[i] = tensor.F8E4M3FN(src[i]).Float32() * s
		}
	}
}

func (k cacheCodec) encode(dst []uint8, src []float32, head int) {
	clear(dst)
	for i, v := range src {
		if s := k.scale[head*k.head+i*k.cells]; s != 0 {
			v /= s
		} else {
			v = 0
		}
		switch {
		case k.four:
			dst[i/2] |= uint8(saturate(v, 8, 0, 15)) << (4 * (i & 1))
		case k.dtype == tensor.Int8:
			dst[i] = uint8(saturate(v, 0, -128, 127))
		default:
			dst[i] = uint8(tensor.ToF8E4M3FN(v, true))
		}
	}
}
