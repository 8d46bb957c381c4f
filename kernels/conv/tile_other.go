//go:build !amd64 || purego

package conv

func tileKernelOf() *tileKernel { return tileGo }

func evenRows(dst []float32, ldd int, src []float32, lds, rows, n int) {
	evenRowsGo(dst, ldd, src, lds, rows, n)
}

func finishRow(dst, src, res []float32, bias, lo, hi float32) {
	finishRowGo(dst, src, res, bias, lo, hi)
}

func winogradInput(v []float32, n0, n1, stride int, x []float32, x0, x1, ldx int, _ *[288]float32) {
	winogradInputGo(v, n0, n1, stride, x, x0, x1, ldx)
}

func winogradOutput(y []float32, y0, y1, ldy int, m []float32, n0, n1, stride int, _ *[288]float32) {
	winogradOutputGo(y, y0, y1, ldy, m, n0, n1, stride)
}
