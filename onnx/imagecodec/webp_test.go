package imagecodec

import "testing"

func TestUpsample(t *testing.T) {
	near, far := []uint8{0, 100}, []uint8{40, 200}
	got := make([]uint8, 4)
	upsample(got, near, far)
	// (9·0 + 3·100 + 3·40 + 200)/16 = 38.75 and (9·100 + 3·0 + 3·200 + 40)/16 = 96.25, edges (3·near + far)/4.
	for i, want := range []uint8{10, 38, 96, 125} {
		if d := int(got[i]) - int(want); d < -1 || d > 1 {
			t.Errorf("sample %d is %d, want %d", i, got[i], want)
		}
	}
}

func TestToRGB(t *testing.T) {
	p := make([]byte, 3)
	for _, c := range [][6]int{{16, 128, 128, 0, 0, 0}, {235, 128, 128, 255, 255, 255}, {81, 90, 240, 254, 0, 0}} {
		toRGB(p, c[0], c[1], c[2])
		for i := range p {
			if d := int(p[i]) - c[3+i]; d < -1 || d > 1 {
				t.Errorf("%v: got %v", c, p)
			}
		}
	}
}
