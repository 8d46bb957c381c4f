package onnxgo

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	gorgonia "gorgonia.org/tensor"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// fromGorgonia returns t's value. It aliases t's memory where that is in row-major order.
func fromGorgonia(t gorgonia.Tensor) (res *tensor.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil { // Gorgonia's answer to a tensor that has less memory than its shape needs
			res, err = nil, fmt.Errorf("the tensor is broken: %v", r)
		}
	}()
	if d, ok := t.(gorgonia.Densor); ok {
		t = d.Dense()
	}
	d, ok := t.(*gorgonia.Dense)
	switch {
	case !ok:
		return nil, fmt.Errorf("tensors of type %T are not known", t)
	case d.IsMasked() && d.Size() > 0:
		return nil, errors.New("masked tensors are not known")
	case !d.IsNativelyAccessible():
		return nil, errors.New("the tensor's memory is not accessible")
	}
	shape, strides := tensor.Shape(d.Shape()), d.Strides()
	if _, err := shape.CheckSize(); err != nil {
		return nil, err
	}
	switch data := elements(d).(type) {
	case []float32:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []float64:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []int8:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []int16:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []int32:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []int64:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []uint8:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []uint16:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []uint32:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []uint64:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []bool:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []complex64:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []complex128:
		return tensor.Of(shape, rowMajor(data, shape, strides)), nil
	case []string:
		return tensor.Strings(shape, rowMajor(data, shape, strides)), nil
	case []int:
		return tensor.Of(shape, rowMajor(widened[int64](data), shape, strides)), nil
	case []uint:
		return tensor.Of(shape, rowMajor(widened[uint64](data), shape, strides)), nil
	}
	return nil, fmt.Errorf("element type %v is not known", d.Dtype())
}

// elements returns d's memory as a slice. Dense.Data has the value of a scalar instead and panics if there are no elements.
func elements(d *gorgonia.Dense) any {
	if d.Size() == 0 {
		return reflect.MakeSlice(reflect.SliceOf(d.Dtype().Type), 0, 0).Interface()
	}
	data := d.Data()
	if d.IsScalar() {
		s := reflect.MakeSlice(reflect.SliceOf(d.Dtype().Type), 1, 1)
		s.Index(0).Set(reflect.ValueOf(data))
		data = s.Interface()
	}
	return data
}

func widened[T int64 | uint64, S int | uint](s []S) []T {
	out := make([]T, len(s))
	for i, x := range s {
		out[i] = T(x)
	}
	return out
}

// rowMajor returns the elements in row-major order: data itself if that is their order.
func rowMajor[T any](data []T, shape tensor.Shape, strides []int) []T {
	n := shape.Size()
	if len(strides) != len(shape) || n == 0 {
		return data[:n] // scalars, and tensors with no element at all
	}
	contiguous := true
	for i, s := range shape.Strides() {
		contiguous = contiguous && (shape[i] == 1 || strides[i] == s)
	}
	if contiguous {
		return data[:n]
	}
	out := make([]T, 0, n)
	at := make([]int, len(shape))
	for len(out) < n {
		offset := 0
		for i, k := range at {
			offset += k * strides[i]
		}
		out = append(out, data[offset])
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[i] {
				break
			}
			at[i] = 0
		}
	}
	return out
}

// toGorgonia returns v as a tensor over the same memory. Of a tensor without elements, Gorgonia's Data panics.
func toGorgonia(v tensor.Value) (gorgonia.Tensor, error) {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return nil, fmt.Errorf("a value of type %v does not fit into a tensor", v.Type())
	}
	switch t.DType() {
	case tensor.Float32:
		return dense(t.Shape(), t.Float32()), nil
	case tensor.Float64:
		return dense(t.Shape(), t.Float64()), nil
	case tensor.Int8:
		return dense(t.Shape(), tensor.Slice[int8](t)), nil
	case tensor.Int16:
		return dense(t.Shape(), tensor.Slice[int16](t)), nil
	case tensor.Int32:
		return dense(t.Shape(), t.Int32()), nil
	case tensor.Int64:
		return dense(t.Shape(), t.Int64()), nil
	case tensor.Uint8:
		return dense(t.Shape(), tensor.Slice[uint8](t)), nil
	case tensor.Uint16:
		return dense(t.Shape(), tensor.Slice[uint16](t)), nil
	case tensor.Uint32:
		return dense(t.Shape(), tensor.Slice[uint32](t)), nil
	case tensor.Uint64:
		return dense(t.Shape(), tensor.Slice[uint64](t)), nil
	case tensor.Bool:
		return dense(t.Shape(), t.Bool()), nil
	case tensor.Complex64:
		return dense(t.Shape(), tensor.Slice[complex64](t)), nil
	case tensor.Complex128:
		return dense(t.Shape(), tensor.Slice[complex128](t)), nil
	case tensor.String:
		return dense(t.Shape(), t.Strs()), nil
	}
	return nil, fmt.Errorf("a value of type %v has no counterpart among Gorgonia's tensors", t)
}

func dense[T any](shape tensor.Shape, data []T) gorgonia.Tensor {
	if len(shape) == 0 {
		return gorgonia.New(gorgonia.FromScalar(data[0]))
	}
	return gorgonia.New(gorgonia.WithShape(shape...), gorgonia.WithBacking(data))
}

// exact converts t to another element type; every element must stay what it is.
func exact(t *tensor.Tensor, to tensor.DType) (*tensor.Tensor, error) {
	refuse := fmt.Errorf("its values are of type %v; the model declares %v", t.DType(), to)
	const limit = 1 << 53 // from here on, float64 does not tell integers apart
	vals, err := t.Floats()
	if err != nil {
		return nil, refuse
	}
	out := tensor.New(to, t.Shape()...)
	if out.SetFloats(vals) != nil {
		return nil, refuse
	}
	back, err := out.Floats()
	if err != nil {
		return nil, refuse
	}
	for i, v := range vals {
		same := v == back[i] || v != v && back[i] != back[i]
		if !same || (t.DType().IsInt() || to.IsInt()) && math.Abs(v) >= limit {
			return nil, refuse
		}
	}
	return out, nil
}

// allZero reports whether every element of t is zero.
func allZero(t *tensor.Tensor) bool {
	for _, b := range t.Bytes() {
		if b != 0 {
			return false
		}
	}
	for _, s := range t.Strs() {
		if s != "" {
			return false
		}
	}
	return true
}
