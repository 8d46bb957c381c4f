package contrib_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func ms(name string, attrs opstest.Attrs) opstest.Call {
	return opstest.Call{Domain: ops.Microsoft, Name: name, Attrs: attrs}
}

func random(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = float32(r.Float64()*2 - 1)
	}
	return t
}

func TestBiases(t *testing.T) {
	x := tensor.Of(tensor.Shape{1, 2, 2}, []float32{1, 2, 3, 4})
	opstest.Equal(t, opstest.Run1(t, ms("BiasAdd", nil), x, tensor.Vector[float32](10, 20), x),
		tensor.Of(tensor.Shape{1, 2, 2}, []float32{12, 24, 16, 28}), 0, 0)
	// gelu(1) = 0.8413447, gelu(-1) = -0.1586553.
	opstest.Equal(t, opstest.Run1(t, ms("BiasSplitGelu", nil), tensor.Of(tensor.Shape{1, 4}, []float32{1, 2, 0, 0}), tensor.Vector[float32](1, 1, 1, -1)),
		tensor.Of(tensor.Shape{1, 2}, []float32{2 * 0.8413447, -3 * 0.1586553}), 1e-5, 0)
	opstest.Equal(t, opstest.Run1(t, ms("GemmFastGelu", nil), tensor.Of(tensor.Shape{1, 2}, []float32{1, 1}), tensor.Of(tensor.Shape{2, 1}, []float32{2, -1}), tensor.Vector[float32](0)),
		tensor.Of(tensor.Shape{1, 1}, []float32{0.841192}), 1e-5, 0)
	// Four rows with two biases: in turn, or each for two rows.
	data, bias := tensor.New(tensor.Float32, 2, 2, 2), tensor.Of(tensor.Shape{2, 2}, []float32{0, 0, 0, float32(math.Log(3))})
	for inner, want := range [][]float32{{.5, .5, .25, .75, .5, .5, .25, .75}, {.5, .5, .5, .5, .25, .75, .25, .75}} {
		opstest.Equal(t, opstest.Run1(t, ms("BiasSoftmax", opstest.Attrs{"axis": 2, "is_inner_broadcast": inner}), data, bias), tensor.Of(data.Shape(), want), 1e-6, 0)
	}
}

// T5's buckets, as its authors' code gives them for 8 buckets and a distance of 6.
func TestRelativePositionBias(t *testing.T) {
	table := tensor.New(tensor.Float32, 8, 1)
	for i := range table.Float32() {
		table.Float32()[i] = float32(i)
	}
	five := tensor.Scalar[int64](5)
	opstest.Equal(t, opstest.Run1(t, ms("RelativePositionBias", opstest.Attrs{"max_distance": 16}), table, five, five),
		tensor.Of(tensor.Shape{1, 1, 5, 5}, []float32{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 1, 0, 0, 0, 3, 2, 1, 0, 0, 4, 3, 2, 1, 0}), 0, 0)
	opstest.Equal(t, opstest.Run1(t, ms("RelativePositionBias", opstest.Attrs{"max_distance": 16, "is_bidirectional": 1}), table, tensor.Scalar[int64](1), five),
		tensor.Of(tensor.Shape{1, 1, 1, 5}, []float32{0, 5, 6, 6, 6}), 0, 0)
}

func TestQLinearReduceMean(t *testing.T) {
	x := tensor.Of(tensor.Shape{2, 3}, []uint8{10, 12, 14, 100, 104, 105})
	opstest.Equal(t, opstest.Run1(t, ms("QLinearReduceMean", opstest.Attrs{"axes": []int{1}, "keepdims": 0}), x, tensor.Scalar[float32](0.5), tensor.Scalar[uint8](10),
		tensor.Scalar[float32](0.25), tensor.Scalar[uint8](1)), tensor.Vector[uint8](5, 187), 0, 0)
}

