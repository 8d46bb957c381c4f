package gemm

// int8Kernel multiplies 8-bit integers: run sets m ≤ mr rows and vecs·lanes ≤ nr columns of sums at c, whose rows are nr
// apart, from rows of A (lda apart) and a panel of B in groups of four values of k. A is unsigned, B signed.
type int8Kernel struct {
	name          string
	mr, nr, lanes int
	run           func(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int)
	// pairs, if there is one, is a faster run for panels in which the magnitudes of the first and of the last two elements of
	// each group sum up to 128 at most: sums of two products fit 16 bits.
	pairs func(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int)
}

// The largest tile of any integer kernel.
const (
	maxInt8MR = 8
	maxInt8NR = 48
)

var int8Go = &int8Kernel{name: "go", mr: 4, nr: 16, lanes: 4, run: int8MicroGo}

// int8MicroGo is the portable micro kernel.
func int8MicroGo(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int) {
	const nr = 16
	for i := range m {
		row := a[i*lda:][:4*groups]
		sums := (*[nr]int32)(c[i*nr:])
		*sums = [nr]int32{}
		for g := range groups {
			a0, a1, a2, a3 := int32(row[4*g]), int32(row[4*g+1]), int32(row[4*g+2]), int32(row[4*g+3])
			group := (*[4 * nr]uint8)(b[g*4*nr:])
			for j := range 4 * vecs {
				q := group[4*j&63:]
				sums[j&15] += a0*int32(int8(q[0])) + a1*int32(int8(q[1])) + a2*int32(int8(q[2])) + a3*int32(int8(q[3]))
			}
		}
	}
}

// interleaveGo writes width bytes of each of four rows, ld apart, column by column, with the bits of flip flipped, for each
// group of four rows.
func interleaveGo(dst []uint8, width int, src []uint8, ld, groups int, flip uint8) {
	for g := range groups {
		r0, r1, r2, r3 := src[4*g*ld:][:width], src[(4*g+1)*ld:][:width], src[(4*g+2)*ld:][:width], src[(4*g+3)*ld:][:width]
		d := dst[g*4*width:][:4*width]
		for j := range r0 {
			d[4*j], d[4*j+1], d[4*j+2], d[4*j+3] = r0[j]^flip, r1[j]^flip, r2[j]^flip, r3[j]^flip
		}
	}
}

func sumBytesGo(x []uint8) int {
	s := 0
	for _, v := range x {
		s += int(v)
	}
	return s
}

// rank1Go subtracts x[i]·y[j] from element (i, j) of rows that are ld apart.
func rank1Go(acc []int32, ld int, x, y []int32) {
	for i, f := range x {
		row := acc[i*ld:][:len(y)]
		for j, v := range y {
			row[j] -= f * v
		}
	}
}

func dequantizeGo(dst []float32, ldd int, acc []int32, ld, rows int, scale, bias []float32) {
	for i := range rows {
		d, a := dst[i*ldd:][:len(scale)], acc[i*ld:][:len(scale)]
		for j, s := range scale {
			d[j] = float32(float32(a[j])*s) + bias[j]
		}
	}
}

func requantizeGo(dst []uint8, ldd int, acc []int32, ld, rows int, scale []float32, zero int32, lo, hi float32) {
	for i := range rows {
		d, a := dst[i*ldd:][:len(scale)], acc[i*ld:][:len(scale)]
		for j, s := range scale {
			d[j] = requantize(float32(a[j])*s, lo, hi, zero)
		}
	}
}
