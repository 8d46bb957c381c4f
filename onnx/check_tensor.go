package onnx

import (
	"encoding/binary"
	"path"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// checkTensor checks that a stored tensor has a valid type and exactly the data that its dimensions call for. It looks at
// lengths only.
func (c *checker) checkTensor(where string, t *onnxpb.TensorProto) {
	d, shape, err := header(t)
	if err != nil {
		c.add(where, "%v", err)
		return
	}
	n := shape.Size()
	fields := dataFields(t)
	if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		if len(fields) > 0 {
			c.add(where, "it is external and has data in %s, too", fields[0].name)
		}
		c.checkLocation(where, t)
		return
	}
	switch {
	case len(fields) > 1:
		c.add(where, "it has data in both %s and %s", fields[0].name, fields[1].name)
		return
	case n == 0 && len(fields) == 0:
		return
	case len(fields) == 0:
		c.add(where, "it has no data for its %d elements", n)
		return
	}
	c.checkLength(where, d, n, fields[0])
}

// dataField is a value field of a TensorProto that is in use.
type dataField struct {
	name string
	n    int
}

func dataFields(t *onnxpb.TensorProto) []dataField {
	var used []dataField
	for _, f := range []dataField{
		{"raw_data", len(t.RawData)}, {"float_data", len(t.FloatData)}, {"int32_data", len(t.Int32Data)},
		{"string_data", len(t.StringData)}, {"int64_data", len(t.Int64Data)}, {"double_data", len(t.DoubleData)},
		{"uint64_data", len(t.Uint64Data)},
	} {
		if f.n > 0 {
			used = append(used, f)
		}
	}
	return used
}

// checkLength compares the length of the field in use with the n elements of type d.
func (c *checker) checkLength(where string, d tensor.DType, n int, f dataField) {
	if f.name == "raw_data" {
		switch want := d.Bytes(n); {
		case d == tensor.String:
			c.add(where, "strings cannot be in raw_data")
		case f.n != want:
			c.add(where, "raw_data has %d bytes, not the %d of %d elements of type %v", f.n, want, n, d)
		}
		return
	}
	field, least, most := typedField(d, n)
	switch {
	case f.name != field:
		c.add(where, "elements of type %v cannot be in %s, only in %s or raw_data", d, f.name, field)
	case f.n < least || f.n > most:
		c.add(where, "%s has %d values, not %d", f.name, f.n, most)
	}
}

// typedField returns the field for elements of type d other than raw_data and how many values n elements take in it.
// Packed types are two or four to a value, yet some writers fill all 32 bits of each.
func typedField(d tensor.DType, n int) (field string, least, most int) {
	switch d {
	case tensor.Float32:
		return "float_data", n, n
	case tensor.Complex64:
		return "float_data", 2 * n, 2 * n
	case tensor.Float64:
		return "double_data", n, n
	case tensor.Complex128:
		return "double_data", 2 * n, 2 * n
	case tensor.Int64:
		return "int64_data", n, n
	case tensor.Uint32, tensor.Uint64:
		return "uint64_data", n, n
	case tensor.String:
		return "string_data", n, n
	}
	if d.Packed() {
		bytes := d.Bytes(n)
		return "int32_data", (bytes + 3) / 4, bytes
	}
	return "int32_data", n, n
}

// checkLocation checks where an external tensor says its data is: in a file beside the model or in a folder below.
func (c *checker) checkLocation(where string, t *onnxpb.TensorProto) {
	found := false
	for _, e := range t.ExternalData {
		switch e.GetKey() {
		case "location":
			found = true
			c.checkPath(where, e.GetValue())
		case "offset", "length":
			if n, err := strconv.ParseInt(e.GetValue(), 10, 64); err != nil || n < 0 {
				c.add(where, "the external %s %q is no length in bytes", e.GetKey(), e.GetValue())
			}
		}
	}
	if !found {
		c.add(where, "it is external but has no location")
	}
}

