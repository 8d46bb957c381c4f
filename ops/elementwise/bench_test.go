package elementwise

import (
	"context"
	"math/rand"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func BenchmarkOps(b *testing.B) {
	rng := rand.New(rand.NewSource(1))
	x, y := random(rng, tensor.Shape{256, 1024}), random(rng, tensor.Shape{256, 1024})
	row, col := random(rng, tensor.Shape{1024}), random(rng, tensor.Shape{256, 1})
	nchw, chan3 := random(rng, tensor.Shape{64, 64, 8, 8}), random(rng, tensor.Shape{64, 1, 1})
	thin, narrow := random(rng, tensor.Shape{1 << 16, 4}), random(rng, tensor.Shape{4})
	h, hrow := as16(x, tensor.Float16), as16(row, tensor.Float16)
	cond := tensor.New(tensor.Bool, 256, 1024)
	ints := tensor.New(tensor.Int64, 256, 1024)
	for _, c := range []struct {
		name string
		call opstest.Call
		in   []tensor.Value
	}{
		{"Add", opstest.Call{Name: "Add"}, []tensor.Value{x, y}},
		{"Add/row", opstest.Call{Name: "Add"}, []tensor.Value{x, row}},
		{"Add/column", opstest.Call{Name: "Add"}, []tensor.Value{x, col}},
		{"Add/channel", opstest.Call{Name: "Add"}, []tensor.Value{nchw, chan3}},
		{"Add/narrow", opstest.Call{Name: "Add"}, []tensor.Value{thin, narrow}},
		{"Add/half", opstest.Call{Name: "Add"}, []tensor.Value{h, hrow}},
		{"Mul/scalar", opstest.Call{Name: "Mul"}, []tensor.Value{x, tensor.Scalar[float32](3)}},
		{"Pow/2", opstest.Call{Name: "Pow"}, []tensor.Value{x, tensor.Scalar[float32](2)}},
		{"Where", opstest.Call{Name: "Where"}, []tensor.Value{cond, x, tensor.Scalar[float32](0)}},
		{"Max", opstest.Call{Name: "Max"}, []tensor.Value{x, y}},
		{"Gelu", opstest.Call{Name: "Gelu"}, []tensor.Value{x}},
		{"Cast/half", opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Float16}}, []tensor.Value{x}},
		{"Cast/float", opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Float32}}, []tensor.Value{h}},
		{"Cast/int64", opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Float32}}, []tensor.Value{ints}},
		{"Cast/float8", opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Float8E4M3FN}}, []tensor.Value{x}},
	} {
		op, err := opstest.New(c.call)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			ctx := &ops.Ctx{Context: context.Background(), In: c.in, Out: make([]tensor.Value, 1), Wanted: []bool{true}, Mem: &reuse{}, Pool: parallel.NewPool(1)}
			b.ReportAllocs()
			b.SetBytes(4 * 256 * 1024)
			for b.Loop() {
				if err := op.Run(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// reuse hands out the same memory again and again.
type reuse struct{ t *tensor.Tensor }

// Alloc implements ops.Memory.
func (r *reuse) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	if shape.Size() < 1<<18 {
		return ops.HeapMemory{}.Alloc(d, shape)
	}
	if r.t == nil {
		r.t = tensor.New(d, shape...)
	}
	return r.t, nil
}

// Free implements ops.Memory.
func (*reuse) Free(*tensor.Tensor) {}
