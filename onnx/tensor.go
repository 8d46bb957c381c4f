package onnx

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Tensor returns the tensor that p describes. It aliases p's raw_data, external data or typed field wherever that field
// holds the elements as a tensor does, so that the result must not be written to: it may lie in a read-only mapping. An error
// names the tensor.
func (m *Model) Tensor(p *onnxpb.TensorProto) (*tensor.Tensor, error) {
	t, err := m.decode(p)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.GetName(), err)
	}
	return t, nil
}

// Tensor is Model.Tensor for a tensor without external data.
func Tensor(p *onnxpb.TensorProto) (*tensor.Tensor, error) { return new(Model).Tensor(p) }

func (m *Model) decode(p *onnxpb.TensorProto) (*tensor.Tensor, error) {
	d, shape, err := header(p)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Segment != nil:
		return nil, errors.New("segmented tensors are not supported")
	case p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL:
		data, err := m.external(p, d, shape)
		if err != nil {
			return nil, err
		}
		return fromRaw(d, shape, data)
	case len(p.RawData) > 0:
		return fromRaw(d, shape, p.RawData)
	}
	return fromTyped(p, d, shape)
}

// header returns p's element type and shape, which CheckSize accepts.
func header(p *onnxpb.TensorProto) (tensor.DType, tensor.Shape, error) {
	d, err := dtypeOf(p.GetDataType())
	if err != nil {
		return 0, nil, err
	}
	shape, err := shapeOf(p.Dims)
	return d, shape, err
}

func dtypeOf(code int32) (tensor.DType, error) {
	if code <= 0 || code > math.MaxUint8 || !tensor.DType(code).Valid() {
		return 0, fmt.Errorf("unknown element type %d", code)
	}
	return tensor.DType(code), nil
}

func shapeOf(dims []int64) (tensor.Shape, error) {
	shape := make(tensor.Shape, len(dims))
	for i, n := range dims {
		if shape[i] = int(n); int64(shape[i]) != n {
			return nil, fmt.Errorf("dimension %d is too large", n)
		}
	}
	_, err := shape.CheckSize()
	return shape, err
}

// fromRaw returns the tensor over data. It copies a bool tensor with bytes other than 0 and 1, which Go cannot alias.
func fromRaw(d tensor.DType, shape tensor.Shape, data []byte) (*tensor.Tensor, error) {
	if d == tensor.Bool {
		for _, b := range data {
			if b > 1 {
				data = normalBools(data)
				break
			}
		}
	}
	return tensor.FromBytes(d, shape, data)
}

func normalBools(data []byte) []byte {
	out := make([]byte, len(data))
	for i, b := range data {
		if b != 0 {
			out[i] = 1
		}
	}
	return out
}

// fromTyped returns the tensor that p's typed field holds. Its length is checked before anything is allocated.
func fromTyped(p *onnxpb.TensorProto, d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	n := shape.Size()
	switch d {
	case tensor.Float32:
		return alias(d, shape, n, p.FloatData)
	case tensor.Complex64:
		return alias(d, shape, 2*n, p.FloatData)
	case tensor.Float64:
		return alias(d, shape, n, p.DoubleData)
	case tensor.Complex128:
		return alias(d, shape, 2*n, p.DoubleData)
	case tensor.Int64:
		return alias(d, shape, n, p.Int64Data)
	case tensor.Uint64:
		return alias(d, shape, n, p.Uint64Data)
	case tensor.Int32:
		return alias(d, shape, n, p.Int32Data)
	case tensor.Uint32:
		return narrow(d, shape, n, p.Uint64Data)
	case tensor.String:
		if len(p.StringData) != n {
			return nil, countError(d, shape, n, len(p.StringData))
		}
		strs := make([]string, n)
		for i, s := range p.StringData {
			strs[i] = string(s)
		}
		return tensor.Strings(shape, strs), nil
	}
	if d.Packed() {
		n = d.Bytes(n)
	}
	return narrow(d, shape, n, p.Int32Data)
}

func countError(d tensor.DType, shape tensor.Shape, want, got int) error {
	return fmt.Errorf("%v%v needs %d values and has %d", d, shape, want, got)
}

// alias returns the tensor over values, whose bytes are laid out as the tensor's.
func alias[T any](d tensor.DType, shape tensor.Shape, n int, values []T) (*tensor.Tensor, error) {
	if len(values) != n {
		return nil, countError(d, shape, n, len(values))
	}
	var z T
	return tensor.FromBytes(d, shape, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), n*int(unsafe.Sizeof(z))))
}

