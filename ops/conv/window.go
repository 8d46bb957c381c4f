// Package conv holds the operators that slide windows over images: convolutions and pooling, over any number of spatial
// axes.
package conv

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func unsupported(op string, d tensor.DType) error {
	return fmt.Errorf("%s of %v: %w", op, d, ops.ErrUnsupported)
}

// window is what the attributes say of sliding windows.
type window struct {
	kernel, strides, dilations, pads []int // nil where absent
	autoPad                          string
	ceil                             bool
}

// placed is a window on an image of known size; one value per spatial axis.
type placed struct {
	in, out, kernel, strides, dilations []int
	before, after                       []int // padding
}

// maxExtent bounds sizes so that their sums and products by a stride do not overflow.
const maxExtent = math.MaxInt32

func newWindow(a *ops.Attrs) window {
	w := window{
		kernel: a.Ints("kernel_shape"), strides: a.Ints("strides"), dilations: a.Ints("dilations"), pads: a.Ints("pads"),
		autoPad: a.Enum("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
		ceil:    a.Bool("ceil_mode", false),
	}
	if w.autoPad == "" {
		w.autoPad = "NOTSET"
	}
	check := func(name string, s []int, least int) {
		for _, v := range s {
			if v < least || v > maxExtent {
				a.Errorf("%s of %v", name, s)
				return
			}
		}
	}
	check("kernel_shape", w.kernel, 1)
	check("strides", w.strides, 1)
	check("dilations", w.dilations, 1)
	check("pads", w.pads, 0)
	return w
}

// ranked checks the attributes against the number of spatial axes and sets the defaults. kernel is the kernel's size
// where it is an input's.
func (w window) ranked(n int, kernel []int) (window, error) {
	if n < 1 {
		return w, fmt.Errorf("an input with at least one spatial axis is needed")
	}
	switch {
	case w.kernel == nil:
		w.kernel = kernel
	case kernel != nil:
		for i, k := range kernel {
			if i >= len(w.kernel) || w.kernel[i] != k {
				return w, fmt.Errorf("kernel_shape %v differs from the weights' %v", w.kernel, kernel)
			}
		}
	}
	for _, k := range w.kernel {
		if k < 1 || k > maxExtent {
			return w, fmt.Errorf("kernel of size %v", w.kernel)
		}
	}
	ones := make([]int, n)
	for i := range ones {
		ones[i] = 1
	}
	if w.strides == nil {
		w.strides = ones
	}
	if w.dilations == nil {
		w.dilations = ones
	}
	if w.pads == nil {
		w.pads = make([]int, 2*n)
	}
	for _, s := range []struct {
		name string
		got  int
		want int
	}{{"kernel_shape", len(w.kernel), n}, {"strides", len(w.strides), n}, {"dilations", len(w.dilations), n}, {"pads", len(w.pads), 2 * n}} {
		if s.got != s.want {
			return w, fmt.Errorf("%s has %d values for %d spatial axes", s.name, s.got, n)
		}
	}
	return w, nil
}

// place puts the window on an image of the given spatial size.
func (w window) place(in, kernel []int) (placed, error) {
	n := len(in)
	w, err := w.ranked(n, kernel)
	if err != nil {
		return placed{}, err
	}
	p := placed{in: in, kernel: w.kernel, strides: w.strides, dilations: w.dilations,
		out: make([]int, n), before: make([]int, n), after: make([]int, n)}
	for i, size := range in {
		if size > maxExtent {
			return p, fmt.Errorf("spatial axis of size %d: %w", size, ops.ErrUnsupported)
		}
		extent := (p.kernel[i]-1)*p.dilations[i] + 1
		switch w.autoPad {
		case "SAME_UPPER", "SAME_LOWER":
			p.out[i] = (size + p.strides[i] - 1) / p.strides[i]
			total := max(0, (p.out[i]-1)*p.strides[i]+extent-size)
			p.before[i], p.after[i] = split(total, w.autoPad == "SAME_UPPER")
			continue
		case "NOTSET":
			p.before[i], p.after[i] = w.pads[i], w.pads[n+i]
		}
		room := size + p.before[i] + p.after[i] - extent
		if room < 0 {
			return p, fmt.Errorf("a window of %d does not fit into %d with padding %d and %d", extent, size, p.before[i], p.after[i])
		}
		p.out[i] = room/p.strides[i] + 1
		if w.ceil {
			p.out[i] = (room+p.strides[i]-1)/p.strides[i] + 1
			if (p.out[i]-1)*p.strides[i] >= size+p.before[i] {
				p.out[i]-- // the last window starts inside the image, not in the padding behind it
			}
		}
	}
	return p, nil
}

// split halves the padding; an odd rest goes to the end for SAME_UPPER.
func split(total int, upper bool) (before, after int) {
	if upper {
		return total / 2, total - total/2
	}
	return total - total/2, total / 2
}

// infer returns the output's spatial dimensions, unknown where they can't be told.
func (w window) infer(in []tensor.Dim, kernel []tensor.Dim) ([]tensor.Dim, error) {
	var sizes []int
	for _, k := range kernel {
		n, ok := k.Int()
		if !ok {
			sizes = nil
			break
		}
		sizes = append(sizes, n)
	}
	if sizes == nil && w.kernel == nil {
		return make([]tensor.Dim, len(in)), nil
	}
	w, err := w.ranked(len(in), sizes)
	if err != nil {
		return nil, err
	}
	out := make([]tensor.Dim, len(in))
	for i, d := range in {
		if size, ok := d.Int(); ok {
			one := window{kernel: w.kernel[i : i+1], strides: w.strides[i : i+1], dilations: w.dilations[i : i+1],
				pads: []int{w.pads[i], w.pads[len(in)+i]}, autoPad: w.autoPad, ceil: w.ceil}
			p, err := one.place([]int{size}, nil)
			if err != nil {
				return nil, err
			}
			out[i] = tensor.Int(p.out[0])
			continue
		}
		out[i] = w.inferAxis(d, i, len(in))
	}
	return out, nil
}

func (w window) inferAxis(d tensor.Dim, i, n int) tensor.Dim {
	extent := (w.kernel[i]-1)*w.dilations[i] + 1
	pads := w.pads[i] + w.pads[n+i]
	switch w.autoPad {
	case "SAME_UPPER", "SAME_LOWER":
		return d.CeilDiv(w.strides[i])
	case "VALID":
		pads = 0
	}
	if w.ceil && w.autoPad == "NOTSET" && (w.strides[i] > 1 || w.pads[n+i] >= extent) {
		return tensor.Dim{}
	}
	return d.AddInt(pads - extent).Div(tensor.Int(w.strides[i])).AddInt(1)
}