func TestGatherBlockTypes(t *testing.T) {
	data := tensor.New(tensor.Int4, 2, 16)
	for i := range 32 {
		data.SetPacked(i, int8(i%16-8))
	}
	scales := tensor.Of(tensor.Shape{2, 1}, []float32{1, 10})
	attrs := opstest.Attrs{"block_size": 16}
	got := opstest.Run1(t, ms("GatherBlockQuantized", attrs), data, tensor.Vector[int64](1, 5), scales)
	want := tensor.New(tensor.Float32, 2, 16) // the index out of range gives zeros
	for i := range 16 {
		want.Float32()[i] = 10 * float32(i-8)
	}
	opstest.Equal(t, got, want, 0, 0)
	zero := tensor.New(tensor.Int4, 2, 1)
	zero.SetPacked(1, -8)
	got = opstest.Run1(t, ms("GatherBlockQuantized", attrs), data, tensor.Vector[int32](-1), scales, zero)
	for i := range 16 {
		want.Float32()[i] = 10 * float32(i)
	}
	opstest.Equal(t, got, want.Rows(0, 1), 0, 0)
	f8 := tensor.Of(tensor.Shape{2, 2}, []tensor.F8E4M3FN{tensor.ToF8E4M3FN(1.5, true), tensor.ToF8E4M3FN(-2, true), tensor.ToF8E4M3FN(4, true), 0})
	got = opstest.Run1(t, ms("GatherBlockQuantized", opstest.Attrs{"block_size": 0}), f8, tensor.Scalar[int64](0), tensor.Of(tensor.Shape{1, 1}, []float32{2}))
	opstest.Equal(t, got, tensor.Vector[float32](3, -4), 0, 0)
	if _, err := opstest.Run(t, ms("GatherBlockQuantized", attrs), data, tensor.Vector[int64](0), tensor.New(tensor.Float32, 2, 2)); err == nil {
		t.Error("too many scales are taken")
	}
}

// naive is softmax(q·kᵀ·scale, where allowed)·v of one head.
func naive(q, k, v []float32, rows, keys, size int, allowed func(i, j int) bool) []float32 {
	y := make([]float32, rows*size)
	for i := range rows {
		w, sum := make([]float64, keys), 0.0
		for j := range keys {
			if !allowed(i, j) {
				continue
			}
			s := 0.0
			for p := range size {
				s += float64(q[i*size+p]) * float64(k[j*size+p])
			}
			w[j] = math.Exp(s / math.Sqrt(float64(size)))
			sum += w[j]
		}
		for j := range keys {
			for p := range size {
				y[i*size+p] += float32(w[j] / sum * float64(v[j*size+p]))
			}
		}
	}
	return y
}

// Two heads with a layout each, blocks of 2, three keys of the past and three new ones.
func TestSparseAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const size, past, news = 4, 3, 3
	q, k, v := random(r, 1, news, 2*size), random(r, 1, news, 2*size), random(r, 1, news, 2*size)
	pk, pv := random(r, 1, 2, 6, size), random(r, 1, 2, 6, size)
	layouts := [][][]int32{{{0}, {1}, {0, 2}}, {{0}, {0, 1}, {1, 2}}}
	rows := tensor.Of(tensor.Shape{2, 4}, []int32{0, 1, 2, 4, 0, 1, 3, 5})
	cols := tensor.Of(tensor.Shape{2, 5}, []int32{0, 1, 0, 2, -1, 0, 0, 1, 1, 2})
	call := ms("SparseAttention", opstest.Attrs{"num_heads": 2, "kv_num_heads": 2, "sparse_block_size": 2})
	call.Outputs = 3
	out, err := opstest.Run(t, call, q, k, v, pk, pv, rows, cols, tensor.Vector[int32](past+news), tensor.Vector[int32](past+news))
	if err != nil {
		t.Fatal(err)
	}
	want := tensor.New(tensor.Float32, 1, news, 2*size)
	for h := range 2 {
		head := func(x, past *tensor.Tensor, n int) []float32 {
			var out []float32
			if past != nil {
				out = append(out, past.Float32()[h*6*size:(h*6+n)*size]...)
			}
			for i := range news {
				out = append(out, x.Float32()[(i*2+h)*size:(i*2+h+1)*size]...)
			}
			return out
		}
		kk, vv := head(k, pk, past), head(v, pv, past)
		y := naive(head(q, nil, 0), kk, vv, news, past+news, size, func(i, j int) bool {
			for _, b := range layouts[h][(past+i)/2] {
				if int(b) == j/2 && j <= past+i {
					return true
				}
			}
			return false
		})
		for i := range news {
			copy(want.Float32()[(i*2+h)*size:], y[i*size:(i+1)*size])
		}
		opstest.Equal(t, tensor.Of(tensor.Shape{6 * size}, out[1].(*tensor.Tensor).Float32()[h*6*size:(h+1)*6*size]), tensor.Of(tensor.Shape{6 * size}, kk), 0, 0)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), want, 1e-4, 1e-6)
}

