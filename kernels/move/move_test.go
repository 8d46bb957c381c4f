package move

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"unsafe"
)

func fill32(n int) ([]uint32, Mem) {
	s := make([]uint32, n)
	return s, Mem{Bytes: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*n), Width: 4}
}

// TestPlan compares transpositions and slices of random shapes and steps with a loop over all indices, cut into
// arbitrary ranges of units.
func TestPlan(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for trial := range 400 {
		rank := rng.Intn(5)
		shape, stride := make([]int, rank), make([]int, rank)
		srcN := 1
		for _, a := range rng.Perm(rank) {
			shape[a] = []int{1, 2, 3, 5, 8, 17, 40}[rng.Intn(7)]
			stride[a] = srcN
			srcN *= shape[a]
		}
		off := 0
		for a := range shape {
			switch rng.Intn(6) {
			case 0:
				stride[a] = 0
			case 1:
				off += (shape[a] - 1) * stride[a]
				stride[a] = -stride[a]
			}
		}
		dstStride, n := make([]int, rank), 1
		for a := rank - 1; a >= 0; a-- {
			dstStride[a] = n
			n *= shape[a]
		}
		src, srcM := fill32(srcN)
		for i := range src {
			src[i] = uint32(i) * 2654435761
		}
		got, gotM := fill32(n)
		want := make([]uint32, n)
		for i := range want {
			at, o := off, i
			for a := rank - 1; a >= 0; a-- {
				at += o % shape[a] * stride[a]
				o /= shape[a]
			}
			want[i] = src[at]
		}
		p := NewPlan(4, shape, dstStride, stride, 0, off)
		for lo := 0; lo < p.Units(); {
			hi := min(lo+1+rng.Intn(p.Units()), p.Units())
			p.Run(gotM, srcM, lo, hi)
			lo = hi
		}
		if !slices.Equal(got, want) {
			t.Fatalf("trial %d: shape %v strides %v offset %d: wrong", trial, shape, stride, off)
		}
	}
}

func TestPlanWidths(t *testing.T) {
	const m, n = 19, 41
	for _, w := range []int{1, 2, 4, 8, 16} {
		src, dst := make([]byte, m*n*w), make([]byte, m*n*w)
		rand.New(rand.NewSource(2)).Read(src)
		p := NewPlan(w, []int{n, m}, []int{m, 1}, []int{1, n}, 0, 0)
		p.Run(Mem{Bytes: dst, Width: w}, Mem{Bytes: src, Width: w}, 0, p.Units())
		for i := range m {
			for j := range n {
				if string(dst[(j*m+i)*w:][:w]) != string(src[(i*n+j)*w:][:w]) {
					t.Fatalf("width %d: cell %d,%d", w, i, j)
				}
			}
		}
	}
	strs := []string{"a", "b", "c", "d", "e", "f"}
	out := make([]string, 6)
	p := NewPlan(0, []int{3, 2}, []int{2, 1}, []int{1, 3}, 0, 0)
	p.Run(Mem{Strs: out}, Mem{Strs: strs}, 0, p.Units())
	if fmt.Sprint(out) != "[a d b e c f]" {
		t.Errorf("strings: %v", out)
	}
}

func TestPack(t *testing.T) {
	for _, bits := range []int{2, 4} {
		for n := range 20 {
			src := make([]byte, n)
			for i := range src {
				src[i] = byte(i*7+3) & (1<<bits - 1)
			}
			packed := make([]byte, (n*bits+7)/8)
			Pack(packed, src, bits)
			back := make([]byte, n)
			Unpack(back, packed, bits)
			if string(back) != string(src) {
				t.Errorf("%d bits, %d elements: %v, want %v", bits, n, back, src)
			}
		}
	}
	two := make([]byte, 1)
	Pack(two, []byte{1, 14}, 4)
	if two[0] != 0xE1 {
		t.Errorf("the first element is not in the low bits: %#x", two[0])
	}
}

func TestMap(t *testing.T) {
	src, srcM := fill32(6)
	for i := range src {
		src[i] = uint32(i + 1)
	}
	_, fillM := fill32(1)
	m := &Map{Axes: [][]int{{-1, 0, 3}, {2, -1, 0, 1}}, Inner: 1}
	got, gotM := fill32(12)
	m.Run(gotM, srcM, fillM, 0, m.Rows())
	if fmt.Sprint(got) != "[0 0 0 0 3 0 1 2 6 0 4 5]" {
		t.Errorf("got %v", got)
	}
}

func BenchmarkTranspose(b *testing.B) {
	for _, c := range []struct {
		name          string
		shape, stride []int
	}{
		{"matrix 1024x1024", []int{1024, 1024}, []int{1, 1024}},
		{"matrix 768x3072", []int{3072, 768}, []int{1, 3072}},
		{"keys 12x64x128", []int{12, 64, 128}, []int{64 * 128, 1, 64}},
		{"nhwc-nchw 56x56x64", []int{64, 56 * 56}, []int{1, 64}},
		{"nhwc-nchw 224x224x3", []int{3, 224 * 224}, []int{1, 3}},
		{"nchw-nhwc 224x224x3", []int{224 * 224, 3}, []int{1, 224 * 224}},
		{"heads 8x128x12x64", []int{8, 12, 128, 64}, []int{128 * 768, 64, 768, 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 1
			dst := make([]int, len(c.shape))
			for a := len(c.shape) - 1; a >= 0; a-- {
				dst[a] = n
				n *= c.shape[a]
			}
			_, src := fill32(n)
			_, out := fill32(n)
			b.SetBytes(int64(8 * n))
			for b.Loop() {
				p := NewPlan(4, c.shape, dst, c.stride, 0, 0)
				p.Run(out, src, 0, p.Units())
			}
		})
	}
}
