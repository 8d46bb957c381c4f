package contrib_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	_ "github.com/sardonyx-ml/sardonyx/ops/all"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// caseTensor is a tensor of testdata/cases.jsonl, which testdata/cases.py writes.
type caseTensor struct {
	T string
	S []int
	D []float64
}

func (c *caseTensor) tensor(t *testing.T) *tensor.Tensor {
	d, ok := tensor.ParseDType(c.T)
	if !ok {
		t.Fatalf("element type %q", c.T)
	}
	x := tensor.New(d, c.S...)
	for i, v := range c.D {
		switch d {
		case tensor.Float32:
			x.Float32()[i] = float32(v)
		case tensor.Int32:
			x.Int32()[i] = int32(v)
		case tensor.Int64:
			x.Int64()[i] = int64(v)
		case tensor.Bool:
			x.Bool()[i] = v != 0
		case tensor.Int8:
			tensor.Slice[int8](x)[i] = int8(v)
		case tensor.Uint8:
			tensor.Slice[uint8](x)[i] = uint8(v)
		case tensor.Int16:
			tensor.Slice[int16](x)[i] = int16(v)
		case tensor.Uint16:
			tensor.Slice[uint16](x)[i] = uint16(v)
		default:
			t.Fatalf("element type %v", d)
		}
	}
	return x
}

type contribCase struct {
	Op, Domain string
	Attrs      map[string]any
	In, Out    []*caseTensor
}

// attrs turns JSON's numbers into the kinds that the operator reads.
func (c contribCase) attrs() opstest.Attrs {
	floats := map[string]bool{"epsilon": true, "alpha": true, "beta": true, "scale": true, "softcap": true, "mask_filter_value": true,
		"activation_alpha": true, "activation_beta": true, "swiglu_limit": true, "activation_params": true}
	out := opstest.Attrs{}
	for k, v := range c.Attrs {
		switch v := v.(type) {
		case float64:
			if out[k] = int64(v); floats[k] {
				out[k] = float32(v)
			}
		case []any:
			fs, is := make([]float32, len(v)), make([]int64, len(v))
			for i, e := range v {
				fs[i], is[i] = float32(e.(float64)), int64(e.(float64))
			}
			if out[k] = is; floats[k] {
				out[k] = fs
			}
		default:
			out[k] = v
		}
	}
	return out
}

// TestCases compares with outputs of ONNX Runtime. Eight-bit results may differ by one where a sum of floats lies
// halfway between two steps.
func TestCases(t *testing.T) {
	for n, c := range readCases(t) {
		t.Run(fmt.Sprintf("%s/%d", c.Op, n+1), func(t *testing.T) { c.run(t) })
	}
}

func readCases(t *testing.T) (cases []contribCase) {
	f, err := os.Open("testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c contribCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func (c contribCase) run(t *testing.T) {
	out, err := opstest.Run(t, opstest.Call{Domain: c.Domain, Name: c.Op, Attrs: c.attrs(), Outputs: len(c.Out)}, c.inputs(t)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range c.Out {
		if w == nil {
			continue
		}
		want := w.tensor(t)
		got, ok := out[i].(*tensor.Tensor)
		switch {
		case !ok:
			t.Errorf("output %d is %v", i, out[i])
		case want.DType().IsInt():
			opstest.Equal(t, got, want, 0, 1)
			differ(t, got, want)
		default:
			rtol, atol := 1e-4, 1e-5
			if c.Attrs["k_quant_type"] != nil {
				rtol, atol = 0.05, 0.02 // the reference multiplies with 8-bit queries
			}
			opstest.Equal(t, got, want, rtol, atol)
		}
	}
}

// differ fails if more than a few elements of two integer tensors differ.
func differ(t *testing.T, got, want *tensor.Tensor) {
	if got.DType() != want.DType() || !got.Shape().Equal(want.Shape()) {
		return
	}
	g, _ := got.Floats()
	w, _ := want.Floats()
	n := 0
	for i := range w {
		if math.Abs(g[i]-w[i]) > 0 {
			n++
		}
	}
	if n > 1 && 50*n > len(w) {
		t.Errorf("%d of %d elements differ: got %v, want %v", n, len(w), g, w)
	}
}