// One token after another gives what all at once give.
func TestDecoderMaskedSelfAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const steps, hidden, heads, room = 4, 8, 2, 6
	x, w, b := random(r, 2, steps, hidden), random(r, hidden, 3*hidden), random(r, 3*hidden)
	for _, rotary := range []int{0, 1} {
		attrs := opstest.Attrs{"num_heads": heads, "unidirectional": 1, "do_rotary": rotary}
		want := opstest.Run1(t, ms("Attention", attrs), x, w, b)
		past := tensor.New(tensor.Float32, 2, 2, heads, room, hidden/heads)
		for s := range steps {
			one := tensor.New(tensor.Float32, 2, 1, hidden)
			row := tensor.New(tensor.Float32, 2, 1, hidden)
			for n := range 2 {
				copy(one.Float32()[n*hidden:], x.Float32()[(n*steps+s)*hidden:(n*steps+s+1)*hidden])
				copy(row.Float32()[n*hidden:], want.Float32()[(n*steps+s)*hidden:(n*steps+s+1)*hidden])
			}
			call := ms("DecoderMaskedSelfAttention", opstest.Attrs{"num_heads": heads, "past_present_share_buffer": 1, "do_rotary": rotary})
			call.Outputs = 2
			out, err := opstest.Run(t, call, one, w, b, nil, past, nil, tensor.Vector(int32(s)))
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[0].(*tensor.Tensor), row, 1e-4, 1e-6)
			past = out[1].(*tensor.Tensor)
		}
	}
}

// A run over all steps, and one over each with the state in between, agree; windows hold the last states.
func TestStates(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const steps, window = 5, 3
	step := func(x *tensor.Tensor, axis, s int) tensor.Value {
		n, inner := x.Shape()[:axis].Size(), x.Shape()[axis+1:].Size()
		shape := x.Shape().Clone()
		shape[axis] = 1
		y := tensor.New(tensor.Float32, shape...)
		for i := range n {
			copy(y.Float32()[i*inner:(i+1)*inner], x.Float32()[(i*x.Dim(axis)+s)*inner:])
		}
		return y
	}
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		axis  int
		seq   []int // inputs that have steps
		state int
		in    []tensor.Value
	}{
		{"LinearAttention", opstest.Attrs{"q_num_heads": 4, "kv_num_heads": 2}, 1, []int{0, 1, 2, 4, 5}, 3,
			[]tensor.Value{random(r, 2, steps, 16), random(r, 2, steps, 8), random(r, 2, steps, 6), nil, random(r, 2, steps, 8), random(r, 2, steps, 1)}},
		{"LinearAttention", opstest.Attrs{"q_num_heads": 2, "kv_num_heads": 4, "update_rule": "delta"}, 1, []int{0, 1, 2, 5}, 3,
			[]tensor.Value{random(r, 2, steps, 8), random(r, 2, steps, 16), random(r, 2, steps, 12), nil, nil, random(r, 2, steps, 4)}},
		{"CausalConvWithState", opstest.Attrs{"dilation": 2}, 2, []int{0}, 3, []tensor.Value{random(r, 2, 3, steps), random(r, 3, 1, 3), random(r, 3), nil}},
		{"CausalConvWithState", opstest.Attrs{"channels_last": 1, "activation": "swish"}, 1, []int{0}, 3, []tensor.Value{random(r, 2, steps, 2, 2), random(r, 4, 1, 3), nil, nil}},
		{"CausalConvWithState", opstest.Attrs{"ndim": 2}, 3, []int{0}, 3, []tensor.Value{random(r, 2, 3, 4, steps), random(r, 3, 1, 3, 2), random(r, 3), nil}},
	} {
		c.attrs["state_window"] = window
		call := ms(c.name, c.attrs)
		call.Outputs = 2
		all, err := opstest.Run(t, call, c.in...)
		if err != nil {
			t.Fatal(err)
		}
		states := all[1].(*tensor.Tensor)
		c.attrs["state_window"] = 0
		in := append([]tensor.Value{}, c.in...)
		for s := range steps {
			for _, i := range c.seq {
				in[i] = step(c.in[i].(*tensor.Tensor), c.axis, s)
			}
			out, err := opstest.Run(t, call, in...)
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[0].(*tensor.Tensor), step(all[0].(*tensor.Tensor), c.axis, s).(*tensor.Tensor), 1e-5, 1e-6)
			in[c.state] = out[1]
			if slot := window - steps + s; slot >= 0 {
				opstest.Equal(t, states.Rows(slot, slot+1).Reshaped(states.Shape()[1:]), out[1].(*tensor.Tensor), 1e-5, 1e-6)
			}
		}
	}
}