func (c *checker) checkPath(where, location string) {
	slash := strings.ReplaceAll(location, `\`, "/")
	clean := path.Clean(slash)
	switch {
	case location == "":
		c.add(where, "the location of its external data is empty")
	case path.IsAbs(slash) || len(slash) > 1 && slash[1] == ':':
		c.add(where, "the location %q of its external data is not relative", location)
	case clean == ".." || strings.HasPrefix(clean, "../"):
		c.add(where, "the location %q of its external data is outside of the model's folder", location)
	}
}

// checkSparse checks a sparse tensor: values [NNZ] and ascending indices, [NNZ] or [NNZ, rank].
func (c *checker) checkSparse(where string, s *onnxpb.SparseTensorProto) {
	if s.Values == nil {
		c.add(where, "the sparse tensor has no values")
		return
	}
	before := len(c.found) + c.more
	c.checkTensor(where+": values", s.Values)
	if len(s.Values.Dims) != 1 {
		c.add(where, "the values of a sparse tensor have rank 1, not %d", len(s.Values.Dims))
	}
	if len(s.Dims) == 0 {
		c.add(where, "a sparse tensor cannot be a scalar")
	}
	for _, d := range s.Dims {
		if d <= 0 {
			c.add(where, "dimension %d of a sparse tensor is not positive", d)
		}
	}
	if s.Indices == nil {
		if len(s.Values.Dims) == 1 && s.Values.Dims[0] != 0 {
			c.add(where, "the sparse tensor has no indices")
		}
		return
	}
	c.checkTensor(where+": indices", s.Indices)
	if len(c.found)+c.more == before {
		c.checkIndices(where, s)
	}
}

func (c *checker) checkIndices(where string, s *onnxpb.SparseTensorProto) {
	shape, err := shapeOf(s.Dims)
	dims, nnz := s.Indices.Dims, s.Values.Dims[0]
	width := int64(1)
	switch {
	case err != nil:
		c.add(where, "%v", err)
		return
	case s.Indices.GetDataType() != int32(onnxpb.TensorProto_INT64):
		c.add(where, "the indices of a sparse tensor are int64, not %v", storedType(s.Indices).DType)
		return
	case len(dims) != 1 && len(dims) != 2:
		c.add(where, "the indices of a sparse tensor have rank 1 or 2, not %d", len(dims))
		return
	case dims[0] != nnz:
		c.add(where, "there are %d indices for %d values", dims[0], nnz)
		return
	case len(dims) == 2:
		if width = dims[1]; width != int64(len(s.Dims)) {
			c.add(where, "the indices have %d columns for %d dimensions", width, len(s.Dims))
			return
		}
	}
	index := int64Data(s.Indices)
	if index == nil {
		return // external
	}
	previous := int64(-1)
	for i := range int(nnz) {
		linear := index(i)
		if len(dims) == 2 {
			linear = 0
			for j, d := range s.Dims {
				x := index(i*len(s.Dims) + j)
				if x < 0 || x >= d {
					c.add(where, "index %d of value %d is out of range for dimension %d", x, i, d)
					return
				}
				linear = linear*d + x
			}
		}
		if linear < 0 || linear >= int64(shape.Size()) {
			c.add(where, "index %d of value %d is out of range for shape %v", linear, i, shape)
			return
		}
		if linear <= previous {
			c.add(where, "the index of value %d is not in ascending order", i)
			return
		}
		previous = linear
	}
}

// int64Data returns access to the elements of an int64 tensor, nil if they are in another file.
func int64Data(t *onnxpb.TensorProto) func(i int) int64 {
	switch {
	case t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL:
		return nil
	case len(t.RawData) > 0:
		return func(i int) int64 { return int64(binary.LittleEndian.Uint64(t.RawData[8*i:])) }
	}
	return func(i int) int64 { return t.Int64Data[i] }
}
