//go:build purego || !amd64

package gemm

func pickInt8() *int8Kernel { return int8Go }

func interleave(dst []uint8, width int, src []uint8, ld, groups int, flip uint8) {
	interleaveGo(dst, width, src, ld, groups, flip)
}

func sumBytes(x []uint8) int { return sumBytesGo(x) }

func rank1(acc []int32, ld int, x, y []int32) { rank1Go(acc, ld, x, y) }

func dequantizeTile(dst []float32, ldd int, acc []int32, ld, rows int, scale, bias []float32) {
	dequantizeGo(dst, ldd, acc, ld, rows, scale, bias)
}

func requantizeTile(dst []uint8, ldd int, acc []int32, ld, rows int, scale []float32, zero int32, lo, hi float32) {
	requantizeGo(dst, ldd, acc, ld, rows, scale, zero, lo, hi)
}
