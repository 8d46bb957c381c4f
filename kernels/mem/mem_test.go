package mem

import "testing"

func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, 1 << 19, 3<<20 + 5} {
		s := Make[float32](n)
		if len(s) != n {
			t.Fatalf("%d elements, want %d", len(s), n)
		}
		for i := range s {
			if s[i] != 0 {
				t.Fatalf("element %d is not zero", i)
			}
			s[i] = 1
		}
	}
}
