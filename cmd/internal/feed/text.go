package feed

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// jsonInputs reads all inputs from an object, or the only one from any value.
func (l *loader) jsonInputs(source string, in map[string]tensor.Value) error {
	data, where := []byte(source), "inline JSON"
	if !inlineJSON(source) {
		var err error
		if data, err = os.ReadFile(source); err != nil {
			return err
		}
		where = source
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil || object == nil {
		p, ok := l.single()
		if !ok {
			return usagef("%s: the model has several inputs (%s): an object with a value for each is needed, or NAME=", where, portNames(l.ports))
		}
		object = map[string]json.RawMessage{p.Name: data}
	}
	for name, raw := range object {
		p, ok := l.port(name)
		if !ok {
			return fmt.Errorf("%s: the model has no input %q; it has %s", where, name, portNames(l.ports))
		}
		v, err := parseJSON(raw, l.types[p.Name])
		if err != nil {
			return fmt.Errorf("%s: input %q: %w", where, name, err)
		}
		in[name] = v
	}
	return nil
}

// parseJSON reads a value of the declared type.
func parseJSON(data []byte, t tensor.Type) (tensor.Value, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("more than one JSON value")
	}
	return jsonValue(v, t)
}

func jsonValue(v any, t tensor.Type) (tensor.Value, error) {
	switch t.Kind {
	case tensor.KindOptional:
		opt := &tensor.Optional{Elem: t.Element()}
		if v == nil {
			return opt, nil
		}
		var err error
		opt.Value, err = jsonValue(v, t.Element())
		return opt, err
	case tensor.KindSequence:
		list, ok := v.([]any)
		if !ok {
			return nil, errors.New("a sequence is a JSON list")
		}
		seq := &tensor.Sequence{Elem: t.Element()}
		for i, e := range list {
			item, err := jsonValue(e, t.Element())
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			seq.Items = append(seq.Items, item)
		}
		return seq, nil
	case tensor.KindTensor, tensor.KindUnknown:
		return jsonTensor(v, t)
	}
	return nil, fmt.Errorf("%v cannot be written as JSON", t)
}

func jsonTensor(v any, t tensor.Type) (tensor.Value, error) {
	shape := tensor.Shape{}
	for x := v; ; {
		list, ok := x.([]any)
		if !ok {
			break
		}
		shape = append(shape, len(list))
		if len(list) == 0 {
			break
		}
		x = list[0]
	}
	var leaves []any
	if err := flatten(v, shape, &leaves); err != nil {
		return nil, err
	}
	return fill(leaves, shape, t)
}

// flatten appends the leaves of nested lists, which must all have the given shape.
func flatten(v any, shape tensor.Shape, leaves *[]any) error {
	list, ok := v.([]any)
	if len(shape) == 0 {
		if ok {
			return errors.New("lists of different depth")
		}
		*leaves = append(*leaves, v)
		return nil
	}
	if !ok {
		return errors.New("lists of different depth")
	}
	if len(list) != shape[0] {
		return fmt.Errorf("lists of different length: %d and %d", shape[0], len(list))
	}
	for _, e := range list {
		if err := flatten(e, shape[1:], leaves); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a tensor of the declared element type from JSON leaves.
func fill(leaves []any, shape tensor.Shape, t tensor.Type) (*tensor.Tensor, error) {
	d := t.DType
	if d == tensor.Undefined {
		d = guessType(leaves)
	}
	out := tensor.New(d, fitted(shape, t)...)
	if d == tensor.String {
		for i, v := range leaves {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("element %d is %v, not a string", i, v)
			}
			out.Strs()[i] = s
		}
		return out, nil
	}
	if d == tensor.Int64 || d == tensor.Uint64 { // float64 does not hold all of them
		return out, fillLongs(out, leaves)
	}
	vals := make([]float64, len(leaves))
	for i, v := range leaves {
		f, err := number(v)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if d.IsInt() && f != math.Trunc(f) {
			return nil, fmt.Errorf("element %d is %v, but the input is %v", i, f, d)
		}
		vals[i] = f
	}
	return out, setNumbers(out, vals)
}

func fillLongs(out *tensor.Tensor, leaves []any) error {
	for i, v := range leaves {
		s := fmt.Sprint(v)
		switch v {
		case true:
			s = "1"
		case false:
			s = "0"
		}
		var err error
		if out.DType() == tensor.Int64 {
			out.Int64()[i], err = strconv.ParseInt(s, 10, 64)
		} else {
			tensor.Slice[uint64](out)[i], err = strconv.ParseUint(s, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("element %d is %v, but the input is %v", i, v, out.DType())
		}
	}
	return nil
}

func guessType(leaves []any) tensor.DType {
	for _, v := range leaves {
		switch v.(type) {
		case string:
			return tensor.String
		case bool:
			return tensor.Bool
		}
	}
	return tensor.Float32
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case json.Number:
		return v.Float64()
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return f, nil
		}
	}
	return 0, fmt.Errorf("%v is not a number", v)
}

// fitted gives a flat list, or a single number, the declared shape if exactly one shape is possible.
func fitted(shape tensor.Shape, t tensor.Type) tensor.Shape {
	if len(shape) > 1 || !t.Ranked || len(t.Dims) == len(shape) {
		return shape
	}
	n := shape.Size()
	out := make(tensor.Shape, len(t.Dims))
	open, product := -1, 1
	for i, d := range t.Dims {
		k, ok := d.Int()
		switch {
		case ok:
			out[i] = k
			product *= k
		default:
			if open >= 0 {
				out[open] = 1
			}
			open = i
		}
	}
	if open >= 0 {
		if product == 0 || n%product != 0 {
			return shape
		}
		out[open] = n / product
		product *= out[open]
	}
	if product != n {
		return shape
	}
	return out
}

// readCSV reads a table of numbers, or of strings if the input has these. A first line that holds no numbers is a heading.
func readCSV(path string, t tensor.Type) (tensor.Value, error) {
	rows, err := csvRows(path)
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 && t.DType != tensor.String && heading(rows[0]) {
		rows = rows[1:]
	}
	if len(rows) == 0 {
		return nil, errors.New("no rows")
	}
	var leaves []any
	for _, r := range rows {
		for _, c := range r {
			leaves = append(leaves, c)
		}
	}
	shape := tensor.Shape{len(rows), len(rows[0])}
	if t.Ranked && len(t.Dims) != 2 {
		shape = fitted(tensor.Shape{len(leaves)}, t)
	}
	return fill(leaves, shape, t)
}

func csvRows(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.TrimLeadingSpace = true
	return r.ReadAll()
}

func heading(row []string) bool {
	for _, c := range row {
		if _, err := strconv.ParseFloat(c, 64); err == nil {
			return false
		}
	}
	return true
}

// csvColumns reads inputs from the columns that have their names.
func (l *loader) csvColumns(path string, in map[string]tensor.Value) error {
	rows, err := csvRows(path)
	if err != nil {
		return inFile(path, err)
	}
	if len(rows) < 2 {
		return fmt.Errorf("%s: a line with the names of the inputs and at least one row are needed", path)
	}
	for i, name := range rows[0] {
		p, ok := l.port(name)
		if !ok {
			return fmt.Errorf("%s: column %q is no input of the model; it has %s", path, name, portNames(l.ports))
		}
		leaves := make([]any, len(rows)-1)
		for k, r := range rows[1:] {
			leaves[k] = r[i]
		}
		if in[name], err = fill(leaves, tensor.Shape{len(leaves)}, l.types[p.Name]); err != nil {
			return fmt.Errorf("%s: column %q: %w", path, name, err)
		}
	}
	return nil
}