// narrow stores each value in the bytes of the type d, one byte for packed types. A value has to fit as a signed or an
// unsigned integer of that width, since writers of bit patterns do either; every bool but 0 is true.
func narrow[T int32 | uint64](d tensor.DType, shape tensor.Shape, n int, values []T) (*tensor.Tensor, error) {
	if len(values) != n {
		return nil, countError(d, shape, n, len(values))
	}
	width := max(d.Bits(), 8)
	low, high := -int64(1)<<(width-1), int64(1)<<width
	data := tensor.AlignedBytes(n * width / 8)
	for i, v := range values {
		x := int64(v)
		if d == tensor.Bool && x != 0 {
			x = 1
		}
		if x < low || x >= high {
			return nil, fmt.Errorf("value %d is no %v", v, d)
		}
		for b := range width / 8 {
			data[i*width/8+b] = byte(x >> (8 * b))
		}
	}
	return tensor.FromBytes(d, shape, data)
}

// TensorProto returns the message for t under that name. Its raw_data aliases the tensor.
func TensorProto(name string, t *tensor.Tensor) *onnxpb.TensorProto {
	code := int32(t.DType())
	p := &onnxpb.TensorProto{DataType: &code, Dims: make([]int64, t.Rank())}
	if name != "" {
		p.Name = &name
	}
	for i, n := range t.Shape() {
		p.Dims[i] = int64(n)
	}
	if t.DType() != tensor.String {
		p.RawData = t.Bytes()
		return p
	}
	p.StringData = make([][]byte, t.Len())
	for i, s := range t.Strs() {
		p.StringData[i] = []byte(s)
	}
	return p
}

// Dense returns the dense tensor of a sparse one. A sparse tensor of a few elements that claims a huge shape is an error.
func (m *Model) Dense(p *onnxpb.SparseTensorProto) (*tensor.Tensor, error) {
	t, err := m.dense(p)
	if err != nil {
		return nil, fmt.Errorf("sparse tensor %q: %w", p.GetValues().GetName(), err)
	}
	return t, nil
}

// What Dense allocates at most: this much, or so many times the bytes of the stored elements.
const (
	denseFree   = 16 << 20
	denseGrowth = 1000
)

func (m *Model) dense(p *onnxpb.SparseTensorProto) (*tensor.Tensor, error) {
	values, err := m.decode(p.GetValues())
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	indices, err := m.decode(p.GetIndices())
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	shape, err := shapeOf(p.Dims)
	if err != nil {
		return nil, err
	}
	d, n, count := values.DType(), shape.Size(), values.Len()
	switch {
	case d.Packed():
		return nil, fmt.Errorf("sparse %v tensors are not supported", d)
	case d == tensor.String && n > denseFree/16+denseGrowth*count || d.Bytes(n) > denseFree+denseGrowth*len(values.Bytes()):
		return nil, fmt.Errorf("%d values are too few for the shape %v", count, shape)
	case indices.DType() != tensor.Int64:
		return nil, fmt.Errorf("indices are %v, want int64", indices.DType())
	}
	at, err := linear(indices, shape, n, count)
	if err != nil {
		return nil, err
	}
	out, size := tensor.New(d, shape...), d.Bytes(1)
	for i, j := range at {
		if d == tensor.String {
			out.Strs()[j] = values.Strs()[i]
		} else {
			copy(out.Bytes()[j*size:(j+1)*size], values.Bytes()[i*size:])
		}
	}
	return out, nil
}

// linear returns the positions of count elements in the dense tensor of n elements.
func linear(indices *tensor.Tensor, shape tensor.Shape, n, count int) ([]int, error) {
	at, ix := make([]int, count), indices.Int64()
	switch s := indices.Shape(); {
	case len(s) == 1 && s[0] == count:
		for i, j := range ix {
			if j < 0 || j >= int64(n) {
				return nil, fmt.Errorf("index %d out of range for shape %v", j, shape)
			}
			at[i] = int(j)
		}
	case len(s) == 2 && s[0] == count && s[1] == len(shape):
		strides := shape.Strides()
		for i := range at {
			for k, stride := range strides {
				j := ix[i*len(shape)+k]
				if j < 0 || j >= int64(shape[k]) {
					return nil, fmt.Errorf("index %d out of range for axis %d of shape %v", j, k, shape)
				}
				at[i] += int(j) * stride
			}
		}
	default:
		return nil, fmt.Errorf("indices of shape %v for %d values of a tensor of rank %d", s, count, len(shape))
	}
	return at, nil
}
