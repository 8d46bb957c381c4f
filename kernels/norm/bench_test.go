package norm

import "testing"

func BenchmarkRows(b *testing.B) {
	const n = 768
	x, y, s, t := ramp[float32](n, 1), make([]float32, n), ramp[float32](n, 1), ramp[float32](n, 0)
	for name, f := range map[string]func(){
		"layer":  func() { Layer(y, x, s, t, 1e-5) },
		"rms":    func() { RMS(y, x, s, 1e-5) },
		"affine": func() { Affine(y, x, 0.5, 2, 1) },
		"lrn":    func() { LRN(y, x, 32, 24, 2, 2, 1e-4, 0.75, 1) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(4 * n)
			for b.Loop() {
				f()
			}
		})
	}
}
