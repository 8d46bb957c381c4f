package tensor

import "testing"

func TestAtLeast(t *testing.T) {
	s, p, n := Sym("s"), Sym("p"), Int(1024)
	window := n.Min(p.Add(s)).Sub(n.Min(p)).Max(Int(0))
	for _, c := range []struct {
		d, e Dim
		want bool
	}{
		{Int(3), Int(2), true},
		{Int(2), Int(3), false},
		{s, Int(0), true},
		{s, Int(1), false},
		{s.Add(p), s, true},
		{s, s.Add(p), false},
		{s, p, false},
		{s, s.Min(p), true},
		{s.Min(p), s, false},
		{s.Max(p), p, true},
		{p, s.Max(p), false},
		{s, window, true},
		{window, s, false},
		{p.Add(s), n.Min(p.Add(s)), true},
		{s.Mul(Int(2)), s, true},
		{s.Add(p).Max(Int(7)), s.Min(Int(7)), true},
		{Dim{}, s, false},
		{s, Dim{}, false},
	} {
		if got := c.d.AtLeast(c.e); got != c.want {
			t.Errorf("%v ≥ %v: %t, want %t", c.d, c.e, got, c.want)
		}
	}
}