// A third layer multiplies the activations: silu(x)·x·… is swiglu with both halves alike.
func TestMoELayers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	x, router, w1, w2 := random(r, 5, 4), random(r, 5, 3), random(r, 3, 6, 4), random(r, 3, 4, 6)
	double := tensor.New(tensor.Float32, 3, 12, 4)
	for e := range 3 {
		copy(double.Float32()[e*48:], w1.Float32()[e*24:(e+1)*24])
		copy(double.Float32()[e*48+24:], w1.Float32()[e*24:(e+1)*24])
	}
	got := opstest.Run1(t, ms("MoE", opstest.Attrs{"k": 2, "activation_type": "silu"}), x, router, w1, nil, w2, nil, w1)
	want := opstest.Run1(t, ms("MoE", opstest.Attrs{"k": 2, "activation_type": "swiglu", "swiglu_fusion": 2}), x, router, double, nil, w2)
	opstest.Equal(t, got, want, 1e-5, 1e-6)
	// With scores far apart, SparseMixer gives both experts the weight 1.
	router = tensor.Of(tensor.Shape{5, 3}, []float32{9, 3, 1, 9, 3, 1, 9, 3, 1, 9, 3, 1, 9, 3, 1})
	got = opstest.Run1(t, ms("MoE", opstest.Attrs{"k": 2, "use_sparse_mixer": 1}), x, router, w1, nil, w2)
	want = tensor.New(tensor.Float32, 5, 4)
	for n := range 5 {
		for e := range 2 {
			for h := range 6 {
				s := float32(0)
				for i := range 4 {
					s += x.Float32()[n*4+i] * w1.Float32()[(e*6+h)*4+i]
				}
				for i := range 4 {
					want.Float32()[n*4+i] += max(s, 0) * w2.Float32()[(e*4+i)*6+h]
				}
			}
		}
	}
	opstest.Equal(t, got, want, 1e-5, 1e-6)
}

// A state with room for little more than a window gives what a state of all keys gives, in steps of any length.
func TestSlidingWindowCache(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const steps, size, window, room = 12, 8, 3, 4
	q, k, v := random(r, 1, steps, 2*size), random(r, 1, steps, size), random(r, 1, steps, size)
	cos, sin, bias := random(r, steps, size/2), random(r, steps, size/2), random(r, 1, 2, steps, steps)
	attrs := opstest.Attrs{"num_heads": 2, "kv_num_heads": 1, "local_window_size": window, "do_rotary": 1}
	call := ms("GroupQueryAttention", attrs)
	call.Outputs = 3
	n := func(v int) tensor.Value { return tensor.Vector(int32(v)) }
	all, err := opstest.Run(t, call, q, k, v, nil, nil, n(steps-1), n(steps), cos, sin, nil, bias)
	if err != nil {
		t.Fatal(err)
	}
	want, keys := all[0].(*tensor.Tensor), all[1].(*tensor.Tensor)
	attrs["sliding_window_cache"] = 1
	rows := func(x *tensor.Tensor, from, to int) tensor.Value {
		return tensor.Of(tensor.Shape{1, to - from, x.Dim(2)}, x.Float32()[from*x.Dim(2):to*x.Dim(2)])
	}
	for _, lengths := range [][]int{{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {5, 1, 1, 3, 2}, {12}, {3, 9}} {
		pk, pv := tensor.Value(tensor.New(tensor.Float32, 1, 1, room, size)), tensor.Value(tensor.New(tensor.Float32, 1, 1, room, size))
		at := 0
		for _, s := range lengths {
			part := tensor.New(tensor.Float32, 1, 2, s, at+s)
			for i := range 2 * s {
				copy(part.Float32()[i*(at+s):(i+1)*(at+s)], bias.Float32()[(i/s*steps+at+i%s)*steps:])
			}
			out, err := opstest.Run(t, call, rows(q, at, at+s), rows(k, at, at+s), rows(v, at, at+s), pk, pv, n(at+s-1), n(at+s), cos, sin, nil, part)
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[0].(*tensor.Tensor), rows(want, at, at+s).(*tensor.Tensor), 1e-4, 1e-6)
			at += s
			pk, pv = out[1], out[2]
			resident := at
			if at > room {
				resident = at - 2*((at-room+1)/2)
			}
			opstest.Equal(t, tensor.Of(tensor.Shape{resident * size}, pk.(*tensor.Tensor).Float32()[:resident*size]),
				tensor.Of(tensor.Shape{resident * size}, keys.Float32()[(at-resident)*size:at*size]), 1e-6, 0)
		}
	}
}

