// Package conv computes convolutions over any number of spatial axes. The general convolution is a matrix product whose
// right operand, the columns of windows, is made up block by block (kernels/gemm); kernels of one point are plain
// products, and depthwise convolutions run directly over rows.
package conv

import (
	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Geometry is the shape of a convolution. Tensors are (N, C, spatial…) in row-major order; the slices hold one value per
// spatial axis, of which there is at least one.
type Geometry struct {
	Batch   int
	Groups  int
	InC     int   // input channels of one group
	OutC    int   // output channels of one group
	In, Out []int // spatial sizes; for Transpose, Out is that of the convolution's result, the larger side
	Kernel  []int
	Stride  []int
	Dilate  []int
	Pad     []int // before each axis; what is past the input's end is padding as well
}

// Volume is the product of sizes.
func Volume(s []int) int {
	n := 1
	for _, v := range s {
		n *= v
	}
	return n
}

// Epilogue is what is done to the finished output.
type Epilogue[T any] struct {
	Bias []T           // one per output channel, or nil
	Act  func(row []T) // applied in place to pieces of the output, or nil
}

// Forward sets y, (Batch, Groups·OutC, Out…), to the convolution of x, (Batch, Groups·InC, In…), with w, (Groups·OutC,
// InC, Kernel…).
func Forward[T gemm.Number](pool *parallel.Pool, g *Geometry, y, x, w []T, e Epilogue[T]) {
	if y32, ok := any(y).([]float32); ok {
		e32 := any(e).(Epilogue[float32])
		(&Filter{w: any(w).([]float32)}).Run(pool, g, y32, any(x).([]float32), Finish{Bias: e32.Bias, Act: e32.Act})
		return
	}
	if g.InC == 1 && g.OutC <= 2 && g.Groups > 1 {
		depthwise(pool, g, y, x, w, e)
		return
	}
	in, out, k := Volume(g.In), Volume(g.Out), g.InC*Volume(g.Kernel)
	args := &gemm.Args[T]{M: g.OutC, N: out, K: k, LDC: out, A: gemm.RowMajor[T](nil, k, false), Act: e.Act}
	point := g.pointwise()
	if point {
		args.B = gemm.RowMajor[T](nil, out, false)
	} else {
		args.BlockB = Columns[T](g, nil, 0)
	}
	gemm.Batch(pool, g.Batch*g.Groups, args, func(i int, a *gemm.Args[T]) {
		group := i % g.Groups
		a.C, a.A.Data = y[i*g.OutC*out:], w[group*g.OutC*k:]
		if image := x[i*g.InC*in : (i+1)*g.InC*in]; point {
			a.B.Data = image
		} else {
			a.BlockB = Columns[T](g, image, 0)
		}
		if e.Bias != nil {
			a.Bias = gemm.Operand[T]{Data: e.Bias[group*g.OutC:], Row: 1}
		}
	})
}

// Int8 sets y, (Batch, Groups·OutC, Out…), to the convolution of 8-bit integers: x, whose zero point is xZero, with w, whose
// zero points are wZero: none, one, or one per output channel. Padding has the value 0 after the zero point's subtraction.
// packed, if not nil, is what PackInt8 made of w.
func Int8(pool *parallel.Pool, g *Geometry, y []int32, x []uint8, xSigned bool, xZero int32, w []uint8, wSigned bool, wZero []int32, packed []*gemm.Int8Rows) {
	in, out, k := Volume(g.In), Volume(g.Out), g.InC*Volume(g.Kernel)
	args := &gemm.Int8Args{M: g.OutC, N: out, K: k, LDC: out, A: gemm.Int8Operand{Signed: wSigned, Row: k, Col: 1, Zero: wZero},
		B: gemm.Int8Operand{Signed: xSigned, Row: out, Col: 1, Zero: []int32{xZero}}}
	point := g.pointwise()
	if !point {
		args.BlockB = byteColumns(g, nil, 0)
	}
	gemm.BatchInt8(pool, g.Batch*g.Groups, args, func(i int, a *gemm.Int8Args) {
		group := i % g.Groups
		a.C = y[i*g.OutC*out:]
		if packed != nil {
			a.PackedA = packed[group]
		} else {
			a.A.Data = w[group*g.OutC*k:]
		}
		if len(wZero) > 1 {
			a.A.Zero = wZero[group*g.OutC : (group+1)*g.OutC]
		}
		if image := x[i*g.InC*in : (i+1)*g.InC*in]; point {
			a.B.Data = image
		} else {
			a.BlockB = byteColumns(g, image, uint8(xZero))
		}
	})
}

// PackInt8 arranges the weights of each of groups for Int8: outC×k 8-bit integers.
func PackInt8(w []uint8, signed bool, groups, outC, k int) []*gemm.Int8Rows {
	packed := make([]*gemm.Int8Rows, groups)
	for i := range packed {
		packed[i] = gemm.PackInt8Rows(gemm.Int8Operand{Data: w[i*outC*k:], Signed: signed, Row: k, Col: 1}, outC, k)
	}
	return packed
}

// byteColumns is Columns in rows.
func byteColumns(g *Geometry, x []uint8, pad uint8) func(dst []uint8, ld, k0, kc, j0, nc int) {
	columns := Columns(g, x, pad)
	return func(dst []uint8, ld, k0, kc, j0, nc int) { columns(dst, ld, k0, kc, j0, nc) }
}

// pointwise reports whether the columns of windows are the image itself.
func (g *Geometry) pointwise() bool {
	for i := range g.In {
		if g.Kernel[i] != 1 || g.Stride[i] != 1 || g.Pad[i] != 0 || g.Out[i] != g.In[i] {
			return false
		}
	}
	return true
}
