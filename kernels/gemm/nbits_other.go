//go:build purego || !amd64

package gemm

func nbitsMicro(bits, rows int, y, a []float32, lda int, panel []uint8, scale, offset, sums []float32, blocks, groups int) {
	nbitsMicroGo(bits, rows, y, a, lda, panel, scale, offset, sums, blocks, groups)
}

func nbitsLanes(int) int { return 4 }

func nbitsExpand(bits int, dst []float32, ld int, panel []uint8, scale, offset []float32, groups, lanes int) {
	expandGo(bits, dst, ld, panel, scale, offset, groups, lanes)
}
