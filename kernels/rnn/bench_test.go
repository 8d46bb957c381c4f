package rnn

import (
	"fmt"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

func BenchmarkLSTM(b *testing.B) {
	const in, n, steps = 128, 256, 50
	for _, batch := range []int{1, 8, 32} {
		b.Run(fmt.Sprint("batch", batch), func(b *testing.B) {
			f := func(name string) Func[float32] { return Activation[float32](name, 0, 0) }
			a := &Args[float32]{Kind: LSTM, Steps: steps, Batch: batch, Input: in, Hidden: n, Directions: 1, X: make([]float32, steps*batch*in),
				Act: [2][3]Func[float32]{{f("sigmoid"), f("tanh"), f("tanh")}}, Y: make([]float32, steps*batch*n)}
			a.Weights = []Weights[float32]{Pack(make([]float32, 4*n*in), make([]float32, 4*n*n), 4, in, n, false)}
			work := make([]float32, a.WorkLen())
			for b.Loop() {
				Run(parallel.NewPool(1), a, work, func() bool { return false })
			}
			b.ReportMetric(float64(2*steps*batch*4*n*(in+n))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
