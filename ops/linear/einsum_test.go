package linear_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	. "github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// naiveEinsum sums over every combination of the indices of an explicit equation without ellipsis.
func naiveEinsum(eq string, in ...*tensor.Tensor) *tensor.Tensor {
	left, out, _ := strings.Cut(eq, "->")
	terms := strings.Split(left, ",")
	size := map[byte]int{}
	var letters []byte
	for i, t := range terms {
		for k := range len(t) {
			if _, ok := size[t[k]]; !ok {
				letters = append(letters, t[k])
			}
			size[t[k]] = max(size[t[k]], in[i].Dim(k))
			if in[i].Dim(k) == 0 {
				size[t[k]] = 0
			}
		}
	}
	at := map[byte]int{}
	pos := func(term string, shape tensor.Shape) int {
		p := 0
		for k := range len(term) {
			p = p*shape[k] + at[term[k]]%max(shape[k], 1)
		}
		return p
	}
	shape := tensor.Shape{}
	for k := range len(out) {
		shape = append(shape, size[out[k]])
	}
	y := tensor.New(tensor.Float64, shape...)
	var rec func(i int)
	rec = func(i int) {
		if i < len(letters) {
			for at[letters[i]] = 0; at[letters[i]] < size[letters[i]]; at[letters[i]]++ {
				rec(i + 1)
			}
			return
		}
		v := 1.0
		for k, t := range terms {
			v *= in[k].Float64()[pos(t, in[k].Shape())]
		}
		y.Float64()[pos(out, shape)] += v
	}
	rec(0)
	return y
}

func TestEinsum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		eq, naive string
		shapes    []tensor.Shape
	}{
		{"ij,jk->ik", "", []tensor.Shape{{3, 4}, {4, 5}}},
		{" i j , j k ", "ij,jk->ik", []tensor.Shape{{3, 4}, {4, 5}}},
		{"ij,jk->ki", "", []tensor.Shape{{3, 4}, {4, 5}}},
		{"ij->ji", "", []tensor.Shape{{3, 4}}},
		{"ji", "ji->ij", []tensor.Shape{{3, 4}}},
		{"ii->i", "", []tensor.Shape{{3, 3}}},
		{"ii", "ii->", []tensor.Shape{{3, 3}}},
		{"ij->", "", []tensor.Shape{{3, 4}}},
		{"ij->i", "", []tensor.Shape{{3, 4}}},
		{"i,i->i", "", []tensor.Shape{{5}, {5}}},
		{"i,i", "i,i->", []tensor.Shape{{5}, {5}}},
		{"i,j->ij", "", []tensor.Shape{{5}, {3}}},
		{"...ii->...i", "abii->abi", []tensor.Shape{{2, 3, 4, 4}}},
		{"bij,bjk->bik", "", []tensor.Shape{{2, 3, 4}, {2, 4, 5}}},
		{"...ij,...jk->...ik", "abij,abjk->abik", []tensor.Shape{{2, 1, 3, 4}, {1, 3, 4, 5}}},
		{"bhid,bhjd->bhij", "", []tensor.Shape{{2, 3, 4, 5}, {2, 3, 6, 5}}},
		{"bihd,bjhd->bhij", "", []tensor.Shape{{2, 4, 3, 5}, {2, 6, 3, 5}}},
		{"bij,bj->bi", "", []tensor.Shape{{2, 3, 4}, {2, 4}}},
		{"ibh,hnd->ibnd", "", []tensor.Shape{{2, 3, 4}, {4, 2, 3}}},
		{"ijk,jil->kl", "", []tensor.Shape{{3, 4, 5}, {4, 3, 2}}},
		{"ijk,l->jl", "", []tensor.Shape{{3, 4, 5}, {2}}},
		{"ab,bc,cd->ad", "", []tensor.Shape{{2, 3}, {3, 4}, {4, 5}}},
		{"ab,ab,ab->ab", "", []tensor.Shape{{2, 3}, {2, 3}, {2, 3}}},
		{"ij,kj->ik", "", []tensor.Shape{{3, 1}, {2, 4}}},
		{"Ab,bA->Ab", "", []tensor.Shape{{2, 3}, {3, 2}}},
		{"aB", "aB->Ba", []tensor.Shape{{2, 3}}},
		{"->", "", []tensor.Shape{{}}},
		{",->", "", []tensor.Shape{{}, {}}},
		{"ij,jk->ik", "", []tensor.Shape{{3, 0}, {0, 5}}},
		{"ij,jk->ik", "", []tensor.Shape{{0, 2}, {2, 5}}},
		{"ib,b->b", "", []tensor.Shape{{0, 3}, {3}}},
		{"iib,ci->bc", "", []tensor.Shape{{3, 3, 2}, {4, 3}}},
	} {
		t.Run(c.eq, func(t *testing.T) {
			var in []tensor.Value
			var raw []*tensor.Tensor
			for _, s := range c.shapes {
				v := make([]float64, s.Size())
				for i := range v {
					v[i] = float64(r.IntN(9) - 4)
				}
				raw = append(raw, tensor.Of(s, v))
				in = append(in, raw[len(raw)-1])
			}
			if c.naive == "" {
				c.naive = c.eq
			}
			Equal(t, Run1(t, Call{Name: "Einsum", Attrs: Attrs{"equation": c.eq}}, in...), naiveEinsum(c.naive, raw...), 0, 0)
		})
	}
	i8 := of[int8](tensor.Shape{2}, 100, 3)
	Equal(t, Run1(t, Call{Name: "Einsum", Attrs: Attrs{"equation": "i,i->i"}}, i8, i8), of[int8](tensor.Shape{2}, 16, 9), 0, 0)
	for eq, in := range map[string][]tensor.Value{
		"ij->k": {count[float32](2, 2)}, "ij->ii": {count[float32](2, 2)}, "i1->i": {count[float32](2, 2)}, "ijk->i": {count[float32](2, 2)},
		"i,j->i": {count[float32](2)}, "ij,jk": {count[float32](2, 3), count[float32](2, 3)}, "...i...": {count[float32](2)}, "i.j": {count[float32](2)},
	} {
		if _, err := Run(t, Call{Name: "Einsum", Attrs: Attrs{"equation": eq}}, in...); err == nil {
			t.Errorf("%s: no error", eq)
		}
	}
}