// Four-bit and scaled states hold the new keys rounded, and are read back.
func TestQuantizedState(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	q, k, v := random(r, 1, 2, 32), random(r, 1, 2, 16), random(r, 1, 2, 16)
	n := func(v int) tensor.Value { return tensor.Vector(int32(v)) }
	attrs := opstest.Attrs{"num_heads": 4, "kv_num_heads": 2}
	call := ms("GroupQueryAttention", attrs)
	call.Outputs = 3
	plain, err := opstest.Run(t, call, q, k, v, nil, nil, n(1), n(2))
	if err != nil {
		t.Fatal(err)
	}
	scale := tensor.New(tensor.Float32, 1, 2, 1, 8)
	for i := range scale.Float32() {
		scale.Float32()[i] = 1. / 7
	}
	for _, c := range []struct {
		d    tensor.DType
		bits int
		cols int
		tol  float64
	}{{tensor.Uint8, 4, 4, 0.15}, {tensor.Int8, 8, 8, 0.15}, {tensor.Float8E4M3FN, 8, 8, 0.08}} {
		for k, v := range map[string]any{"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": c.bits} {
			attrs[k] = v
		}
		empty := tensor.New(c.d, 1, 2, 0, c.cols)
		out, err := opstest.Run(t, call, q, k, v, empty, empty, n(1), n(2), nil, nil, nil, nil, nil, scale, scale)
		if err != nil {
			t.Fatal(err)
		}
		opstest.Equal(t, out[0].(*tensor.Tensor), plain[0].(*tensor.Tensor), 0, c.tol)
		codes := out[1].(*tensor.Tensor)
		if codes.DType() != c.d || !codes.Shape().Equal(tensor.Shape{1, 2, 2, c.cols}) {
			t.Errorf("state is %v", codes)
		}
		if first := plain[1].(*tensor.Tensor).Float32()[0]; c.bits == 4 && codes.Bytes()[0]&15 != byte(math.RoundToEven(float64(first)*7)+8) {
			t.Errorf("first code of %v is %d", first, codes.Bytes()[0]&15)
		}
	}
}

func TestMurmurHash3(t *testing.T) {
	in := tensor.Strings(tensor.Shape{3}, []string{"", "foo", "hello world"})
	opstest.Equal(t, opstest.Run1(t, ms("MurmurHash3", nil), in), tensor.Vector[uint32](0, 0xf6a5c420, 0x5e928f0f), 0, 0)
	opstest.Equal(t, opstest.Run1(t, ms("MurmurHash3", opstest.Attrs{"positive": 0}), tensor.Vector[int32](3, 4)), tensor.Vector[int32](847579505, 1889779975), 0, 0)
}

func TestCDist(t *testing.T) {
	a, b := tensor.Of(tensor.Shape{2, 2}, []float64{0, 0, 3, 4}), tensor.Of(tensor.Shape{1, 2}, []float64{0, 0})
	opstest.Equal(t, opstest.Run1(t, ms("CDist", nil), a, b), tensor.Of(tensor.Shape{2, 1}, []float64{0, 25}), 0, 0)
	opstest.Equal(t, opstest.Run1(t, ms("CDist", opstest.Attrs{"metric": "euclidean"}), a, b), tensor.Of(tensor.Shape{2, 1}, []float64{0, 5}), 0, 0)
	if _, err := opstest.New(ms("CDist", opstest.Attrs{"metric": "yule"})); err == nil {
		t.Error("unknown metric is taken")
	}
}

