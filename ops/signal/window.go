package signal

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for name, w := range map[string]window{
		"HannWindow":     {cosines: [3]float64{0.5, -0.5}},
		"HammingWindow":  {cosines: [3]float64{25. / 46, -21. / 46}},
		"BlackmanWindow": {cosines: [3]float64{0.42, -0.5, 0.08}},
	} {
		ops.Register(ops.Def{Name: name, Since: 17, New: w.bind})
	}
	ops.Register(ops.Def{Name: "MelWeightMatrix", Since: 17, New: newMel})
}

// window is https://onnx.ai/onnx/operators/onnx__HannWindow.html and its kin: a sum of cosines[k]·cos(2πkn/N).
type window struct {
	cosines  [3]float64
	periodic bool
	dtype    tensor.DType
}

func (w window) bind(a *ops.Attrs) (ops.Op, error) {
	w.periodic, w.dtype = a.Bool("periodic", true), a.DType("output_datatype", tensor.Float32)
	return w, a.Done()
}

// Infer implements ops.Op.
func (w window) Infer(c *ops.Infer) error {
	n := tensor.Dim{}
	if v, ok := c.Ints(0); ok && len(v) == 1 {
		n = v[0]
	}
	c.SetOut(0, w.dtype, n)
	return nil
}

// Run implements ops.Op.
func (w window) Run(c *ops.Ctx) error {
	n, err := scalarInt(c, 0, 0)
	if err != nil {
		return err
	}
	if n < 0 || n > maxLength {
		return fmt.Errorf("a window of length %d", n)
	}
	y, err := c.New(0, w.dtype, tensor.Shape{n})
	if err != nil {
		return err
	}
	vals, err := ops.Scratch[float64](c, n)
	if err != nil {
		return err
	}
	period := float64(n)
	if !w.periodic {
		period = max(float64(n-1), 1)
	}
	for i := range vals {
		x := 2 * math.Pi * float64(i) / period
		vals[i] = w.cosines[0] + w.cosines[1]*math.Cos(x) + w.cosines[2]*math.Cos(2*x)
	}
	return y.SetFloats(vals)
}

// mel is https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html: triangular filters, (dft_length/2+1, num_mel_bins).
type mel struct{ dtype tensor.DType }

func newMel(a *ops.Attrs) (ops.Op, error) {
	return mel{a.DType("output_datatype", tensor.Float32)}, a.Done()
}

// Infer implements ops.Op.
func (op mel) Infer(c *ops.Infer) error {
	var rows, cols tensor.Dim
	if v, ok := c.Ints(1); ok && len(v) == 1 {
		rows = v[0].Div(tensor.Int(2)).AddInt(1)
	}
	if v, ok := c.Ints(0); ok && len(v) == 1 {
		cols = v[0]
	}
	c.SetOut(0, op.dtype, rows, cols)
	return nil
}

// Run implements ops.Op.
func (op mel) Run(c *ops.Ctx) error {
	var n [3]int
	for i := range n {
		v, err := scalarInt(c, i, 0)
		if err != nil {
			return err
		}
		if v < 1 || v > maxLength {
			return fmt.Errorf("input %d is %d", i, v)
		}
		n[i] = v
	}
	var edges [2]float64
	for i := range edges {
		v, err := c.Tensor(3 + i).Floats()
		if err != nil || len(v) != 1 {
			return fmt.Errorf("input %d is %v, not one number", 3+i, c.Tensor(3+i))
		}
		edges[i] = v[0]
	}
	bins, length := n[0], n[1]
	y, err := c.New(0, op.dtype, tensor.Shape{length/2 + 1, bins})
	if err != nil {
		return err
	}
	vals, err := ops.Scratch[float64](c, y.Len())
	if err != nil {
		return err
	}
	clear(vals)
	at, err := melPoints(bins, length, n[2], edges[0], edges[1])
	if err != nil {
		return err
	}
	for i := range bins {
		lo, mid, hi := at[i], at[i+1], at[i+2]
		vals[mid*bins+i] = 1
		for j := lo; j < mid; j++ {
			vals[j*bins+i] = float64(j-lo) / float64(mid-lo)
		}
		for j := mid; j < hi; j++ {
			vals[j*bins+i] = float64(hi-j) / float64(hi-mid)
		}
	}
	return y.SetFloats(vals)
}

// melPoints returns the frequencies, as indices of the spectrum, at which the triangles begin, peak and end. The mel
// scale is computed in float, as the edges usually are.
func melPoints(bins, length, rate int, low, high float64) ([]int, error) {
	toMel := func(hz float64) float32 { return 2595 * float32(math.Log10(float64(1+float32(hz)/700))) }
	from := toMel(low)
	step := (toMel(high) - from) / float32(bins+2)
	at := make([]int, bins+2)
	for i := range at {
		hz := 700 * (math.Pow(10, (float64(i)*float64(step)+float64(from))/2595) - 1)
		f := math.Floor(float64(length+1) * hz / float64(rate))
		if !(f >= 0 && f <= float64(length/2+1)) || i < bins+1 && f > float64(length/2) {
			return nil, fmt.Errorf("frequency %v is outside of a spectrum up to %v", hz, float64(rate)/2)
		}
		at[i] = int(f)
		if i > 0 && at[i] < at[i-1] {
			return nil, fmt.Errorf("edges %v and %v are not in order", low, high)
		}
	}
	return at, nil
}
