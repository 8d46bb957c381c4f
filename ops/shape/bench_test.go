package shape

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// reusing hands out the same memory again and again.
type reusing struct{ have map[string]*tensor.Tensor }

func (m reusing) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	key := d.String() + shape.String()
	if m.have[key] == nil {
		m.have[key] = tensor.New(d, shape...)
	}
	return m.have[key], nil
}

func (reusing) Free(*tensor.Tensor) {}

func BenchmarkOps(b *testing.B) {
	big, image := f32(sh{512, 1024}), f32(sh{1, 64, 112, 112})
	rows := tensor.New(tensor.Int64, 512)
	for i := range rows.Int64() {
		rows.Int64()[i] = int64(i * 7 % 512)
	}
	each := tensor.New(tensor.Int64, 512, 1024)
	for i := range each.Int64() {
		each.Int64()[i] = int64(i * 7 % 512)
	}
	for _, c := range []struct {
		name string
		call opstest.Call
		in   []tensor.Value
	}{
		{"Concat last axis", opstest.Call{Name: "Concat", Attrs: attrs{"axis": 1}}, vals(big, big)},
		{"Slice last axis", opstest.Call{Name: "Slice"}, vals(big, i64(1), i64(1000), i64(1))},
		{"Slice step 2", opstest.Call{Name: "Slice"}, vals(big, i64(0), i64(1024), i64(1), i64(2))},
		{"Gather rows", opstest.Call{Name: "Gather"}, vals(big, rows)},
		{"Gather columns", opstest.Call{Name: "Gather", Attrs: attrs{"axis": 1}}, vals(big, rows)},
		{"GatherElements", opstest.Call{Name: "GatherElements"}, vals(big, each)},
		{"ScatterElements", opstest.Call{Name: "ScatterElements"}, vals(big, each, big)},
		{"Expand", opstest.Call{Name: "Expand"}, vals(f32(sh{512, 1}), i64(512, 1024))},
		{"Tile", opstest.Call{Name: "Tile"}, vals(f32(sh{64, 128}), i64(8, 8))},
		{"Pad image", opstest.Call{Name: "Pad"}, vals(image, i64(0, 0, 1, 1, 0, 0, 1, 1))},
		{"DepthToSpace", opstest.Call{Name: "DepthToSpace", Attrs: attrs{"blocksize": 2}}, vals(image)},
		{"Trilu", opstest.Call{Name: "Trilu"}, vals(big)},
		{"NonZero", opstest.Call{Name: "NonZero"}, vals(big)},
		{"TopK 5", opstest.Call{Name: "TopK", Outputs: 2}, vals(big, i64(5))},
		{"TopK 500", opstest.Call{Name: "TopK", Outputs: 2}, vals(big, i64(500))},
		{"Unique", opstest.Call{Name: "Unique"}, vals(f32(sh{1 << 14}))},
	} {
		b.Run(c.name, func(b *testing.B) {
			op, err := opstest.New(c.call)
			if err != nil {
				b.Fatal(err)
			}
			mem := reusing{map[string]*tensor.Tensor{}}
			bytes := 0
			for b.Loop() {
				ctx := &ops.Ctx{Context: b.Context(), In: c.in, Out: make([]tensor.Value, 2), Wanted: []bool{true, true}, Mem: mem, Pool: parallel.NewPool(0)}
				if err := op.Run(ctx); err != nil {
					b.Fatal(err)
				}
				bytes = len(ctx.Out[0].(*tensor.Tensor).Bytes())
			}
			b.SetBytes(int64(bytes))
		})
	}
}