func TestDet(t *testing.T) {
	x := of[float32](tensor.Shape{2, 3, 3}, 0, 2, 1, 1, 0, 3, 2, 1, 1, 1, 2, 3, 2, 4, 6, 0, 1, 1)
	Equal(t, Run1(t, Call{Name: "Det"}, x), of[float32](tensor.Shape{2}, 11, 0), 1e-6, 1e-6)
	Equal(t, Run1(t, Call{Name: "Det"}, count[float64](2, 2)), of[float64](tensor.Shape{}, -2), 1e-12, 0)
	Equal(t, Run1(t, Call{Name: "Det"}, count[float64](2, 0, 0)), of[float64](tensor.Shape{2}, 1, 1), 0, 0)
	if _, err := Run(t, Call{Name: "Det"}, count[float64](2, 3)); err == nil {
		t.Error("no error")
	}
}

func TestMatMulInteger(t *testing.T) {
	a := of[uint8](tensor.Shape{4, 3}, 11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0)
	b := of[uint8](tensor.Shape{3, 2}, 1, 4, 2, 5, 3, 6)
	call := Call{Name: "MatMulInteger"}
	Equal(t, Run1(t, call, a, b, of[uint8](tensor.Shape{1}, 12), of[uint8](tensor.Shape{}, 0)),
		of[int32](tensor.Shape{4, 2}, -38, -83, -44, -98, -50, -113, -56, -128), 0, 0)
	Equal(t, Run1(t, call, a, b, of[uint8](tensor.Shape{4}, 11, 10, 9, 8), of[uint8](tensor.Shape{2}, 1, 4)),
		of[int32](tensor.Shape{4, 2}, -20, -20, -20, -20, -20, -20, -20, -20), 0, 0)
	// A row of zero points for each matrix of a batch, against one matrix.
	x := of[int8](tensor.Shape{2, 2, 1}, -1, 2, 3, -128)
	Equal(t, Run1(t, call, x, of[int8](tensor.Shape{1, 1}, 2), of[int8](tensor.Shape{2, 2, 1}, 0, 1, 2, 127), nil),
		of[int32](tensor.Shape{2, 2, 1}, -2, 2, 2, -510), 0, 0)
	Equal(t, Run1(t, call, of[int8](tensor.Shape{1}, 2), of[uint8](tensor.Shape{2, 1, 2}, 1, 2, 3, 4), nil, of[uint8](tensor.Shape{2, 1, 2}, 1, 0, 1, 0)),
		of[int32](tensor.Shape{2, 2}, 0, 4, 4, 8), 0, 0)
	for name, in := range map[string][]tensor.Value{
		"zero points": {a, b, of[uint8](tensor.Shape{3}, 1, 2, 3)},
		"zero type":   {a, b, of[int8](tensor.Shape{}, 1)},
		"type":        {of[int32](tensor.Shape{1, 1}, 1), b},
		"sizes":       {b, a},
	} {
		if _, err := Run(t, call, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestQLinearMatMul(t *testing.T) {
	f := func(v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{len(v)}, v) }
	a, b := of[uint8](tensor.Shape{2, 2}, 10, 20, 30, 40), of[int8](tensor.Shape{2, 2}, -1, 2, 3, -4)
	az, bz := of[uint8](tensor.Shape{1}, 10), of[int8](tensor.Shape{1}, 0)
	for name, c := range map[string]struct {
		in   []tensor.Value
		want *tensor.Tensor
	}{
		// a - 10 is {0, 10, 20, 30}; the products are {30, -40, 70, -80}.
		"tensor":     {[]tensor.Value{a, f(0.5), az, b, f(0.25), bz, f(0.5), of[uint8](tensor.Shape{1}, 1)}, of[uint8](tensor.Shape{2, 2}, 9, 0, 19, 0)},
		"ties":       {[]tensor.Value{a, f(0.5), az, b, f(0.1), bz, f(1), of[int8](tensor.Shape{1}, 1)}, of[int8](tensor.Shape{2, 2}, 3, -1, 5, -3)},
		"row column": {[]tensor.Value{a, f(1, 2), az, b, f(1, 0.5), bz, f(1), of[int8](tensor.Shape{}, 0)}, of[int8](tensor.Shape{2, 2}, 30, -20, 127, -80)},
		"half": {[]tensor.Value{a, of(tensor.Shape{1}, tensor.ToF16(0.5)), az, b, of(tensor.Shape{1}, tensor.ToF16(0.25)), bz, of(tensor.Shape{1}, tensor.ToF16(0.5)), of[uint8](tensor.Shape{1}, 1)},
			of[uint8](tensor.Shape{2, 2}, 9, 0, 19, 0)},
	} {
		t.Run(name, func(t *testing.T) { Equal(t, Run1(t, Call{Name: "QLinearMatMul"}, c.in...), c.want, 0, 0) })
	}
	e := func(v ...float32) *tensor.Tensor {
		out := tensor.New(tensor.Float8E4M3FN, len(v))
		tensor.EncodeFloat32(out, v)
		return out
	}
	got := Run1(t, Call{Name: "QLinearMatMul"}, e(1, 2).Reshaped(tensor.Shape{1, 2}), f(2), e(0), e(3, 4).Reshaped(tensor.Shape{2, 1}), f(1), e(0), f(1), e(0))
	if v := tensor.Slice[tensor.F8E4M3FN](got)[0].Float32(); v != 22 {
		t.Errorf("float8 product is %v", v)
	}
	got = Run1(t, Call{Name: "QLinearMatMul"}, e(1, 2).Reshaped(tensor.Shape{1, 2}), f(2), e(0), b, f(1), bz, f(1), of[int8](tensor.Shape{}, 1))
	Equal(t, got, of[int8](tensor.Shape{1, 2}, 11, -11), 0, 0)
}