// Both layouts agree; each group of a channel-first tensor has mean 0 and variance 1.
func TestGroupNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	first, last := random(r, 2, 4, 2, 3), tensor.New(tensor.Float32, 2, 2, 3, 4)
	for i := range first.Float32() {
		n, c, p := i/24, i/6%4, i%6
		last.Float32()[n*24+p*4+c] = first.Float32()[i]
	}
	ones, zeros := tensor.Vector[float32](1, 1, 1, 1), tensor.Vector[float32](0, 0, 0, 0)
	y := opstest.Run1(t, ms("GroupNorm", opstest.Attrs{"groups": 2, "activation": 0, "channels_last": 0}), first, ones, zeros)
	for g := range 4 {
		sum, squares := 0.0, 0.0
		for _, v := range y.Float32()[g*12 : (g+1)*12] {
			sum += float64(v)
			squares += float64(v * v)
		}
		if math.Abs(sum) > 1e-4 || math.Abs(squares-12) > 1e-2 {
			t.Errorf("group %d has sum %v and squares %v", g, sum, squares)
		}
	}
	skip, bias := random(r, 2, 4), random(r, 4)
	var outs [2][]tensor.Value
	for l, x := range []*tensor.Tensor{first, last} {
		call := ms("SkipGroupNorm", opstest.Attrs{"groups": 2, "activation": 1, "channels_last": l})
		call.Outputs = 2
		var err error
		if outs[l], err = opstest.Run(t, call, x, bias, skip.Rows(0, 1).Reshaped(tensor.Shape{4}), skip, bias); err != nil {
			t.Fatal(err)
		}
	}
	for k := range 2 {
		a, b := outs[0][k].(*tensor.Tensor), outs[1][k].(*tensor.Tensor)
		for i, v := range a.Float32() {
			if w := b.Float32()[i/24*24+i%6*4+i/6%4]; math.Abs(float64(v-w)) > 1e-5 {
				t.Errorf("output %d element %d: %v and %v", k, i, v, w)
			}
		}
	}
	if got, want := outs[0][1].(*tensor.Tensor).Float32()[0], first.Float32()[0]+skip.Float32()[0]+bias.Float32()[0]; math.Abs(float64(got-want)) > 1e-6 {
		t.Errorf("sum is %v, want %v", got, want)
	}
}

// With scales for each column, a bidirectional layer's halves are what layers of one direction give.
func TestDynamicQuantizeLSTMDirections(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	const steps, batch, input, hidden = 4, 2, 3, 2
	bytes := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Uint8, shape...)
		for i := range x.Bytes() {
			x.Bytes()[i] = byte(r.Uint32())
		}
		return x
	}
	scale := func() *tensor.Tensor {
		x := random(r, 2, 4*hidden)
		for i := range x.Float32() {
			x.Float32()[i] = 0.01 + 0.001*x.Float32()[i]
		}
		return x
	}
	x, w, u, b, p := random(r, steps, batch, input), bytes(2, input, 4*hidden), bytes(2, hidden, 4*hidden), random(r, 2, 8*hidden), random(r, 2, 3*hidden)
	ws, wz, us, uz := scale(), bytes(2, 4*hidden), scale(), bytes(2, 4*hidden)
	lens := tensor.Vector[int32](4, 2)
	call := ms("DynamicQuantizeLSTM", opstest.Attrs{"hidden_size": hidden, "direction": "bidirectional"})
	call.Outputs = 3
	both, err := opstest.Run(t, call, x, w, u, b, lens, nil, nil, p, ws, wz, us, uz)
	if err != nil {
		t.Fatal(err)
	}
	for d, name := range []string{"forward", "reverse"} {
		call.Attrs["direction"] = name
		one := func(t *tensor.Tensor) tensor.Value { return t.Rows(d, d+1) }
		out, err := opstest.Run(t, call, x, one(w), one(u), one(b), lens, nil, nil, one(p), one(ws), one(wz), one(us), one(uz))
		if err != nil {
			t.Fatal(err)
		}
		for k := 1; k < 3; k++ {
			opstest.Equal(t, out[k].(*tensor.Tensor), both[k].(*tensor.Tensor).Rows(d, d+1), 0, 0)
		}
	}
}
