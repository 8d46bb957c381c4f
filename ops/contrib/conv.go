package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("FusedConv", newFusedConv),
		floatOp("FusedGemm", newFusedGemm),
		plainOp("NhwcMaxPool", newNhwcMaxPool),
	)
}

// attrsFor copies the named attributes, as far as present, into attributes for an operator of ai.onnx.
func attrsFor(a *ops.Attrs, opset, outputs int, ints, lists, floats, strings []string) *ops.Attrs {
	vals := map[string]any{}
	for _, n := range ints {
		if a.Has(n) {
			vals[n] = int64(a.Int(n, 0))
		}
	}
	for _, n := range lists {
		if a.Has(n) {
			vals[n] = a.Int64s(n)
		}
	}
	for _, n := range floats {
		if a.Has(n) {
			vals[n] = a.Float(n, 0)
		}
	}
	for _, n := range strings {
		if a.Has(n) {
			vals[n] = a.String(n, "")
		}
	}
	return ops.NewAttrs(opset, outputs, vals)
}

// fusedConv is act(Conv(X, W, B) + Z).
type fusedConv struct {
	conv ops.Op
	act  func([]float32)
}

func newFusedConv(a *ops.Attrs) (ops.Op, error) {
	conv, err := buildStandard("Conv", 11, 0, attrsFor(a, 11, 1, []string{"group"},
		[]string{"dilations", "kernel_shape", "pads", "strides"}, nil, []string{"auto_pad"}))
	if err != nil {
		return nil, err
	}
	o := fusedConv{conv: conv}
	params := a.Floats("activation_params")
	if name := a.String("activation", ""); name != "" {
		if o.act, err = activation(name, params); err != nil {
			return nil, err
		}
	}
	return o, a.Done()
}

// Prepack implements ops.Prepacker.
func (o fusedConv) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	p, ok := o.conv.(ops.Prepacker)
	if !ok {
		return o, nil
	}
	conv, dropped := p.Prepack(in[:min(len(in), 3)])
	return fusedConv{conv, o.act}, dropped
}

// Infer implements ops.Op.
func (o fusedConv) Infer(c *ops.Infer) error {
	n := min(len(c.In), 3)
	return o.conv.Infer(&ops.Infer{In: c.In[:n], Out: c.Out, Absent: c.Absent[:n]})
}

// Run implements ops.Op.
func (o fusedConv) Run(c *ops.Ctx) error {
	out, err := runInner(c, o.conv, c.In[:min(len(c.In), 3)], 1)
	if err != nil {
		return err
	}
	y, ok := out[0].(*tensor.Tensor)
	if !ok {
		return fmt.Errorf("no tensor from the convolution")
	}
	c.SetOut(0, y)
	z := c.Tensor(3)
	if z == nil && o.act == nil {
		return nil
	}
	if y.DType() != tensor.Float32 {
		return fmt.Errorf("epilogue of %v: %w", y.DType(), ops.ErrUnsupported)
	}
	if z != nil && (z.DType() != y.DType() || !z.Shape().Equal(y.Shape())) {
		return fmt.Errorf("input Z is %v, the convolution's result %v", z, y)
	}
	dst := y.Float32()
	c.Parallel(len(dst), ops.Grain(8), func(lo, hi int) {
		if z != nil {
			for i, v := range z.Float32()[lo:hi] {
				dst[lo+i] += v
			}
		}
		if o.act != nil {
			o.act(dst[lo:hi])
		}
	})
	return nil
}

// fusedGemm is act(alpha·A'·B' + beta·C).
type fusedGemm struct {
	gemm ops.Op
	act  func([]float32)
}

func newFusedGemm(a *ops.Attrs) (ops.Op, error) {
	g, err := buildStandard("Gemm", 13, 0, attrsFor(a, 13, 1, []string{"transA", "transB"}, nil, []string{"alpha", "beta"}, nil))
	if err != nil {
		return nil, err
	}
	o := fusedGemm{gemm: g}
	var params []float32
	for _, p := range []string{"activation_alpha", "activation_beta", "activation_gamma"} {
		if a.Has(p) {
			params = append(params, a.Float(p, 0))
		}
	}
	if name := a.String("activation", ""); name != "" {
		if o.act, err = activation(name, params); err != nil {
			return nil, err
		}
	}
	return o, a.Done()
}

// Prepack implements ops.Prepacker.
func (o fusedGemm) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	p, ok := o.gemm.(ops.Prepacker)
	if !ok {
		return o, nil
	}
	g, dropped := p.Prepack(in)
	return fusedGemm{g, o.act}, dropped
}

// Infer implements ops.Op.
func (o fusedGemm) Infer(c *ops.Infer) error { return o.gemm.Infer(c) }

// Run implements ops.Op.
func (o fusedGemm) Run(c *ops.Ctx) error {
	out, err := runInner(c, o.gemm, c.In, 1)
	if err != nil {
		return err
	}
	c.SetOut(0, out[0])
	if o.act == nil {
		return nil
	}
	y, ok := out[0].(*tensor.Tensor)
	if !ok || y.DType() != tensor.Float32 {
		return fmt.Errorf("activation of %v: %w", c.Tensor(0).DType(), ops.ErrUnsupported)
	}
	dst := y.Float32()
	c.Parallel(len(dst), ops.Grain(8), func(lo, hi int) { o.act(dst[lo:hi]) })
	return nil
}
