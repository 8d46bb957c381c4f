package tensor

import (
	"math"
	"testing"
)

func TestF16RoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		h := F16(i)
		f := h.Float32()
		if f != f {
			if g := ToF16(f).Float32(); g == g {
				t.Fatalf("%#x: NaN lost", i)
			}
			continue
		}
		if got := ToF16(f); got != h {
			t.Fatalf("ToF16(%v) = %#x, want %#x", f, got, h)
		}
	}
}

// refRound finds the nearest code by search, ties to the even code.
func refRound(x float64, decode func(int) float64, codes int) int {
	best := 0
	for c := range codes {
		d, db := math.Abs(decode(c)-x), math.Abs(decode(best)-x)
		if d < db || d == db && c&1 == 0 && best&1 == 1 {
			best = c
		}
	}
	return best
}

func TestFloat8Rounding(t *testing.T) {
	for _, f := range []float8{e4m3fn, e4m3fnuz, e5m2, e5m2fnuz, e2m1} {
		n := f.maxMag() + 1
		for i := range 4000 {
			x := float32(i) * 0.0137
			want := refRound(float64(x), func(c int) float64 { return float64(f.decode(uint8(c))) }, n)
			if got := f.encode(x, true); int(got) != want {
				t.Fatalf("%+v: encode(%v) = %#x, want %#x", f, x, got, want)
			}
		}
	}
}

func TestHalfFrom64RoundsOnce(t *testing.T) {
	// 1 + 2^-11 + 2^-40 is just above the tie between 1 and 1+2^-10; through float32 it would look like the tie.
	if got := ToF16From64(1 + 0x1p-11 + 0x1p-40).Float32(); got != 1+0x1p-10 {
		t.Errorf("got %v", got)
	}
	if got := ToBF16From64(1 + 0x1p-8 - 0x1p-50).Float32(); got != 1 {
		t.Errorf("got %v", got)
	}
}

func TestDim(t *testing.T) {
	b, s := Sym("batch"), Sym("seq")
	for _, c := range []struct {
		d    Dim
		want string
	}{
		{b.Add(s).Sub(b), "seq"},
		{b.Mul(s).Mul(Int(12)).Div(s), "12*batch"},
		{s.Mul(Int(4)).Add(Int(8)).Div(Int(4)), "seq + 2"},
		{s.AddInt(1).Div(Int(2)), "floor((seq + 1)/(2))"},
		{s.Sub(s), "0"},
		{s.Max(s.AddInt(3)), "seq + 3"},
		{Dim{}.Add(s), "?"},
		{Int(-7).Div(Int(2)), "-4"},
		{b.Mul(Int(-1)).AddInt(-2), "-batch - 2"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if !b.Mul(s).Equal(s.Mul(b)) || (Dim{}).Equal(Dim{}) {
		t.Error("Equal")
	}
	v := s.AddInt(1).Div(Int(2)).Eval(func(string) (int, bool) { return 8, true })
	if !v.Is(4) {
		t.Errorf("Eval: %v", v)
	}
}

func TestPacked(t *testing.T) {
	for _, d := range []DType{Int4, Uint4, Int2, Uint2} {
		x := New(d, 7)
		lo, hi := 0, 1<<d.Bits()-1
		if d.IsSigned() {
			lo, hi = -(1 << (d.Bits() - 1)), 1<<(d.Bits()-1)-1
		}
		for i := range 7 {
			x.SetPacked(i, int8(lo+i%(hi-lo+1)))
		}
		for i := range 7 {
			if got, want := x.PackedAt(i), int8(lo+i%(hi-lo+1)); got != want {
				t.Errorf("%v[%d] = %d, want %d", d, i, got, want)
			}
		}
	}
}

func TestShapeOverflow(t *testing.T) {
	if _, err := (Shape{1 << 40, 1 << 40}).CheckSize(); err == nil {
		t.Error("no error")
	}
	if n, err := (Shape{1 << 40, 0, 1 << 40}).CheckSize(); n != 0 || err != nil {
		t.Error(n, err)
	}
}
