//go:build !purego

package conv

import (
	"unsafe"

	"github.com/sardonyx-ml/sardonyx/kernels/cpu"
)

// assembly makes functions of generated kernels, whose argument is a tile.
func assembly(f func(t *byte)) func(*tile) {
	return func(t *tile) { f((*byte)(unsafe.Pointer(t))) }
}

func assemblies(fs ...func(t *byte)) []func(*tile) {
	var out []func(*tile)
	for _, f := range fs {
		out = append(out, assembly(f))
	}
	return out
}

var (
	tilesAVX2 = &tileKernel{name: "avx2", mr: 4, lanes: 8, full: assemblies(tileAVX2_1, tileAVX2_2, tileAVX2_3), tail: assembly(tileAVX2_tail),
		column: assembly(columnAVX2), single: 3}
	tilesAVX512 = &tileKernel{name: "avx512", mr: 8, lanes: 16, full: assemblies(tileAVX512_1, tileAVX512_2, tileAVX512_3), tail: assembly(tileAVX512_tail),
		column: assembly(columnAVX512), single: 7}
)

// tileKernelOf returns the best micro kernels for this machine.
func tileKernelOf() *tileKernel {
	switch {
	case cpu.AVX512:
		return tilesAVX512
	case cpu.AVX2:
		return tilesAVX2
	}
	return tileGo
}

// evenRows copies every other element of rows of 2·n-1 > 0 elements, lds apart, to rows that are ldd apart.
func evenRows(dst []float32, ldd int, src []float32, lds, rows, n int) {
	_, _ = dst[(rows-1)*ldd+n-1], src[(rows-1)*lds+2*n-2]
	if !cpu.AVX2 {
		evenRowsGo(dst, ldd, src, lds, rows, n)
		return
	}
	evenRowsAVX2(&dst[0], ldd, &src[0], lds, rows, n)
}

// finishRow sets dst[i] = min(max(src[i] + bias + res[i], lo), hi); res may be nil.
func finishRow(dst, src, res []float32, bias, lo, hi float32) {
	if len(dst) == 0 {
		return
	}
	if !cpu.AVX2 {
		finishRowGo(dst, src, res, bias, lo, hi)
		return
	}
	_ = src[len(dst)-1]
	var r *float32
	if res != nil {
		r = &res[:len(dst)][0]
	}
	finishRowAVX2(&dst[0], &src[0], r, len(dst), bias, lo, hi)
}

// winogradInput transforms two quads of tiles; see winogradInputGo.
func winogradInput(v []float32, n0, n1, stride int, x []float32, x0, x1, ldx int, tmp *[288]float32) {
	if !cpu.AVX2 {
		winogradInputGo(v, n0, n1, stride, x, x0, x1, ldx)
		return
	}
	_, _ = v[max(n0, n1)+35*stride+3], x[max(x0, x1)+5*ldx+19]
	winogradInputAVX2(&v[n0], &v[n1], stride, &x[x0], &x[x1], ldx, &tmp[0])
}

// winogradOutput transforms two quads of tiles back; see winogradOutputGo.
func winogradOutput(y []float32, y0, y1, ldy int, m []float32, n0, n1, stride int, tmp *[288]float32) {
	if !cpu.AVX2 {
		winogradOutputGo(y, y0, y1, ldy, m, n0, n1, stride)
		return
	}
	_, _ = y[max(y0, y1)+3*ldy+15], m[max(n0, n1)+35*stride+3]
	winogradOutputAVX2(&y[y0], &y[y1], ldy, &m[n0], &m[n1], stride, &tmp[0])
}
