package opstest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Hostile runs an operator n times on tensors of random shapes with extents from 0 to 3, most of which do not fit each other. The
// first required inputs are always there. Errors are fine; a panic fails the test, as does inference that contradicts a result.
// dtype gives the element type of an input; integers are small.
func Hostile(t *testing.T, call Call, n, required, inputs int, dtype func(i int) tensor.DType) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(inputs)))
	ran := 0
	for range n {
		rank, extent, mixed := r.IntN(5), r.IntN(3), r.IntN(2) == 0
		in := make([]tensor.Value, inputs)
		shapes := ""
		for i := range in {
			if i >= required && r.IntN(2) == 0 {
				continue
			}
			if r.IntN(4) == 0 {
				rank = r.IntN(6)
			}
			shape := make([]int, rank)
			for k := range shape {
				if shape[k] = extent; mixed {
					shape[k] = r.IntN(4)
				}
			}
			x := tensor.New(dtype(i), shape...)
			for k := range x.Bytes() {
				if x.DType().IsInt() && k%(x.DType().Bits()/8) == 0 || x.DType() == tensor.Bool {
					x.Bytes()[k] = byte(r.IntN(2))
				}
			}
			in[i] = x
			shapes += fmt.Sprint(" ", x)
		}
		if runHostile(t, call, shapes, in) == nil {
			ran++
		}
	}
	t.Logf("%s: %d of %d calls made sense", call.Name, ran, n)
}

func runHostile(t *testing.T, call Call, shapes string, in []tensor.Value) (err error) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Fatalf("%s on%s: panic: %v", call.Name, shapes, v)
		}
	}()
	_, err = runOn(t, call, parallel.NewPool(1), in) // on this goroutine, so that a panic can be caught
	return err
}
