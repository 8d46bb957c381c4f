package ops

import "github.com/sardonyx-ml/sardonyx/onnx/tensor"

// Float is the element types that floating-point kernels compute in.
type Float interface{ float32 | float64 }

// Floats returns the elements of a numeric tensor as T: the tensor's own memory, not to be written, if it has that type,
// else a converted copy in scratch memory.
func Floats[T Float](c *Ctx, t *tensor.Tensor) ([]T, error) {
	if t.DType() == tensor.DTypeOf[T]() {
		return tensor.Slice[T](t), nil
	}
	buf, err := Scratch[T](c, t.Len())
	if err != nil {
		return nil, err
	}
	if dst, ok := any(buf).([]float32); ok && tensor.DecodeFloat32(dst, t) {
		return buf, nil
	}
	v, err := t.Floats()
	if err != nil {
		return nil, err
	}
	for i, x := range v {
		buf[i] = T(x)
	}
	return buf, nil
}

// NewFloats allocates output i with a floating-point type d of at least 4 bits and returns memory of type T to write its
// elements to. When all are written, finish converts them if d is another type than T.
func NewFloats[T Float](c *Ctx, i int, d tensor.DType, shape tensor.Shape) (data []T, finish func(), err error) {
	out, err := c.New(i, d, shape)
	if err != nil {
		return nil, nil, err
	}
	if d == tensor.DTypeOf[T]() {
		return tensor.Slice[T](out), func() {}, nil
	}
	if data, err = Scratch[T](c, out.Len()); err != nil {
		return nil, nil, err
	}
	return data, func() { StoreFloats(out, data) }, nil
}

// StoreFloats converts data to the floating-point type of out and stores it there.
func StoreFloats[T Float](out *tensor.Tensor, data []T) {
	if out.DType() == tensor.Float64 {
		for i, v := range data {
			out.Float64()[i] = float64(v)
		}
		return
	}
	src, ok := any(data).([]float32)
	if !ok {
		src = make([]float32, len(data))
		for i, v := range data {
			src[i] = float32(v)
		}
	}
	tensor.EncodeFloat32(out, src)
}
