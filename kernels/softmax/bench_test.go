package softmax

import "testing"

func BenchmarkSoftmax(b *testing.B) {
	const n = 128 * 128
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(i%97) * 0.1
	}
	for name, f := range map[string]func(){
		"row":     func() { Softmax(y, x, n, 1) },
		"columns": func() { Softmax(y, x, 128, 128) },
		"log":     func() { LogSoftmax(y, x, n, 1) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(4 * n)
			for b.Loop() {
				f()
			}
		})
	}
}
